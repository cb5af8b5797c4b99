/*
 * What is kept of a process's messages, and what is left out of a flood.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/run.h"
#include "log/log.h"
#include "log/ring.h"

static int fd;
static struct log_ring *ring;
static struct log_line line;

static void set_up(void)
{
	ck_assert_int_eq(log_ring_new(&fd), 0);
	ring = log_ring_map(fd);
	ck_assert_ptr_nonnull(ring);
}

static void tear_down(void)
{
	log_keep(NULL);
	ring = log_ring_unmap(ring);
	(void)close(fd);
}

static size_t count(void)
{
	size_t n = 0;

	for (size_t i = 0; i < LOG_RING_LINES; i++)
		n += log_ring_get(ring, i, &line);
	return n;
}

START_TEST(lines_are_kept_with_time_and_level)
{
	ck_assert_uint_eq(count(), 0);
	log_ring_put(ring, 1234567890123, LOG_LEVEL_WARN, slice_str("one"));
	ck_assert_uint_eq(count(), 1);
	ck_assert(log_ring_get(ring, 0, &line));
	ck_assert_uint_eq(line.time_ms, 1234567890123);
	ck_assert_int_eq(line.level, LOG_LEVEL_WARN);
	ck_assert(slice_eqs(slice_make(line.text, line.len), "one"));
	ck_assert(!log_ring_get(ring, 1, &line));
}
END_TEST

START_TEST(newest_line_replaces_the_oldest)
{
	for (uint64_t i = 0; i < LOG_RING_LINES; i++)
		log_ring_put(ring, i, LOG_LEVEL_INFO, slice_str("x"));
	ck_assert_uint_eq(count(), LOG_RING_LINES);
	ck_assert(log_ring_get(ring, 0, &line));
	ck_assert_uint_eq(line.time_ms, 0);
	log_ring_put(ring, LOG_RING_LINES, LOG_LEVEL_INFO, slice_str("y"));
	ck_assert_uint_eq(count(), LOG_RING_LINES);
	ck_assert(log_ring_get(ring, 0, &line));
	ck_assert_uint_eq(line.time_ms, LOG_RING_LINES);
	ck_assert(log_ring_get(ring, 1, &line));
	ck_assert_uint_eq(line.time_ms, 1);
}
END_TEST

START_TEST(long_line_is_cut)
{
	char text[LOG_RING_TEXT + 1];

	memset(text, 'a', sizeof(text));
	log_ring_put(ring, 1, LOG_LEVEL_INFO, slice_make(text, sizeof(text)));
	ck_assert(log_ring_get(ring, 0, &line));
	ck_assert_uint_eq(line.len, LOG_RING_TEXT);
	log_ring_put(ring, 1, LOG_LEVEL_INFO, slice_make(text, LOG_RING_TEXT));
	ck_assert(log_ring_get(ring, 1, &line));
	ck_assert_uint_eq(line.len, LOG_RING_TEXT);
}
END_TEST

/* The process that writes may be anybody's by now. */
START_TEST(whatever_is_in_it_is_read_safely)
{
	uint8_t *bytes = mmap(NULL, sizeof(line), PROT_READ | PROT_WRITE,
			      MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(bytes, MAP_FAILED);
	log_ring_put(ring, 1, LOG_LEVEL_INFO, slice_str("x"));
	ck_assert_uint_eq(count(), 1);
	for (int fill = 1; fill < 256; fill++) {
		/* Over the head of the ring and of its first places. */
		memset(bytes, fill, sizeof(line));
		(void)count();
		for (size_t i = 0; i < LOG_RING_LINES; i++)
			if (log_ring_get(ring, i, &line))
				ck_assert(line.len <= LOG_RING_TEXT &&
					  line.level <= LOG_LEVEL_DEBUG);
	}
	(void)munmap(bytes, sizeof(line));
}
END_TEST

START_TEST(ring_cannot_change_its_size)
{
	ck_assert_int_ne(ftruncate(fd, 1), 0);
	ck_assert_int_ne(ftruncate(fd, 1 << 22), 0);
}
END_TEST

START_TEST(what_is_no_ring_is_not_mapped)
{
	int other = memfd_create("other", MFD_CLOEXEC);

	ck_assert_ptr_null(log_ring_map(-1));
	ck_assert_int_eq(ftruncate(other, 100), 0);
	ck_assert_ptr_null(log_ring_map(other));
	(void)close(other);
}
END_TEST

/* Its standard error goes to /dev/null: thousands of lines. */
static void quiet(void)
{
	int null = open("/dev/null", O_WRONLY);

	ck_assert_int_ge(dup2(null, STDERR_FILENO), 0);
	(void)close(null);
}

START_TEST(messages_are_kept_without_what_journals_add)
{
	quiet();
	ck_assert_int_eq(setenv("JOURNAL_STREAM", "1:2", 1), 0);
	log_init("test", LOG_LEVEL_INFO);
	log_keep(ring);
	log_debug("not this");
	log_warn("number=%d", 5);
	ck_assert_uint_eq(count(), 1);
	ck_assert(log_ring_get(ring, 0, &line));
	ck_assert(slice_eqs(slice_make(line.text, line.len), "number=5"));
	ck_assert_int_eq(line.level, LOG_LEVEL_WARN);
	ck_assert_uint_gt(line.time_ms, 1600000000000);
}
END_TEST

static bool has(enum log_level level)
{
	for (size_t i = 0; i < LOG_RING_LINES; i++)
		if (log_ring_get(ring, i, &line) && line.level == level)
			return true;
	return false;
}

/* As fast as it goes, until the next second tells how many are missing. */
START_TEST(flood_is_left_out_and_told)
{
	int n = 0;

	quiet();
	log_init("test", LOG_LEVEL_INFO);
	log_keep(ring);
	while (n < 50000000 && !has(LOG_LEVEL_WARN))
		for (int i = 0; i < LOG_RING_LINES / 2; i++)
			log_info("line %d", n++);
	ck_assert(has(LOG_LEVEL_WARN));
	ck_assert_ptr_nonnull(memmem(line.text, line.len, "left out", 8));
	/* Errors are never left out. */
	for (int i = 0; i < 2 * LOG_PER_SECOND; i++)
		log_info("line %d", i);
	log_error("help");
	ck_assert(has(LOG_LEVEL_ERROR));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ring");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, lines_are_kept_with_time_and_level);
	tcase_add_test(tc, newest_line_replaces_the_oldest);
	tcase_add_test(tc, long_line_is_cut);
	tcase_add_test(tc, whatever_is_in_it_is_read_safely);
	tcase_add_test(tc, ring_cannot_change_its_size);
	tcase_add_test(tc, what_is_no_ring_is_not_mapped);
	tcase_add_test(tc, messages_are_kept_without_what_journals_add);
	tcase_add_test(tc, flood_is_left_out_and_told);
	return run_case("log/ring", tc);
}
