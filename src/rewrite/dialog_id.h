/*
 * Names of dialogs in messages: Replaces (RFC 3891), Join (RFC 3911),
 * Target-Dialog (RFC 4538), the parameters of Event that name a dialog
 * (RFC 4235, RFC 4730), and the same in Refer-To, escaped. A dialog has other
 * ids on the other side; which, the call machine knows (struct
 * sip_out_lookup). One that it does not know has a cover outside, and what is
 * no such cover passes inside, addresses in it replaced.
 */
#pragma once

#include "base/slice.h"
#include "base/writer.h"
#include "rewrite/sip_out.h"

/* Copy a value of Replaces, Join or Target-Dialog. */
void dialog_id_copy(struct writer *w, struct slice value,
		    const struct sip_out_rules *r);
/* Copy a value of Event. */
void dialog_id_copy_event(struct writer *w, struct slice value,
			  const struct sip_out_rules *r);
/* Copy a value of Refer-To. */
void dialog_id_copy_refer_to(struct writer *w, struct slice value,
			     const struct sip_out_rules *r);
/* Copy a body of XML whose elements or attributes name dialogs: callid,
 * localtag, remotetag as Cisco writes them; call-id, local-tag, remote-tag of
 * dialog-info (RFC 4235), from-tag and to-tag of conference-info (RFC 4575),
 * callid of reginfo (RFC 3680). Linear. */
void dialog_id_copy_xml(struct writer *w, struct slice xml,
			const struct sip_out_rules *r);
enum {
	DIALOG_ID_MAX = 512,   /* bytes of one id */
	DIALOG_COVER_MAX = 720 /* bytes of what stands for it */
};

/* A dialog that a body of XML names. */
struct dialog_id_named {
	struct sip_out_ids ids; /* views buf or value; tags may be empty */
	struct slice outer;	/* the element they stand in, without prefix */
	union {
		uint8_t buf[3][DIALOG_ID_MAX];
		uint8_t value[3 * DIALOG_ID_MAX];
	};
};
/* The next dialog that xml names from *pos (at first 0) on; false: none. */
bool dialog_id_next_xml(struct slice xml, size_t *pos,
			struct dialog_id_named *ret);
/*
 * The next dialog that a header of this URI (as in Refer-To) names to be replaced
 * or joined, from *pos (at first 0) on, its name and value decoded; false: none.
 * One that cannot be read has an empty Call-ID. outer is empty.
 */
bool dialog_id_next_uri(struct slice uri, size_t *pos,
			struct dialog_id_named *ret);
/* The text behind the next tag of this name (whatever its prefix and case)
 * from *pos on, trimmed, up to the next tag; views xml. False: none. */
bool dialog_id_next_text(struct slice xml, size_t *pos, const char *name,
			 struct slice *ret);
/* A dialog as it is named on the other side. */
struct dialog_id_other {
	struct sip_out_ids ids; /* may view buf */
	uint8_t buf[3][DIALOG_COVER_MAX];
};
/* The ids on the other side, or covers for them; false: they pass as they are.
 */
bool dialog_id_find(const struct sip_out_rules *r, const struct sip_out_ids *in,
		    struct dialog_id_other *ret);
/*
 * The same for a Call-ID that a notifier uses as a name of its own: outside its
 * cover, whether we know the dialog (still, or already) or not, since the reader
 * knows the dialog by it; other: as dialog_id_find has written it. May view other.
 */
struct slice dialog_id_own(const struct sip_out_rules *r, struct slice call_id,
			   struct dialog_id_other *other);
