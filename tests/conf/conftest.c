/*
 * Driver of the configuration cases and of the generated texts:
 *   conftest FILE      messages to stderr, print-back to stdout
 *   conftest --default the commented default file
 *   conftest --man     the tables of sallyport.conf(5)
 */
#include <stdio.h>

#include "config/config.h"
#include "config/schema.h"
#include "conffile/conffile.h"

static void emit(void *ctx, struct slice piece)
{
	if (fwrite(piece.ptr, 1, piece.len, ctx) != piece.len)
		perror("write");
}

static int show(const char *path)
{
	struct config_report rep;
	struct config *c = NULL;
	int err;

	config_report_init(&rep);
	err = conffile_load(path, &rep, &c);
	for (const struct config_message *m = rep.first; m; m = m->next)
		(void)fprintf(stderr, "%s%s\n",
			      m->is_error ? "" : "warning: ", m->text);
	if (!err)
		config_print(c, emit, stdout);
	config_unref(c);
	config_report_done(&rep);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	if (slice_eqs(slice_str(argv[1]), "--default"))
		config_doc_default(emit, stdout);
	else if (slice_eqs(slice_str(argv[1]), "--man"))
		config_doc_man(emit, stdout);
	else
		return show(argv[1]);
	return 0;
}
