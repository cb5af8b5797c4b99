/* What journald is told, and by which socket. */
#include "log/journald.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/run.h"

#define HEAD(text, role)                                               \
	"MESSAGE=" text "\nPRIORITY=6\nSYSLOG_IDENTIFIER=sallyportd\n" \
	"SALLYPORT_ROLE=" role "\n"

static const struct {
	const char *text, *entry;
} rows[] = {
	{"ready", HEAD("ready", "w")},
	{"call end call=12 device=SEP1 reason=\"hung up\" flow=3",
	 HEAD("call end call=12 device=SEP1 reason=\"hung up\" flow=3",
	      "w") "SALLYPORT_CALL=12\nSALLYPORT_DEVICE=SEP1\n"
		   "SALLYPORT_REASON=hung up\nSALLYPORT_FLOW=3\n"},
	/* Unknown keys are text; so are keys in other words. */
	{"x secret=1 Device=2 =3 device== user= a",
	 HEAD("x secret=1 Device=2 =3 device== user= a",
	      "w") "SALLYPORT_DEVICE==\n"},
	/* The first counts: what comes from outside stands at the end. */
	{"user=alice reason=\"x user=mallory\" user=eve",
	 HEAD("user=alice reason=\"x user=mallory\" user=eve",
	      "w") "SALLYPORT_USER=alice\nSALLYPORT_REASON=x user=mallory\n"},
	/* A line feed makes no field. */
	{"user=a\nPRIORITY=0",
	 HEAD("user=a PRIORITY=0", "w") "SALLYPORT_USER=a PRIORITY=0\n"},
	{"reason=\"unfinished",
	 HEAD("reason=\"unfinished", "w") "SALLYPORT_REASON=unfinished\n"},
};

START_TEST(known_keys_become_fields)
{
	char buf[JOURNALD_ENTRY_MAX];
	struct writer w;

	writer_init(&w, (uint8_t *)buf, sizeof(buf) - 1);
	journald_print(&w, 6, "w", slice_str(rows[_i].text));
	ck_assert(writer_ok(&w));
	buf[w.len] = '\0';
	ck_assert_str_eq(buf, rows[_i].entry);
}
END_TEST

START_TEST(an_entry_that_does_not_fit_is_not_made)
{
	uint8_t buf[40];
	struct writer w;

	writer_init(&w, buf, sizeof(buf));
	journald_print(&w, 6, "w", slice_str("device=SEP001122334455"));
	ck_assert(!writer_ok(&w));
}
END_TEST

START_TEST(stderr_is_known_by_its_inode)
{
	char text[64];
	struct stat st;

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	(void)snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	ck_assert(journald_is_stderr(text));
	text[0] ^= 1;
	ck_assert(!journald_is_stderr(text));
	ck_assert(!journald_is_stderr("") && !journald_is_stderr(NULL));
}
END_TEST

START_TEST(a_line_is_one_datagram)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int theirs = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char got[64];
	int ours;

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "journal-%ld.sock",
		       (long)getpid());
	ck_assert_int_eq(journald_open(a.sun_path), -1);
	ck_assert_int_eq(bind(theirs, (struct sockaddr *)&a, sizeof(a)), 0);
	ours = journald_open(a.sun_path);
	ck_assert_int_ge(ours, 0);
	ck_assert_int_eq(write(ours, "A=1\n", 4), 4);
	ck_assert_int_eq(recv(theirs, got, sizeof(got), 0), 4);
	/* Nobody reads: the line is not waited for. */
	while (write(ours, "A=1\n", 4) == 4)
		;
	(void)close(theirs);
	ck_assert_int_eq(write(ours, "A=1\n", 4), -1);
	(void)close(ours);
	ck_assert_int_eq(unlink(a.sun_path), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal");

	tcase_add_loop_test(t, known_keys_become_fields, 0, ROWS(rows));
	tcase_add_test(t, an_entry_that_does_not_fit_is_not_made);
	tcase_add_test(t, stderr_is_known_by_its_inode);
	tcase_add_test(t, a_line_is_one_datagram);
	return run_case("log/journald", t);
}
