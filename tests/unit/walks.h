/*
 * walks.h - a session and a walk from here. For the tests of unwind.c.
 */
#ifndef WALKS_H
#define WALKS_H

#include "pp.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "find_module.h"
#include "modules.h"
#include "rules.h"
#include "safe_read.h"
#include "sys.h"
#include "test.h"
#include "unwind.h"

#define MOST 256
#define NO_BOUNDS ((struct unwind_bounds){ 0, 0 })

static struct session *session;
static frame_t frames[MOST];
static unsigned depth;
static enum unwind_end end;

static PP_NOINLINE void walk_here(void)
{
	struct arch_regs regs;

	arch_regs_here(&regs);
	depth = unwind(session, &regs, false, NO_BOUNDS, frames, MOST, &end);
}

static inline const struct module *module_of(frame_t f)
{
	return modules_get(session, frame_module(f));
}

static inline bool begin_walks(void)
{
	static struct settings settings = { .memory_bytes = 16 << 20,
		.session_place = SESSION_ANONYMOUS,
		.max_depth = 128 };

	unwind_start();
	return session_create(&settings, &session) == 0;
}

#endif
