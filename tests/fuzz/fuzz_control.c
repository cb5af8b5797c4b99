/*
 * The request line of the control socket. Properties: a refusal has a reason;
 * what is accepted has every required argument, only known ones, and within
 * their lengths.
 */
#include <string.h>

#include "control/command.h"
#include "fuzz/fuzz.h"

static void check_args(const struct control_command *cmd, json_t *args)
{
	const char *key;
	json_t *value;

	for (size_t i = 0; i < CONTROL_ARGS_MAX && cmd->arg[i].name; i++)
		if (cmd->arg[i].is_required)
			fuzz_check(control_arg_get(args, cmd->arg[i].name));
	json_object_foreach(args, key, value)
	{
		size_t max = 0;

		for (size_t i = 0; i < CONTROL_ARGS_MAX && cmd->arg[i].name;
		     i++)
			if (strcmp(cmd->arg[i].name, key) == 0)
				max = cmd->arg[i].max;
		fuzz_check(json_string_length(value) >= 1);
		fuzz_check(json_string_length(value) <= max);
		/* No NUL hides a rest from those who use it as a string. */
		fuzz_check(strlen(json_string_value(value)) ==
			   json_string_length(value));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct control_command *cmd = NULL;
	const char *why = NULL;
	json_t *args = NULL;
	int err;

	json_object_seed(1);
	err = control_request_parse(slice_make(data, size), &cmd, &args, &why);
	if (err) {
		fuzz_check(why != NULL && cmd == NULL && args == NULL);
		return 0;
	}
	check_args(cmd, args);
	control_args_free(args);
	return 0;
}
