#include "media/queue_rules.h"

#include <stdio.h>

#include "base/text.h"

static const char prefix[] = "sallyport_";

void queue_rules_name(const struct queue_rules *r,
		      char ret[QUEUE_RULES_NAME_MAX])
{
	(void)snprintf(ret, QUEUE_RULES_NAME_MAX, "%s%u_%u", prefix, r->first,
		       r->pid);
}

bool queue_rules_name_parse(struct slice s, uint16_t *ret_first,
			    uint32_t *ret_pid)
{
	struct slice number, pid;
	uint64_t n, p;

	if (!slice_starts(s, prefix))
		return false;
	text_cut(slice_from(s, sizeof(prefix) - 1), '_', &number, &pid);
	if (text_dec(number, UINT16_MAX, &n) || text_dec(pid, INT32_MAX, &p))
		return false;
	*ret_first = (uint16_t)n;
	*ret_pid = (uint32_t)p;
	return true;
}

static void put_range(struct writer *w, uint16_t from, char between,
		      uint16_t to)
{
	writer_dec(w, from);
	if (to == from)
		return;
	writer_u8(w, (uint8_t)between);
	writer_dec(w, to);
}

static void put_name(struct writer *w, const struct queue_rules *r)
{
	char name[QUEUE_RULES_NAME_MAX];

	queue_rules_name(r, name);
	writer_str(w, name);
}

static uint16_t last_queue(const struct queue_rules *r)
{
	return (uint16_t)(r->first + r->queues - 1);
}

void queue_rules_nft(struct writer *w, const struct queue_rules *r)
{
	writer_str(w, "table inet ");
	put_name(w, r);
	writer_str(w, " {\n\tchain input {\n\t\t"
		      "type filter hook input priority 50; policy accept;\n");
	for (uint32_t i = 0; i < r->addr_count; i++) {
		const struct addr *a = &r->addr[i];

		writer_str(w, a->family == ADDR_V6 ? "\t\tip6" : "\t\tip");
		writer_str(w, " daddr ");
		addr_print_ip(w, a);
		writer_str(w, " udp dport ");
		put_range(w, r->port_min, '-', r->port_max);
		writer_str(w, " queue num ");
		put_range(w, r->first, '-', last_queue(r));
		writer_str(w, r->queues > 1 ? " fanout\n" : "\n");
	}
	writer_str(w, "\t}\n}\n");
}

static void put_rule(struct writer *w, const struct queue_rules *r,
		     const struct addr *a)
{
	writer_str(w, "-A ");
	put_name(w, r);
	writer_str(w, " -d ");
	addr_print_ip(w, a);
	writer_str(w, " -p udp -m udp --dport ");
	put_range(w, r->port_min, ':', r->port_max);
	writer_str(w, " -j NFQUEUE --queue-");
	writer_str(w, r->queues > 1 ? "balance " : "num ");
	put_range(w, r->first, ':', last_queue(r));
	writer_str(w, r->queues > 1 ? " --queue-cpu-fanout\n" : "\n");
}

bool queue_rules_iptables(struct writer *w, const struct queue_rules *r,
			  enum addr_family family)
{
	bool found = false;

	for (uint32_t i = 0; i < r->addr_count; i++)
		found |= r->addr[i].family == family;
	if (!found)
		return false;
	writer_str(w, "*security\n:");
	put_name(w, r);
	writer_str(w, " - [0:0]\n");
	for (uint32_t i = 0; i < r->addr_count; i++) {
		if (r->addr[i].family == family)
			put_rule(w, r, &r->addr[i]);
	}
	writer_str(w, "-I INPUT 1 -j ");
	put_name(w, r);
	writer_str(w, "\nCOMMIT\n");
	return true;
}

void queue_rules_iptables_undo(struct writer *w, struct slice name)
{
	static const char *const steps[] = {"-D INPUT -j ", "-F ", "-X "};

	writer_str(w, "*security\n");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		writer_str(w, steps[i]);
		writer_put(w, name);
		writer_str(w, "\n");
	}
	writer_str(w, "COMMIT\n");
}
