/*
 * test_live.c - the table of living objects, one by one, hammered by threads,
 * and read while it changes.
 */
#include "pp.h"

#include <pthread.h>

#include "live.h"
#include "rows.h"
#include "store.h"
#include "sys.h"
#include "test.h"

#define THREADS 4
#define EACH 30000u

struct thread {
	struct session *s;
	uint32_t number;
};

static void count_entry(uint64_t address, const struct live_value *v, void *arg)
{
	uint64_t *sum = arg;

	CHECK_EQ(v->size, address / 16);
	*sum += 1;
}

TEST(live_table_keeps_every_address)
{
	struct session *s = new_session(64 << 20, NULL);
	struct live_value v = { .row = 1, .objects = ROW_ONE };
	uint64_t n = 50000, seen = 0;

	for (uint64_t i = 1; i <= n; i++) {
		v.size = i;
		CHECK(live_put(s, i * 16, &v));
	}
	for (uint64_t i = 1; i <= n; i += 2) {
		CHECK(live_take(s, i * 16, &v));
		CHECK_EQ(v.size, i);
		CHECK(!live_take(s, i * 16, &v));
	}
	live_each(s, count_entry, &seen);
	CHECK_EQ(seen, n / 2);
	session_close(s);
}

static void *hammer_live(void *arg)
{
	struct thread *h = arg;

	for (uint64_t i = 0; i < EACH; i++) {
		uint64_t address = (i * THREADS + h->number + 1) * 16;
		struct live_value v = { .size = address / 16 };

		CHECK(live_put(h->s, address, &v));
		v.size = 0;
		if (i % 16)
			CHECK(live_take(h->s, address, &v));
		CHECK(v.size == (i % 16 ? address / 16 : 0));
	}
	return NULL;
}

TEST(live_table_many_threads)
{
	static struct thread h[THREADS];
	struct session *s = new_session(64 << 20, NULL);
	pthread_t t[THREADS];
	uint64_t seen = 0;

	for (uint32_t i = 0; i < THREADS; i++) {
		h[i].s = s;
		h[i].number = i;
		(void)pthread_create(&t[i], NULL, hammer_live, &h[i]);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		(void)pthread_join(t[i], NULL);
	live_each(s, count_entry, &seen);
	CHECK_EQ(seen, THREADS * (EACH / 16));
	session_close(s);
}

#define MOVING 100000u /* addresses, all of them in the table */
#define ENOUGH 10u     /* walks */

static _Atomic uint32_t stop;

/* Each is freed and allocated anew, in any order. */
static void *move_objects(void *arg)
{
	struct live_value v;

	for (uint64_t i = 1; !atomic_load(&stop); i++) {
		uint64_t address = (pp_mix(i) % MOVING + 1) * 16;

		CHECK(live_take(arg, address, &v));
		CHECK(live_put(arg, address, &v));
	}
	return NULL;
}

/* Objects that stay as many as they are, seen in the middle of it: all but the
 * one that is just moving, and those that moved within the microsecond in which
 * their address was looked at, or longer if a thread had no processor. */
TEST(live_walk_sees_each_address_once)
{
	struct session *s = new_session(64 << 20, NULL);
	struct live_value v = { .row = 1, .objects = ROW_ONE };
	uint64_t worst = 0;
	pthread_t t;

	for (uint64_t i = 1; i <= MOVING; i++) {
		v.size = i;
		CHECK(live_put(s, i * 16, &v));
	}
	(void)pthread_create(&t, NULL, move_objects, s);
	for (unsigned i = 0; i < ENOUGH; i++) {
		uint64_t seen = 0;

		live_each(s, count_entry, &seen);
		worst = PP_MAX(
			worst, seen > MOVING ? seen - MOVING : MOVING - seen);
	}
	atomic_store(&stop, 1);
	(void)pthread_join(t, NULL);
	CHECK(worst <= MOVING / 1000);
	session_close(s);
}

int main(void)
{
	RUN(live_table_keeps_every_address);
	RUN(live_table_many_threads);
	RUN(live_walk_sees_each_address_once);
	return test_done();
}
