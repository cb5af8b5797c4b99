/*
 * Inside of the call machine, for b2bua/ only: media of calls, from streams to
 * offers. Part of machine.h, which includes this.
 */
#pragma once

#include "b2bua/objects.h"

/* --- stream.c ----------------------------------------------------------- */
/* Take a pair of ports on each side (by enum side) for the object of cookie.
 * ERR_LIMIT. */
MUST_CHECK int stream_ports_take(struct calls *c, uint64_t cookie,
				 uint16_t port[2]);
/* Take just these, of an object that is restored, and make its flows belong to
 * cookie. ERR_NOTFOUND, ERR_EXISTS: they cannot be had. */
MUST_CHECK int stream_ports_claim(struct calls *c, uint64_t cookie,
				  const uint16_t port[2], struct flow flow[2]);
/* Give them back. */
void stream_ports_give(struct calls *c, const uint16_t port[2]);
/* Cookie of whose inside port a is, or 0: nobody's of this worker. */
uint64_t stream_port_owner(const struct calls *c, const struct addr *a);
/* Same flow in all that crosses the process border? */
bool stream_flow_eq(const struct flow *a, const struct flow *b);
/* Our media address on a side; its port is 0. */
const struct addr *stream_addr(const struct calls *c, enum side side);
/* The stream of an m= line, or NULL. */
struct stream *stream_of(struct media *m, size_t line);
/* The same; a free place for a new line. NULL when the call has as many
 * streams as we relay. */
struct stream *stream_make(struct media *m, size_t line);
/* Remember the name of the codec. */
void stream_set_codec(struct stream *s, struct slice codec);
/* What a section says about its writer. */
void party_read(struct party *p, const struct sdp_media *m);
/* Ports and flows of a stream that has none yet; FLOW_ADD. ERR_LIMIT,
 * ERR_NOMEM. */
MUST_CHECK int stream_open(struct calls *c, struct call *call,
			   struct stream *s);
/* Both flows as offer and answer have them now; FLOW_UPDATE where they
 * change. */
void stream_update(struct calls *c, struct call *call, struct stream *s);
/* Forget what is pending, wipe its keys. */
void stream_wipe(struct stream *s);
/* End it: FLOW_DEL, ports back. */
void stream_close(struct calls *c, struct stream *s);

/* --- twin.c ------------------------------------------------------------- */
/* The offer s is the first one to a phone that gets two lines for each audio
 * stream that is offered as SRTP: decide which have a twin. */
void twin_make(struct media *m, const struct sdp *s);
/* Take the twins out of what the phone says; where it rejects the line and
 * not its twin, the twin stands for it. ERR_BAD: lines are missing. */
MUST_CHECK int twin_take(const struct media *m, struct sdp *s);
/* Put the twins into what the phone is told. is_first: both are offered; else
 * only the one in use. ERR_LIMIT: too many lines. */
MUST_CHECK int twin_put(const struct media *m, struct sdp *s,
			struct sdp_edit *e, bool is_first);
/* The phone's offer s has the same media twice, as RTP/SAVP and as RTP/AVP:
 * is it this line that p makes us reject? */
bool twin_is_spare(const struct sdp *s, size_t line,
		   const struct answer_policy *p);

/* --- media.c ------------------------------------------------------------ */
struct media_refusal {
	unsigned status;
	const char *why; /* static text for Warning and record */
};
/* Side from makes an offer. Writes what the other side is offered to
 * *ret_body (scratch, valid until the next media_ call). Takes ports and
 * emits FLOW_ADD. False: refused, *ret_no says how; nothing has changed. */
bool media_offer(struct calls *c, struct call *call, enum side from,
		 struct slice body, struct slice *ret_body,
		 struct media_refusal *ret_no);
/* Side from answers the pending offer; flows are updated; *ret_body is the
 * answer for the other side. False: refused; the offer stays pending. */
bool media_answer(struct calls *c, struct call *call, enum side from,
		  struct slice body, struct slice *ret_body,
		  struct media_refusal *ret_no);
/* The pending offer is complete. */
void media_settle(struct calls *c, struct call *call);
/* The pending offer came to nothing: undo what is new. */
void media_abort(struct calls *c, struct call *call);
/* End all flows, give the ports back, wipe the keys. */
void media_done(struct calls *c, struct call *call);

/* --- join.c ------------------------------------------------------------- */
/* The call whose phone is at the far end of s, or NULL. */
const struct call *join_stream_call(const struct calls *c,
				    const struct call *call,
				    const struct stream *s);
/* The call in whose inside address this call's far end is, or NULL. */
struct call *join_call(const struct calls *c, const struct call *call);
/*
 * Before s's offer goes to its phone, as the call manager's offer at far (an
 * address) led to it: where far is a stream of another phone of ours, the
 * lines get that phone's keys, as far as it has them for the suite, and come
 * first.
 */
void join_offer(struct calls *c, const struct call *call, struct stream *s,
		const struct addr *far);
/* Before the phone of s gets the answer to its offer, which the call manager
 * has answered: where the far end is another phone of ours, s->decided gets
 * that phone's key under a suite both have; else a key of our own. */
void join_answer(struct calls *c, const struct call *call, struct stream *s);
/* After media changed here or at the far end: where the phone hears its far
 * end under a key that is no longer right, or could hear it under its own, it
 * gets a re-INVITE of ours, in a while. */
void join_review(struct calls *c, struct call *call);
/* Such a re-INVITE was refused for now: the same after wait_ms, as long as the
 * offers do not become too many; the last one has a key of ours. */
void join_again(struct calls *c, struct call *call, uint64_t wait_ms);
/* True when what both sides say passes without being opened. */
bool join_is_end_to_end(const struct calls *c, const struct call *call);
/* The media process says something about a flow of call. */
void flow_event(struct calls *c, struct call *call, const struct event *ev);

/* --- security.c --------------------------------------------------------- */
/* State of the phone's own leg. */
enum call_security security_own(const struct call *call);
/* State of the call as a whole, from what is agreed or offered by now. */
enum call_security security_state(const struct calls *c,
				  const struct call *call);
/* The state, remembered as shown to the phone, as Call-Info has it. */
const char *security_show(struct calls *c, struct call *call);
/* The same as a header line. */
void security_line(struct calls *c, struct call *call, struct writer *w);
/* After media changed: tell phones whose shown state is wrong by now. */
void security_update(struct calls *c, struct call *call);

/* --- offer.c ------------------------------------------------------------ */
/* True when the body is a session description. */
bool msg_has_sdp(const struct sip_msg *m);
/* May the peer of leg make an offer now? 0: yes; 491: one of ours to it is
 * not answered; 500: one of its own is not. */
unsigned offer_busy(const struct leg *leg);
/* media_offer, media_answer, media_settle and media_abort, remembering what
 * each side said. */
bool offer_make(struct calls *c, struct call *call, enum side from,
		struct slice body, struct slice *ret_body,
		struct media_refusal *ret_no);
bool offer_answer(struct calls *c, struct call *call, enum side from,
		  struct slice body, struct slice *ret_body,
		  struct media_refusal *ret_no);
void offer_settle(struct calls *c, struct call *call);
void offer_abort(struct calls *c, struct call *call);
/* Header lines that go with the refusal of an offer: Warning (RFC 3261
 * section 20.43) for 488, Retry-After for others. NUL-terminated in ret of
 * cap bytes. */
void offer_warning(const struct reply *r, const struct media_refusal *no,
		   char *ret, size_t cap);
