#include "ipsec/watch.h"

#include <errno.h>

#include "base/alloc.h"
#include "ipsec/xfrm.h"
#include "log/log.h"
#include "loop/loop.h"

struct ipsec_watch {
	struct ipsec_watch_params p; /* flow is a copy */
	struct ipsec_flow *flow;
	enum ipsec_verdict *verdict;
	struct xfrm *xfrm;
	struct loop_fd news;
	struct loop_timer timer;
	bool is_told;	 /* changed was called once */
	bool has_failed; /* the last reading; said in the log */
};

static void set_timer(struct ipsec_watch *w, uint64_t after_ms)
{
	/* Without memory the next news set it. */
	(void)!loop_timer_set(w->p.loop, &w->timer,
			      loop_now_ms(w->p.loop) + after_ms);
}

static void read_kernel(struct ipsec_watch *w)
{
	int err = xfrm_read(w->xfrm);

	if (err && !w->has_failed)
		log_error("IPsec: policies and states cannot be read, what "
			  "needs their protection is held back error=\"%s\"",
			  err == ERR_IO ? strerror(errno) : err_str(err));
	w->has_failed = err != 0;
}

static void look(void *arg)
{
	struct ipsec_watch *w = arg;
	bool is_changed = !w->is_told;

	read_kernel(w);
	for (size_t i = 0; i < w->p.count; i++) {
		enum ipsec_verdict v =
			ipsec_judge(xfrm_view(w->xfrm), &w->flow[i]);

		is_changed = is_changed || v != w->verdict[i];
		w->verdict[i] = v;
	}
	w->is_told = true;
	if (is_changed)
		w->p.changed(w->p.ctx, w->verdict, w->p.count);
	set_timer(w, IPSEC_WATCH_MS);
}

static void on_news(void *arg, uint32_t bits)
{
	struct ipsec_watch *w = arg;

	(void)bits;
	if (xfrm_news(w->xfrm))
		set_timer(w, IPSEC_SETTLE_MS);
}

int ipsec_watch_new(const struct ipsec_watch_params *p,
		    struct ipsec_watch **ret)
{
	struct ipsec_watch *w = alloc_zero(sizeof(*w));
	int err = w ? 0 : ERR_NOMEM;

	if (err)
		return err;
	w->p = *p;
	w->news.fd = -1;
	loop_timer_init(&w->timer, look, w);
	w->flow = alloc_array(p->count, sizeof(*w->flow));
	w->verdict = alloc_array(p->count, sizeof(*w->verdict));
	if (!w->flow || !w->verdict)
		err = ERR_NOMEM;
	for (size_t i = 0; !err && i < p->count; i++) {
		w->flow[i] = p->flow[i];
		w->verdict[i] = IPSEC_UNKNOWN;
	}
	if (!err)
		err = xfrm_open(&w->xfrm);
	if (!err)
		err = loop_fd_add(p->loop, &w->news, xfrm_fd(w->xfrm),
				  LOOP_READ, on_news, w);
	if (!err)
		err = loop_timer_set(p->loop, &w->timer, loop_now_ms(p->loop));
	if (err) {
		int saved = errno;

		ipsec_watch_free(w);
		errno = saved;
		return err;
	}
	*ret = w;
	return 0;
}

struct ipsec_watch *ipsec_watch_free(struct ipsec_watch *w)
{
	if (!w)
		return NULL;
	loop_fd_del(w->p.loop, &w->news);
	loop_timer_clear(w->p.loop, &w->timer);
	xfrm_close(w->xfrm);
	alloc_free(w->flow);
	alloc_free(w->verdict);
	return alloc_free(w);
}
