#include "control/rows.h"

#include <malloc.h>

#include "base/alloc.h"
#include "base/secret.h"

/* Requests carry secrets through jansson's own buffers. */
static void wiping_free(void *p)
{
	if (p)
		secret_wipe(p, malloc_usable_size(p));
	alloc_free(p);
}

void rows_seed(uint32_t seed)
{
	json_set_alloc_funcs(alloc_zero, wiping_free);
	json_object_seed(seed ? seed : 1);
}

/* Text of outsiders as a JSON string; it need not be UTF-8. */
json_t *rows_text(struct slice s)
{
	json_t *j = json_stringn(s.ptr ? (const char *)s.ptr : "", s.len);
	char *copy;

	if (j)
		return j;
	copy = alloc_copy(s);
	for (size_t i = 0; copy && i < s.len; i++)
		if ((unsigned char)copy[i] >= 0x80)
			copy[i] = '?';
	if (copy)
		j = json_stringn(copy, s.len);
	alloc_free(copy);
	return j;
}

/* Numbers of a JSON integer are signed. */
static json_t *number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

/* Take value into row; false without memory. */
static bool put(json_t *row, const char *key, json_t *value)
{
	return json_object_set_new(row, key, value) == 0;
}

static json_t *finish(json_t *row, bool is_ok)
{
	if (is_ok)
		return row;
	json_decref(row);
	return NULL;
}

json_t *row_registration(const struct row_registration *r)
{
	json_t *row = json_object();

	return finish(
		row,
		put(row, "worker", number(r->worker)) &&
			put(row, "device", rows_text(r->device)) &&
			put(row, "aor", rows_text(r->aor)) &&
			put(row, "contact", rows_text(r->contact)) &&
			put(row, "peer", rows_text(r->peer)) &&
			put(row, "transport", json_string(r->transport)) &&
			put(row, "security", json_string(r->security)) &&
			put(row, "certificate", rows_text(r->certificate)) &&
			put(row, "expires-in", number(r->expires_s)));
}

json_t *row_call(const struct row_call *r)
{
	json_t *row = json_object();

	return finish(
		row,
		put(row, "worker", number(r->worker)) &&
			put(row, "id", number(r->id)) &&
			put(row, "device", rows_text(r->device)) &&
			put(row, "from", rows_text(r->from)) &&
			put(row, "to", rows_text(r->to)) &&
			put(row, "state", json_string(r->state)) &&
			put(row, "security", json_string(r->security)) &&
			put(row, "suite", json_string(r->suite)) &&
			put(row, "end-to-end",
			    json_boolean(r->is_end_to_end)) &&
			put(row, "media", json_string(r->media)) &&
			put(row, "codec", rows_text(r->codec)) &&
			put(row, "duration", number(r->duration_s)) &&
			put(row, "packets-out-in", number(r->packets_out_in)) &&
			put(row, "packets-in-out", number(r->packets_in_out)) &&
			put(row, "srtp-errors", number(r->srtp_errors)));
}

json_t *row_user(const struct row_user *r)
{
	json_t *row = json_object();

	return finish(row, put(row, "user", rows_text(r->user)) &&
				   put(row, "realm", rows_text(r->realm)) &&
				   put(row, "created", number(r->created_s)) &&
				   put(row, "changed", number(r->changed_s)));
}

enum { DAY_S = 24 * 3600 };

json_t *row_cert(const struct row_cert *r)
{
	json_t *row = json_object();
	json_t *names = json_array();
	bool ok = names != NULL;

	for (size_t i = 0; i < r->names_count && ok; i++)
		ok = json_array_append_new(
			     names, rows_text(slice_str(r->names[i]))) == 0;
	return finish(
		row,
		ok && put(row, "listener", json_string(r->listener)) &&
			put(row, "use", json_string(r->use)) &&
			put(row, "subject", rows_text(r->subject)) &&
			put(row, "issuer", rows_text(r->issuer)) &&
			put(row, "names", names) &&
			put(row, "key", json_string(r->key)) &&
			put(row, "ocsp", json_string(r->ocsp)) &&
			put(row, "certificates", number(r->certificates)) &&
			put(row, "lists", number(r->lists)) &&
			put(row, "lists-out-of-date", number(r->old_lists)) &&
			put(row, "expires", json_integer(r->expires_s)) &&
			put(row, "days-left", json_integer(r->left_s / DAY_S)));
}
