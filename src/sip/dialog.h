/*
 * Dialog state (RFC 3261 section 12): identity, remote target, route set and
 * CSeq numbers of one side of a call. Owns copies of its texts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "base/writer.h"
#include "sip/msg.h"

enum { SIP_ROUTES_MAX = 10 };

struct sip_dialog {
	char *call_id; /* owned, NUL-terminated; so are the others */
	char *local;   /* our From/To value without tag */
	char *remote;  /* the peer's From/To value without tag */
	char *local_tag;
	char *remote_tag;	     /* NULL until known */
	char *target;		     /* remote Contact URI; NULL until known */
	char *route[SIP_ROUTES_MAX]; /* values in the order to send */
	uint32_t route_count;
	uint32_t local_cseq;  /* last used */
	uint32_t remote_cseq; /* last seen; 0 = none yet */
};

/* Free all texts; d is empty afterwards. Takes a zeroed d. */
void sip_dialog_done(struct sip_dialog *d);
/* Begin as UAC: our Call-ID, From value and tag, To value and first target
 * (empty: not known). d need not be initialised. ERR_NOMEM (d stays
 * to be freed with sip_dialog_done). */
MUST_CHECK int sip_dialog_init_uac(struct sip_dialog *d, struct slice call_id,
				   struct slice local, struct slice local_tag,
				   struct slice remote, struct slice target);
/* Begin as UAS from request m with our tag: takes Call-ID, From, To,
 * Contact, Record-Route, CSeq. d need not be initialised, and is to be freed
 * after an error too. ERR_NOMEM, ERR_BAD (Contact or Record-Route unreadable),
 * ERR_LIMIT (routes). */
MUST_CHECK int sip_dialog_init_uas(struct sip_dialog *d,
				   const struct sip_msg *m,
				   struct slice local_tag);
/* Begin as a copy of src, with another local tag, no CSeq number used yet and
 * no remote tag where src has none: another dialog of the same peers. d need
 * not be initialised, and is to be freed after an error too. ERR_NOMEM. */
MUST_CHECK int sip_dialog_copy(struct sip_dialog *d,
			       const struct sip_dialog *src,
			       struct slice local_tag);
/* Learn from a request that makes the dialog before the response to ours
 * does, or instead of it (NOTIFY, RFC 6665 section 4.4.1): remote tag, target,
 * route set. An error changes nothing. Errors as for init_uas. */
MUST_CHECK int sip_dialog_adopt(struct sip_dialog *d, const struct sip_msg *m);
/* Learn from a response to our dialog-forming request: remote tag, target,
 * route set (reversed Record-Route), each time anew (a 2xx may differ from the
 * provisionals before it, 13.2.2.4). A response without To tag changes
 * nothing, neither does an error. Errors as above. */
MUST_CHECK int sip_dialog_learn(struct sip_dialog *d, const struct sip_msg *m);
/* Target refresh (re-INVITE, UPDATE, their 2xx): take the Contact of m if it
 * has one. ERR_NOMEM, ERR_BAD. */
MUST_CHECK int sip_dialog_refresh(struct sip_dialog *d,
				  const struct sip_msg *m);
/* True when m (a request from the peer, or a response to ours) belongs to
 * this dialog by Call-ID and tags. */
bool sip_dialog_match(const struct sip_dialog *d, const struct sip_msg *m);
/* Check and take the CSeq of an in-dialog request: ERR_BAD when it is lower
 * than one seen (answer 500, section 12.2.2). ACK and CANCEL do not count. */
MUST_CHECK int sip_dialog_recv(struct sip_dialog *d, const struct sip_msg *m);
/* Where an in-dialog request is sent as request-URI: the target, or the first
 * strict route. Views d. */
struct slice sip_dialog_ruri(const struct sip_dialog *d);
/* Write Route headers for an in-dialog request (loose and strict routing). */
void sip_dialog_print_routes(struct writer *w, const struct sip_dialog *d);
/* Write From, To, Call-ID and CSeq of a request with this number. */
void sip_dialog_print_ids(struct writer *w, const struct sip_dialog *d,
			  uint32_t cseq, struct slice method);
