/*
 * asan.c - a program with AddressSanitizer.
 * BUILD: -fsanitize=address
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
