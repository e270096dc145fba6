/*
 * test_user_labels.c - labels of threads: what is seen while they change, where
 * they go when threads and sessions come and go. BUILD: -pthread
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process.h"
#include "store.h"
#include "test.h"
#include "user_labels.h"

static struct session *s;

/* The labels of a set as "key=value,...". */
static const char *text_of(uint32_t set)
{
	static char text[1024];
	unsigned n;
	const struct label *list = labels_get(s, set, &n);

	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		strcat(text, i ? "," : "");
		strcat(text, labels_text_get(s, list[i].key));
		strcat(text, "=");
		strcat(text, labels_text_get(s, list[i].str));
	}
	return text;
}

static uint32_t here(void)
{
	return user_labels_here(s, thread_state_get());
}

TEST(no_labels_no_set)
{
	CHECK_EQ(here(), 0);
	CHECK_EQ(user_labels_set("a", NULL), 0);
	CHECK_EQ(here(), 0);
	CHECK(user_labels_copy() == NULL);
}

TEST(a_set_follows_the_labels)
{
	uint32_t one, two;

	CHECK_EQ(user_labels_set("a", "1"), 0);
	one = here();
	CHECK(strcmp(text_of(one), "a=1") == 0);
	CHECK_EQ(here(), one);
	CHECK_EQ(user_labels_set("b", "2"), 0);
	two = here();
	CHECK(strcmp(text_of(two), "a=1,b=2") == 0);
	CHECK_EQ(user_labels_set("a", NULL), 0);
	CHECK_EQ(user_labels_set("a", "1"), 0);
	CHECK_EQ(here(), two); /* in another order */
	CHECK_EQ(user_labels_of(s, thread_state_get()->tid), two);
	CHECK_EQ(user_labels_of(s, 1), 0);
	(void)user_labels_set("a", NULL);
	(void)user_labels_set("b", NULL);
	CHECK_EQ(here(), 0);
}

TEST(another_image_interns_anew)
{
	struct session *first = s, *second;

	CHECK_EQ(user_labels_set("a", "other"), 0);
	(void)here();
	second = new_session(8u << 20, NULL);
	CHECK(second != NULL);
	s = second;
	atomic_fetch_add(&process_wiped.generation, 1);
	(void)labels_text(s, "what is here shifts all ids");
	CHECK(strcmp(text_of(here()), "a=other") == 0);
	session_close(s);
	s = first;
	atomic_fetch_add(&process_wiped.generation, 1);
	CHECK(strcmp(text_of(here()), "a=other") == 0);
	(void)user_labels_set("a", NULL);
}

TEST(sets_are_merged)
{
	struct label wait = { .kind = LABEL_WORD,
		.key = labels_text(s, "wait"),
		.str = labels_text(s, "mutex") };
	uint32_t theirs = labels_intern(s, &wait, 1), ours;

	CHECK_EQ(user_labels_set("a", "1"), 0);
	ours = here();
	CHECK_EQ(labels_merge(s, 0, theirs), theirs);
	CHECK_EQ(labels_merge(s, ours, 0), ours);
	CHECK(strcmp(text_of(labels_merge(s, ours, theirs)),
		      "a=1,wait=mutex") == 0);
	(void)user_labels_set("a", NULL);
}

TEST(room_for_eight)
{
	char key[] = "k0";
	unsigned long tokens[20];

	for (; key[1] < '8'; key[1]++)
		CHECK_EQ(user_labels_set(key, "v"), 0);
	CHECK_EQ(user_labels_set(key, "v"), -E2BIG);
	CHECK_EQ(user_labels_push(key, "v"), 0);
	for (unsigned i = 0; i < 20; i++)
		tokens[i] = user_labels_push("k3", "w");
	CHECK(tokens[5] != 0 && tokens[6] == 0);
	CHECK_EQ(user_labels_set("k7", "still"), 0);
	for (unsigned i = 0; i < 20; i++) /* from below */
		user_labels_pop(tokens[i]);
	CHECK(strcmp(text_of(here()),
		      "k0=v,k1=v,k2=v,k3=v,k4=v,k5=v,k6=v,k7=still") == 0);
	for (key[1] = '0'; key[1] < '8'; key[1]++)
		CHECK_EQ(user_labels_set(key, NULL), 0);
	CHECK_EQ(here(), 0);
}

