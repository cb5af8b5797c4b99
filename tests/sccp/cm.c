/* Phones of the call manager. See cm.h. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { TEXT_MAX = 4096, MISSED = 3, HEADER_LAYOUT = 17 };

struct cm cm = {.version = 17, .keepalive_s = 30, .secondary_s = 60};

/* The lengths that servers of that age send; what is not here is whole. */
static const struct {
	enum form form;
	uint32_t id, length;
} shorts[] = {
	{FORM_CM2, 0x0081, 16},	 {FORM_CM2, 0x0105, 28},
	{FORM_CM2, 0x008A, 44},	 {FORM_CM2, 0x0106, 12},
	{FORM_CM2, 0x008B, 12},	 {FORM_CM2, 0x008F, 144},
	{FORM_CM3, 0x0105, 28},	 {FORM_CM3, 0x008A, 44},
	{FORM_CM3, 0x0106, 12},	 {FORM_CM3, 0x008B, 12},
	{FORM_CM3, 0x008F, 144}, {FORM_CM4, 0x0105, 72},
	{FORM_CM4, 0x008A, 88},	 {FORM_CM4, 0x0106, 16},
	{FORM_CM4, 0x008B, 16},	 {FORM_CM4, 0x008F, 280},
	{FORM_CM7, 0x0105, 96},	 {FORM_CM7, 0x008A, 112},
};

static void watch(struct cm_phone *p)
{
	uint32_t wants = link_wants(&p->link);
	struct epoll_event ev = {.events = wants, .data.ptr = p};

	if (p->link.state == LINK_DOWN || wants == p->watched)
		return;
	if (epoll_ctl(cm.epoll, p->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      p->link.fd, &ev))
		die("epoll_ctl: %m");
	p->watched = wants;
}

static void log_pdu(const struct cm_phone *p, char arrow, const struct pdu *m)
{
	static char text[TEXT_MAX];
	const char *wrong;

	if (cm.is_quiet)
		return;
	wrong = pdu_print(m, text, sizeof(text));
	say("%s %c %s", p->name[0] ? p->name : "-", arrow, text);
	if (wrong && arrow == '<') {
		cm.malformed++;
		say("%s MALFORMED %s: %s", p->name, text, wrong);
	}
}

void message_begin(struct cm_phone *p, struct pdu *m, uint32_t id)
{
	if (cm.form == FORM_CM7)
		pdu_init_old(m, id, p->version);
	else
		pdu_init(m, id, p->version);
}

void message_send(struct cm_phone *p, struct pdu *m)
{
	for (unsigned i = 0; i < sizeof(shorts) / sizeof(shorts[0]); i++)
		if (shorts[i].form == cm.form && shorts[i].id == pdu_id(m))
			pdu_cut(m, shorts[i].length);
	log_pdu(p, '>', m);
	(void)link_send(&p->link, m->b, m->len);
	watch(p);
}

void phone_new(int fd)
{
	struct cm_phone *p = calloc(1, sizeof(*p));

	if (!p)
		die("no memory");
	link_accept(&p->link, fd);
	p->seen_ms = now_ms();
	p->next = cm.phones;
	cm.phones = p;
	watch(p);
}

