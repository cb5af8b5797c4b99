/* See peer.h. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "peer.h"

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)fputs("FAILED: ", stdout);
	(void)vprintf(fmt, ap);
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
	va_end(ap);
	exit(1);
}

uint64_t now_us(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t now_ms(void)
{
	return now_us() / 1000;
}

void say(const char *fmt, ...)
{
	static uint64_t begin;
	uint64_t now = now_ms();
	va_list ap;

	if (!begin)
		begin = now;
	(void)printf("%3u.%03u ", (unsigned)((now - begin) / 1000),
		     (unsigned)((now - begin) % 1000));
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	(void)fputc('\n', stdout);
	(void)fflush(stdout);
}

size_t hex_bytes(const char *text, uint8_t *ret, size_t cap)
{
	size_t len = strlen(text) / 2;

	if (strlen(text) % 2 || len > cap)
		return 0;
	for (size_t i = 0; i < len; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1], 0}, *end;

		ret[i] = (uint8_t)strtoul(digits, &end, 16);
		if (end != digits + 2)
			return 0;
	}
	return len;
}

const char *hex_text(const uint8_t *b, size_t len, char *ret)
{
	ret[0] = 0;
	for (size_t i = 0; i < len; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", b[i]);
	return ret;
}

struct sockaddr_in address_of(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const char *colon = strchr(text, ':');
	char ip[32];

	if (!colon || (size_t)(colon - text) >= sizeof(ip))
		die("%s is no address:port", text);
	memcpy(ip, text, (size_t)(colon - text));
	ip[colon - text] = 0;
	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		die("%s is no IPv4 address", ip);
	a.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	return a;
}

uint32_t hash_of(const char *text)
{
	uint32_t h = 2166136261u;

	while (*text)
		h = (h ^ (uint8_t)*text++) * 16777619u;
	return h;
}

void files_wanted(unsigned n)
{
	struct rlimit r = {n, n};

	if (setrlimit(RLIMIT_NOFILE, &r))
		die("cannot open %u files: %m", n);
}
