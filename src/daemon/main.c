#include <stdio.h>

int main(void)
{
	(void)fprintf(stderr, "sallyportd: not built yet\n");
	return 1;
}
