/*
 * A worker over loopback sockets: a phone and a call manager, and the ends of
 * the media, store and keys processes in the test's hand. One at a time, made
 * and freed by the fixture of each test; every function aborts the test on
 * failure, and none waits without end. For test_worker and test_worker_keep.
 */
#pragma once

#include <check.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "proxy/worker.h"
#include "proxy/worker_int.h"

enum { TEXT_MAX = 2048, WAIT_MS = 2000 };

/* The worker and what it runs on. */
extern struct loop *loop;
extern struct worker *worker;
extern struct config *config;
/* The peers' sockets: a phone's, UDP, and the call manager's, of core_type. */
extern int phone, cm;
/* The other ends of the worker's channels. */
extern int media, store, keys;
/* Where the worker is: for phones over UDP and TCP, for the call manager. */
extern struct sockaddr_in listener, stream, core;
/* The call manager. */
extern struct sockaddr_in peer;
/* Of the socket the call manager is reached by: SOCK_DGRAM or SOCK_STREAM; set
 * before start. */
extern int core_type;
/* What came last, NUL-terminated. */
extern char text[TEXT_MAX];

/* Begin. page: the first message of the store's, what a predecessor left;
 * empty: the worker keeps nothing. before: what comes in front of it, if
 * anything. */
void start(struct slice page, struct slice before);
/* Fixture: a worker that keeps nothing, its call manager over UDP. */
void setup(void);
/* The end of it, whatever it was started with. */
void teardown(void);

/* The configuration in force, with another listener over UDP at more, which
 * may be NULL; the caller's reference. */
struct config *make_config(const struct sockaddr_in *more);
/* A UDP socket on loopback; *ret is its address. */
int udp(struct sockaddr_in *ret);
/* A channel, as to one of the other processes: the worker's end; *ret_ours is
 * the test's. */
int pair(int *ret_ours);

/* What comes at fd next goes into text; its length. */
size_t wait_at(int fd);
/* The datagram what, from fd to that address. */
void says(int fd, const struct sockaddr_in *to, const char *what);
/* A message of the store's. */
void store_says(struct slice what);
/* A REGISTER of the user's, each with another branch; extra: more headers, each
 * with its CRLF. */
void registration(const char *user, const char *extra, char msg[1024]);
/* The same, from the phone to the listener. */
void phone_registers(const char *user, const char *extra);
/* The call manager answers the request in text with 200, over UDP. */
void cm_accepts(void);
