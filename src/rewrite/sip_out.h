/*
 * Messages as the other side sees them: what a back-to-back user agent
 * passes on (RFC 7092), what it writes anew and what it hides. Via, Route,
 * Record-Route, Contact, Call-ID, tags and CSeq of one side never reach the
 * other; hosts in identities are replaced where they name an address that
 * only the other side knows; option tags that would need our help are taken
 * out. This is the only place where that is decided.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dest.h"
#include "base/slice.h"
#include "base/writer.h"
#include "sip/dialog.h"
#include "sip/msg.h"

struct sip_out_lookup;

/* Addresses of the side a message came from and what stands for them on the
 * side it goes to; ports are ignored. */
struct sip_out_map {
	struct addr ours;     /* our address there */
	struct addr ours_new; /* written instead: the other peer's address */
	struct addr peer;     /* the peer's address there */
	struct addr peer_new; /* written instead: our address on this side */
	struct addr alias;    /* another address of that peer; NONE: unknown */
	bool hides_all; /* peer_new for every other address in a URI too */
	const struct sip_out_lookup *inside; /* peer_new for every address that
						it knows; NULL: none. Set while
						a message is written. */
};

/* Names of a dialog as Replaces has them: to-tag, from-tag. A tag may be
 * empty. */
struct sip_out_ids {
	struct slice call_id;
	struct slice tag[2];
};

/* What only the call machine knows. */
struct sip_out_lookup {
	/* The ids on the other side of a dialog of the side that a message
	 * comes from; false: unknown. *ret is valid while ctx is not changed. */
	bool (*dialog)(void *ctx, bool to_phone, const struct sip_out_ids *in,
		       struct sip_out_ids *ret);
	/* Whom a Contact of ours with this user stands for: *ret_uri, or, where
	 * that has no URI of its own there, *ret_user at our address. False:
	 * it is none of ours. */
	bool (*contact)(void *ctx, bool to_phone, struct slice user,
			struct slice *ret_uri, struct slice *ret_user);
	/*
	 * Append what stands on the other side for a Call-ID or tag that dialog
	 * does not know: to a phone a cover for it, from a phone what a cover
	 * stands for. False: it is none, and passes as it is. NULL: all do.
	 */
	bool (*name)(void *ctx, bool to_phone, struct slice in,
		     struct writer *w);
	/* Is it an address of the call managers' side? */
	bool (*is_inside)(void *ctx, const struct addr *a);
	void *ctx;
};

/* How end-to-end headers are passed on. */
struct sip_out_rules {
	bool to_phone;	/* goes outside; false: goes to the call manager */
	bool pass_auth; /* Authorization and challenges pass */
	bool trusts_identity; /* P-Asserted-Identity and its like pass inside,
				 whomever they name */
	struct slice
		identity; /* the user that the sender was proven to be, whom
				  alone he may assert; empty: nobody */
	bool has_body;	  /* the source's body may go along, with the headers
			   that describe it */
	struct sip_out_map map;
	const struct sip_out_lookup *lookup; /* NULL: nothing is mapped */
	struct slice event; /* in place of Event's value; empty: it stays */
	/* In a text that names a registration by its Call-ID (Cisco's
	 * service-control): as it is there, and what is written instead. Empty:
	 * texts pass. */
	struct slice register_id, register_id_new;
	struct slice agent;    /* our Server/User-Agent; empty: none */
	const char *security;  /* Call-Info: state to show; NULL: none */
	bool orientation_from; /* Call-Info: it is about the caller */
};

/* A request to be written; slices are needed during sip_out_request only. */
struct sip_out_request {
	struct slice method;
	struct slice ruri;   /* empty: sip_dialog_ruri of dialog */
	struct slice branch; /* of our Via */
	const struct dest *dest;
	unsigned max_forwards;
	const struct sip_dialog *dialog; /* ids and routes */
	uint32_t cseq;
	struct slice contact_user;	   /* empty: no Contact */
	const struct sip_msg *src;	   /* headers to pass on; may be NULL */
	const struct sip_out_rules *rules; /* needed with src */
	struct slice extra; /* header lines of the caller, with CRLF */
	struct slice type;  /* Content-Type; empty: none */
	struct slice body;  /* in place of src's session description; empty:
			       src's body goes on as rules say */
};

/* A response to be written; as above. */
struct sip_out_response {
	unsigned status;
	struct slice reason; /* empty: the canonical one */
	struct slice head;   /* Via..CSeq lines as sip_out_reply_head wrote */
	const struct dest *dest;
	struct slice contact_user;	   /* empty: no Contact */
	const struct sip_msg *src;	   /* may be NULL */
	const struct sip_out_rules *rules; /* needed with src */
	struct slice extra;
	struct slice info; /* more header lines, of who answers */
	struct slice type;
	struct slice body;
};

/* Write the whole request. */
void sip_out_request(struct writer *w, const struct sip_out_request *r);
/* Write the whole response. */
void sip_out_response(struct writer *w, const struct sip_out_response *r);
/*
 * Write the lines with which every response to request m begins after the
 * status line (Via, From, To with to_tag, Call-ID, CSeq, Record-Route): to be
 * kept, so that the request itself need not be.
 */
void sip_out_reply_head(struct writer *w, const struct sip_msg *m,
			struct slice to_tag, const struct addr *source);
/* Write our Via line on dest. */
void sip_out_via(struct writer *w, const struct dest *dest,
		 struct slice branch);
/* Write our Contact value on dest: "<sip:user@host:port;transport=...>". */
void sip_out_contact(struct writer *w, const struct dest *dest,
		     struct slice user);
/* Write a URI or name-addr with its host replaced where map says so. */
void sip_out_addr(struct writer *w, struct slice value,
		  const struct sip_out_map *map);
/* The same for a From or To value, its tag parameter taken out. */
void sip_out_identity(struct writer *w, struct slice value,
		      const struct sip_out_map *map);
/*
 * The first option tag of Require or Proxy-Require in m that we cannot
 * serve; every such tag must be refused with 420. *pos starts at 0. False at
 * the end.
 */
bool sip_out_unsupported(const struct sip_msg *m, size_t *pos,
			 struct slice *ret_tag);
/* The methods we name in Allow. Static. */
const char *sip_out_allow(void);
