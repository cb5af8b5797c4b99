/*
 * Registered phones: which address of record is reachable on which connection
 * under which Contact, until when. Towards the call manager each binding has
 * a Contact of its own, whose user part is an unguessable token; a request
 * the call manager sends to that Contact finds the phone by it. Owned by one
 * worker's calls (call.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "b2bua/event.h"
#include "base/dest.h"
#include "base/err.h"
#include "base/slice.h"

/* What the operator sees of a binding; slices are valid until the next
 * call_step. */
struct binding_info {
	struct slice device;  /* device name, from the certificate or digest */
	struct slice aor;     /* "user@domain" as the phone registered it */
	struct slice contact; /* the phone's own Contact URI */
	struct slice token;   /* user part of our Contact inside */
	struct dest dest;     /* the connection */
	enum sig_level sig;
	uint64_t expires_ms;  /* absolute, monotonic */
	uint64_t since_ms;    /* first registration */
	struct slice manager; /* call manager it is registered at */
};
