/* BUILD: -pthread -Ipreload
 *
 * labels.c - work under labels; also compiled as C++, see test_labels.py.
 * Prints "KEY=VALUE ns" for the CPU time that was used under each label, by the
 * program's own clock, and aborts when a label is not what it should be.
 *
 * labels TEST...: one after the other.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pprofc.h"
#include "target.h"

#define EXPECT(x)                                                  \
	do {                                                       \
		if (!(x)) {                                        \
			fprintf(stderr, "%d: %s\n", __LINE__, #x); \
			abort();                                   \
		}                                                  \
	} while (0)

/* Without the library there are no labels. */
static int is_there(void)
{
	return pprofc_find() != NULL;
}

static int is(const char *key, const char *value)
{
	char got[300];
	size_t n = pprofc_label_get(key, got, sizeof(got));

	if (!is_there())
		value = "";
	return n == strlen(value) && strcmp(got, value) == 0;
}

static __attribute__((noinline)) void work(const char *what, long ms)
{
	struct timespec a, b;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	target_spin(ms);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	printf("%s %lld\n", what,
		(b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec);
	fflush(stdout);
}

static void split(void)
{
	EXPECT(pprofc_label_set("request", "checkout") == 0);
	EXPECT(is("request", "checkout"));
	work("request=checkout", 900);
	EXPECT(pprofc_label_set("request", "search") == 0);
	work("request=search", 300);
	EXPECT(pprofc_label_set("request", NULL) == 0);
	EXPECT(is("request", ""));
	work("request=", 300);
}

static void nested(void)
{
	unsigned long outer, inner;

	EXPECT(pprofc_label_set("stage", "base") == 0);
	outer = pprofc_label_push("stage", "outer");
	work("stage=outer", 200);
	inner = pprofc_label_push("stage", "inner");
	EXPECT(is("stage", "inner"));
	work("stage=inner", 400);
	pprofc_label_pop(inner);
	EXPECT(is("stage", "outer"));
	work("stage=outer", 200);
	pprofc_label_pop(outer);
	EXPECT(is("stage", "base"));
	work("stage=base", 200);
	pprofc_label_set("stage", NULL);
	EXPECT(is("stage", ""));
}

/* Nothing to see in the profile: what the functions answer. */
static void rules(void)
{
	char key[8], longer[400];
	unsigned long a, b;

	a = pprofc_label_push("k", "a");
	b = pprofc_label_push("k", "b");
	pprofc_label_pop(a); /* out of turn */
	EXPECT(is("k", "b"));
	pprofc_label_set("k", "c");
	EXPECT(is("k", "c"));
	pprofc_label_pop(b);
	EXPECT(is("k", ""));
	pprofc_label_pop(b); /* once more */
	pprofc_label_pop(0);
	a = pprofc_label_push("k", "a");
	pprofc_label_set("k", NULL);
	pprofc_label_pop(a);
	EXPECT(is("k", ""));
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		EXPECT(pprofc_label_set(key, key) == 0);
	}
	EXPECT(pprofc_label_set("k8", "one too many") == (is_there() ? -7 : 0));
	EXPECT(is("k8", "") && is("k0", "k0") && is("k7", "k7"));
	EXPECT(pprofc_label_set("k3", "again") == 0 && is("k3", "again"));
	for (int i = 0; i < 100; i++) /* hidden ones take room, too */
		(void)pprofc_label_push("k3", "deeper");
	EXPECT(pprofc_label_set("k4", "still") == 0 && is("k4", "still"));
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		pprofc_label_set(key, NULL);
	}
	memset(longer, 'x', sizeof(longer));
	longer[399] = '\0';
	EXPECT(pprofc_label_set(longer, longer) == 0);
	pprofc_label_set(longer, "short");
	longer[255] = '\0';
	EXPECT(is(longer, "short"));
	pprofc_label_set(longer, NULL);
	EXPECT(is(longer, ""));
	EXPECT(pprofc_label_set("", "x") == (is_there() ? -22 : 0));
	EXPECT(pprofc_label_set(NULL, "x") == (is_there() ? -22 : 0));
}

