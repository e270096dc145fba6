/*
 * thread_text.c - see thread_text.h.
 */
#include "pp.h"

#include <stdlib.h>
#include <string.h>

#include "profile.pb-c.h"
#include "thread_text.h"

/* --- who waits for whom --------------------------------------------------- */

static void put_thread(FILE *to, const struct listed_thread *t)
{
	(void)fprintf(to, "%lld \"%s\"", (long long)t->tid, t->name);
}

/* For what, and who has it. */
static void put_cause(
	FILE *to, const struct thread_list *l, const struct listed_thread *t)
{
	const struct listed_thread *owner = thread_list_find(l, t->owner_tid);
	bool join = strcmp(t->wait, "join") == 0;

	(void)fprintf(to, " for %s", join ? "the end of " : t->wait);
	if (t->lock)
		(void)fprintf(to, " %s", t->lock);
	if (!t->owner_tid) {
		(void)fprintf(to, "%s", join ? "a thread" : "");
		return;
	}
	(void)fprintf(to, "%s", join ? "" : " owned by ");
	if (owner)
		put_thread(to, owner);
	else
		(void)fprintf(to, "%lld%s", (long long)t->owner_tid,
			join ? "" : ", which has ended");
}

/* The circle that starts at t comes back to t, and t has the smallest tid of
 * it: so each is said once. */
static bool begins_circle(
	const struct thread_list *l, const struct listed_thread *t)
{
	const struct listed_thread *at = t;

	for (size_t i = 0; i < l->count; i++) {
		at = at->wait ? thread_list_find(l, at->owner_tid) : NULL;
		if (!at || at->tid < t->tid)
			return false;
		if (at == t)
			return true;
	}
	return false;
}

static void put_circle(FILE *to, const struct thread_list *l,
	const struct listed_thread *first)
{
	const struct listed_thread *t = first;

	(void)fprintf(to, "deadlock:");
	do {
		(void)fprintf(to, "%s", t == first ? " " : "; ");
		put_thread(to, t);
		(void)fprintf(to, " waits");
		put_cause(to, l, t);
		t = thread_list_find(l, t->owner_tid);
	} while (t != first);
	(void)fprintf(to, "\n");
}

static void put_wait(
	FILE *to, const struct thread_list *l, const struct listed_thread *t)
{
	put_thread(to, t);
	(void)fprintf(to, " has waited %.3f s", (double)t->wait_ns / 1e9);
	put_cause(to, l, t);
	(void)fprintf(to, "\n");
}

unsigned thread_text_waits(FILE *to, const struct thread_list *l)
{
	unsigned circles = 0, waits = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!begins_circle(l, &l->list[i]))
			continue;
		put_circle(to, l, &l->list[i]);
		circles++;
	}
	for (size_t i = 0; i < l->count; i++) {
		if (!l->list[i].wait)
			continue;
		put_wait(to, l, &l->list[i]);
		waits++;
	}
	if (circles + waits)
		(void)fprintf(to, "\n");
	return circles;
}

/* --- stacks --------------------------------------------------------------- */

static bool same_stack(
	const struct listed_thread *a, const struct listed_thread *b)
{
	if (a->frame_count != b->frame_count || strcmp(a->state, b->state) != 0)
		return false;
	for (size_t i = 0; i < a->frame_count; i++) {
		if (a->frames[i].address != b->frames[i].address)
			return false;
	}
	return true;
}

/* As one of all equal ones the first is shown. */
static size_t count_equal(const struct thread_list *l, size_t of)
{
	size_t n = 0;

	for (size_t i = 0; i < l->count; i++) {
		if (!same_stack(&l->list[i], &l->list[of]))
			continue;
		if (i < of)
			return 0;
		n++;
	}
	return n;
}

static void put_offset(
	FILE *to, const char *before, const struct thread_frame *f)
{
	if (f->has_offset && f->function[0])
		(void)fprintf(
			to, "%s0x%llx", before, (unsigned long long)f->offset);
}

static void put_stack(FILE *to, const struct listed_thread *t, size_t times)
{
	(void)fprintf(to, "%zu @", times);
	for (size_t i = 0; i < t->frame_count; i++) {
		if (!t->frames[i].inlined) /* as return addresses */
			(void)fprintf(to, " %#llx",
				(unsigned long long)t->frames[i].address + 1);
	}
	(void)fprintf(to, "\n# labels: {\"state\":\"%s\"}\n", t->state);
	for (size_t i = 0; i < t->frame_count; i++) {
		(void)fprintf(to, "#\t%#llx\t%s",
			(unsigned long long)t->frames[i].address,
			t->frames[i].function);
		put_offset(to, "+", &t->frames[i]);
		(void)fprintf(to, "\t%s:%lld\n", t->frames[i].file,
			(long long)t->frames[i].line);
	}
	(void)fprintf(to, "\n");
}

struct group {
	size_t first, times;
};

static int more_times(const void *a, const void *b)
{
	const struct group *ga = a, *gb = b;

	if (ga->times != gb->times)
		return ga->times < gb->times ? 1 : -1;
	return ga->first < gb->first ? -1 : 1;
}

/* So that a reader finds the files, as of all text profiles. */
static void put_map(FILE *to, const Pprof__Profile *p)
{
	(void)fprintf(to, "--- Memory map: ---\n");
	for (size_t i = 0; i < p->n_mapping; i++) {
		const Pprof__Mapping *m = p->mapping[i];

		(void)fprintf(to, "%llx-%llx r-xp %llx 00:00 0 %s\n",
			(unsigned long long)m->memory_start,
			(unsigned long long)m->memory_limit,
			(unsigned long long)m->file_offset,
			thread_list_text(p, m->filename));
	}
}

void thread_text_stacks(FILE *to, const struct thread_list *l)
{
	struct group *groups = calloc(l->count + 1, sizeof(*groups));
	size_t n = 0;

	(void)fprintf(to, "goroutine profile: total %zu\n", l->count);
	for (size_t i = 0; groups && i < l->count; i++) {
		size_t times = count_equal(l, i);

		if (times)
			groups[n++] = (struct group){ i, times };
	}
	if (groups)
		qsort(groups, n, sizeof(*groups), more_times);
	for (size_t i = 0; i < n; i++)
		put_stack(to, &l->list[groups[i].first], groups[i].times);
	free(groups);
	put_map(to, l->profile);
}

/* --- threads -------------------------------------------------------------- */

static void put_frame(FILE *to, const struct thread_frame *f)
{
	if (f->function[0])
		(void)fprintf(to, "%s(...)\n", f->function);
	else
		(void)fprintf(to, "%#llx\n", (unsigned long long)f->address);
	if (!f->file[0])
		return;
	(void)fprintf(to, "\t%s:%lld", f->file, (long long)f->line);
	put_offset(to, " +", f);
	(void)fprintf(to, "\n");
}

void thread_text_threads(FILE *to, const struct thread_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct listed_thread *t = &l->list[i];
		long long minutes = t->wait_ns / 60000000000;

		(void)fprintf(to, "%sgoroutine %lld [%s", i ? "\n" : "",
			(long long)t->tid, t->state);
		if (minutes)
			(void)fprintf(to, ", %lld minutes", minutes);
		(void)fprintf(to, "]: \"%s\"\n", t->name);
		for (size_t k = 0; k < t->frame_count; k++)
			put_frame(to, &t->frames[k]);
	}
}
