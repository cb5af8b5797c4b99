#include "sip/frame.h"

#include "base/text.h"
#include "sip/msg.h"

/*
 * *scanned has two meanings. While the head is incomplete it is the number of
 * bytes already checked. Once the head is known it is the length of the whole
 * message with this bit set, so that a body arriving byte by byte costs one
 * comparison each time instead of another walk over the head.
 */
#define TOTAL_KNOWN (SIZE_MAX / 2 + 1)

/* What a walk over the lines of a complete head found. */
struct head {
	size_t length_count; /* Content-Length headers */
	bool is_length_bad;  /* one is not a plain number, or two came */
	size_t length;	     /* Content-Length */
};

static int fail(int err, const char *reason, const char **reterr)
{
	if (reterr)
		*reterr = reason;
	return err;
}

/*
 * One byte of the head: 0 or what is wrong. A control byte is legal only as a
 * quoted-pair (RFC 3261 section 25.1, RFC 4475 3.1.1.2); sip_msg_parse
 * neutralises those.
 */
static const char *check_byte(const uint8_t *buf, size_t i)
{
	uint8_t c = buf[i];
	uint8_t prev = i > 0 ? buf[i - 1] : '\0';

	if (prev == '\r' && c != '\n')
		return "bare CR in the head";
	if (c == '\n')
		return prev == '\r' ? NULL : "bare LF in the head";
	if (c >= 0x20 && c != 0x7f)
		return NULL;
	if (c == '\t' || c == '\r' || prev == '\\')
		return NULL;
	return "control byte in the head";
}

/*
 * Find the end of the head in buf[*pos .. len), checking each byte once.
 * Returns 0 and the head's length with its empty line, ERR_MORE with *pos
 * moved to len, or ERR_BAD.
 */
static int find_head(const uint8_t *buf, size_t len, size_t *pos,
		     size_t *ret_head, const char **reterr)
{
	size_t end = len < SIP_HEAD_MAX ? len : SIP_HEAD_MAX;

	for (size_t i = *pos; i < end; i++) {
		const char *why = NULL;

		if (buf[i] < 0x20 || buf[i] == 0x7f ||
		    (i > 0 && buf[i - 1] == '\r'))
			why = check_byte(buf, i);
		if (why)
			return fail(ERR_BAD, why, reterr);
		if (buf[i] == '\n' && i >= 3 && buf[i - 2] == '\n') {
			*ret_head = i + 1;
			return 0;
		}
	}
	if (len >= SIP_HEAD_MAX)
		return fail(ERR_LIMIT, "head is too long", reterr);
	*pos = end;
	return ERR_MORE;
}

/*
 * Length of the logical line at the beginning of s with its folds, without
 * the last CRLF. s ends with a CRLF that no blank follows.
 */
static size_t line_len(struct slice s)
{
	size_t i = 0;

	for (;;) {
		const uint8_t *p = memchr(s.ptr + i, '\n', s.len - i);
		size_t next = p ? (size_t)(p - s.ptr) + 1 : s.len;

		if (next >= s.len ||
		    (s.ptr[next] != ' ' && s.ptr[next] != '\t'))
			return next >= 2 ? next - 2 : 0;
		i = next;
	}
}

static bool is_long_line(enum sip_hdr_id id)
{
	return id == SIP_HDR_AUTHORIZATION ||
	       id == SIP_HDR_PROXY_AUTHORIZATION ||
	       id == SIP_HDR_WWW_AUTHENTICATE ||
	       id == SIP_HDR_PROXY_AUTHENTICATE || id == SIP_HDR_ROUTE ||
	       id == SIP_HDR_RECORD_ROUTE || id == SIP_HDR_SERVICE_ROUTE ||
	       id == SIP_HDR_PATH || id == SIP_HDR_VIA;
}

static void take_length(struct head *h, struct slice value)
{
	uint64_t v;

	h->length_count++;
	if (h->length_count > 1 ||
	    text_dec(text_trim(value), SIP_MSG_MAX, &v) != 0)
		h->is_length_bad = true;
	else
		h->length = (size_t)v;
}

/* The limits of one header line; Content-Length is taken on the way. */
static const char *check_line(struct slice line, struct head *h)
{
	struct slice name;
	struct slice value;
	enum sip_hdr_id id;
	size_t params = 0;

	(void)text_cut(line, ':', &name, &value);
	id = sip_hdr_find(text_trim(name));
	if (line.len > SIP_LINE_LONG_MAX ||
	    (line.len > SIP_LINE_MAX && !is_long_line(id)))
		return "header line is too long";
	for (size_t i = 0; i < value.len; i++) {
		/* Values split at commas are parsed one by one. */
		if (value.ptr[i] == ',' && is_long_line(id))
			params = 0;
		if (value.ptr[i] == ';' && ++params > SIP_PARAMS_MAX)
			return "too many parameters in a header line";
	}
	if (id == SIP_HDR_CONTENT_LENGTH)
		take_length(h, value);
	return NULL;
}

