/*
 * test_thread_stacks.c - what a thread that sleeps is doing, and what it waits
 * for, from what /proc and its own note say.
 */
#include "pp.h"

#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test.h"
#include "thread_stacks.h"
#include "unwind.h"

static enum thread_doing doing(char state, int64_t call)
{
	struct asleep a = { .state = state, .call = call };

	return thread_doing_of(&a);
}

TEST(sleepers_by_their_call)
{
	CHECK_EQ(doing('S', SYS_futex), DOING_SEMACQUIRE);
	CHECK_EQ(doing('S', SYS_clock_nanosleep), DOING_SLEEP);
	CHECK_EQ(doing('S', SYS_restart_syscall), DOING_SLEEP);
	CHECK_EQ(doing('S', SYS_epoll_pwait), DOING_SELECT);
	CHECK_EQ(doing('S', SYS_read), DOING_IO);
	CHECK_EQ(doing('S', SYS_rt_sigtimedwait), DOING_SIGNAL);
	CHECK_EQ(doing('S', SYS_wait4), DOING_CHILD);
	CHECK_EQ(doing('S', SYS_fsync), DOING_SYSCALL);
	CHECK_EQ(doing('S', ASLEEP_NO_CALL), DOING_PAGE);
}

TEST(others_by_their_state)
{
	CHECK_EQ(doing('R', SYS_futex), DOING_RUNNING);
	CHECK_EQ(doing('D', SYS_read), DOING_DISK);
	CHECK_EQ(doing('T', SYS_read), DOING_STOPPED);
	CHECK_EQ(doing('t', SYS_read), DOING_STOPPED);
	CHECK_EQ(doing('\0', SYS_read), DOING_UNKNOWN);
}

TEST(every_doing_has_a_name)
{
	for (unsigned i = 0; i < DOING_COUNT; i++)
		CHECK(thread_doing_names[i][0] != '\0' &&
			strnlen(thread_doing_names[i],
				sizeof(thread_doing_names[i])) <
				sizeof(thread_doing_names[i]));
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* A thread in a futex of the mutex, and its note. */
static struct thread_stack in_mutex(struct thread_slot *slot)
{
	struct thread_stack t = { .at = { .state = 'S', .call = SYS_futex } };

	t.at.args[0] = (uintptr_t)&mutex;
	memset(slot, 0, sizeof(*slot));
	atomic_store(&slot->wait_began_ns, 1000);
	atomic_store(&slot->wait_class, WAIT_MUTEX);
	atomic_store(&slot->wait_lock, (uintptr_t)&mutex);
	return t;
}

TEST(a_wait_and_its_owner)
{
	struct thread_slot slot;
	struct thread_stack t = in_mutex(&slot);

	pthread_mutex_lock(&mutex);
	thread_wait_of(&t, &slot, 3500);
	CHECK_EQ(t.wait.class, WAIT_MUTEX);
	CHECK_EQ(t.wait.lock, (uintptr_t)&mutex);
	CHECK_EQ(t.wait.ns, 2500);
	CHECK_EQ(thread_owner_of(&t), (uint32_t)syscall(SYS_gettid));
	pthread_mutex_unlock(&mutex);
	CHECK_EQ(thread_owner_of(&t), 0);
}

/* Left by siglongjmp: the note stays, the thread sleeps elsewhere. */
TEST(a_note_left_behind)
{
	struct thread_slot slot;
	struct thread_stack t = in_mutex(&slot);

	t.at.call = SYS_read;
	thread_wait_of(&t, &slot, 2000);
	CHECK_EQ(t.wait.class, WAIT_CLASSES);
	t = in_mutex(&slot);
	t.at.args[0] += 4096; /* a futex of something else */
	thread_wait_of(&t, &slot, 2000);
	CHECK_EQ(t.wait.class, WAIT_CLASSES);
	CHECK_EQ(thread_owner_of(&t), 0);
	t = in_mutex(&slot);
	t.at.args[0] -= 1; /* before it */
	thread_wait_of(&t, &slot, 2000);
	CHECK_EQ(t.wait.class, WAIT_CLASSES);
	t = in_mutex(&slot);
	atomic_store(&slot.wait_lock, 0);
	atomic_store(&slot.wait_class, WAIT_IO); /* no futex at all */
	thread_wait_of(&t, &slot, 2000);
	CHECK_EQ(t.wait.class, WAIT_CLASSES);
}

TEST(no_slot_and_no_note)
{
	struct thread_slot slot;
	struct thread_stack t = in_mutex(&slot);

	thread_wait_of(&t, NULL, 2000);
	CHECK_EQ(t.wait.class, WAIT_CLASSES);
	atomic_store(&slot.wait_began_ns, 0);
	thread_wait_of(&t, &slot, 2000);
	CHECK_EQ(t.wait.class, WAIT_CLASSES);
}

TEST(a_clock_that_seems_to_go_back)
{
	struct thread_slot slot;
	struct thread_stack t = in_mutex(&slot);

	thread_wait_of(&t, &slot, 999);
	CHECK_EQ(t.wait.ns, 0);
}

/* A lock whose page is gone by now. */
TEST(an_owner_that_cannot_be_read)
{
	struct thread_stack t = { .wait = { .class = WAIT_MUTEX, .lock = 64 } };

	CHECK_EQ(thread_owner_of(&t), 0);
}

int main(void)
{
	unwind_start(); /* reading needs its pid */
	RUN(sleepers_by_their_call);
	RUN(others_by_their_state);
	RUN(every_doing_has_a_name);
	RUN(a_wait_and_its_owner);
	RUN(a_note_left_behind);
	RUN(no_slot_and_no_note);
	RUN(a_clock_that_seems_to_go_back);
	RUN(an_owner_that_cannot_be_read);
	return test_done();
}
