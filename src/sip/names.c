#include "sip/msg.h"

#include <assert.h>

#include "base/text.h"

/* One row per header we know: canonical name and compact form. */
struct name_row {
	struct slice name;
	char compact; /* 0 = none */
};

static const struct name_row names[SIP_HDR_COUNT] = {
	[SIP_HDR_ACCEPT] = {SLICE("Accept"), 0},
	[SIP_HDR_ALLOW] = {SLICE("Allow"), 0},
	[SIP_HDR_AUTHORIZATION] = {SLICE("Authorization"), 0},
	[SIP_HDR_CALL_ID] = {SLICE("Call-ID"), 'i'},
	[SIP_HDR_CALL_INFO] = {SLICE("Call-Info"), 0},
	[SIP_HDR_CONTACT] = {SLICE("Contact"), 'm'},
	[SIP_HDR_CONTENT_LENGTH] = {SLICE("Content-Length"), 'l'},
	[SIP_HDR_CONTENT_TYPE] = {SLICE("Content-Type"), 'c'},
	[SIP_HDR_CSEQ] = {SLICE("CSeq"), 0},
	[SIP_HDR_EVENT] = {SLICE("Event"), 'o'},
	[SIP_HDR_EXPIRES] = {SLICE("Expires"), 0},
	[SIP_HDR_FROM] = {SLICE("From"), 'f'},
	[SIP_HDR_MAX_FORWARDS] = {SLICE("Max-Forwards"), 0},
	[SIP_HDR_MIN_EXPIRES] = {SLICE("Min-Expires"), 0},
	[SIP_HDR_PATH] = {SLICE("Path"), 0},
	[SIP_HDR_PROXY_AUTHENTICATE] = {SLICE("Proxy-Authenticate"), 0},
	[SIP_HDR_PROXY_AUTHORIZATION] = {SLICE("Proxy-Authorization"), 0},
	[SIP_HDR_PROXY_REQUIRE] = {SLICE("Proxy-Require"), 0},
	[SIP_HDR_RACK] = {SLICE("RAck"), 0},
	[SIP_HDR_RECORD_ROUTE] = {SLICE("Record-Route"), 0},
	[SIP_HDR_REFER_TO] = {SLICE("Refer-To"), 'r'},
	[SIP_HDR_REPLACES] = {SLICE("Replaces"), 0},
	[SIP_HDR_REQUIRE] = {SLICE("Require"), 0},
	[SIP_HDR_RETRY_AFTER] = {SLICE("Retry-After"), 0},
	[SIP_HDR_ROUTE] = {SLICE("Route"), 0},
	[SIP_HDR_RSEQ] = {SLICE("RSeq"), 0},
	[SIP_HDR_SERVICE_ROUTE] = {SLICE("Service-Route"), 0},
	[SIP_HDR_SESSION_EXPIRES] = {SLICE("Session-Expires"), 'x'},
	[SIP_HDR_SUPPORTED] = {SLICE("Supported"), 'k'},
	[SIP_HDR_TO] = {SLICE("To"), 't'},
	[SIP_HDR_UNSUPPORTED] = {SLICE("Unsupported"), 0},
	[SIP_HDR_USER_AGENT] = {SLICE("User-Agent"), 0},
	[SIP_HDR_SERVER] = {SLICE("Server"), 0},
	[SIP_HDR_VIA] = {SLICE("Via"), 'v'},
	[SIP_HDR_WARNING] = {SLICE("Warning"), 0},
	[SIP_HDR_WWW_AUTHENTICATE] = {SLICE("WWW-Authenticate"), 0},
};

