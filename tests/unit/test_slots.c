/*
 * test_slots.c - the session's slots of threads, and their scratch memory.
 */
#include "pp.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store.h"
#include "test.h"
#include "threads.h"

TEST(slots_of_vanished_threads_are_taken_again)
{
	struct session *s = new_session(64 << 20, NULL);
	uint32_t mine = threads_take(s, (uint32_t)gettid());

	/* No thread has such an id: beyond the kernel's largest pid_max. */
	for (uint32_t i = 0; i < 1000; i++)
		CHECK(threads_take(s, 5000000 + i) != 0);
	CHECK_EQ(atomic_load(&s->thread_count), 64);
	CHECK_EQ(threads_take(s, (uint32_t)gettid()), mine);
	session_close(s);
}

#define SWEEPERS 8u
#define SWEEPS 1000u

struct sweeper {
	struct session *s;
	pthread_barrier_t *together;
	unsigned taken_away;
};

static bool is_mine(const struct session *s, uint32_t slot)
{
	return threads_tid(atomic_load(&threads_get(s, slot)->owner)) ==
	       (uint32_t)gettid();
}

/* All slots are of threads that are gone: everybody sweeps at once. */
static void *sweep_and_take(void *arg)
{
	struct sweeper *w = arg;

	for (unsigned i = 0; i < SWEEPS; i++) {
		uint32_t slot;

		if (pthread_barrier_wait(w->together))
			for (uint32_t tid = 0; tid < 64; tid++)
				(void)threads_take(w->s, 5000000 + tid);
		(void)pthread_barrier_wait(w->together);
		slot = threads_take(w->s, (uint32_t)gettid());
		(void)pthread_barrier_wait(w->together);
		w->taken_away += !is_mine(w->s, slot);
		(void)pthread_barrier_wait(w->together);
		threads_release(w->s, slot);
	}
	return NULL;
}

TEST(sweeps_at_once_free_no_slot_of_a_living_thread)
{
	static struct sweeper w[SWEEPERS];
	struct session *s = new_session(64 << 20, NULL);
	pthread_barrier_t together;
	pthread_t t[SWEEPERS];

	(void)pthread_barrier_init(&together, NULL, SWEEPERS);
	for (unsigned i = 0; i < SWEEPERS; i++) {
		w[i] = (struct sweeper){ s, &together, 0 };
		(void)pthread_create(&t[i], NULL, sweep_and_take, &w[i]);
	}
	for (unsigned i = 0; i < SWEEPERS; i++) {
		(void)pthread_join(t[i], NULL);
		CHECK_EQ(w[i].taken_away, 0);
	}
	(void)pthread_barrier_destroy(&together);
	session_close(s);
}

TEST(walk_that_a_forked_child_goes_on_with_is_its_own)
{
	struct session *s = new_session(64 << 20, "/tmp");
	uint32_t slot = threads_take(s, (uint32_t)gettid());
	frame_t *frames = threads_scratch(s, slot, 0);
	int status = -1;
	pid_t pid;

	frames[0] = 1;
	frames[1] = 2;
	pid = fork();
	if (pid == 0) {
		threads_unshare_scratch(s, slot);
		status = frames[0] != 1 || frames[1] != 2;
		frames[1] = 3;
		_exit(status);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_EQ(frames[1], 2);
	session_unlink(s);
	session_close(s);
}

int main(void)
{
	RUN(slots_of_vanished_threads_are_taken_again);
	RUN(sweeps_at_once_free_no_slot_of_a_living_thread);
	RUN(walk_that_a_forked_child_goes_on_with_is_its_own);
	return test_done();
}
