/*
 * A CSV file of devices: whatever is read from it stays within the limits,
 * becomes tuples, and fields written back with quotes are the same fields.
 */
#include "base/alloc.h"
#include "config/csv.h"
#include "config/devset.h"
#include "fuzz/fuzz.h"

static char buf[CSV_FIELD_MAX];
static char quoted[2 * CSV_FIELD_MAX + 2];
static char again[CSV_FIELD_MAX];

/* One field alone, in quotes, is read back as it is. */
static void check_quoted(struct slice f)
{
	size_t n = 0;
	struct csv c;
	struct slice g;
	bool is_last = false;

	quoted[n++] = '"';
	for (size_t i = 0; i < f.len; i++) {
		if (f.ptr[i] == '"')
			quoted[n++] = '"';
		quoted[n++] = (char)f.ptr[i];
	}
	quoted[n++] = '"';
	csv_init(&c, slice_make(quoted, n));
	fuzz_check(csv_field(&c, again, &g, &is_last) == 0);
	fuzz_check(is_last && slice_eq(f, g));
}

static void fields(struct slice text)
{
	struct csv c;
	struct slice f;
	bool is_last;

	csv_init(&c, text);
	while (csv_field(&c, buf, &f, &is_last) == 0) {
		fuzz_check(f.len <= CSV_FIELD_MAX);
		check_quoted(f);
	}
	fuzz_check(c.line >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_make(data, size);
	struct devset *ds = devset_new();
	struct config_report rep;
	struct devset_tuples t;

	fields(text);
	config_report_init(&rep);
	if (ds && devset_read_csv(ds, text, "f.csv", &rep) == 0) {
		fuzz_check(devset_tuples(ds, "f.csv", &rep, &t) == 0);
		fuzz_check(t.count >= devset_count(ds));
		alloc_free(t.item);
	} else {
		fuzz_check(rep.errors > 0);
	}
	config_report_done(&rep);
	devset_free(ds);
	return 0;
}
