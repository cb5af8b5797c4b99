/*
 * Whole messages for the tests of sccp/, rewrite/ and b2bua/: conference and
 * call 0x01000001, party 0x01000011, phone 10.0.0.5:20002, peer
 * 10.0.0.9:30004, key 10 11 .. 1f, salt a0 .. ad, codec 4, 20 ms.
 */
#pragma once

#include "sccp/msg.h"

extern const char vector_register[];
extern const char vector_register_ack[];
extern const char vector_open_short[];
extern const char vector_open_long[];
extern const char vector_open_ack_short[];
extern const char vector_open_ack_long[];
extern const char vector_start_short[];
extern const char vector_start_long[];
extern const char vector_start_ack_long[];
extern const char vector_call_info[];

/* Bytes of a vector, in buf. */
struct slice vector_read(const char *hex, uint8_t *buf, size_t cap);
/* The same, parsed; the test fails when it is no message. */
void vector_msg(const char *hex, uint8_t *buf, size_t cap,
		struct sccp_msg *ret);
