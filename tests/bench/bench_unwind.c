/*
 * bench_unwind.c - nanoseconds a frame: distinct functions, no frame pointers,
 * 10, 50 and 200 deep; rules remembered (warm) and forgotten before each walk
 * (cold). Prints "unwind DEPTH warm NS cold NS" per depth; with an argument,
 * fails unless warm is at most that many ns at every depth.
 */
#include "pp.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "session.h"
#include "sys.h"
#include "unwind.h"

#define ROUNDS 11

static struct session *session;
static struct unwind_bounds bounds;
static frame_t frames[512];
static double warm_ns, cold_ns;
static unsigned depth;

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static PP_NOINLINE unsigned walk(void)
{
	struct arch_regs regs;
	enum unwind_end end;

	arch_regs_here(&regs);
	return unwind(session, &regs, false, bounds, frames, 512, &end);
}

/* The best of several rounds: the machine is shared. */
static double measure(bool forget, unsigned walks)
{
	double best = 1e18;

	for (int round = 0; round < ROUNDS; round++) {
		double start = now_ns(), ns;

		for (unsigned i = 0; i < walks; i++) {
			if (forget)
				unwind_invalidate();
			depth = walk();
		}
		ns = (now_ns() - start) / walks / depth;
		best = PP_MIN(best, ns);
	}
	return best;
}

static PP_NOINLINE int leaf(int left)
{
	cold_ns = measure(true, 20);
	warm_ns = measure(false, 2000);
	return left + 1;
}

/* f0 calls f1 calls ... until `left` calls are made. */
#define DECLARE(n) static PP_NOINLINE int f##n(int left);
#define DEFINE(n, next, room)                                               \
	static PP_NOINLINE int f##n(int left)                               \
	{                                                                   \
		volatile char local[room];                                  \
		local[0] = 1;                                               \
		return (left > 1 ? next(left - 1) : leaf(left)) + local[0]; \
	}
/* clang-format off */
#define TEN(p, next)                                                           \
	DEFINE(p##9, next, 8)                                                  \
	DEFINE(p##8, f##p##9, 40) DEFINE(p##7, f##p##8, 72)                    \
	DEFINE(p##6, f##p##7, 8) DEFINE(p##5, f##p##6, 104)                    \
	DEFINE(p##4, f##p##5, 24) DEFINE(p##3, f##p##4, 200)                   \
	DEFINE(p##2, f##p##3, 8) DEFINE(p##1, f##p##2, 56)                     \
	DEFINE(p##0, f##p##1, 16)

TEN(19, leaf) TEN(18, f190) TEN(17, f180) TEN(16, f170) TEN(15, f160)
TEN(14, f150) TEN(13, f140) TEN(12, f130) TEN(11, f120) TEN(10, f110)
TEN(9, f100) TEN(8, f90) TEN(7, f80) TEN(6, f70) TEN(5, f60)
TEN(4, f50) TEN(3, f40) TEN(2, f30) TEN(1, f20) TEN(0, f10)
	/* clang-format on */

	static void find_bounds(void)
{
	pthread_attr_t attr;
	void *lo;
	size_t size;

	pthread_getattr_np(pthread_self(), &attr);
	pthread_attr_getstack(&attr, &lo, &size);
	pthread_attr_destroy(&attr);
	bounds.lo = (uint64_t)(uintptr_t)lo;
	bounds.hi = bounds.lo + size;
}

int main(int argc, char **argv)
{
	static struct settings settings = { .memory_bytes = 16 << 20,
		.session_place = SESSION_ANONYMOUS };
	static const int depths[] = { 10, 50, 200 };
	double limit = argc > 1 ? atof(argv[1]) : 1e18;
	int failed = 0;

	unwind_start();
	find_bounds();
	if (session_create(&settings, &session) || unwind_prepare())
		return 2;
	for (unsigned i = 0; i < PP_ARRAY_LEN(depths); i++) {
		f00(depths[i]);
		printf("unwind %3d warm %5.1f cold %5.0f ns a frame (%u "
		       "frames)\n",
			depths[i], warm_ns, cold_ns, depth);
		failed |= warm_ns > limit;
	}
	return failed;
}
