#include "base/err.h"

const char *err_str(int err)
{
	static const char *const names[] = {
		"ok",		 "more input needed", "bad input",
		"limit reached", "out of memory",     "no space",
		"not found",	 "already there",     "wrong state",
		"denied",	 "unsupported",	      "system error",
		"timeout",	 "closed",	      "authentication failed",
		"replayed",	 "would block",
	};
	int n = -err;

	if (n < 0 || n >= (int)(sizeof(names) / sizeof(names[0])))
		return "unknown error";
	return names[n];
}
