/* The call manager does not speak SIP yet: it knows no SIP phone, and says so. */
#include "cm.h"
void sip_begin(struct sockaddr_in address)
{
	(void)address;
	die("--sip: this call manager speaks SCCP only");
}
int sip_fd(void)
{
	return -1;
}
void sip_readable(void)
{
}
void sip_tick(uint64_t now_ms)
{
	(void)now_ms;
}
bool sip_knows(const char *number)
{
	(void)number;
	return false;
}
void sip_invite(struct leg *l, const char *from, struct sockaddr_in media)
{
	(void)l;
	(void)from;
	(void)media;
}
void sip_ringing(struct leg *l)
{
	(void)l;
}
void sip_answer(struct leg *l, struct sockaddr_in media)
{
	(void)l;
	(void)media;
}
void sip_end(struct leg *l)
{
	(void)l;
}