static void *heir(void *arg)
{
	EXPECT(is("tenant", "a"));
	work("tenant=a", 300);
	pprofc_label_set("tenant", "c");
	work("tenant=c", 300);
	return arg;
}

static void inherit(void)
{
	pthread_t t;

	pprofc_label_set("tenant", "a");
	EXPECT(pthread_create(&t, NULL, heir, NULL) == 0);
	pprofc_label_set("tenant", "b");
	EXPECT(pthread_join(t, NULL) == 0);
	EXPECT(is("tenant", "b"));
	work("tenant=b", 300);
	pprofc_label_set("tenant", NULL);
}

static void forks(void)
{
	int status = -1;
	pid_t child;

	pprofc_label_set("job", "parent");
	work("job=parent", 200);
	fflush(stdout);
	child = fork();
	EXPECT(child >= 0);
	if (child == 0) {
		EXPECT(is("job", "parent"));
		target_spin(300);
		pprofc_label_set("job", "child");
		target_spin(200);
		exit(0);
	}
	EXPECT(waitpid(child, &status, 0) == child && status == 0);
	pprofc_label_set("job", NULL);
}

/* --- a handler that reads in the middle of everything --------------------- */

#define LONG_A \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_B \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static volatile sig_atomic_t reads, torn;

static void reader(int sig)
{
	char got[100];

	(void)sig;
	reads++;
	pprofc_label_get("half", got, sizeof(got));
	if (strcmp(got, is_there() ? LONG_A : "") != 0 &&
		strcmp(got, is_there() ? LONG_B : "") != 0)
		torn++;
}

static void handler(void)
{
	struct itimerval each = { { 0, 200 }, { 0, 200 } }, off;

	memset(&off, 0, sizeof(off));
	pprofc_label_set("half", LONG_A);
	signal(SIGALRM, reader);
	EXPECT(setitimer(ITIMER_REAL, &each, NULL) == 0);
	while (reads < 1000) {
		pprofc_label_set("half", LONG_B);
		pprofc_label_set("half", LONG_A);
	}
	EXPECT(setitimer(ITIMER_REAL, &off, NULL) == 0);
	EXPECT(torn == 0);
	pprofc_label_set("half", NULL);
}

/* --- changes that are left half way ----------------------------------------
 */

static sigjmp_buf out;

static void jump_out(int sig)
{
	(void)sig;
	siglongjmp(out, 1);
}

/* A value that cannot be read to its end. */
static const char *half_a_text(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = (char *)mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(p != MAP_FAILED);
	EXPECT(mprotect(p + page, page, PROT_NONE) == 0);
	memset(p, 'x', page);
	return p + page - 10;
}

/* Set further down than the change that was left. */
static __attribute__((noinline)) int set_below(int frames, const char *value)
{
	volatile char room[64];
	int ret;

	room[0] = 0;
	ret = frames > 0 ? set_below(frames - 1, value)
			 : pprofc_label_set("left", value);
	return ret + room[0];
}

static void jumps(void)
{
	const char *half = half_a_text();

	signal(SIGSEGV, jump_out);
	for (volatile int i = 0; i < 100; i++) {
		EXPECT(set_below(i % 10, "whole") == 0);
		if (sigsetjmp(out, 1) == 0) {
			set_below(i % 7, half);
			EXPECT(!is_there());
		}
		EXPECT(is("left", "whole"));
		EXPECT(set_below(20, "after") == 0 && is("left", "after"));
	}
	signal(SIGSEGV, SIG_DFL);
	pprofc_label_set("left", NULL);
}

