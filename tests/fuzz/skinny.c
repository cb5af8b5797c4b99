#include "fuzz/skinny.h"

#include <check.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "unit/b2bua/sccp_play.h"

static struct kept object[SKINNY_OBJECTS];

static void take(unsigned first)
{
	fuzz_check(saved_count == SKINNY_OBJECTS / 2);
	memcpy(object + first, saved, saved_count * sizeof(saved[0]));
}

/* The stage is made for tests, and plays for no one else. */
START_TEST(play)
{
	struct addr gateway;

	start();
	gateway = addr_of("10.0.0.77:7000");
	register_phone(0, 17);
	register_phone(1, 20);
	open_channel(0, 17, 17);
	start_sending(0, 17, 17, &gateway);
	open_channel(1, 20, 18);
	take(0);
	stop();
	start();
	register_phone(0, 17);
	register_phone(1, 17);
	call_between(17);
	far_is(EVENT_FLOW_JOINED, &flows[0].local, 2);
	take(SKINNY_OBJECTS / 2);
	stop();
}
END_TEST

static void make_objects(void)
{
	Suite *s = suite_create("skinny");
	TCase *t = tcase_create("play");
	SRunner *r = srunner_create(s);

	tcase_add_test(t, play);
	suite_add_tcase(s, t);
	srunner_set_fork_status(r, CK_NOFORK);
	srunner_run_all(r, CK_SILENT);
	fuzz_check(srunner_ntests_failed(r) == 0);
	srunner_free(r);
}

void skinny_objects(struct slice ret[SKINNY_OBJECTS])
{
	if (object[0].len == 0)
		make_objects();
	for (unsigned i = 0; i < SKINNY_OBJECTS; i++)
		ret[i] = slice_make(object[i].bytes, object[i].len);
}