static void *child(void *labels)
{
	char got[16];

	user_labels_adopt(labels);
	CHECK_EQ(user_labels_read("a", got, sizeof(got)), 9);
	CHECK(strcmp(got, "inherited") == 0);
	CHECK_EQ(user_labels_read("a", got, 4), 3);
	CHECK(strcmp(got, "inh") == 0);
	user_labels_thread_end();
	CHECK_EQ(user_labels_read("a", got, sizeof(got)), 0);
	return NULL;
}

/* More threads than there are blocks, one after the other. */
TEST(blocks_are_given_back)
{
	pthread_t t;

	CHECK_EQ(user_labels_set("a", "inherited"), 0);
	for (unsigned i = 0; i < 40000; i++) {
		struct user_labels *l = user_labels_copy();

		CHECK(l != NULL);
		user_labels_drop(l);
	}
	for (unsigned i = 0; i < 20; i++) {
		CHECK(pthread_create(&t, NULL, child, user_labels_copy()) == 0);
		CHECK(pthread_join(t, NULL) == 0);
	}
	(void)user_labels_set("a", NULL);
}

static _Atomic bool stop;

static void *changer(void *ret_tid)
{
	struct thread_state *t = thread_state_get();

	CHECK_EQ(user_labels_set("x", "before"), 0);
	atomic_store((_Atomic uint32_t *)ret_tid, t->tid);
	while (!atomic_load(&stop)) {
		(void)user_labels_set("x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		(void)user_labels_set("x", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
	}
	user_labels_thread_end();
	return NULL;
}

TEST(another_threads_are_read_whole)
{
	_Atomic uint32_t tid = 0;
	pthread_t t;
	unsigned torn = 0;

	CHECK(pthread_create(&t, NULL, changer, &tid) == 0);
	while (!tid)
		;
	for (unsigned i = 0; i < 20000; i++) {
		uint32_t set = user_labels_of(s, tid);
		const char *got = text_of(set);

		torn += set && strcmp(got, "x=before") != 0 &&
			strcmp(got, "x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") != 0 &&
			strcmp(got, "x=bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb") != 0;
	}
	atomic_store(&stop, true);
	CHECK(pthread_join(t, NULL) == 0);
	CHECK_EQ(torn, 0);
	CHECK_EQ(user_labels_of(s, tid), 0);
}

static pthread_barrier_t all_labelled;

static void *labels_itself(void *ret_tid)
{
	atomic_store(
		(_Atomic uint32_t *)ret_tid, (uint32_t)thread_state_get()->tid);
	CHECK_EQ(user_labels_set("x", "first"), 0);
	(void)pthread_barrier_wait(&all_labelled);
	user_labels_thread_end();
	return NULL;
}

/* Each thread takes a block that nobody has had. */
TEST(a_thread_is_read_while_it_sets_its_first_label)
{
	static _Atomic uint32_t tids[200];
	pthread_t t[PP_ARRAY_LEN(tids)];
	unsigned seen = 0, n = PP_ARRAY_LEN(tids);

	CHECK(pthread_barrier_init(&all_labelled, NULL, n + 1) == 0);
	for (unsigned i = 0; i < n; i++) {
		CHECK(pthread_create(&t[i], NULL, labels_itself, &tids[i]) ==
			0);
		while (!tids[i])
			;
		for (unsigned k = 0; k < 10000000; k++) {
			if (user_labels_of(s, tids[i])) {
				seen++;
				break;
			}
			if (k % 256 == 255)
				(void)sched_yield();
		}
	}
	CHECK_EQ(seen, n);
	(void)pthread_barrier_wait(&all_labelled);
	for (unsigned i = 0; i < n; i++)
		CHECK(pthread_join(t[i], NULL) == 0);
}

TEST(a_forks_child_has_one_thread)
{
	struct user_labels *others;

	CHECK_EQ(user_labels_set("a", "1"), 0);
	others = user_labels_copy();
	CHECK(others != NULL);
	user_labels_forked();
	CHECK(strcmp(text_of(user_labels_of(s, thread_state_get()->tid)),
		      "a=1") == 0);
	CHECK(user_labels_copy() == others); /* free again */
	user_labels_thread_end();
	CHECK_EQ(here(), 0);
}

/* --- left half way -------------------------------------------------------- */

static sigjmp_buf out;
static int in_handler;

static void jump_out(int sig)
{
	(void)sig;
	in_handler = user_labels_set("nested", "1");
	user_labels_pop(1);
	siglongjmp(out, 1);
}

/* A value that cannot be read to its end. */
static const char *half_a_text(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_EQ(mprotect(p + page, page, PROT_NONE), 0);
	memset(p, 'x', page);
	return p + page - 10;
}

/* Here no hook sees the jump. */
static void leave_a_change_half_way(void)
{
	struct sigaction jump = { .sa_handler = jump_out }, old;

	CHECK_EQ(sigaction(SIGSEGV, &jump, &old), 0);
	if (sigsetjmp(out, 1) == 0)
		(void)user_labels_set("a", half_a_text());
	CHECK_EQ(in_handler, -EBUSY);
	CHECK_EQ(sigaction(SIGSEGV, &old, NULL), 0);
	CHECK(thread_state_get()->labels_frame != 0);
}

TEST(a_change_left_half_way_is_gone_for_its_caller)
{
	CHECK_EQ(user_labels_set("a", "1"), 0);
	for (unsigned i = 0; i < 40; i++) {
		leave_a_change_half_way();
		CHECK(strcmp(text_of(here()), "a=1") == 0);
		CHECK_EQ(user_labels_set("a", "2"), 0);
		CHECK(strcmp(text_of(here()), "a=2") == 0);
		CHECK_EQ(user_labels_set("a", "1"), 0);
	}
}

static __attribute__((noinline)) int set_further_down(unsigned frames)
{
	volatile char room[64];
	int ret;

	room[0] = 0;
	ret = frames ? set_further_down(frames - 1) : user_labels_set("b", "3");
	return ret + room[0];
}

TEST(one_that_may_go_on_is_in_the_way_until_the_jump_is_seen)
{
	leave_a_change_half_way();
	CHECK_EQ(set_further_down(100), -EBUSY);
	user_labels_jumps(thread_state_get()->labels_frame - 8);
	CHECK_EQ(set_further_down(100), -EBUSY);
	user_labels_jumps(thread_state_get()->labels_frame);
	CHECK_EQ(set_further_down(100), 0);
	CHECK(strcmp(text_of(here()), "a=1,b=3") == 0);
	CHECK_EQ(user_labels_set("b", NULL), 0);
}

/* The frames of a handler, or of a coroutine. */
TEST(on_another_stack_it_is_gone_when_we_are_on_our_own)
{
	struct thread_state *t = thread_state_get();
	uint64_t lo = t->stack_lo, hi = t->stack_hi;

	t->stack_lo = (uintptr_t)&lo - 100000;
	t->stack_hi = (uintptr_t)&lo + 100000;
	t->labels_frame = t->stack_hi + 1000;
	CHECK_EQ(user_labels_set("b", "1"), 0);
	t->stack_lo = t->labels_frame = 1000;
	t->stack_hi = 2000;
	CHECK_EQ(user_labels_set("b", "2"), -EBUSY);
	t->labels_frame = 0;
	t->stack_lo = lo;
	t->stack_hi = hi;
	CHECK_EQ(user_labels_set("b", NULL), 0);
}

static void *ends_in_a_change(void *unused)
{
	CHECK_EQ(user_labels_set("a", "x"), 0);
	leave_a_change_half_way();
	user_labels_thread_end();
	return unused;
}

TEST(a_threads_end_half_way_leaves_its_block_usable)
{
	pthread_t t;

	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQ(pthread_create(&t, NULL, ends_in_a_change, NULL), 0);
		CHECK_EQ(pthread_join(t, NULL), 0);
	}
}

TEST(without_a_process_of_ours_nothing_is_kept)
{
	uint32_t image = atomic_exchange(&process_wiped.generation, 0);

	CHECK_EQ(user_labels_set("a", "1"), -ENOMEM);
	CHECK_EQ(user_labels_push("a", "1"), 0);
	atomic_store(&process_wiped.generation, image);
}

int main(void)
{
	process_start();
	s = new_session(8u << 20, NULL);
	CHECK(s != NULL);
	RUN(no_labels_no_set);
	RUN(a_set_follows_the_labels);
	RUN(another_image_interns_anew);
	RUN(sets_are_merged);
	RUN(room_for_eight);
	RUN(blocks_are_given_back);
	RUN(another_threads_are_read_whole);
	RUN(a_thread_is_read_while_it_sets_its_first_label);
	RUN(a_change_left_half_way_is_gone_for_its_caller);
	RUN(one_that_may_go_on_is_in_the_way_until_the_jump_is_seen);
	RUN(on_another_stack_it_is_gone_when_we_are_on_our_own);
	RUN(a_threads_end_half_way_leaves_its_block_usable);
	RUN(a_forks_child_has_one_thread);
	RUN(without_a_process_of_ours_nothing_is_kept);
	return test_done();
}
