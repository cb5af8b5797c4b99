/* media/journal.c and what path.c does with it: a process that goes on where
 * another one was killed uses no SRTP index a second time. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/run.h"
#include "media/journal.h"
#include "media/path.h"
#include "rtp/rtp.h"
#include "rtp/srtp.h"

enum { SSRC = 0x1234, LEN = 12 + 20 };

static char name[64];
static int fd;

static void setup(void)
{
	(void)snprintf(name, sizeof(name), "/tmp/sallyport-journal-XXXXXX");
	fd = mkstemp(name);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(journal_prepare(fd, "boot-1"), 0);
}

static void teardown(void)
{
	(void)close(fd);
	(void)unlink(name);
}

static struct journal *open_journal(void)
{
	struct journal *j = NULL;

	ck_assert_int_eq(journal_open(fd, &j), 0);
	return j;
}

START_TEST(records_are_found_by_the_next_process)
{
	struct journal *j = open_journal();
	struct journal_record *r = journal_take(j, 3, 77);

	ck_assert_ptr_nonnull(r);
	r->print[1] = 5;
	r = journal_take(j, 4, 77);
	ck_assert_ptr_nonnull(r);
	journal_drop(j, r);
	ck_assert_ptr_null(journal_find(j, 4, 77));
	journal_close(j);
	j = open_journal();
	ck_assert_ptr_null(journal_find(j, 4, 77));
	r = journal_find(j, 3, 77);
	ck_assert_ptr_nonnull(r);
	ck_assert_uint_eq(r->print[1], 5);
	journal_close(j);
}
END_TEST

START_TEST(another_boot_knows_nothing)
{
	struct journal *j = open_journal();

	ck_assert_ptr_nonnull(journal_take(j, 3, 77));
	journal_close(j);
	ck_assert_int_eq(journal_prepare(fd, "boot-1"), 0);
	j = open_journal();
	ck_assert_ptr_nonnull(journal_find(j, 3, 77));
	journal_close(j);
	ck_assert_int_eq(journal_prepare(fd, "boot-2"), 0);
	j = open_journal();
	ck_assert_ptr_null(journal_find(j, 3, 77));
	ck_assert_ptr_nonnull(journal_take(j, 3, 77));
	journal_close(j);
	/* A boot without a name is none that is known. */
	ck_assert_int_eq(journal_prepare(fd, ""), 0);
	ck_assert_int_eq(journal_prepare(fd, ""), 0);
	j = open_journal();
	ck_assert_ptr_null(journal_find(j, 3, 77));
	journal_close(j);
}
END_TEST

START_TEST(a_journal_keeps_its_number_as_long_as_it_is_one)
{
	struct journal *j = open_journal();
	uint64_t number = journal_instance(j);

	journal_close(j);
	ck_assert_int_eq(journal_prepare(fd, "boot-1"), 0);
	j = open_journal();
	ck_assert_uint_eq(journal_instance(j), number);
	journal_close(j);
	ck_assert_int_eq(journal_prepare(fd, "boot-2"), 0);
	j = open_journal();
	ck_assert_uint_ne(journal_instance(j), number);
	journal_close(j);
}
END_TEST

START_TEST(what_is_no_journal_is_refused)
{
	struct journal *j = NULL;

	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_eq(journal_open(fd, &j), ERR_BAD);
	ck_assert_int_eq(journal_prepare(fd, "boot-1"), 0);
	ck_assert_int_eq(pwrite(fd, "other", 5, 0), 5);
	ck_assert_int_eq(journal_open(fd, &j), ERR_BAD);
}
END_TEST

/* A hole in a mapped file is SIGBUS once the disk is full: none is left. */
START_TEST(the_whole_file_is_on_the_disk)
{
	struct stat st;

	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, st.st_size);
	/* one that an earlier version left with holes */
	ck_assert_int_eq(fallocate(fd,
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   8192, st.st_size - 8192),
			 0);
	ck_assert_int_eq(journal_prepare(fd, "boot-1"), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_ge(st.st_blocks * 512, st.st_size);
}
END_TEST

/* Without room the file takes none, and the reason is in errno. */
START_TEST(a_full_disk_is_told)
{
	const struct rlimit small = {.rlim_cur = 65536,
				     .rlim_max = RLIM_INFINITY};
	struct rlimit saved;
	struct stat st;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &saved), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_eq(journal_prepare(fd, "boot-2"), ERR_IO);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &saved), 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

