/*
 * ubsan.c - a program with UndefinedBehaviorSanitizer.
 * BUILD: -fsanitize=undefined
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
