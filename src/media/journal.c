#include "media/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/table.h"

enum { BOOT_MAX = 40 };

static const char magic[8] = "SPIDX01";

struct header {
	char magic[8];
	uint32_t record_size;
	uint32_t records;
	char boot[BOOT_MAX];
	uint64_t instance; /* any number, see journal_instance */
};

struct file {
	struct header head;
	struct journal_record record[JOURNAL_FLOWS];
};

/* Where a record is found by its flow. */
struct entry {
	struct table_node node;
	uint64_t key[2];
	uint32_t next_free;
};

struct journal {
	struct file *file;   /* mapped */
	struct entry *entry; /* JOURNAL_FLOWS */
	struct table by_flow;
	uint32_t free; /* head of the list, JOURNAL_FLOWS = none */
};

static void fill_head(struct header *h, const char *boot)
{
	*h = (struct header){.record_size = sizeof(struct journal_record),
			     .records = JOURNAL_FLOWS};
	memcpy(h->magic, magic, sizeof(magic));
	strncpy(h->boot, boot, sizeof(h->boot) - 1);
}

/* Half a journal only takes room from a full disk. */
static int give_up(int fd, int why)
{
	(void)!ftruncate(fd, 0);
	errno = why;
	return ERR_IO;
}

/*
 * Every block is there before the file is mapped: a write to a hole that the
 * disk has no room for kills the writer (SIGBUS).
 */
static int fill_holes(int fd)
{
	int why = posix_fallocate(fd, 0, (off_t)sizeof(struct file));

	return why == 0 ? 0 : give_up(fd, why);
}

int journal_prepare(int fd, const char *boot)
{
	struct header want;
	struct header have;
	struct stat st;
	int err;

	fill_head(&want, boot);
	/* Without a name nobody knows whether it is the same boot. */
	if (boot[0] && fstat(fd, &st) == 0 &&
	    st.st_size == (off_t)sizeof(struct file) &&
	    pread(fd, &have, sizeof(have), 0) == (ssize_t)sizeof(have) &&
	    memcmp(&have, &want, offsetof(struct header, instance)) == 0)
		return fill_holes(fd);
	if (getrandom(&want.instance, sizeof(want.instance), 0) !=
		    (ssize_t)sizeof(want.instance) ||
	    ftruncate(fd, 0) < 0)
		return ERR_IO;
	err = fill_holes(fd);
	if (!err && pwrite(fd, &want, sizeof(want), 0) != (ssize_t)sizeof(want))
		err = give_up(fd, errno);
	return err;
}

static void put_free(struct journal *j, uint32_t i)
{
	j->entry[i].next_free = j->free;
	j->free = i;
}

/* What a predecessor has left is found, everything else is free. */
static int index_records(struct journal *j)
{
	for (uint32_t i = JOURNAL_FLOWS; i-- > 0;) {
		const struct journal_record *r = &j->file->record[i];
		struct entry *e = &j->entry[i];
		int err;

		if (r->id == 0) {
			put_free(j, i);
			continue;
		}
		e->key[0] = r->owner;
		e->key[1] = r->id;
		err = table_add(&j->by_flow, &e->node,
				slice_make(e->key, sizeof(e->key)));
		if (err)
			return err;
	}
	return 0;
}

int journal_open(int fd, struct journal **ret)
{
	struct journal *j = alloc_zero(sizeof(*j));
	struct stat st;
	void *p;
	int err;

	if (!j)
		return ERR_NOMEM;
	j->free = JOURNAL_FLOWS;
	table_init(&j->by_flow, JOURNAL_FLOWS, 0);
	j->entry = alloc_array(JOURNAL_FLOWS, sizeof(*j->entry));
	if (!j->entry) {
		journal_close(j);
		return ERR_NOMEM;
	}
	err = fstat(fd, &st) < 0 ? ERR_IO : 0;
	if (!err && st.st_size != (off_t)sizeof(struct file))
		err = ERR_BAD;
	p = err ? MAP_FAILED
		: mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		j->file = p;
	else if (!err)
		err = ERR_IO;
	if (!err && memcmp(j->file->head.magic, magic, sizeof(magic)) != 0)
		err = ERR_BAD;
	if (!err)
		err = index_records(j);
	if (err)
		journal_close(j);
	else
		*ret = j;
	return err;
}

struct journal *journal_close(struct journal *j)
{
	if (!j)
		return NULL;
	if (j->file)
		(void)munmap(j->file, sizeof(*j->file));
	table_done(&j->by_flow);
	alloc_free(j->entry);
	return alloc_free(j);
}

static struct entry *find(struct journal *j, uint64_t owner, uint64_t id)
{
	uint64_t key[2] = {owner, id};

	return TABLE_ENTRY(
		table_find(&j->by_flow, slice_make(key, sizeof(key))),
		struct entry, node);
}

struct journal_record *journal_find(struct journal *j, uint64_t owner,
				    uint64_t id)
{
	struct entry *e = find(j, owner, id);

	return e ? &j->file->record[e - j->entry] : NULL;
}

struct journal_record *journal_take(struct journal *j, uint64_t owner,
				    uint64_t id)
{
	uint32_t i = j->free;
	struct journal_record *r;
	struct entry *e;

	if (i == JOURNAL_FLOWS)
		return NULL;
	e = &j->entry[i];
	e->key[0] = owner;
	e->key[1] = id;
	if (table_add(&j->by_flow, &e->node,
		      slice_make(e->key, sizeof(e->key))) != 0)
		return NULL;
	j->free = e->next_free;
	r = &j->file->record[i];
	*r = (struct journal_record){.owner = owner, .id = id};
	return r;
}

void journal_drop(struct journal *j, struct journal_record *r)
{
	uint32_t i;

	if (!r)
		return;
	i = (uint32_t)(r - j->file->record);
	table_del(&j->by_flow, &j->entry[i].node);
	*r = (struct journal_record){.id = 0};
	put_free(j, i);
}

void journal_sweep(struct journal *j, uint64_t owner,
		   bool (*is_kept)(void *arg, uint64_t owner, uint64_t id),
		   void *arg)
{
	for (uint32_t i = 0; i < JOURNAL_FLOWS; i++) {
		struct journal_record *r = &j->file->record[i];

		if (r->id != 0 && r->owner == owner &&
		    !is_kept(arg, owner, r->id))
			journal_drop(j, r);
	}
}

uint64_t journal_instance(const struct journal *j)
{
	return j->file->head.instance;
}