/* --- waits, the heap, all threads ----------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int held;

static void *holder(void *arg)
{
	pthread_mutex_lock(&mutex);
	__atomic_store_n(&held, 1, __ATOMIC_SEQ_CST);
	usleep(100000);
	pprofc_label_set("who", "holder");
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void waits(void)
{
	pthread_t t;

	EXPECT(pthread_create(&t, NULL, holder, NULL) == 0);
	while (!__atomic_load_n(&held, __ATOMIC_SEQ_CST))
		usleep(1000);
	pprofc_label_set("who", "waiter");
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pprofc_label_set("who", NULL);
	EXPECT(pthread_join(t, NULL) == 0);
}

static __attribute__((noinline)) void allocate(int n)
{
	for (int i = 0; i < n; i++) {
		void *volatile p = malloc(1000);

		free(p);
	}
}

static void heap(void)
{
	pprofc_label_set("cache", "one");
	allocate(300);
	pprofc_label_set("cache", "two");
	allocate(200);
	pprofc_label_set("cache", NULL);
	allocate(100);
}

static pthread_barrier_t all_here;

static void *sleeper(void *arg)
{
	char name[20];

	snprintf(name, sizeof(name), "sleeper%d", (int)(intptr_t)arg);
	pprofc_label_set("role", name);
	pthread_barrier_wait(&all_here);
	pthread_barrier_wait(&all_here);
	return NULL;
}

/* Until a line comes: meanwhile somebody asks for all threads. */
static void threads(void)
{
	pthread_t t[3];
	char line[10];

	pthread_barrier_init(&all_here, NULL, 4);
	for (intptr_t i = 0; i < 3; i++)
		EXPECT(pthread_create(&t[i], NULL, sleeper, (void *)i) == 0);
	pthread_barrier_wait(&all_here);
	puts("ready");
	fflush(stdout);
	EXPECT(fgets(line, sizeof(line), stdin) != NULL);
	pthread_barrier_wait(&all_here);
	for (int i = 0; i < 3; i++)
		EXPECT(pthread_join(t[i], NULL) == 0);
}

/* The same labels set in another order are the same labels. */
static void order(void)
{
	pprofc_label_set("x", "1");
	pprofc_label_set("y", "2");
	allocate(10);
	pprofc_label_set("x", NULL);
	pprofc_label_set("x", "1");
	allocate(10);
	pprofc_label_set("x", NULL);
	pprofc_label_set("y", NULL);
}

#ifdef __cplusplus
static void throw_out(int sig)
{
	sigset_t only;

	sigemptyset(&only);
	sigaddset(&only, sig);
	sigprocmask(SIG_UNBLOCK, &only, NULL);
	throw sig;
}

/* Nobody hears of it: the next change of its caller finds out. */
static void throws(void)
{
	const char *half = half_a_text();
	volatile int thrown = 0;

	signal(SIGSEGV, throw_out);
	for (int i = 0; i < 20; i++) {
		EXPECT(pprofc_label_set("left", "whole") == 0);
		try {
			pprofc_label_set("left", half);
		} catch (int) {
			thrown = thrown + 1;
		}
		EXPECT(is("left", "whole"));
	}
	EXPECT(thrown == (is_there() ? 20 : 0));
	signal(SIGSEGV, SIG_DFL);
	pprofc_label_set("left", NULL);
}

static void scoped(void)
{
	pprofc::label outer("scope", "outer");
	{
		pprofc::label inner("scope", "inner");
		EXPECT(is("scope", "inner"));
	}
	EXPECT(is("scope", "outer"));
}
#endif

int main(int argc, char **argv)
{
	static const struct target_test tests[] = {
		{ "split", split },
		{ "nested", nested },
		{ "rules", rules },
		{ "inherit", inherit },
		{ "forks", forks },
		{ "handler", handler },
		{ "jumps", jumps },
		{ "waits", waits },
		{ "heap", heap },
		{ "threads", threads },
		{ "order", order },
#ifdef __cplusplus
		{ "scoped", scoped },
		{ "throws", throws },
#endif
	};

	for (; argc > 1; argc--, argv++)
		TARGET_RUN(tests, 2, argv);
	puts("done");
	return 0;
}
