/*
 * all_threads.c - see all_threads.h. Context: PP_ANY.
 *
 * An answer is one word, {round, stack}: a handler puts its stack where the
 * round of its timer still stands alone, so that one which comes late, for a
 * round that is over, changes nothing. Words are never unmapped, nor is a list
 * that was outgrown: together less than the next one.
 */
#include "pp.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "account.h"
#include "all_threads.h"
#include "directory.h"
#include "fmt.h"
#include "sample.h"
#include "stacks.h"
#include "sys.h"
#include "threads.h"
#include "unseen.h"
#include "user_labels.h"

#define PATIENCE_NS UINT64_C(100000000)
#define LATECOMERS 64u /* threads started while we list them */
#define NO_ALARM (-1)
#define GONE (-2)

/* What is private to a collection, beside each thread_stack. */
struct asked {
	int alarm; /* timer id, NO_ALARM, GONE */
	bool done;
};

static _Atomic(_Atomic uint64_t *) answers; /* one for each of the list */
static _Atomic uint32_t round_now;

static struct collection {
	struct thread_stacks *stacks;
	struct asked *asked;
	frame_t *frames;
	uint32_t room;
} the;

/* --- memory --------------------------------------------------------------- */

static bool make_room(struct session *s, uint32_t threads)
{
	uint32_t room = threads + LATECOMERS;
	struct collection c;
	size_t list;
	void *words;

	if (the.room >= room)
		return true;
	room *= 2;
	c.room = room;
	list = sizeof(*c.stacks) + room * sizeof(*c.stacks->list);
	c.stacks = sys_map_pages(list);
	c.asked = sys_map_pages(room * sizeof(*c.asked));
	c.frames = the.frames ? the.frames
			      : sys_map_pages((s->settings.max_depth + 2) *
					      sizeof(frame_t));
	words = sys_map_pages(room * sizeof(uint64_t));
	if (!c.stacks || !c.asked || !c.frames || !words)
		return false;
	the = c;
	atomic_store(&answers, words);
	return true;
}

/* --- listing -------------------------------------------------------------- */

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (uint32_t)(*s++ - '0');
	return *s ? 0 : n;
}

static bool is_hosts(uint32_t tid)
{
	return tid && !unseen_is_helper(tid);
}

static void read_name(uint32_t tid, char name[16])
{
	char path[64];
	struct own_fd f;
	long n;

	(void)fmt(path, sizeof(path), "/proc/self/task/%u/comm", tid);
	if (own_fd_open(&f, path, O_RDONLY, 0) != 0)
		return;
	n = sys_pread(f.fd, name, 16, 0);
	(void)own_fd_close(&f);
	if (n > 0 && name[n - 1] == '\n')
		name[n - 1] = '\0';
}

/* Call what == NULL to count. */
static uint32_t each_thread(void (*what)(uint32_t tid))
{
	struct directory tasks;
	const char *name;
	uint32_t n = 0;

	if (directory_open(&tasks, "/proc/self/task") != 0)
		return 0;
	while ((name = directory_next(&tasks))) {
		uint32_t tid = number(name);

		if (!is_hosts(tid))
			continue;
		if (what)
			what(tid);
		n++;
	}
	directory_close(&tasks);
	return n;
}

static void list(uint32_t tid)
{
	uint32_t i = the.stacks->count;

	if (i == the.room)
		return;
	the.stacks->list[i] = (struct thread_stack){ .at.tid = tid,
		.wait.class = WAIT_CLASSES };
	the.asked[i] = (struct asked){ .alarm = NO_ALARM };
	atomic_store(&atomic_load(&answers)[i],
		(uint64_t)atomic_load(&round_now) << 32);
	the.stacks->count++;
}

/* --- asking --------------------------------------------------------------- */

static uint32_t intern(struct session *s, unsigned n, enum unwind_end end)
{
	if (end != UNWIND_COMPLETE) {
		the.frames[n++] = frame_synthetic(
			end == UNWIND_DEPTH ? FRAME_TOO_DEEP : FRAME_TRUNCATED);
		session_count(s,
			end == UNWIND_DEPTH ? STAT_STACKS_TOO_DEEP
					    : STAT_STACKS_TRUNCATED,
			1);
	}
	return stacks_intern(s, the.frames, n);
}

/* True if the thread slept, so that its stack is known. */
static bool read_sleeping(struct session *s, struct thread_stack *t)
{
	enum unwind_end end;
	unsigned n = asleep_unwind(
		s, &t->at, the.frames, s->settings.max_depth, &end);

	if (!n)
		return false;
	t->stack = intern(s, n, end);
	thread_wait_of(
		t, threads_find(s, t->at.tid), sys_clock_ns(CLOCK_MONOTONIC));
	return true;
}

