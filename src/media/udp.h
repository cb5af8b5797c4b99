/*
 * The bound UDP sockets of flows, as every backend opens and watches them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/handle.h"

/* A bound non-blocking socket at a, whose packets are marked with dscp (0..63;
 * 0 = not), never fragmented; -1: the system refused. */
int media_udp_open(const struct addr *a, uint8_t dscp);
/* The same, bound to a multicast group and port that any number of sockets may
 * share: it hears what comes to them by the interface that has local's address
 * (IPv6: that the routes say), and nothing else. -1. */
int media_udp_open_group(const struct addr *group, const struct addr *local,
			 uint8_t dscp);
/*
 * A second socket at fd's address a, connected to to: the system finds it
 * first for what comes from there, and knows the way there without looking. What
 * came while it was made may be anybody's. -1; fd is as it was.
 */
int media_udp_open_connected(int fd, const struct addr *a,
			     const struct addr *to, uint8_t dscp);
/* fd will send to a: datagrams to a group may cross routers. */
void media_udp_towards(int fd, const struct addr *a);
/* A flow's sockets. */
enum media_udp_which {
	MEDIA_UDP_RTP,
	MEDIA_UDP_RTCP,
	MEDIA_UDP_CONNECTED /* the second one for RTP */
};
/* A flow's handle and which of its sockets, as epoll's 64 bits. */
uint64_t media_udp_data(struct handle h, enum media_udp_which which);
/* The other way. */
struct handle media_udp_handle(uint64_t data, enum media_udp_which *ret);
