/* See pcap.h. */
#include "integration/pcap.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* An Ethernet frame with IPv4 and UDP or TCP inside; false: something else. */
static bool frame_read(const uint8_t *f, size_t len, struct packet *p)
{
	size_t ihl, total, head;

	if (len < 34 || be16(f + 12) != 0x0800)
		return false;
	f += 14;
	len -= 14;
	ihl = (size_t)(f[0] & 15) * 4;
	total = be16(f + 2);
	if (total > len || ihl < 20 || (f[9] != 17 && f[9] != 6))
		return false;
	p->is_tcp = f[9] == 6;
	p->src.ip = be32(f + 12);
	p->dst.ip = be32(f + 16);
	if (total < ihl + (p->is_tcp ? 20 : 8))
		return false;
	p->src.port = be16(f + ihl);
	p->dst.port = be16(f + ihl + 2);
	head = ihl + (p->is_tcp ? (size_t)(f[ihl + 12] >> 4) * 4 : 8);
	if (head > total)
		return false;
	if (total - head > PACKET_MAX)
		head = total - PACKET_MAX;
	p->len = (uint16_t)(total - head);
	memcpy(p->data, f + head, p->len);
	return true;
}

/* Every packet of a capture as tcpdump writes it on this machine. */
bool capture_read(const char *path, packet_fn fn, void *arg)
{
	static uint8_t frame[65536];
	struct packet p;
	uint32_t head[6], rec[4];
	FILE *f = fopen(path, "rb");
	bool ok = false;

	if (!f || fread(head, sizeof(head), 1, f) != 1 ||
	    head[0] != 0xa1b2c3d4 || head[5] != 1) {
		(void)printf("%s: not an Ethernet capture of this machine\n",
			     path);
		goto out;
	}
	ok = true;
	while (fread(rec, sizeof(rec), 1, f) == 1) {
		if (rec[2] > sizeof(frame) || rec[2] != rec[3] ||
		    fread(frame, 1, rec[2], f) != rec[2]) {
			/* the last one may be cut when tcpdump was ended */
			ok = feof(f);
			break;
		}
		if (frame_read(frame, rec[2], &p))
			fn(arg, &p);
	}
out:
	if (f)
		(void)fclose(f);
	return ok;
}
