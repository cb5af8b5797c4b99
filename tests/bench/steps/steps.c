/*
 * A plugin of QEMU's for STEPS=1 make bench-kernel: how often each instruction
 * of the guest's kernel ran while a packet was in the hook that nf_meter
 * watches. Writes a line "ADDRESS COUNT" for each to the file it is given as
 * out=, at the end. One virtual processor.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Version 1 of the interface, whose header is in no package. */
typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef void (*exec_fn)(unsigned vcpu, void *arg);

extern void qemu_plugin_register_vcpu_tb_trans_cb(
	plugin_id id, void (*fn)(plugin_id id, struct qemu_plugin_tb *tb));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
						 exec_fn fn, int flags,
						 void *arg);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *i,
						   exec_fn fn, int flags,
						   void *arg);
extern void qemu_plugin_register_atexit_cb(plugin_id id,
					   void (*fn)(plugin_id id, void *arg),
					   void *arg);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *
qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *i);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *i);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *i);

extern int qemu_plugin_version;
int qemu_plugin_version = 1;
extern int qemu_plugin_install(plugin_id id, const struct qemu_info *info,
			       int argc, char **argv);

/* A block that was translated: its instructions run one after the other. */
struct block {
	struct block *next;
	uint64_t count;
	size_t insns;
	uint64_t at[];
};

static struct block *blocks;
static const char *out;
static bool is_inside;

/* nopl 'met?'(%rax), of nf_meter: after a packet (0), before one (1), when it
 * counts anew (2) */
static const uint8_t mark[] = {0x0f, 0x1f, 0x80, 'm', 'e', 't'};

static void enters(unsigned vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	is_inside = true;
}

static void leaves(unsigned vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	is_inside = false;
}

static void forgets(unsigned vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	for (struct block *b = blocks; b; b = b->next)
		b->count = 0;
}

static void runs(unsigned vcpu, void *arg)
{
	struct block *b = arg;

	(void)vcpu;
	b->count += is_inside;
}

static void look_for_mark(struct qemu_plugin_insn *i)
{
	static const exec_fn fn[] = {leaves, enters, forgets};
	const uint8_t *data = qemu_plugin_insn_data(i);
	unsigned which;

	if (qemu_plugin_insn_size(i) != sizeof(mark) + 1 ||
	    memcmp(data, mark, sizeof(mark)) != 0)
		return;
	which = data[sizeof(mark)] - '0';
	if (which < sizeof(fn) / sizeof(fn[0]))
		qemu_plugin_register_vcpu_insn_exec_cb(i, fn[which], 0, NULL);
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *b;

	(void)id;
	/* the upper half: the kernel */
	if (!(qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0)) >> 63))
		return;
	b = calloc(1, sizeof(*b) + n * sizeof(b->at[0]));
	if (!b)
		abort();
	b->insns = n;
	for (size_t k = 0; k < n; k++) {
		struct qemu_plugin_insn *i = qemu_plugin_tb_get_insn(tb, k);

		b->at[k] = qemu_plugin_insn_vaddr(i);
		look_for_mark(i);
	}
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, runs, 0, b);
}

static void at_exit(plugin_id id, void *arg)
{
	FILE *f = fopen(out, "w");

	(void)id;
	(void)arg;
	for (struct block *b = blocks; f && b; b = b->next) {
		for (size_t k = 0; b->count && k < b->insns; k++)
			(void)fprintf(f, "%" PRIx64 " %" PRIu64 "\n", b->at[k],
				      b->count);
	}
	if (f)
		(void)fclose(f);
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc,
			char **argv)
{
	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4) != 0)
		return -1;
	out = argv[0] + 4;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