START_TEST(there_is_an_end_of_records)
{
	struct journal *j = open_journal();
	struct journal_record *r = NULL;

	for (uint64_t i = 1; i <= JOURNAL_FLOWS; i++) {
		r = journal_take(j, 0, i);
		ck_assert_ptr_nonnull(r);
	}
	ck_assert_ptr_null(journal_take(j, 0, JOURNAL_FLOWS + 1));
	journal_drop(j, r);
	ck_assert_ptr_nonnull(journal_take(j, 0, JOURNAL_FLOWS + 1));
	journal_close(j);
}
END_TEST

static bool is_even(void *arg, uint64_t owner, uint64_t id)
{
	(void)arg;
	return owner == 1 && id % 2 == 0;
}

/* What nobody has asked for after a restart makes room. */
START_TEST(unclaimed_records_are_swept)
{
	struct journal *j = open_journal();

	for (uint64_t i = 1; i <= JOURNAL_FLOWS; i++)
		ck_assert_ptr_nonnull(journal_take(j, i % 3, i));
	journal_sweep(j, 1, is_even, NULL);
	for (uint64_t i = 1; i <= JOURNAL_FLOWS; i++)
		ck_assert_int_eq(journal_find(j, i % 3, i) != NULL,
				 i % 3 != 1 || i % 2 == 0);
	ck_assert_ptr_nonnull(journal_take(j, 0, JOURNAL_FLOWS + 1));
	journal_close(j);
}
END_TEST

/* ---- keys ----------------------------------------------------------------- */

static const enum suite suites[] = {
	SUITE_AES_CM_128_HMAC_SHA1_80, SUITE_AEAD_AES_128_GCM,
	SUITE_AES_256_CM_HMAC_SHA1_80, SUITE_AEAD_AES_256_GCM};

static struct flow_key key_of(enum suite suite, uint8_t seed)
{
	struct flow_key k = {.suite = suite};

	memset(k.key, seed, sizeof(k.key));
	memset(k.salt, seed + 1, sizeof(k.salt));
	return k;
}

static void make_rtp(uint8_t *buf, uint32_t ssrc, uint16_t seq)
{
	memset(buf, 0, LEN);
	buf[0] = 0x80;
	buf[2] = (uint8_t)(seq >> 8);
	buf[3] = (uint8_t)seq;
	buf[8] = (uint8_t)(ssrc >> 24);
	buf[9] = (uint8_t)(ssrc >> 16);
	buf[10] = (uint8_t)(ssrc >> 8);
	buf[11] = (uint8_t)ssrc;
}

static int protect(struct rtp_srtp *s, uint32_t ssrc, uint16_t seq)
{
	uint8_t buf[LEN + RTP_GROWTH_MAX];
	size_t len;

	make_rtp(buf, ssrc, seq);
	return rtp_srtp_protect(s, buf, LEN, sizeof(buf), &len);
}

START_TEST(no_index_is_used_by_two_processes)
{
	struct flow_key k = key_of(suites[_i], 7);
	struct rtp_marks m = {.count = 0};
	struct rtp_srtp *s = rtp_srtp_new(&k);
	struct rtp_srtp *peer = rtp_srtp_new(&k);
	uint8_t buf[LEN + RTP_GROWTH_MAX];
	size_t len;

	ck_assert_int_eq(rtp_srtp_resume(s, &m), 0);
	/* Over a roll-over: 65530 .. 65541. */
	for (uint32_t i = 65530; i < 65542; i++) {
		make_rtp(buf, SSRC, (uint16_t)i);
		ck_assert_int_eq(
			rtp_srtp_protect(s, buf, LEN, sizeof(buf), &len), 0);
		ck_assert_int_eq(rtp_srtp_unprotect(peer, buf, len, &len), 0);
	}
	ck_assert_uint_eq(m.count, 1);
	ck_assert_uint_eq(m.mark[0].rtp, 65542);
	/* kill -9: nothing is said, the marks are there. */
	rtp_srtp_free(s);
	s = rtp_srtp_new(&k);
	ck_assert_int_eq(rtp_srtp_resume(s, &m), 0);
	for (uint32_t i = 65000; i < 65542; i++)
		ck_assert_int_eq(protect(s, SSRC, (uint16_t)i), ERR_REPLAY);
	/* The roll-over counter is that of the peer. */
	make_rtp(buf, SSRC, (uint16_t)65600);
	ck_assert_int_eq(rtp_srtp_protect(s, buf, LEN, sizeof(buf), &len), 0);
	ck_assert_int_eq(rtp_srtp_unprotect(peer, buf, len, &len), 0);
	ck_assert_uint_eq(m.mark[0].rtp, 65601);
	rtp_srtp_free(s);
	rtp_srtp_free(peer);
}
END_TEST

