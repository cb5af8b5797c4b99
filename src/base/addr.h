/*
 * An IP address and port as a value: no name look-ups, no sockets here.
 * The functions that talk to the system's sockaddr live beside it because
 * they are pure conversions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/reader.h"
#include "base/slice.h"
#include "base/writer.h"

enum addr_family { ADDR_NONE = 0, ADDR_V4 = 4, ADDR_V6 = 6 };

enum {
	ADDR_KEY_LEN = 1 + 16 + 2,
	ADDR_STR_MAX = 64, /* "[v6%...]:port" and a NUL always fit */
};

struct addr {
	enum addr_family family;
	uint8_t ip[16]; /* network order; 4 or 16 bytes used, rest zero */
	uint16_t port;	/* host order; 0 = unset */
};

/*
 * Parse "1.2.3.4", "2001:db8::1" or "[2001:db8::1]" without a port.
 * ERR_BAD for anything else (host names too). Port of *ret is 0.
 */
MUST_CHECK int addr_parse_ip(struct slice s, struct addr *ret);
/* Parse "1.2.3.4:5060" or "[2001:db8::1]:5060"; a missing port gives
 * default_port. ERR_BAD otherwise. */
MUST_CHECK int addr_parse(struct slice s, uint16_t default_port,
			  struct addr *ret);
/* Write the IP alone; IPv6 without brackets (SDP). */
void addr_print_ip(struct writer *w, const struct addr *a);
/* Write the IP as a URI or Via host: IPv6 in brackets. */
void addr_print_host(struct writer *w, const struct addr *a);
/* Write host and ":port"; IPv6 in brackets. */
void addr_print(struct writer *w, const struct addr *a);
/* The same as addr_print into buf of ADDR_STR_MAX bytes; returns buf. */
const char *addr_str(const struct addr *a, char *buf);
/* Same IP and port. */
bool addr_eq(const struct addr *a, const struct addr *b);
/* Same IP, ports ignored. */
bool addr_ip_eq(const struct addr *a, const struct addr *b);
/* True for 0.0.0.0, ::, and an unset address. */
bool addr_is_any(const struct addr *a);
/* True for 224.0.0.0/4 and ff00::/8. */
bool addr_is_multicast(const struct addr *a);
/* True when the first bits of a's IP equal net's; families must agree. */
bool addr_in_prefix(const struct addr *a, const struct addr *net,
		    unsigned bits);
/* Family, IP and port as bytes that are equal when they are (addr_eq): a key
 * for tables. */
void addr_key(const struct addr *a, uint8_t ret[ADDR_KEY_LEN]);
/* Hash of IP and port with a seed. */
uint64_t addr_hash(const struct addr *a, uint64_t seed);
/* Copy a with another port. */
struct addr addr_with_port(const struct addr *a, uint16_t port);
/* To the system's form; returns its length, 0 for ADDR_NONE. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret);
/* Append a as bytes for our own messages: family, IP, port. */
void addr_write(struct writer *w, const struct addr *a);
/* Read what addr_write wrote; an unknown family marks r bad. */
void addr_read(struct reader *r, struct addr *ret);
/* "::ffff:10.0.0.2" becomes "10.0.0.2", the same host (RFC 4291 section 2.5.5.2);
 * others stay. */
void addr_unmap(struct addr *a);
/* From the system's form; v4-mapped IPv6 becomes IPv4. ERR_UNSUPPORTED for
 * other families. */
MUST_CHECK int addr_from_sockaddr(const struct sockaddr_storage *ss,
				  struct addr *ret);
