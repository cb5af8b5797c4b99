#include "media/kernel_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <nf_srtp.h>

#include "base/secret.h"

enum { EVENT_BUFFER = 1 << 20 /* bytes of events nobody took yet */ };

/* What an exchange is about; for libmnl's callbacks. */
struct exchange {
	struct kernel_link *link;
	struct kernel_answer *answer; /* NULL: not wanted */
	kernel_link_fn fn;	      /* NULL: no dump */
	void *arg;
	int err;
};

static int err_of(int error)
{
	switch (error) {
	case 0:
		return 0;
	case ENOENT:
		return ERR_NOTFOUND;
	case EEXIST:
		return ERR_EXISTS;
	case ENOSPC:
		return ERR_LIMIT;
	case ENOMEM:
	case ENOBUFS:
		return ERR_NOMEM;
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	case EINVAL:
	case ERANGE:
		return ERR_BAD;
	case EPERM:
	case EACCES:
		return ERR_DENIED;
	default:
		return ERR_IO;
	}
}

static int text_attr(const struct nlattr *a, void *data)
{
	struct kernel_link *l = data;

	if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
	    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
		(void)snprintf(l->why, sizeof(l->why), "%s",
			       mnl_attr_get_str(a));
	return MNL_CB_OK;
}

/* The text is behind the request's header or, unless capped, all of it. */
static void read_text(struct kernel_link *l, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t at = sizeof(*e);

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		at += mnl_nlmsg_get_payload_len(&e->msg);
	(void)mnl_attr_parse(h, (unsigned)at, text_attr, l);
}

static int on_error(const struct nlmsghdr *h, void *data)
{
	struct exchange *x = data;
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*e)) {
		x->err = ERR_BAD;
		return MNL_CB_STOP;
	}
	/* An acknowledgement does not mend an answer that made no sense. */
	if (e->error != 0)
		x->err = err_of(-e->error);
	if (e->error != 0) {
		(void)snprintf(x->link->why, sizeof(x->link->why), "%s",
			       strerror(-e->error));
		read_text(x->link, h);
	}
	return MNL_CB_STOP;
}

/* Libraries say goodbye to a dump with an error in its last message. */
static int on_done(const struct nlmsghdr *h, void *data)
{
	struct exchange *x = data;
	int error = 0;

	if (mnl_nlmsg_get_payload_len(h) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(h), sizeof(error));
	x->err = err_of(-error);
	return MNL_CB_STOP;
}

static int on_message(const struct nlmsghdr *h, void *data)
{
	struct exchange *x = data;
	struct kernel_answer local;
	struct kernel_answer *a = x->answer ? x->answer : &local;
	int err = kernel_msg_read(h, a);

	if (err)
		x->err = err;
	else if (x->fn)
		x->fn(x->arg, a);
	return MNL_CB_OK;
}

static mnl_cb_t on_control[] = {
	[NLMSG_ERROR] = on_error, [NLMSG_DONE] = on_done};

static int exchange(struct kernel_link *l, struct nlmsghdr *h,
		    struct exchange *x, mnl_cb_t on_data)
{
	unsigned port = mnl_socket_get_portid(l->commands);
	ssize_t n;
	int more = MNL_CB_OK;

	x->link = l;
	l->why[0] = '\0';
	h->nlmsg_seq = ++l->seq;
	if (!(h->nlmsg_flags & NLM_F_DUMP))
		h->nlmsg_flags |= NLM_F_ACK;
	n = mnl_socket_sendto(l->commands, h, h->nlmsg_len);
	secret_wipe(l->out, sizeof(l->out));
	while (n >= 0 && more > MNL_CB_STOP) {
		n = mnl_socket_recvfrom(l->commands, l->in, sizeof(l->in));
		if (n > 0)
			more = mnl_cb_run2(l->in, (size_t)n, l->seq, port,
					   on_data, x, on_control,
					   sizeof(on_control) /
						   sizeof(on_control[0]));
	}
	if (n < 0 || more == MNL_CB_ERROR) {
		(void)snprintf(l->why, sizeof(l->why), "netlink: %s",
			       strerror(errno));
		return ERR_IO;
	}
	return x->err;
}

int kernel_link_do(struct kernel_link *l, struct nlmsghdr *h,
		   struct kernel_answer *ret)
{
	struct exchange x = {.answer = ret};

	if (ret)
		*ret = (struct kernel_answer){0};
	return exchange(l, h, &x, on_message);
}

int kernel_link_dump(struct kernel_link *l, struct nlmsghdr *h,
		     kernel_link_fn fn, void *arg)
{
	struct exchange x = {.fn = fn, .arg = arg};

	return exchange(l, h, &x, on_message);
}

/* --- finding the module --------------------------------------------------- */

/* What the kernel says of the family. */
struct family {
	uint16_t id;
	uint32_t group; /* 0 = not told */
	char name[32];	/* of the group being read */
	uint32_t number;
};

