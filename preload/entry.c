/*
 * entry.c - what the dynamic linker calls: the order of start and stop.
 *
 * Stop has two steps. Our destructor runs among those of the libraries and
 * copies the in-use heap. The final reports are written from a handler that the
 * constructor registered with the NULL object, that is after all destructors.
 *
 * Context: PP_NORMAL.
 */
#include "pp.h"

#include "config.h"
#include "exec_env.h"
#include "fmt.h"
#include "fork_hooks.h"
#include "heap.h"
#include "heap_hooks.h"
#include "lifecycle.h"
#include "log.h"
#include "process.h"
#include "quiet_write.h"
#include "real.h"
#include "sandbox.h"
#include "signal_hooks.h"
#include "sys.h"
#include "thread_hooks.h"
#include "unwind.h"
#include "unwind_libunwind.h"
#include "wait_hooks.h"

/* The C++ ABI's atexit, and its brother for quick_exit. */
extern int __cxa_atexit(void (*fn)(void *), void *arg, void *object);
extern int __cxa_at_quick_exit(void (*fn)(void *), void *object);

/* The linker's: where this object begins and where its code ends. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char etext[] __attribute__((visibility("hidden")));

/* By this libc tells whose handlers go when an object is unloaded: nobody's. We
 * do without the compiler's start files, which define it, since the loader had
 * to look for five names that they refer to. */
extern void *const __dso_handle __attribute__((visibility("hidden")));
void *const __dso_handle = NULL;

static void complain(const char *sentence, void *unused)
{
	char line[600];
	size_t len = fmt(line, sizeof(line), "pprofc: %s\n", sentence);

	(void)unused;
	(void)quiet_write(2, line, PP_MIN(len, sizeof(line) - 1));
}

static void at_exit(void *unused)
{
	(void)unused;
	lifecycle_finish();
}

static bool is_dormant(const struct settings *s)
{
	return s->profiles == 0 && !s->dump_signal && !s->toggle_signal;
}

static PP_NORMAL int reserve_timer_signal(struct settings *s)
{
	const uint32_t users = PROFILE_BIT(PROFILE_CPU) |
			       PROFILE_BIT(PROFILE_GOROUTINE);
	int sig = 0;

	if (!(s->profiles & users))
		return 0;
	sig = signal_hooks_reserve();
	if (!sig) {
		log_line("no real-time signal is free: no CPU profile");
		s->profiles &= ~PROFILE_BIT(PROFILE_CPU);
	}
	return sig;
}

/* Everything that makes us visible to the host, in the order in which it can
 * be relied on. */
static PP_NORMAL void set_up(struct settings *s)
{
	int timer_signal;

	process_start();
	unwind_start();
	if (s->unwinder == UNWINDER_LIBUNWIND)
		unwind_libunwind_start();
	timer_signal = reserve_timer_signal(s);
	if (s->profiles)
		thread_hooks_start();
	if (fork_hooks_start() != 0)
		log_line("pthread_atfork failed: forked children are not "
			 "profiled");
	(void)__cxa_atexit(at_exit, NULL, NULL);
	(void)__cxa_at_quick_exit(at_exit, NULL);
	signal_hooks_start();
	lifecycle_start(timer_signal);
}

/* Whoever started the program allows it less than we need: nothing is on, here
 * and in the programs that it starts, and no more system calls are made. */
static PP_NORMAL bool is_confined(struct settings *s)
{
	if (is_dormant(s) || !sandbox_is_inherited())
		return false;
	s->profiles = 0;
	s->dump_signal = s->toggle_signal = 0;
	s->follow = 0;
	return true;
}

static PP_ENTER_NORMAL __attribute__((constructor)) void load(void)
{
	struct settings *s = &process.settings;
	bool confined;

	process.text_lo = (uintptr_t)__ehdr_start;
	process.text_hi = (uintptr_t)etext;
	real_resolve_all();
	config_read(s, complain, NULL);
	confined = is_confined(s);
	if (!s->follow)
		exec_env_start();
	if (!is_dormant(s))
		set_up(s);
	wait_hooks_start();
	heap_start(heap_hooks_start());
	cxx_new_start();
	if (!heap_is_on() && !confined)
		hook_page_leave();
}

static __attribute__((destructor)) void unload(void)
{
	lifecycle_copy_live();
}
