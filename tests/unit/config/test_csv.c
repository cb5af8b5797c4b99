/* config/csv and config/devset: strict CSV, devices as text, and back. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/csv.h"
#include "config/devset.h"
#include "lib/oom.h"
#include "lib/run.h"

/* Fields as "a|b;c|d;" or "line:column: why". */
static const char *read_all(const char *text)
{
	static char out[1024];
	static char buf[CSV_FIELD_MAX];
	struct csv c;
	struct slice f;
	bool is_last;
	size_t n = 0;
	int err;

	csv_init(&c, slice_str(text));
	while ((err = csv_field(&c, buf, &f, &is_last)) == 0)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%.*s%s",
				      SLICE_FMT(f), is_last ? ";" : "|");
	out[n] = '\0';
	if (err == ERR_BAD)
		(void)snprintf(out, sizeof(out), "%u:%u: %s", c.line, c.column,
			       c.why);
	return out;
}

static const struct {
	const char *text, *fields;
} good[] = {
	{"", ""},
	{"\n\r\n\n", ""},
	{"a", "a;"},
	{"a\n", "a;"},
	{"a,b\r\nc,d\r\n", "a|b;c|d;"},
	{"a,b\n\nc,d", "a|b;c|d;"},
	{",\n", "|;"},
	{"a,\n,b\n", "a|;|b;"},
	{"\"a,b\",\"c\"\"d\"\n", "a,b|c\"d;"},
	{"\"\",\"\"\"\"", "|\";"},
	{"\xef\xbb\xbf"
	 "a\n",
	 "a;"},
	{" a , b \n", " a | b ;"},
	{"\xc3\xa4,x\n", "\xc3\xa4|x;"},
};

START_TEST(fields_are_read)
{
	ck_assert_str_eq(read_all(good[_i].text), good[_i].fields);
}
END_TEST

static const struct {
	const char *text, *message;
} wrong[] = {
	{"a\nb,\"c\n", "2:2: the line ends inside quotes"},
	{"\"a", "1:1: a quote is not closed"},
	{"a,\"b\"c\n", "1:2: text after a closing quote: a comma was expected, "
		       "or a quote inside quotes must be doubled"},
	{"a,b\"c\n", "1:2: a quote inside a field that is not quoted"},
	{"a\rb\n", "1:1: a control byte"},
	{"a\tb\n", "1:1: a control byte"},
	{"\"a\x7f\"\n", "1:1: a control byte"},
	{"a,b\n\n\nc,d\x01", "4:2: a control byte"},
};

START_TEST(what_is_no_csv_is_refused_with_its_place)
{
	ck_assert_str_eq(read_all(wrong[_i].text), wrong[_i].message);
}
END_TEST

START_TEST(a_field_has_a_limit)
{
	static char text[CSV_FIELD_MAX + 4];
	static char buf[CSV_FIELD_MAX];
	struct csv c;
	struct slice f;
	bool is_last;

	memset(text, 'x', sizeof(text));
	for (size_t n = CSV_FIELD_MAX; n <= CSV_FIELD_MAX + 1; n++) {
		bool is_over = n > CSV_FIELD_MAX;

		text[0] = 'x';
		csv_init(&c, slice_make(text, n));
		ck_assert_int_eq(csv_field(&c, buf, &f, &is_last),
				 is_over ? ERR_BAD : 0);
		text[0] = '"';
		text[n + 1] = '"';
		csv_init(&c, slice_make(text, n + 2));
		ck_assert_int_eq(csv_field(&c, buf, &f, &is_last),
				 is_over ? ERR_BAD : 0);
		text[n + 1] = 'x';
	}
}
END_TEST

/* ---- devset ------------------------------------------------------------ */

static struct devset *must_read(const char *text)
{
	struct devset *ds = devset_new();
	struct config_report rep;

	config_report_init(&rep);
	ck_assert_msg(devset_read_csv(ds, slice_str(text), "f.csv", &rep) == 0,
		      "%s", rep.first ? rep.first->text : "");
	config_report_done(&rep);
	return ds;
}

static void must_refuse(const char *text, const char *message)
{
	struct devset *ds = devset_new();
	struct config_report rep;

	config_report_init(&rep);
	ck_assert_int_eq(devset_read_csv(ds, slice_str(text), "f.csv", &rep),
			 ERR_BAD);
	ck_assert_str_eq(rep.first->text, message);
	config_report_done(&rep);
	devset_free(ds);
}

START_TEST(columns_are_options_in_any_order)
{
	struct devset *ds = must_read("lines,name,digest\n"
				      "1 2,A,yes\n,B,\n");
	struct devset_item i;

	ck_assert_uint_eq(devset_count(ds), 2);
	ck_assert(devset_find(ds, slice_str("A"), &i));
	ck_assert_str_eq(i.text, "lines=1 2\ndigest=yes\n");
	ck_assert_uint_eq(i.line, 2);
	ck_assert(devset_find(ds, slice_str("B"), &i));
	ck_assert_str_eq(i.text, "");
	devset_free(ds);
}
END_TEST