static int group_attr(const struct nlattr *a, void *data)
{
	struct family *f = data;

	if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GRP_NAME &&
	    mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
		(void)snprintf(f->name, sizeof(f->name), "%s",
			       mnl_attr_get_str(a));
	if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GRP_ID &&
	    mnl_attr_validate(a, MNL_TYPE_U32) == 0)
		f->number = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

static int groups_attr(const struct nlattr *a, void *data)
{
	struct family *f = data;

	f->name[0] = '\0';
	if (mnl_attr_parse_nested(a, group_attr, f) != MNL_CB_OK)
		return MNL_CB_ERROR;
	if (strcmp(f->name, NF_SRTP_GENL_EVENTS) == 0)
		f->group = f->number;
	return MNL_CB_OK;
}

static int family_attr(const struct nlattr *a, void *data)
{
	struct family *f = data;

	if (mnl_attr_get_type(a) == CTRL_ATTR_FAMILY_ID &&
	    mnl_attr_validate(a, MNL_TYPE_U16) == 0)
		f->id = mnl_attr_get_u16(a);
	if (mnl_attr_get_type(a) == CTRL_ATTR_MCAST_GROUPS)
		return mnl_attr_parse_nested(a, groups_attr, f);
	return MNL_CB_OK;
}

static int on_family(const struct nlmsghdr *h, void *data)
{
	struct exchange *x = data;

	return mnl_attr_parse(h, sizeof(struct genlmsghdr), family_attr,
			      x->arg);
}

static int find_family(struct kernel_link *l, struct family *ret)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(l->out);
	struct exchange x = {.arg = ret};
	struct genlmsghdr *g;
	int err;

	h->nlmsg_type = GENL_ID_CTRL;
	h->nlmsg_flags = NLM_F_REQUEST;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->cmd = CTRL_CMD_GETFAMILY;
	g->version = 1;
	mnl_attr_put_strz(h, CTRL_ATTR_FAMILY_NAME, NF_SRTP_GENL_NAME);
	err = exchange(l, h, &x, on_family);
	if (!err && ret->id == 0)
		err = ERR_NOTFOUND;
	return err;
}

static int open_events(struct kernel_link *l, uint32_t group)
{
	int fd, size = EVENT_BUFFER;

	l->events =
		mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!l->events ||
	    mnl_socket_bind(l->events, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(l->events, NETLINK_ADD_MEMBERSHIP, &group,
				  sizeof(group)) < 0)
		return errno == EPERM ? ERR_DENIED : ERR_IO;
	fd = mnl_socket_get_fd(l->events);
	/* Beyond the limit of the system when we may; not worth a refusal. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size,
				 sizeof(size));
	return 0;
}

static int open_all(struct kernel_link *l)
{
	struct family f = {0};
	int one = 1, err;

	l->commands = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!l->commands ||
	    mnl_socket_bind(l->commands, 0, MNL_SOCKET_AUTOPID) < 0)
		return ERR_IO;
	(void)mnl_socket_setsockopt(l->commands, NETLINK_EXT_ACK, &one,
				    sizeof(one));
	(void)mnl_socket_setsockopt(l->commands, NETLINK_CAP_ACK, &one,
				    sizeof(one));
	err = find_family(l, &f);
	if (err)
		return err;
	l->family = f.id;
	return open_events(l, f.group);
}

int kernel_link_open(struct kernel_link *l, char *reterr)
{
	int err;

	*l = (struct kernel_link){0};
	errno = 0;
	err = open_all(l);
	if (!err)
		return 0;
	if (err == ERR_NOTFOUND)
		(void)snprintf(reterr, MEDIA_WHY_MAX,
			       "the module nf_srtp is not loaded");
	else
		(void)snprintf(reterr, MEDIA_WHY_MAX,
			       "cannot talk to nf_srtp: %.200s",
			       l->why[0] ? l->why : strerror(errno));
	kernel_link_close(l);
	return err;
}

void kernel_link_close(struct kernel_link *l)
{
	if (l->commands)
		(void)mnl_socket_close(l->commands);
	if (l->events)
		(void)mnl_socket_close(l->events);
	l->commands = l->events = NULL;
}

int kernel_link_event_fd(const struct kernel_link *l)
{
	return mnl_socket_get_fd(l->events);
}

int kernel_link_event(struct kernel_link *l, struct kernel_answer *ret)
{
	struct exchange x = {.link = l, .answer = ret};
	ssize_t n = mnl_socket_recvfrom(l->events, l->in, sizeof(l->in));

	*ret = (struct kernel_answer){0};
	if (n < 0)
		return errno == ENOBUFS ? ERR_LIMIT : ERR_AGAIN;
	if (mnl_cb_run2(l->in, (size_t)n, 0, 0, on_message, &x, NULL, 0) < 0)
		return ERR_BAD;
	return x.err;
}
