/* BUILD: -pthread -Ipreload
 *
 * labelled.c - pairs of threads that compute, allocate, and wait for each other
 * in ways that can be counted, with or without labels and names.
 *
 * labelled [labels] [names]: prints the program's own account, "cpu NS",
 * "objects N", "contentions N" and "delay NS".
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pprofc.h"
#include "waiting.h"

#define PAIRS 2
#define PHASES 4
#define ROUNDS 5 /* of a phase */
#define OBJECTS 200

static int with_labels, with_names;

static struct pair {
	pthread_mutex_t mutex;
	_Atomic long asked, done;
} pairs[PAIRS];

static TARGET_NOINLINE void allocate(void)
{
	for (int i = 0; i < OBJECTS; i++) {
		void *volatile p = malloc(1000);

		free(p);
	}
}

/* Held until the other one waits, and a little longer. */
static TARGET_NOINLINE void holder(struct pair *p)
{
	EXPECT(pthread_mutex_lock(&p->mutex) == 0);
	p->asked++;
	while (*(volatile int *)&p->mutex.__data.__lock != 2)
		sched_yield();
	pause_ms(2);
	EXPECT(pthread_mutex_unlock(&p->mutex) == 0);
	while (p->done < p->asked)
		sched_yield();
}

static TARGET_NOINLINE void waiter(struct pair *p)
{
	while (p->asked == p->done)
		sched_yield();
	WAITED(waiter, EXPECT(pthread_mutex_lock(&p->mutex) == 0));
	EXPECT(pthread_mutex_unlock(&p->mutex) == 0);
	p->done++;
}

static void label(long member, int phase)
{
	static const char *const phases[] = { "first", "second", NULL };

	if (!with_labels)
		return;
	EXPECT(pprofc_label_set("phase", phases[phase % 3]) == 0);
	EXPECT(pprofc_label_set("role", member % 2 ? "waiter" : "holder") == 0);
}

static void name(long member)
{
	char text[16];

	snprintf(text, sizeof(text), "member%ld", member);
	if (with_names)
		EXPECT(pthread_setname_np(pthread_self(), text) == 0);
}

static void *member(void *arg)
{
	long i = (intptr_t)arg;
	struct pair *p = &pairs[i / 2];

	name(i);
	for (int phase = 0; phase < PHASES; phase++) {
		label(i, phase);
		target_spin(30);
		allocate();
		for (int r = 0; r < ROUNDS; r++) {
			if (i % 2)
				waiter(p);
			else
				holder(p);
		}
	}
	return NULL;
}

static long long cpu_ns(void)
{
	struct timespec t;

	EXPECT(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char **argv)
{
	pthread_t t[2 * PAIRS];

	for (int i = 1; i < argc; i++) {
		with_labels |= strcmp(argv[i], "labels") == 0;
		with_names |= strcmp(argv[i], "names") == 0;
	}
	for (intptr_t i = 0; i < 2 * PAIRS; i++)
		EXPECT(pthread_create(&t[i], NULL, member, (void *)i) == 0);
	for (int i = 0; i < 2 * PAIRS; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
	printf("contentions %lld\ndelay %lld\n", (long long)waited_list->count,
		(long long)waited_list->ns);
	printf("objects %d\n", 2 * PAIRS * PHASES * OBJECTS);
	printf("cpu %lld\n", cpu_ns());
	return 0;
}
