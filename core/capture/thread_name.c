/*
 * thread_name.c - see thread_name.h. Context: PP_ANY.
 */
#include "pp.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>

#include "sys.h"
#include "thread_name.h"

/* Names given, and 1 more: a state of zeros knows none. */
static _Atomic uint32_t names_given = 1;

void thread_name_get(struct thread_state *t, char ret[THREAD_NAME_BYTES])
{
	uint32_t given = atomic_load_explicit(
		&names_given, memory_order_relaxed);

	if (t->name_of != given || t->name_uses == 0) {
		(void)sys_call2(SYS_prctl, PR_GET_NAME, t->name);
		t->name_of = given;
		t->name_uses = THREAD_NAME_USES;
	}
	t->name_uses--;
	memcpy(ret, t->name, THREAD_NAME_BYTES);
}

void thread_name_changed(void)
{
	atomic_fetch_add(&names_given, 1);
}
