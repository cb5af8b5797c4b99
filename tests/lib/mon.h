/*
 * A monitor without processes that it started: its configuration is a file, its
 * control socket is served and asked over, its children are the other ends of
 * channels. The store and the keys process can be had, each a real one; workers
 * and the media process are played by the test. One at a time; every function
 * aborts the test on failure, and none waits without end.
 */
#pragma once

#include "daemon/monitor.h"

enum { MON_WORKERS = 2 };

/* The one; between mon_open and mon_close. */
extern struct monitor *mon;

/* Begin, with text as sallyport.conf beneath what a test always needs. */
void mon_open(const char *text);
/* End it and its processes, and remove its files. */
void mon_close(void);
/* Another sallyport.conf, for a reload. */
void mon_config(const char *text);
/* A file of the monitor's directory; static. */
const char *mon_path(const char *name);

/* Give a child its line; what it gets is read by mon_hear. */
void mon_up(enum monitor_kind kind, uint32_t number);
/* The child ends, as the monitor sees it. */
void mon_down(enum monitor_kind kind, uint32_t number);
/* The next message for a child of mon_up; len 0: none. Descriptors that came
 * along are closed, but the first, when ret_fd is not NULL (-1: none). Static,
 * until the next. */
struct slice mon_hear(enum monitor_kind kind, uint32_t number, int *ret_fd);
/* How many descriptors came along with what was heard last. */
size_t mon_heard_fds(void);
/* A child of mon_up says something. */
void mon_say(enum monitor_kind kind, uint32_t number, struct slice bytes);
/* The next question for a child, whatever was said before; its text is valid
 * until the next mon_hear. */
struct dwire_msg mon_question(enum monitor_kind kind, uint32_t number);
/* Rows of a child in answer to a question. */
void mon_rows(enum monitor_kind kind, uint32_t child, uint32_t number,
	      const char *text, bool is_last);

/* A store process at its files in the directory, and the monitor's line to it.
 * The pid is for who wants to limit it. */
pid_t mon_store(void);
/* Kill it. */
void mon_store_kill(void);
/* A keys process that seals, and the monitor's line to it. */
void mon_keys(void);

/* Send a command, args is the inside of a JSON object of strings; fd (-1: none)
 * goes along. Returns the connection. */
int mon_send(const char *command, const char *args, int fd);
/* The answer on it, which is closed: the line, or empty when the server only
 * closed. Static, until the next. */
const char *mon_answer(int client);
/* Has an answer come, or the connection ended? */
bool mon_is_answered(int client);
/* Send and take the answer. */
const char *mon_ask(const char *command, const char *args);
/* The same with text in a sealed file. */
const char *mon_ask_file(const char *command, const char *args,
			 const char *text);
/* Is it a success? Is it a failure, and has it this text? */
bool mon_is_good(const char *answer);
bool mon_is_bad(const char *answer, const char *text);
/* Turn the loop a few times. */
void mon_turn(void);
