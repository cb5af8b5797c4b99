/*
 * What the kernel knows of IPsec: its policies and states, read over netlink
 * (linux/xfrm.h), and news of changes. Needs CAP_NET_ADMIN. What is read
 * carries the keys of the states: they are wiped before a function returns.
 * One thread.
 */
#pragma once

#include "authz/ipsec.h"
#include "base/err.h"

struct nlmsghdr;
struct xfrm;

/* Open the sockets; nothing is read yet. ERR_IO with errno, ERR_NOMEM. Owner
 * of *ret: the caller, until xfrm_close. */
MUST_CHECK int xfrm_open(struct xfrm **ret);
/* Close x (may be NULL); returns NULL. */
struct xfrm *xfrm_close(struct xfrm *x);
/* Readable when something may have changed; lifetime of x. */
int xfrm_fd(const struct xfrm *x);
/* Take the news from xfrm_fd; true when there were any, also when some were
 * lost. Does not block. */
bool xfrm_news(struct xfrm *x);
/* Read policies and states anew. ERR_IO with errno, ERR_LIMIT for more than
 * are looked at, ERR_NOMEM: the view is then not known. */
MUST_CHECK int xfrm_read(struct xfrm *x);
/* As last read; until the next xfrm_read. */
const struct ipsec_view *xfrm_view(const struct xfrm *x);

/* One message of a dump. ERR_BAD when it is cut, or not about packets that we
 * send: of another direction, for marked packets, or for an interface. */
MUST_CHECK int xfrm_policy_parse(const struct nlmsghdr *h,
				 struct ipsec_policy *ret);
/* As xfrm_policy_parse; ret does not get the keys. */
MUST_CHECK int xfrm_state_parse(const struct nlmsghdr *h,
				struct ipsec_state *ret);