START_TEST(no_replay_is_taken_by_the_next_process)
{
	struct flow_key k = key_of(suites[_i], 7);
	struct rtp_marks m = {.count = 0};
	struct rtp_srtp *s = rtp_srtp_new(&k);
	struct rtp_srtp *peer = rtp_srtp_new(&k);
	uint8_t buf[LEN + RTP_GROWTH_MAX], old[LEN + RTP_GROWTH_MAX];
	size_t len, old_len;

	ck_assert_int_eq(rtp_srtp_resume(s, &m), 0);
	make_rtp(buf, SSRC, 10);
	ck_assert_int_eq(rtp_srtp_protect(peer, buf, LEN, sizeof(buf), &len),
			 0);
	memcpy(old, buf, len);
	old_len = len;
	ck_assert_int_eq(rtp_srtp_unprotect(s, buf, len, &len), 0);
	rtp_srtp_free(s);
	s = rtp_srtp_new(&k);
	ck_assert_int_eq(rtp_srtp_resume(s, &m), 0);
	ck_assert_int_eq(rtp_srtp_unprotect(s, old, old_len, &len), ERR_REPLAY);
	make_rtp(buf, SSRC, 11);
	ck_assert_int_eq(rtp_srtp_protect(peer, buf, LEN, sizeof(buf), &len),
			 0);
	ck_assert_int_eq(rtp_srtp_unprotect(s, buf, len, &len), 0);
	rtp_srtp_free(s);
	rtp_srtp_free(peer);
}
END_TEST

START_TEST(more_streams_than_can_be_noted_end_with_the_process)
{
	struct flow_key k = key_of(suites[0], 7);
	struct rtp_marks m = {.count = 0};
	struct rtp_srtp *s = rtp_srtp_new(&k);

	ck_assert_int_eq(rtp_srtp_resume(s, &m), 0);
	for (uint32_t i = 0; i <= RTP_MARKS; i++)
		ck_assert_int_eq(protect(s, SSRC + i, 1), 0);
	rtp_srtp_free(s);
	s = rtp_srtp_new(&k);
	ck_assert_int_eq(rtp_srtp_resume(s, &m), ERR_STATE);
	rtp_srtp_free(s);
}
END_TEST

/* A key whose record is of another key, or missing, is not gone on with. */
START_TEST(only_the_same_key_goes_on)
{
	struct flow f = {.id = 1,
			 .in = key_of(suites[0], 7),
			 .out = key_of(suites[0], 9)};
	struct flow other = f;
	struct journal_record r = {.id = 1};
	struct path *p = path_new(&f, 0);

	ck_assert_int_eq(path_journal(p, &f, &r, false), 0);
	path_free(p);
	p = path_new(&f, 0);
	ck_assert_int_eq(path_journal(p, &f, &r, true), 0);
	/* A new key, of which the claimant has not heard. */
	other.out = key_of(suites[0], 11);
	ck_assert_int_eq(path_update(p, &other, 0), 0);
	path_free(p);
	p = path_new(&f, 0);
	ck_assert_int_eq(path_journal(p, &f, &r, true), ERR_STATE);
	path_free(p);
	p = path_new(&other, 0);
	ck_assert_int_eq(path_journal(p, &other, &r, true), 0);
	path_free(p);
}
END_TEST

START_TEST(prints_tell_keys_apart_and_nothing_else)
{
	struct flow_key a = key_of(suites[_i], 7);
	struct flow_key b = key_of(suites[_i], 8);
	uint64_t print = rtp_srtp_print(&a);
	uint64_t plain;

	ck_assert_uint_eq(print, rtp_srtp_print(&a));
	ck_assert_uint_ne(print, rtp_srtp_print(&b));
	memcpy(&plain, a.key, sizeof(plain));
	ck_assert_uint_ne(print, plain);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, records_are_found_by_the_next_process);
	tcase_add_test(t, another_boot_knows_nothing);
	tcase_add_test(t, a_journal_keeps_its_number_as_long_as_it_is_one);
	tcase_add_test(t, what_is_no_journal_is_refused);
	tcase_add_test(t, the_whole_file_is_on_the_disk);
	tcase_add_test(t, a_full_disk_is_told);
	tcase_add_test(t, there_is_an_end_of_records);
	tcase_add_test(t, unclaimed_records_are_swept);
	tcase_add_loop_test(t, no_index_is_used_by_two_processes, 0,
			    ROWS(suites));
	tcase_add_loop_test(t, no_replay_is_taken_by_the_next_process, 0,
			    ROWS(suites));
	tcase_add_test(t, more_streams_than_can_be_noted_end_with_the_process);
	tcase_add_test(t, only_the_same_key_goes_on);
	tcase_add_loop_test(t, prints_tell_keys_apart_and_nothing_else, 0,
			    ROWS(suites));
	return run_case("media/journal", t);
}
