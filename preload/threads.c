/*
 * threads.c - where threads start and end.
 *
 * A new thread runs a trampoline of ours first, which then *jumps* to the
 * host's start routine: no frame of ours is left on its stack. The end is
 * noticed by a pthread key, whose destructor is re-armed until glibc's last
 * round: destructors of other keys still run, and allocate, in between.
 *
 * Context: PP_ANY but for thread_hooks_start().
 */
#include "pp.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

#include "created.h"
#include "lifecycle.h"
#include "real.h"
#include "sys.h"
#include "thread_hooks.h"
#include "thread_name.h"
#include "thread_state.h"
#include "user_labels.h"

int thrd_create(pthread_t *t, int (*start)(void *), void *arg);

static bool active;
static pthread_key_t end_key;

/* --- what the trampoline has to know -------------------------------------- */

/*
 * Not from malloc: freeing it would be the new thread's first use of the
 * allocator, and make an arena for it. A free list of entries that never move;
 * the head carries a count against ABA.
 */
struct start {
	union {
		void *(*pthread)(void *);
		int (*c11)(void *);
	};
	void *arg;
	size_t stack_bytes;
	struct user_labels *labels; /* inherited */
	_Atomic uint32_t next;	    /* index + 1 */
	uint32_t index;
};

#define PER_PAGE (PP_PAGE / sizeof(struct start))
#define MOST_PAGES 1024u

static PP_BIG _Atomic(struct start *) pages[MOST_PAGES];
static _Atomic uint32_t entries_used;
static _Atomic uint64_t free_head; /* count << 32 | index + 1 */

static struct start *entry_at(uint32_t index)
{
	return &atomic_load(&pages[index / PER_PAGE])[index % PER_PAGE];
}

static void release(struct start *s)
{
	uint64_t head = atomic_load(&free_head), mine;

	do {
		atomic_store(&s->next, (uint32_t)head);
		mine = ((head >> 32) + 1) << 32 | (s->index + 1);
	} while (!atomic_compare_exchange_weak(&free_head, &head, mine));
}

static struct start *take_free(void)
{
	uint64_t head = atomic_load(&free_head), rest;
	struct start *s;

	do {
		if ((uint32_t)head == 0)
			return NULL;
		s = entry_at((uint32_t)head - 1);
		rest = ((head >> 32) + 1) << 32 | atomic_load(&s->next);
	} while (!atomic_compare_exchange_weak(&free_head, &head, rest));
	return s;
}

static bool have_page(uint32_t page)
{
	struct start *nothing = NULL, *p;

	if (page >= MOST_PAGES)
		return false;
	if (atomic_load(&pages[page]))
		return true;
	p = sys_map_pages(PP_PAGE);
	if (!p)
		return false;
	if (!atomic_compare_exchange_strong(&pages[page], &nothing, p))
		(void)sys_munmap(p, PP_PAGE);
	return true;
}

static struct start *take(void)
{
	struct start *s = take_free();
	uint32_t i = atomic_load(&entries_used);

	if (s)
		return s;
	do {
		if (!have_page(i / PER_PAGE))
			return NULL;
	} while (!atomic_compare_exchange_weak(&entries_used, &i, i + 1));
	s = entry_at(i);
	s->index = i;
	return s;
}

/* --- start ---------------------------------------------------------------- */

static size_t stack_bytes_of(const pthread_attr_t *attr)
{
	pthread_attr_t fresh;
	size_t bytes = 0;

	if (attr)
		return real.pthread_attr_getstacksize(attr, &bytes) ? 0 : bytes;
	/* Attributes that nobody has set have the default size. */
	if (real.pthread_attr_init(&fresh) != 0)
		return 0;
	if (real.pthread_attr_getstacksize(&fresh, &bytes) != 0)
		bytes = 0;
	(void)real.pthread_attr_destroy(&fresh);
	return bytes;
}

/* The key's value counts the rounds; 0 would mean no destructor call. */
static void mark_end(uintptr_t round)
{
	if (pthread_setspecific(end_key, (void *)round) == 0)
		thread_state.end_seen = 1;
}

static void *pthread_trampoline(void *p)
{
	struct start s = *(struct start *)p;

	release(p);
	mark_end(1);
	user_labels_adopt(s.labels);
	lifecycle_thread_begin((uintptr_t)s.pthread, s.stack_bytes);
	return s.pthread(s.arg);
}

static int c11_trampoline(void *p)
{
	struct start s = *(struct start *)p;

	release(p);
	mark_end(1);
	user_labels_adopt(s.labels);
	lifecycle_thread_begin((uintptr_t)s.c11, s.stack_bytes);
	return s.c11(s.arg);
}

static PP_NOINLINE void note_created(void)
{
	struct arch_regs regs;

	arch_regs_here(&regs);
	created_thread(&regs);
}

/* There is no thread. */
static void give_up(struct start *s)
{
	user_labels_drop(s->labels);
	release(s);
}

static PP_NOINLINE int create_pthread(pthread_t *t, const pthread_attr_t *attr,
	void *(*start)(void *), void *arg)
{
	struct start *s = take();
	int err;

	if (!s) {
		created_unseen();
		return real.pthread_create(t, attr, start, arg);
	}
	s->pthread = start;
	s->arg = arg;
	s->labels = user_labels_copy();
	s->stack_bytes = stack_bytes_of(attr);
	err = real.pthread_create(t, attr, pthread_trampoline, s);
	if (err)
		give_up(s);
	else if (created_wanted())
		note_created();
	return err;
}

PP_EXPORT int pthread_create(pthread_t *t, const pthread_attr_t *attr,
	void *(*start)(void *), void *arg)
{
	if (!active) {
		created_unseen();
		return real.pthread_create(t, attr, start, arg);
	}
	return create_pthread(t, attr, start, arg);
}

static PP_NOINLINE int create_c11(pthread_t *t, int (*start)(void *), void *arg)
{
	struct start *s = take();
	int result;

	if (!s) {
		created_unseen();
		return real.thrd_create(t, start, arg);
	}
	s->c11 = start;
	s->arg = arg;
	s->labels = user_labels_copy();
	s->stack_bytes = stack_bytes_of(NULL);
	result = real.thrd_create(t, c11_trampoline, s);
	if (result != 0) /* thrd_success */
		give_up(s);
	else if (created_wanted())
		note_created();
	return result;
}

PP_EXPORT int thrd_create(pthread_t *t, int (*start)(void *), void *arg)
{
	if (!active) {
		created_unseen();
		return real.thrd_create(t, start, arg);
	}
	return create_c11(t, start, arg);
}

/* --- names ---------------------------------------------------------------- */

PP_EXPORT int pthread_setname_np(pthread_t t, const char *name)
{
	int err = real.pthread_setname_np(t, name);

	thread_name_changed();
	return err;
}

/* --- end ------------------------------------------------------------------ */

static void thread_ends(void *value)
{
	uintptr_t round = (uintptr_t)value;

	if (round < PTHREAD_DESTRUCTOR_ITERATIONS)
		mark_end(round + 1);
	else
		lifecycle_thread_end();
}

void thread_hooks_start(void)
{
	if (pthread_key_create(&end_key, thread_ends) != 0)
		return; /* then scans have to notice */
	mark_end(1);
	active = true;
}
