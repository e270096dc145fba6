/*
 * storm_unwind.cc - everything at once that makes unwinding dangerous: eight
 * threads throw, load and unload libraries, allocate, print, start threads,
 * jump and fork, and five more contend for locks of all kinds, for as many
 * seconds as the argument says.
 *
 * Prints how often each was done; ends with status 0, or 1 if something gave a
 * wrong result, or a thread made no progress in the last second.
 * BUILD: -pthread
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::atomic<bool> stop;
static std::atomic<int> wrong;

struct Worker {
	const char *name;
	void (*turn)(unsigned n);
	std::atomic<unsigned long> turns;
};

__attribute__((noinline)) static int dive(int n)
{
	std::string guard(static_cast<size_t>(n) + 20, 'x');

	if (n == 0)
		throw std::runtime_error("bottom");
	return dive(n - 1) + static_cast<int>(guard.size());
}

static void throwing(unsigned n)
{
	try {
		(void)dive(static_cast<int>(n % 12));
		wrong++;
	} catch (const std::runtime_error &e) {
		wrong += strcmp(e.what(), "bottom") != 0;
	}
}

static void loading(unsigned n)
{
	static const char *const names[] = { "libz.so.1", "libsqlite3.so.0",
		"libexpat.so.1", "libbz2.so.1.0" };
	void *p = dlopen(names[n % 4], RTLD_NOW | RTLD_LOCAL);

	if (!p)
		return; /* not installed */
	if (n % 4 == 0)
		wrong += !dlsym(p, "deflate");
	(void)dlsym(p, "no_such_name");
	dlclose(p);
}

static int by_value(const void *a, const void *b)
{
	return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

static void libc_calls(unsigned n)
{
	char text[256];
	int v[64];
	char *p = static_cast<char *>(malloc(n % 5000 + 1));
	double d = 1e-5 * n + 1e15 * (n % 7);

	for (unsigned i = 0; i < 64; i++)
		v[i] = static_cast<int>((i * 7919 + n) % 64);
	qsort(v, 64, sizeof(*v), by_value);
	wrong += v[0] != 0 || v[63] != 63;
	p = static_cast<char *>(realloc(p, n % 9000 + 1));
	snprintf(text, sizeof(text), "%f %.17g %u %s", d, d, n, "text");
	wrong += strtod(text, nullptr) < 0;
	free(p);
}

static void churning(unsigned n)
{
	unsigned sum = 0;
	std::thread t([&] {
		for (unsigned i = 0; i < 2000 + n % 3000; i++)
			sum += i ^ n;
		throwing(n);
	});

	t.join();
	wrong += sum == 0;
}

static thread_local jmp_buf jump;

__attribute__((noinline, noreturn)) static void jump_from(int depth, int value)
{
	volatile char room[64];

	room[0] = static_cast<char>(depth);
	if (depth > 0)
		jump_from(depth - 1, value + (room[0] != depth));
	longjmp(jump, value);
}

static void jumping(unsigned n)
{
	int value = setjmp(jump);

	if (value < 3)
		jump_from(static_cast<int>(n % 9), value + 1);
	wrong += value != 3;
}

static void forking(unsigned n)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		throwing(n);
		libc_calls(n);
		_exit(7);
	}
	if (pid < 0)
		return; /* too many processes is not our business */
	wrong += waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
		 WEXITSTATUS(status) != 7;
}

/* --- locks: what they guard is odd while it is changed -------------------- */

static std::mutex mutex;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t handed = PTHREAD_COND_INITIALIZER;
static pthread_mutex_t hand = PTHREAD_MUTEX_INITIALIZER;
static sem_t sem;
static volatile unsigned by_mutex, by_rwlock, by_sem, hands;

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += ms * 1000000;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

/* The processor goes to others meanwhile, of whom one wants the lock. */
static void change(volatile unsigned *value, unsigned n)
{
	wrong += *value % 2;
	*value = *value + 1;
	for (unsigned i = 0; i < n % 3000; i++)
		wrong += *value % 2 == 0;
	sched_yield();
	*value = *value + 1;
}

/* Some times an exception releases it. */
static void lock_mutex(unsigned n)
{
	try {
		std::lock_guard<std::mutex> guard(mutex);

		change(&by_mutex, n);
		if (n % 5 == 0)
			(void)dive(3);
	} catch (const std::runtime_error &) {
	}
}

static void lock_rwlock(unsigned n)
{
	if (n % 3 == 0) {
		wrong += pthread_rwlock_wrlock(&rwlock) != 0;
		change(&by_rwlock, n);
	} else {
		wrong += pthread_rwlock_rdlock(&rwlock) != 0;
		sched_yield();
		wrong += by_rwlock % 2;
	}
	wrong += pthread_rwlock_unlock(&rwlock) != 0;
}

/* Each wakes the other, and waits to be woken. */
static void hand_over(unsigned)
{
	struct timespec until = in_ms(5);
	unsigned seen;
	int result = 0;

	wrong += pthread_mutex_lock(&hand) != 0;
	seen = ++hands;
	wrong += pthread_cond_signal(&handed) != 0;
	while (hands == seen && result == 0)
		result = pthread_cond_timedwait(&handed, &hand, &until);
	wrong += result != 0 && result != ETIMEDOUT;
	wrong += pthread_mutex_unlock(&hand) != 0;
}

static void take_sem(unsigned n)
{
	int result;

	do {
		result = sem_wait(&sem);
	} while (result != 0 && errno == EINTR);
	wrong += result != 0;
	change(&by_sem, n);
	wrong += sem_post(&sem) != 0;
}

static void locking(unsigned n)
{
	lock_mutex(n);
	lock_rwlock(n);
	take_sem(n);
}

static Worker workers[] = {
	{ "throw", throwing, {} },
	{ "throw", throwing, {} },
	{ "dlopen", loading, {} },
	{ "dlopen", loading, {} },
	{ "libc", libc_calls, {} },
	{ "threads", churning, {} },
	{ "longjmp", jumping, {} },
	{ "fork", forking, {} },
	{ "locks", locking, {} },
	{ "locks", locking, {} },
	{ "locks", locking, {} },
	{ "hands", hand_over, {} },
	{ "hands", hand_over, {} },
};

static void work(Worker *w)
{
	for (unsigned n = 0; !stop; n++) {
		w->turn(n);
		w->turns++;
	}
}

/* Every thread must have made progress in the last second. */
static void watch(int seconds)
{
	unsigned long last[sizeof(workers) / sizeof(*workers)] = {};

	for (int s = 0; s < seconds; s++) {
		sleep(1);
		for (size_t i = 0; i < sizeof(last) / sizeof(*last); i++) {
			unsigned long now = workers[i].turns;

			if (now == last[i]) {
				printf("%s stands still\n", workers[i].name);
				wrong++;
			}
			last[i] = now;
		}
	}
}

int main(int argc, char **argv)
{
	std::vector<std::thread> threads;

	wrong += sem_init(&sem, 0, 1) != 0;
	for (Worker &w : workers)
		threads.emplace_back(work, &w);
	watch(argc > 1 ? atoi(argv[1]) : 3);
	stop = true;
	for (std::thread &t : threads)
		t.join();
	for (const Worker &w : workers)
		printf("%s %lu\n", w.name, w.turns.load());
	printf("wrong %d\n", wrong.load());
	return wrong != 0;
}
