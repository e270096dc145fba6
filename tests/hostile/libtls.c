/*
 * libtls.c - a plugin with much thread-local storage: most of it is allocated
 * when a thread first uses it, by the loader. BUILD: -fno-builtin-malloc
 */
#include "hostile.h"

int plugin_fill(int value);

static __thread char large[100000];
static __thread int small_one;

int plugin_fill(int value)
{
	MUST(large[0] == large[sizeof(large) - 1] && small_one == large[0]);
	memset(large, value, sizeof(large));
	small_one = value;
	churn(10);
	return large[sizeof(large) / 2];
}