struct cm_phone *phone_by_name(const char *name)
{
	for (struct cm_phone *p = cm.phones; p; p = p->next)
		if (p->is_registered && strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

struct cm_phone *phone_by_number(const char *number)
{
	for (struct cm_phone *p = cm.phones; p; p = p->next)
		if (p->is_registered && strcmp(p->number, number) == 0)
			return p;
	return NULL;
}

/* Its entry is freed by phones_tick: somebody may be working with it. */
void phone_close(struct cm_phone *p, const char *why)
{
	if (!cm.is_quiet)
		say("%s closed: %s", p->name[0] ? p->name : "-", why);
	if (p->is_registered)
		cm.registered--;
	p->is_registered = false;
	call_phone_gone(p);
	link_close(&p->link);
}

/* --- registration ------------------------------------------------------- */
static void number_for(struct cm_phone *p)
{
	for (unsigned i = 0; i < cm.lines; i++)
		if (strcmp(cm.line[i].name, p->name) == 0) {
			(void)snprintf(p->number, sizeof(p->number), "%s",
				       cm.line[i].number);
			return;
		}
	/* Others by the end of their name. */
	(void)snprintf(p->number, sizeof(p->number), "%s",
		       strlen(p->name) > 4 ? p->name + strlen(p->name) - 4
					   : p->name);
}

static void reject(struct cm_phone *p, const char *text)
{
	struct pdu m;

	pdu_init_old(&m, 0x009D, p->version);
	pdu_set_text(&m, "text", text);
	message_send(p, &m);
	phone_close(p, text);
}

static void on_register(struct cm_phone *p, const struct pdu *m)
{
	unsigned theirs = pdu_get(m, "protocolVer");
	struct cm_phone *old;
	struct pdu r;

	pdu_text(m, "deviceName", p->name, sizeof(p->name));
	p->version = theirs < cm.version ? theirs : cm.version;
	if (cm.reject && strcmp(cm.reject, p->name) == 0) {
		reject(p, "Unknown device");
		return;
	}
	/* many phones are not searched for each of them */
	old = cm.is_quiet ? NULL : phone_by_name(p->name);
	if (old && old != p)
		phone_close(old, "registered again elsewhere");
	number_for(p);
	pdu_init_old(&r, 0x0081, p->version);
	pdu_set(&r, "keepAliveInterval", cm.keepalive_s);
	pdu_set_text(&r, "dateTemplate", "M/D/Y");
	pdu_set(&r, "secondaryKeepAlive", cm.secondary_s);
	pdu_set(&r, "protocolVer", p->version);
	pdu_set(&r, "features0", 0x20);
	pdu_set(&r, "features1", 0xf1);
	pdu_set(&r, "features2", 0xff);
	message_send(p, &r);
	if (!p->is_registered)
		cm.registered++;
	p->is_registered = true;
	if (!cm.is_quiet)
		say("%s registered number=%s version=%u", p->name, p->number,
		    p->version);
	pdu_init_old(&r, 0x009B, p->version);
	message_send(p, &r);
}

static void on_token(struct cm_phone *p, const struct pdu *m)
{
	struct pdu r;

	pdu_text(m, "deviceName", p->name, sizeof(p->name));
	pdu_init_old(&r, cm.token_wait_s ? 0x011B : 0x011A, p->version);
	if (cm.token_wait_s)
		pdu_set(&r, "waitSeconds", cm.token_wait_s);
	message_send(p, &r);
}

static void on_unregister(struct cm_phone *p)
{
	struct pdu m;

	message_begin(p, &m, 0x0118);
	message_send(p, &m);
	if (p->is_registered)
		cm.registered--;
	p->is_registered = false;
	call_phone_gone(p);
	if (!cm.is_quiet)
		say("%s unregistered", p->name);
}

/* --- what a phone asks after it is registered ---------------------------- */
static void button_template(struct cm_phone *p)
{
	/* two lines; 0xff is none */
	uint8_t buttons[84];
	struct pdu m;

	memset(buttons, 0xff, sizeof(buttons));
	for (uint8_t i = 0; i < 2; i++) {
		buttons[2 * i] = (uint8_t)(i + 1);
		buttons[2 * i + 1] = 9;
	}
	message_begin(p, &m, 0x0097);
	pdu_set(&m, "count", 2);
	pdu_set(&m, "total", 2);
	pdu_set_bytes(&m, "buttons", buttons, sizeof(buttons));
	message_send(p, &m);
}

static void softkey_template(struct cm_phone *p)
{
	static const uint8_t events[] = {1, 2, 3, 4, 9, 10, 11, 13};
	uint8_t keys[640] = {0};
	struct pdu m;

	for (size_t i = 0; i < sizeof(events); i++) {
		/* labels by number of the phone's own dictionary */
		keys[20 * i] = 0x80;
		keys[20 * i + 1] = events[i];
		keys[20 * i + 16] = events[i];
	}
	message_begin(p, &m, 0x0108);
	pdu_set(&m, "count", sizeof(events));
	pdu_set(&m, "total", sizeof(events));
	pdu_set_bytes(&m, "keys", keys, sizeof(keys));
	message_send(p, &m);
}

static void softkey_sets(struct cm_phone *p)
{
	uint8_t sets[768] = {0};
	struct pdu m;

	for (uint8_t k = 0; k < 10; k++)
		for (uint8_t i = 0; i < 8; i++) {
			sets[48 * k + i] = (uint8_t)(i + 1);
			sets[48 * k + 16 + 2 * i] = (uint8_t)(i + 1);
			sets[48 * k + 16 + 2 * i + 1] = 1;
		}
	message_begin(p, &m, 0x0109);
	pdu_set(&m, "count", 10);
	pdu_set(&m, "total", 10);
	pdu_set_bytes(&m, "sets", sets, sizeof(sets));
	message_send(p, &m);
}

static void config(struct cm_phone *p)
{
	struct pdu m;

	message_begin(p, &m, 0x0093);
	pdu_set_text(&m, "deviceName", p->name);
	pdu_set(&m, "instance", 1);
	pdu_set_text(&m, "serverName", "sccp-cm");
	pdu_set(&m, "lines", 2);
	message_send(p, &m);
}

static void line(struct cm_phone *p, uint32_t number)
{
	const char *const text[] = {p->number, p->number, p->number};
	struct pdu m;

	if (p->version >= HEADER_LAYOUT && cm.form == FORM_NEW) {
		message_begin(p, &m, 0x0147);
		pdu_set(&m, "line", number);
		pdu_set(&m, "type", 15);
		pdu_strings(&m, 3, text);
	} else {
		message_begin(p, &m, 0x0092);
		pdu_set(&m, "line", number);
		pdu_set_text(&m, "dn", p->number);
		pdu_set_text(&m, "name", p->number);
		pdu_set_text(&m, "label", p->number);
	}
	message_send(p, &m);
}

static void date(struct cm_phone *p)
{
	time_t now = time(NULL);
	struct tm t;
	struct pdu m;

	(void)gmtime_r(&now, &t);
	message_begin(p, &m, 0x0094);
	pdu_set(&m, "year", (uint32_t)t.tm_year + 1900);
	pdu_set(&m, "month", (uint32_t)t.tm_mon + 1);
	pdu_set(&m, "weekDay", (uint32_t)t.tm_wday);
	pdu_set(&m, "day", (uint32_t)t.tm_mday);
	pdu_set(&m, "hour", (uint32_t)t.tm_hour);
	pdu_set(&m, "minute", (uint32_t)t.tm_min);
	pdu_set(&m, "second", (uint32_t)t.tm_sec);
	pdu_set(&m, "systemTime", (uint32_t)now);
	message_send(p, &m);
}

static void servers(struct cm_phone *p)
{
	struct in_addr ip = link_address(&p->link);
	struct pdu m;

	message_begin(p, &m, 0x009E);
	pdu_set_text(&m, "name1", "sccp-cm");
	pdu_set(&m, "port1", 2000);
	pdu_set_ip(&m, "ip1", ip);
	message_send(p, &m);
}

static void keepalive(struct cm_phone *p)
{
	struct pdu m;

	/* a standby says nothing: TCP's own ACK is enough for the phone */
	if (!p->is_registered || cm.is_mute)
		return;
	pdu_init_old(&m, 0x0100, p->version);
	message_send(p, &m);
}

static void message(struct cm_phone *p, const struct pdu *m)
{
	switch (pdu_id(m)) {
	case 0x0000:
		keepalive(p);
		break;
	case 0x0001:
		on_register(p, m);
		break;
	case 0x0029:
		on_token(p, m);
		break;
	case 0x0027:
		on_unregister(p);
		break;
	case 0x000E:
		button_template(p);
		break;
	case 0x0028:
		softkey_template(p);
		break;
	case 0x0025:
		softkey_sets(p);
		break;
	case 0x000C:
		config(p);
		break;
	case 0x000B:
		line(p, pdu_get(m, "line"));
		break;
	case 0x000D:
		date(p);
		break;
	case 0x0012:
		servers(p);
		break;
	default:
		if (p->is_registered)
			call_message(p, m);
	}
}

void phone_ready(struct cm_phone *p)
{
	static struct pdu m;

	while (p->link.state == LINK_UP) {
		m.version = p->version ? p->version : cm.version;
		switch (link_step(&p->link, &m)) {
		case LINK_MORE:
			watch(p);
			return;
		case LINK_CLOSED:
			phone_close(p, p->link.why);
			return;
		case LINK_OPEN:
			break;
		case LINK_PDU:
			cm.taken++;
			p->seen_ms = now_ms();
			log_pdu(p, '<', &m);
			message(p, &m);
			break;
		}
	}
}

void phones_tick(uint64_t now_ms)
{
	struct cm_phone **at = &cm.phones;

	while (*at) {
		struct cm_phone *p = *at;

		if (p->link.state == LINK_DOWN) {
			*at = p->next;
			free(p);
			continue;
		}
		if (p->is_registered &&
		    now_ms > p->seen_ms +
				     (uint64_t)cm.keepalive_s * 1000 * MISSED)
			phone_close(p, "no keepalive");
		at = &p->next;
	}
}
