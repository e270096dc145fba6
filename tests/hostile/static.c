/*
 * static.c - a static program. BUILD: -static
 */
#include "hostile.h"

int main(void)
{
	hold();
	churn(1000);
	burn(40);
	free(held);
	printf("fine\n");
	return 0;
}
