/*
 * test_profile_memory.c - reports where memory is refused or the stack is
 * small.
 */
#include "pp.h"

#include "profiles_by_hand.h"

/* --- memory -------------------------------------------------------------- */

static size_t sunk;

static int sink(void *arg, const void *data, size_t len)
{
	(void)arg;
	(void)data;
	sunk += len;
	return 0;
}

static int write_with(struct session *s, uint32_t fail_after)
{
	struct report_request request = { .kind = PROFILE_HEAP,
		.own_process = true };
	struct snapshot snap;
	struct arena arena;
	int err;

	arena_init(&arena);
	arena.fail_after = fail_after;
	sunk = 0;
	err = snapshot_take(s, &request, &arena, &snap);
	if (!err)
		err = profile_write(&snap, &request, &arena, sink, NULL);
	arena_free(&arena);
	return err;
}

/* With every single allocation refused once: an error, or (names only) a
 * profile without some names; never anything else. */
TEST(refused_memory_is_an_error)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	unsigned m = own_module(s);
	unsigned failed = 0, n;
	size_t whole;

	for (unsigned i = 0; i < 3000; i++) {
		frame_t a[] = { in((void *)leaf_function, m) + i / 3,
			in((void *)middle_function, m) };

		push_alloc(s, a, 2, 0x10000 + 16 * i, 1 + i % 3, ROW_ONE);
	}
	CHECK_EQ(write_with(s, 0), 0);
	whole = sunk;
	for (n = 1; n < 10000; n++) {
		int err = write_with(s, n);

		if (err == 0 && sunk == whole)
			break;
		failed += err == -ENOMEM;
		CHECK(err == -ENOMEM || err == 0);
	}
	printf("# %u of %u refusals were errors\n", failed, n - 1);
	CHECK(n > 20 && n < 10000);
	CHECK(failed > 10);
	session_close(s);
}

/* --- the stack a report needs -------------------------------------------- */

#define STACK_BYTES (64u * 1024)

static struct session *on_signal_session;
static int on_signal_result;

static void write_in_handler(int sig)
{
	char path[256];

	(void)sig;
	on_signal_result = write_kind(
		on_signal_session, PROFILE_HEAP, REPORT_EXIT, path);
}

TEST(report_fits_a_small_stack)
{
	struct settings set = settings_for(PROFILE_BIT(PROFILE_HEAP));
	struct session *s = make_session(&set);
	frame_t a[] = { in((void *)leaf_function, own_module(s)) };
	static uint8_t stack[STACK_BYTES];
	stack_t alt = { .ss_sp = stack, .ss_size = STACK_BYTES };
	struct sigaction act = { .sa_handler = write_in_handler,
		.sa_flags = SA_ONSTACK };
	size_t unused = 0;

	push_alloc(s, a, 1, 0x10000, 1, ROW_ONE);
	on_signal_session = s;
	on_signal_result = 1;
	memset(stack, 0xa5, sizeof(stack));
	CHECK_EQ(sigaltstack(&alt, NULL), 0);
	CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(on_signal_result, 0);
	while (unused < sizeof(stack) && stack[unused] == 0xa5)
		unused++;
	printf("# a report used %zu bytes of stack\n", sizeof(stack) - unused);
	CHECK(sizeof(stack) - unused < 20 * 1024);
	alt.ss_flags = SS_DISABLE;
	CHECK_EQ(sigaltstack(&alt, NULL), 0);
	session_close(s);
}

int main(void)
{
	begin_profiles();
	RUN(refused_memory_is_an_error);
	RUN(report_fits_a_small_stack);
	end_profiles();
	return test_done();
}