static const struct slice methods[] = {
	[SIP_METHOD_INVITE] = SLICE("INVITE"),
	[SIP_METHOD_ACK] = SLICE("ACK"),
	[SIP_METHOD_BYE] = SLICE("BYE"),
	[SIP_METHOD_CANCEL] = SLICE("CANCEL"),
	[SIP_METHOD_REGISTER] = SLICE("REGISTER"),
	[SIP_METHOD_OPTIONS] = SLICE("OPTIONS"),
	[SIP_METHOD_INFO] = SLICE("INFO"),
	[SIP_METHOD_PRACK] = SLICE("PRACK"),
	[SIP_METHOD_UPDATE] = SLICE("UPDATE"),
	[SIP_METHOD_SUBSCRIBE] = SLICE("SUBSCRIBE"),
	[SIP_METHOD_NOTIFY] = SLICE("NOTIFY"),
	[SIP_METHOD_REFER] = SLICE("REFER"),
	[SIP_METHOD_MESSAGE] = SLICE("MESSAGE"),
	[SIP_METHOD_PUBLISH] = SLICE("PUBLISH"),
};

struct status_row {
	unsigned status;
	const char *reason;
};

static const struct status_row statuses[] = {
	{100, "Trying"},
	{180, "Ringing"},
	{181, "Call Is Being Forwarded"},
	{182, "Queued"},
	{183, "Session Progress"},
	{199, "Early Dialog Terminated"},
	{200, "OK"},
	{202, "Accepted"},
	{204, "No Notification"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Moved Temporarily"},
	{305, "Use Proxy"},
	{380, "Alternative Service"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{410, "Gone"},
	{412, "Conditional Request Failed"},
	{413, "Request Entity Too Large"},
	{414, "Request-URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Unsupported URI Scheme"},
	{420, "Bad Extension"},
	{421, "Extension Required"},
	{422, "Session Interval Too Small"},
	{423, "Interval Too Brief"},
	{429, "Provide Referrer Identity"},
	{430, "Flow Failed"},
	{433, "Anonymity Disallowed"},
	{439, "First Hop Lacks Outbound Support"},
	{440, "Max-Breadth Exceeded"},
	{469, "Bad Info Package"},
	{480, "Temporarily Unavailable"},
	{481, "Call/Transaction Does Not Exist"},
	{482, "Loop Detected"},
	{483, "Too Many Hops"},
	{484, "Address Incomplete"},
	{485, "Ambiguous"},
	{486, "Busy Here"},
	{487, "Request Terminated"},
	{488, "Not Acceptable Here"},
	{489, "Bad Event"},
	{491, "Request Pending"},
	{493, "Undecipherable"},
	{494, "Security Agreement Required"},
	{500, "Server Internal Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Server Time-out"},
	{505, "Version Not Supported"},
	{513, "Message Too Large"},
	{580, "Precondition Failure"},
	{600, "Busy Everywhere"},
	{603, "Decline"},
	{604, "Does Not Exist Anywhere"},
	{606, "Not Acceptable"},
};

enum sip_hdr_id sip_hdr_find(struct slice name)
{
	if (name.len == 0)
		return SIP_HDR_OTHER;
	if (name.len == 1) {
		for (size_t i = 1; i < SIP_HDR_COUNT; i++)
			if (names[i].compact == (char)text_lower(*name.ptr))
				return (enum sip_hdr_id)i;
		return SIP_HDR_OTHER;
	}
	for (size_t i = 1; i < SIP_HDR_COUNT; i++)
		if (names[i].name.len == name.len &&
		    text_ieq(names[i].name, name))
			return (enum sip_hdr_id)i;
	return SIP_HDR_OTHER;
}

const char *sip_hdr_name(enum sip_hdr_id id)
{
	assert(id > SIP_HDR_OTHER && id < SIP_HDR_COUNT);
	return (const char *)names[id].name.ptr;
}

enum sip_method sip_method_find(struct slice name)
{
	for (size_t i = 1; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (slice_eq(methods[i], name))
			return (enum sip_method)i;
	return SIP_METHOD_OTHER;
}

const char *sip_method_name(enum sip_method method)
{
	assert(method > SIP_METHOD_OTHER && method <= SIP_METHOD_PUBLISH);
	return (const char *)methods[method].ptr;
}

const char *sip_status_reason(unsigned status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].reason;
	return "";
}
