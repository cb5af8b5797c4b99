/* The relay over UDP sockets does what a media backend must. */
#include <stdlib.h>

#include "unit/media/conform.h"

int main(void)
{
	const struct conform_backend b = {"socket", media_socket_new};

	return conform_run(&b, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
}
