/*
 * SCCP as the test peers speak it: one table of messages, each a list of
 * fields, read and written by name. Nothing of it comes from the program under
 * test, so that the two check each other; tshark checks both.
 *
 * Integers are little-endian, addresses are in network order. A layout grows
 * with the protocol version (two peers agree on one at registration) and older
 * peers send a beginning of it: a field is there if bytes are left for it.
 * Addresses have 4 bytes, from header version 17 on a type and 16 bytes.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PDU_MAX = 3000, /* bytes of a message the peers send or take */
	PDU_HEAD = 8,	/* length and header version come before the rest */
	PDU_MIN = 12,	/* a message without a body */
	VERSION_MAX = 22
};

/* Who sends a message. */
enum wire_dir { DIR_PHONE, DIR_CM, DIR_BOTH };

/* A row of the table. */
struct wire_row {
	uint32_t id;
	enum wire_dir dir;
	const char *name;
	/* "name:type" and, if later versions only, "@version", separated by
	 * blanks. Types: u8 u16 u32; sN a string of N bytes with its NUL;
	 * bN N bytes; ip4; ipf the address by header version; dyn strings to
	 * the end. NULL: layout not needed here, kept as bytes. */
	const char *fields;
};

/* A message: its bytes and what they are laid out for. */
struct pdu {
	unsigned version; /* protocol version the two peers agreed on */
	size_t len;	  /* bytes in b: 8 more than its length field says */
	uint8_t b[PDU_MAX];
};

/* --- table.c ------------------------------------------------------------ */
/* The row of a message id, or NULL. */
const struct wire_row *wire_row(uint32_t id);
/* The row of a message name, or NULL. */
const struct wire_row *wire_row_named(const char *name);

/* --- wire.c ------------------------------------------------------------- */
/* A little-endian number at p. */
uint32_t u32le(const uint8_t *p);
/* Begin message id for a peer that speaks version: every field of that version
 * is there and 0. The header version is the protocol version, 0 below 10. */
void pdu_init(struct pdu *p, uint32_t id, unsigned version);
/* The same with header version 0, as all of a registration. */
void pdu_init_old(struct pdu *p, uint32_t id, unsigned version);
/* Write one field; the message must have it, or the program ends. */
void pdu_set(struct pdu *p, const char *field, uint32_t value);
void pdu_set_text(struct pdu *p, const char *field, const char *text);
void pdu_set_bytes(struct pdu *p, const char *field, const uint8_t *b,
		   size_t len);
void pdu_set_ip(struct pdu *p, const char *field, struct in_addr ip);
/* The same by text: a number, a string, hex digits or an address, as the field
 * is. False when there is no such field or the text is none. */
bool pdu_set_any(struct pdu *p, const char *field, const char *text);
/* Put n strings, each with its NUL, at the end and pad them to 4 bytes. */
void pdu_strings(struct pdu *p, unsigned n, const char *const *text);
/* Cut the message so that its length field is length; longer ones only. */
void pdu_cut(struct pdu *p, uint32_t length);

uint32_t pdu_id(const struct pdu *p);
uint32_t pdu_header(const struct pdu *p);
/* Read one field; 0 or empty if the message ends before it. */
uint32_t pdu_get(const struct pdu *p, const char *field);
bool pdu_has(const struct pdu *p, const char *field);
/* At most cap - 1 bytes and a NUL. */
void pdu_text(const struct pdu *p, const char *field, char *ret, size_t cap);
/* len bytes, 0 where the message has none. */
void pdu_bytes(const struct pdu *p, const char *field, uint8_t *ret,
	       size_t len);
struct in_addr pdu_ip(const struct pdu *p, const char *field);
/* String number i of a dyn field, or "". */
const char *pdu_string(const struct pdu *p, unsigned i, char *ret, size_t cap);

/* "Name field=value ..." for logs, always with a NUL; keys too, they are made
 * for one test. Returns what is wrong with the message, or NULL: its id is
 * unknown, a field is cut in its middle, bytes are left after the last one. */
const char *pdu_print(const struct pdu *p, char *ret, size_t cap);
