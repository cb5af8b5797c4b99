#include "base/err.h"

const char *err_str(int err)
{
	static const char *const names[] = {
		"ok",
		"more input needed",
		"bad input",
		"limit reached",
		"out of memory",
		"no space",
		"not found",
		"already there",
		"wrong state",
		"denied",
		"unsupported",
		"system error",
		"timeout",
		"closed",
		"authentication failed",
		"replayed",
		"would block",
	};
	int count = (int)(sizeof(names) / sizeof(names[0]));

	if (err > 0 || err <= -count) /* before negating: INT_MIN */
		return "unknown error";
	return names[-err];
}
