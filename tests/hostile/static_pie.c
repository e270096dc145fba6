/*
 * static_pie.c - a static program that is position independent.
 * BUILD: -static-pie
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
