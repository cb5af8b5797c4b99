/* What is done to all phones of the process at once, and measured. */
#include "phone_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 1 << 17, PATIENCE_S = 120 };

static uint32_t sample_us[SAMPLES];
static unsigned samples;

static void answered(struct phone *p, uint64_t asked_us)
{
	(void)p;
	if (samples < SAMPLES)
		sample_us[samples++] = (uint32_t)(now_us() - asked_us);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void samples_say(const char *what)
{
	qsort(sample_us, samples, sizeof(sample_us[0]), by_value);
	say("%s n=%u p50=%u p99=%u max=%u us", what, samples,
	    samples ? sample_us[samples / 2] : 0,
	    samples ? sample_us[samples * 99 / 100] : 0,
	    samples ? sample_us[samples - 1] : 0);
	samples = 0;
}

/* Serve until all are registered. */
static void until_registered(unsigned count, const char *what)
{
	uint64_t begun = now_ms();

	while (setup.registered < count) {
		if (now_ms() > begun + PATIENCE_S * 1000)
			die("%s: %u of %u phones are registered after %d s",
			    what, setup.registered, count, PATIENCE_S);
		phones_serve();
	}
	say("%s registered=%u seconds=%.3f resumed=%u", what, setup.registered,
	    (double)(now_ms() - begun) / 1000, setup.resumed);
}

/* All connect at once, or rate a second. */
static void connect_all(struct phone *phones, unsigned count, unsigned rate)
{
	uint64_t begun = now_ms();

	setup.is_slow = true;
	for (unsigned i = 0; i < count; i++) {
		while (rate && (now_ms() - begun) * rate < i * 1000ull)
			phones_serve();
		setup.is_slow = false;
		phones[i].server[0].retry_ms = 0;
		phone_tick(&phones[i], now_ms());
		setup.is_slow = rate != 0;
	}
	setup.is_slow = false;
	until_registered(count, "connect");
}

static void storm(struct phone *phones, unsigned count)
{
	uint64_t begun = now_ms();

	for (unsigned i = 0; i < count; i++) {
		phone_drop(&phones[i], "storm");
		phones[i].server[0].retry_ms = begun;
	}
	until_registered(count, "storm");
}

/* A LineStatReq of one phone after the other, rate a second; each is answered
 * by the call manager. */
static void ask(struct phone *phones, unsigned count, unsigned rate,
		unsigned seconds)
{
	uint64_t begun = now_ms(), total = (uint64_t)rate * seconds;
	unsigned lost = 0;

	setup.answered = answered;
	for (uint64_t i = 0; i < total; i++) {
		struct phone *p = &phones[i % count];
		struct pdu m;

		while ((now_ms() - begun) * rate < i * 1000)
			phones_serve();
		lost += p->asked_us != 0;
		pdu_init(&m, 0x000B, p->version);
		pdu_set(&m, "line", 1);
		p->asked_us = now_us();
		(void)phone_send(p, &m);
	}
	for (begun = now_ms(); now_ms() < begun + 2000;)
		phones_serve();
	say("ask lost=%u", lost);
	samples_say("ask");
}

static void sums(unsigned count)
{
	say("SUMS phones=%u registered=%u connections=%u resumed=%u "
	    "rejected=%u malformed=%u taken=%lu sent=%lu",
	    count, setup.registered, setup.connections, setup.resumed,
	    setup.rejected, setup.malformed, setup.taken, setup.sent);
}

bool bench_command(struct phone *phones, unsigned count, int argc, char **argv)
{
	unsigned first = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	unsigned second = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

	if (strcmp(argv[0], "connect") == 0)
		connect_all(phones, count, first);
	else if (strcmp(argv[0], "storm") == 0)
		storm(phones, count);
	else if (strcmp(argv[0], "ask") == 0 && first && second)
		ask(phones, count, first, second);
	else if (strcmp(argv[0], "sums") == 0)
		sums(count);
	else if (strcmp(argv[0], "drop") == 0)
		for (unsigned i = 0; i < count; i++)
			phone_drop(&phones[i], "dropped");
	else
		return false;
	return true;
}
