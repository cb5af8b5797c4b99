/*
 * Topology hiding as a property: what one side of the back-to-back user agent
 * calls its dialogs and hops (Call-ID, tags, branches) never reaches the
 * other side.
 */
#pragma once

enum { HIDDEN_MAX = 64, HIDDEN_LEN = 96 };

struct hidden {
	char id[2][HIDDEN_MAX][HIDDEN_LEN];
	unsigned count[2]; /* learned so far; the oldest are forgotten */
};

/* Take the ids out of a message that a peer on side (0 or 1) sent or got.
 * Short ones, which could be part of any word, do not count. */
void hidden_learn(struct hidden *h, int side, const char *text);
/* An id of the other side in a message for side, or NULL. */
const char *hidden_find(const struct hidden *h, int side, const char *text);