/* Walk the complete head; reason why it is beyond our limits, or NULL. */
static const char *check_head(struct slice s, struct head *h)
{
	size_t len = line_len(s);
	size_t count = 0;

	*h = (struct head){.length = 0};
	if (len > SIP_LINE_MAX)
		return "start line is too long";
	for (s = slice_from(s, len + 2); s.len > 2;
	     s = slice_from(s, len + 2)) {
		const char *why;

		if (++count > SIP_HDRS_MAX)
			return "too many header lines";
		len = line_len(s);
		why = check_line(slice_sub(s, 0, len), h);
		if (why)
			return why;
	}
	return NULL;
}

/* CRLF before a message: keep-alive or noise. 0, ERR_MORE, or 1 = neither. */
static int check_crlf(const uint8_t *buf, size_t len, struct sip_frame *ret)
{
	static const uint8_t ping[4] = {'\r', '\n', '\r', '\n'};
	size_t n = len < sizeof(ping) ? len : sizeof(ping);

	if (n > 0 && buf[0] != '\r')
		return 1;
	if (memcmp(buf, ping, n) == 0) {
		if (n < sizeof(ping))
			return ERR_MORE;
		*ret = (struct sip_frame){.kind = SIP_FRAME_PING, .len = 4};
		return 0;
	}
	if (n >= 2 && buf[1] == '\n') {
		*ret = (struct sip_frame){.kind = SIP_FRAME_SKIP, .len = 2};
		return 0;
	}
	return 1;
}

int sip_frame_stream(const uint8_t *buf, size_t len, size_t *scanned,
		     struct sip_frame *ret, const char **reterr_reason)
{
	struct head h;
	size_t head;
	const char *why;
	int err;

	if (len == 0)
		return ERR_MORE;
	if (*scanned & TOTAL_KNOWN) {
		size_t total = *scanned & ~TOTAL_KNOWN;

		if (len < total)
			return ERR_MORE;
		*ret = (struct sip_frame){.kind = SIP_FRAME_MSG, .len = total};
		return 0;
	}
	if (*scanned == 0) {
		err = check_crlf(buf, len, ret);
		if (err <= 0)
			return err;
	}
	err = find_head(buf, len, scanned, &head, reterr_reason);
	if (err)
		return err;
	why = check_head(slice_make(buf, head), &h);
	if (why)
		return fail(ERR_LIMIT, why, reterr_reason);
	if (h.length_count == 0)
		return fail(ERR_BAD, "no Content-Length on a stream",
			    reterr_reason);
	if (h.is_length_bad)
		return fail(ERR_BAD, "bad Content-Length", reterr_reason);
	if (h.length > SIP_MSG_MAX - head)
		return fail(ERR_LIMIT, "message is too long", reterr_reason);
	if (h.length > len - head) {
		*scanned = TOTAL_KNOWN | (head + h.length);
		return ERR_MORE;
	}
	*ret = (struct sip_frame){.kind = SIP_FRAME_MSG,
				  .len = head + h.length};
	return 0;
}

/* Keep-alive datagrams are CRLFs, NULs or blanks, never a message. */
static bool is_noise(const uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len && i < 4; i++)
		if (buf[i] != '\r' && buf[i] != '\n' && buf[i] != '\0' &&
		    buf[i] != ' ')
			return false;
	return len <= 4;
}

int sip_frame_datagram(const uint8_t *buf, size_t len, struct sip_frame *ret,
		       const char **reterr_reason)
{
	struct head h;
	size_t pos = 0;
	size_t head;
	const char *why;
	int err = check_crlf(buf, len, ret);

	if (err == 0)
		return 0;
	if (is_noise(buf, len)) {
		*ret = (struct sip_frame){.kind = SIP_FRAME_SKIP, .len = len};
		return 0;
	}
	if (len > SIP_MSG_MAX)
		return fail(ERR_LIMIT, "message is too long", reterr_reason);
	err = find_head(buf, len, &pos, &head, reterr_reason);
	if (err == ERR_MORE)
		return fail(ERR_BAD, "datagram ends inside the head",
			    reterr_reason);
	if (err)
		return err;
	why = check_head(slice_make(buf, head), &h);
	if (why)
		return fail(ERR_LIMIT, why, reterr_reason);
	*ret = (struct sip_frame){.kind = SIP_FRAME_MSG, .len = len};
	/* A length that is wrong or runs past the datagram stays for
	 * sip_msg_parse, which can have it answered (RFC 3261 section 18.3). */
	if (h.length_count > 0 && !h.is_length_bad && h.length <= len - head)
		ret->len = head + h.length;
	return 0;
}
