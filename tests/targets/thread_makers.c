/* BUILD: -pthread
 *
 * thread_makers.c - makes threads in functions of known names.
 *
 * thread_makers N M [fork]
 *   N threads by pthread_create in maker_one, M by thrd_create in maker_two,
 *   and one that makes one itself (nested_maker). With `fork` a child does the
 *   same; without it nothing more happens.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#define TARGET_NOINLINE __attribute__((noinline))

static void *nothing(void *arg)
{
	return arg;
}

static int nothing_c11(void *arg)
{
	(void)arg;
	return 7;
}

static TARGET_NOINLINE void maker_one(int n)
{
	pthread_t t;

	for (int i = 0; i < n; i++) {
		if (pthread_create(&t, NULL, nothing, NULL) != 0 ||
			pthread_join(t, NULL) != 0)
			abort();
	}
}

static TARGET_NOINLINE void maker_two(int n)
{
	thrd_t t;
	int result = 0;

	for (int i = 0; i < n; i++) {
		if (thrd_create(&t, nothing_c11, NULL) != thrd_success ||
			thrd_join(t, &result) != thrd_success || result != 7)
			abort();
	}
}

static void *nested_maker(void *arg)
{
	maker_one(1);
	return arg;
}

static TARGET_NOINLINE void maker_of_a_maker(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, nested_maker, NULL) != 0 ||
		pthread_join(t, NULL) != 0)
		abort();
}

/* Refused: no thread, no record. */
static TARGET_NOINLINE void maker_in_vain(void)
{
	pthread_attr_t a;
	pthread_t t;

	if (pthread_attr_init(&a) != 0 ||
		pthread_attr_setstacksize(&a, (size_t)1 << 46) != 0)
		abort();
	if (pthread_create(&t, &a, nothing, NULL) == 0)
		abort();
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, m = argc > 2 ? atoi(argv[2]) : 0;
	pid_t child = 0;

	if (argc > 3 && strcmp(argv[3], "fork") == 0) {
		child = fork();
		if (child > 0 && waitpid(child, NULL, 0) != child)
			abort();
	}
	if (n || m) {
		maker_one(n);
		maker_two(m);
		maker_of_a_maker();
		maker_in_vain();
	}
	puts("done");
	return 0;
}