static const struct {
	const char *text, *message;
} heads[] = {
	{"", "f.csv: is empty: a first line with the names of the columns is "
	     "needed"},
	{"lines\n1\n", "f.csv:1: no column \"name\""},
	{"name,line\n", "f.csv:1: unknown column \"line\", did you mean lines"},
	{"name;lines\n", "f.csv:1: unknown column \"name;lines\": columns are "
			 "separated by commas"},
	{"name,zzzzzzzzzzzz\n",
	 "f.csv:1: unknown column \"zzzzzzzzzzzz\"; the columns are name and "
	 "the options of a device"},
	{"name,nat,nat\n", "f.csv:1: column \"nat\" is there twice"},
	{"name,nat\nA\n", "f.csv:2: too few fields: one is expected for each "
			  "column of the first line"},
	{"name,nat\nA,no,x\n", "f.csv:2: too many fields: one is expected for "
			       "each column of the first line"},
	{"name\nA\n\nA\n", "f.csv:4: device \"A\" is there already at line 2"},
	{"name,nat\nA,\"no\n", "f.csv:2: column 2: the line ends inside "
			       "quotes"},
};

START_TEST(mistakes_are_told_with_file_and_line)
{
	must_refuse(heads[_i].text, heads[_i].message);
}
END_TEST

START_TEST(a_set_becomes_tuples)
{
	struct devset *ds = must_read("name,lines,nat\nA,1  2,yes\n");
	struct config_report rep;
	struct devset_tuples t;

	config_report_init(&rep);
	ck_assert_int_eq(devset_tuples(ds, "f.csv", &rep, &t), 0);
	ck_assert_uint_eq(t.count, 4);
	ck_assert_ptr_null(t.item[0].name);
	ck_assert(slice_eqs(t.item[0].label, "A"));
	ck_assert(slice_eqs(t.item[1].value, "1"));
	ck_assert(slice_eqs(t.item[2].value, "2"));
	ck_assert_str_eq(t.item[3].name, "nat");
	ck_assert(t.item[3].is_stored);
	ck_assert_str_eq(t.item[3].file, "f.csv");
	ck_assert_uint_eq(t.item[3].line, 2);
	alloc_free(t.item);
	devset_settle(ds);
	ck_assert_int_eq(devset_tuples(ds, "f.csv", &rep, &t), 0);
	ck_assert_str_eq(t.item[0].file, "device store");
	alloc_free(t.item);
	ck_assert_int_eq(devset_put(ds, slice_str("B"), slice_str("x=1\n"), 0),
			 0);
	ck_assert_int_eq(devset_tuples(ds, "", &rep, &t), ERR_BAD);
	ck_assert_str_eq(rep.first->text,
			 "device store: device \"B\": unknown option \"x\"");
	config_report_done(&rep);
	devset_free(ds);
}
END_TEST

START_TEST(a_device_is_replaced_and_deleted)
{
	struct devset *ds = must_read("name\nA\nB\n");
	struct devset_item i;
	struct list *pos = NULL;

	ck_assert_int_eq(
		devset_put(ds, slice_str("A"), slice_str("nat=yes\n"), 0), 0);
	ck_assert_uint_eq(devset_count(ds), 2);
	ck_assert_int_eq(devset_del(ds, slice_str("B")), 0);
	ck_assert_int_eq(devset_del(ds, slice_str("B")), ERR_NOTFOUND);
	ck_assert(devset_next(ds, &pos, &i));
	ck_assert_str_eq(i.text, "nat=yes\n");
	ck_assert(!devset_next(ds, &pos, &i));
	devset_free(ds);
}
END_TEST

START_TEST(a_set_and_a_text_have_limits)
{
	static char text[DEVSET_TEXT_MAX + 1];
	struct devset *ds = devset_new();
	char name[16];

	for (unsigned i = 0; i <= CONFIG_DEVICES_MAX; i++) {
		int n = snprintf(name, sizeof(name), "d%u", i);

		ck_assert_int_eq(devset_put(ds, slice_make(name, (size_t)n),
					    SLICE_NULL, 0),
				 i < CONFIG_DEVICES_MAX ? 0 : ERR_LIMIT);
	}
	memset(text, 'x', sizeof(text));
	for (size_t n = DEVSET_TEXT_MAX; n <= sizeof(text); n++)
		ck_assert_int_eq(
			devset_put(ds, slice_str("d1"), slice_make(text, n), 0),
			n <= DEVSET_TEXT_MAX ? 0 : ERR_LIMIT);
	devset_free(ds);
}
END_TEST

static void body(void *arg)
{
	struct devset *ds = devset_new();
	struct config_report rep;
	struct devset_tuples t;

	config_report_init(&rep);
	if (ds && devset_read_csv(ds, slice_str(arg), "f", &rep) == 0 &&
	    devset_tuples(ds, "f", &rep, &t) == 0)
		alloc_free(t.item);
	config_report_done(&rep);
	devset_free(ds);
}

START_TEST(no_memory_is_survived)
{
	char text[] = "name,lines,nat\nA,1 2,yes\nA,,\nB,3,\n";
	char wrong_text[] = "name,zzz\n";

	oom_sweep(body, text);
	oom_sweep(body, wrong_text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("csv");

	tcase_add_loop_test(t, fields_are_read, 0, ROWS(good));
	tcase_add_loop_test(t, what_is_no_csv_is_refused_with_its_place, 0,
			    ROWS(wrong));
	tcase_add_test(t, a_field_has_a_limit);
	tcase_add_test(t, columns_are_options_in_any_order);
	tcase_add_loop_test(t, mistakes_are_told_with_file_and_line, 0,
			    ROWS(heads));
	tcase_add_test(t, a_set_becomes_tuples);
	tcase_add_test(t, a_device_is_replaced_and_deleted);
	tcase_add_test(t, a_set_and_a_text_have_limits);
	tcase_add_test(t, no_memory_is_survived);
	return run_case("config/csv", t);
}
