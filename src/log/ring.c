#include <config.h>

#include "log/ring.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* seq is 0 while the place is empty or written, else it tells which line it
 * is: a reader that saw the same one before and after has a whole line. */
struct place {
	_Atomic uint32_t seq;
	uint32_t level;
	uint64_t time_ms;
	uint32_t len;
	char text[LOG_RING_TEXT];
};

struct log_ring {
	_Atomic uint32_t head; /* lines so far */
	struct place place[LOG_RING_LINES];
};

int log_ring_new(int *ret_fd)
{
	int fd = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return ERR_IO;
	/* A writer that cut it short would make its reader fault. */
	if (ftruncate(fd, sizeof(struct log_ring)) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
		    0) {
		(void)close(fd);
		return ERR_IO;
	}
	*ret_fd = fd;
	return 0;
}

struct log_ring *log_ring_map(int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) != 0 || st.st_size != sizeof(struct log_ring))
		return NULL;
	p = mmap(NULL, sizeof(struct log_ring), PROT_READ | PROT_WRITE,
		 MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

struct log_ring *log_ring_unmap(struct log_ring *r)
{
	if (r)
		(void)munmap(r, sizeof(*r));
	return NULL;
}

void log_ring_put(struct log_ring *r, uint64_t time_ms, enum log_level level,
		  struct slice text)
{
	uint32_t n = atomic_fetch_add(&r->head, 1);
	struct place *p = &r->place[n % LOG_RING_LINES];

	text = slice_sub(text, 0, LOG_RING_TEXT);
	atomic_store(&p->seq, 0);
	p->level = (uint32_t)level;
	p->time_ms = time_ms;
	p->len = (uint32_t)text.len;
	memcpy(p->text, text.ptr, text.len);
	atomic_store(&p->seq, n + 1 == 0 ? 1 : n + 1);
}

bool log_ring_get(const struct log_ring *r, size_t i, struct log_line *ret)
{
	const struct place *p = &r->place[i];
	uint32_t seq = atomic_load(&p->seq);
	uint32_t level;

	if (seq == 0)
		return false;
	level = p->level;
	ret->time_ms = p->time_ms;
	ret->len = p->len;
	memcpy(ret->text, p->text, sizeof(ret->text));
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load(&p->seq) != seq || ret->len > sizeof(ret->text) ||
	    level > LOG_LEVEL_DEBUG)
		return false;
	ret->level = (enum log_level)level;
	return true;
}
