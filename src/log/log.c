#include "log/log.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/journald.h"
#include "log/ring.h"

enum { LINE_MAX_LEN = 1024 };

/* The sink: set once at start-up, read by all threads. */
static struct {
	const char *role;
	enum log_level level;
	bool has_prefix;
	struct log_ring *ring; /* or NULL */
	int journal;	       /* journald's socket; -1 = none */
	/* The second that is counted, and what was logged and left out in it. */
	_Atomic uint64_t second;
	_Atomic uint32_t count, left_out;
} sink = {.role = "sallyport", .level = LOG_LEVEL_INFO, .journal = -1};

void log_init(const char *role, enum log_level level)
{
	sink.role = role;
	sink.level = level;
	sink.has_prefix = getenv("JOURNAL_STREAM") != NULL;
	if (sink.journal < 0 && journald_is_stderr(getenv("JOURNAL_STREAM")))
		sink.journal = journald_open(JOURNALD_SOCKET);
}

void log_set_level(enum log_level level)
{
	sink.level = level;
}

void log_keep(struct log_ring *r)
{
	sink.ring = r;
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts); /* cannot fail for these clocks */
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Into the journal with its fields; false: not there, or not now. */
static bool to_journal(unsigned priority, struct slice line)
{
	uint8_t buf[JOURNALD_ENTRY_MAX];
	struct writer w;

	if (sink.journal < 0)
		return false;
	writer_init(&w, buf, sizeof(buf));
	journald_print(&w, priority, sink.role, line);
	return writer_ok(&w) && write(sink.journal, buf, w.len) >= 0;
}

/* One write per line, so that lines of several processes never mix. */
static void __attribute__((format(printf, 2, 0)))
put_line(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const prefix[] = {"<3>", "<4>", "<6>", "<7>"};
	static const char *const word[] = {"error", "warning", "info", "debug"};
	char line[LINE_MAX_LEN];
	int n;
	int m;

	n = snprintf(line, sizeof(line),
		     "%s%s: %s: ", sink.has_prefix ? prefix[level] : "",
		     sink.role, word[level]);
	if (n < 0 || n >= (int)sizeof(line))
		return;
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	if (m < 0)
		return;
	m = n + m < (int)sizeof(line) - 1 ? m : (int)sizeof(line) - 2 - n;
	if (sink.ring)
		log_ring_put(sink.ring, clock_ms(CLOCK_REALTIME), level,
			     slice_make(line + n, (size_t)m));
	n += m;
	if (to_journal((unsigned)(prefix[level][1] - '0'),
		       slice_from(slice_make(line, (size_t)n),
				  sink.has_prefix ? strlen(prefix[level]) : 0)))
		return;
	line[n++] = '\n';
	/* A full disk or closed stderr must not stop the daemon. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void __attribute__((format(printf, 2, 3)))
put_text(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	put_line(level, fmt, ap);
	va_end(ap);
}

/* Whatever makes a process talk without end must not fill the disk. */
static bool is_flood(enum log_level level)
{
	uint64_t now = clock_ms(CLOCK_MONOTONIC) / 1000;
	uint64_t second = atomic_load(&sink.second);
	uint32_t n;

	if (now != second &&
	    atomic_compare_exchange_strong(&sink.second, &second, now)) {
		atomic_store(&sink.count, 0);
		n = atomic_exchange(&sink.left_out, 0);
		if (n > 0)
			put_text(LOG_LEVEL_WARN,
				 "too many messages in a second: %u were left "
				 "out",
				 n);
	}
	if (atomic_fetch_add(&sink.count, 1) < LOG_PER_SECOND ||
	    level == LOG_LEVEL_ERROR)
		return false;
	(void)atomic_fetch_add(&sink.left_out, 1);
	return true;
}

static void __attribute__((format(printf, 2, 0)))
emit(enum log_level level, const char *fmt, va_list ap)
{
	if (level <= sink.level && !is_flood(level))
		put_line(level, fmt, ap);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_DEBUG, fmt, ap);
	va_end(ap);
}

void log_fatal(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}

const char *log_quote(struct slice s, char *buf)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i];

		if (n + 8 > LOG_QUOTE_MAX) {
			(void)memcpy(buf + n, "...", 3);
			n += 3;
			break;
		}
		if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"') {
			buf[n++] = (char)c;
			continue;
		}
		buf[n++] = '\\';
		buf[n++] = 'x';
		buf[n++] = digits[c >> 4];
		buf[n++] = digits[c & 15];
	}
	buf[n] = '\0';
	return buf;
}
