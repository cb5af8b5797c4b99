/* Captures as tcpdump writes them on this machine, read by hand. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { PACKET_MAX = 2048 /* bytes of a UDP payload */ };

struct end {
	uint32_t ip; /* host byte order, as all numbers here */
	uint16_t port;
};

struct packet {
	struct end src, dst;
	bool is_tcp;
	uint16_t len;
	uint8_t data[PACKET_MAX];
};

typedef void (*packet_fn)(void *arg, const struct packet *p);

/* Every IPv4 packet with UDP or TCP of an Ethernet capture, to fn with arg; says
 * what is wrong and returns false when it is none. */
bool capture_read(const char *path, packet_fn fn, void *arg);
/* Big-endian numbers at p. */
uint32_t be32(const uint8_t *p);
uint16_t be16(const uint8_t *p);
