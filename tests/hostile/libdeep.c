/*
 * libdeep.c - a plugin that takes memory from its host and gives it some.
 * BUILD: -fno-builtin-malloc
 */
#include "hostile.h"

void *plugin_swap(void *freed);

static __thread char tls[2000];

void *plugin_swap(void *freed)
{
	tls[0]++;
	free(freed);
	churn(50);
	burn(0);
	return malloc(2000);
}