static uint64_t timer_value(uint32_t i)
{
	return (uint64_t)atomic_load(&round_now) << 32 | UINT64_C(1) << 31 | i;
}

static bool take_answer(uint32_t i)
{
	uint32_t stack = (uint32_t)atomic_load(&atomic_load(&answers)[i]);

	if (!stack)
		return false;
	the.stacks->list[i].stack = stack;
	the.stacks->list[i].doing = DOING_RUNNING;
	return true;
}

/* Is thread i done with? */
static bool ask(struct session *s, uint32_t i)
{
	struct thread_stack *t = &the.stacks->list[i];
	struct asked *asked = &the.asked[i];
	int err;

	if (take_answer(i))
		return true;
	err = asleep_read(t->at.tid, &t->at);
	t->doing = thread_doing_of(&t->at);
	if (!t->name[0])
		read_name(t->at.tid, t->name);
	if (err == -ESRCH || t->at.state == 'Z' || t->at.state == 'X') {
		asked->alarm = GONE;
		return true;
	}
	if (!err && read_sleeping(s, t))
		return true;
	/* It runs, or /proc does not tell whether. */
	if (asked->alarm == NO_ALARM)
		asked->alarm = account_alarm(t->at.tid, timer_value(i));
	return false;
}

static void ask_all(struct session *s, uint64_t deadline)
{
	static const struct timespec ms = { 0, 1000000 };
	uint32_t open;

	for (;;) {
		open = 0;
		for (uint32_t i = 0; i < the.stacks->count; i++) {
			if (!the.asked[i].done)
				the.asked[i].done = ask(s, i);
			open += !the.asked[i].done;
		}
		if (!open || sys_clock_ns(CLOCK_MONOTONIC) >= deadline)
			return;
		(void)sys_call2(SYS_nanosleep, &ms, NULL);
	}
}

/*
 * Threads were read one after the other, and what one waited for may have
 * changed hands since: a circle would be seen where there never was one. So all
 * owners are read now, and those of threads that have run since do not count.
 * Whoever is in a circle then slept while the last owner was read.
 */
static void read_owners(void)
{
	struct thread_stack *t = the.stacks->list;
	uint32_t n = the.stacks->count;

	for (uint32_t i = 0; i < n; i++)
		t[i].wait.owner = thread_owner_of(&t[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (t[i].wait.owner && !asleep_still(&t[i].at))
			t[i].wait.owner = 0;
	}
}

/* Alarms off, threads that have ended out. */
static void finish(struct session *s)
{
	const frame_t none = frame_synthetic(FRAME_NO_STACK);
	uint32_t n = 0;

	for (uint32_t i = 0; i < the.stacks->count; i++) {
		if (the.asked[i].alarm >= 0)
			account_alarm_off(the.asked[i].alarm);
		(void)take_answer(i);
		if (the.asked[i].alarm == GONE)
			continue;
		the.stacks->list[n] = the.stacks->list[i];
		if (the.stacks->list[n].stack == 0) {
			the.stacks->list[n].stack = stacks_intern(s, &none, 1);
			the.stacks->unknown++;
		}
		the.stacks->list[n].labels = user_labels_of(
			s, the.stacks->list[n].at.tid);
		n++;
	}
	the.stacks->count = n;
	atomic_fetch_add(&round_now, 1);
}

const struct thread_stacks *all_threads_take(struct session *s)
{
	uint64_t began = sys_clock_ns(CLOCK_MONOTONIC);

	if (!make_room(s, each_thread(NULL)))
		return NULL;
	the.stacks->count = the.stacks->unknown = 0;
	the.stacks->began_ns = began;
	(void)each_thread(list);
	ask_all(s, began + PATIENCE_NS);
	read_owners();
	finish(s);
	the.stacks->took_ns = sys_clock_ns(CLOCK_MONOTONIC) - began;
	return the.stacks;
}

/* --- the handler's side --------------------------------------------------- */

void all_threads_here(uint64_t value, const ucontext_t *uc, bool foreign)
{
	uint64_t asked = value >> 32 << 32;
	uint32_t i = (uint32_t)value & INT32_MAX, stack;
	_Atomic uint64_t *words = atomic_load(&answers);

	if (!words || asked >> 32 != atomic_load(&round_now))
		return;
	stack = sample_stack_here(uc, foreign);
	(void)atomic_compare_exchange_strong(&words[i], &asked, asked | stack);
}

void all_threads_reset(void)
{
	atomic_fetch_add(&round_now, 1);
}
