/*
 * why ROOT RELEASE: what sallyportctl would say of nf_srtp on the machine whose
 * files are below ROOT, if it ran RELEASE; "loaded" when it is.
 */
#include <stdio.h>

#include "tools/module.h"

int main(int argc, char **argv)
{
	char why[MODULE_WHY_MAX] = "loaded";

	if (argc != 3)
		return 2;
	(void)module_why(argv[1], argv[2], why);
	(void)puts(why);
	return 0;
}
