/*
 * worker.c - what other hostile programs start: the same work under another
 * name. Ends with status 3.
 */
#include "hostile.h"

int main(void)
{
	hold();
	burn(30);
	return 3;
}
