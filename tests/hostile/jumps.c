/*
 * jumps.c - handlers that never return to what they interrupted.
 *
 * A program may jump out of code that is safe in signal handlers and go on; out
 * of anything else, malloc say, it may jump and then do only what is safe.
 * BUILD: -pthread -ldl -fno-builtin-malloc
 */
#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include "hostile.h"

#define JUMPS 100
#define LATE_JUMPS 30
#define LATE_USES 1400

static sigjmp_buf with_mask;
static jmp_buf plain;
static volatile sig_atomic_t may_jump, jumps;

static void jump_with_mask(int sig)
{
	if (may_jump) {
		jumps++;
		siglongjmp(with_mask, sig);
	}
}

static void jump_plainly(int sig)
{
	if (may_jump) {
		jumps++;
		longjmp(plain, sig);
	}
}

static void jump_bsd(int sig)
{
	if (may_jump) {
		jumps++;
		_longjmp(plain, sig);
	}
}

/* SA_NODEFER: a plain longjmp does not restore the mask. */
static void alarms(long us, void (*handler)(int), int flags)
{
	struct itimerval every = { { 0, us }, { 0, us } };
	struct sigaction act = { .sa_handler = handler,
		.sa_flags = SA_NODEFER | flags };

	MUST(sigaction(SIGALRM, &act, NULL) == 0);
	MUST(setitimer(ITIMER_REAL, &every, NULL) == 0);
}

/* No call here: allocating would not be allowed. */
static void compute_until_all_jumped(void)
{
	may_jump = 1;
	while (jumps < JUMPS)
		sink++;
	may_jump = 0;
}

static void after_jumps(void)
{
	sigset_t now;

	alarms(0, SIG_IGN, 0);
	MUST(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		MUST(!sigismember(&now, sig));
	hold();
	churn(500);
	dump();
	burn(30);
}

static void by_siglongjmp(void)
{
	alarms(1000, jump_with_mask, 0);
	sigsetjmp(with_mask, 1);
	compute_until_all_jumped();
	after_jumps();
}

static void by_longjmp(void)
{
	alarms(1000, jump_plainly, 0);
	(void)setjmp(plain);
	compute_until_all_jumped();
	after_jumps();
}

static void by__longjmp(void)
{
	alarms(1000, jump_bsd, 0);
	(void)_setjmp(plain);
	compute_until_all_jumped();
	after_jumps();
}

/* One alarm after the other, each once the one before has jumped: libc restores
 * the mask before it leaves the stack, and three handlers do not fit there. */
static void from_alternate_stack(void)
{
	static char room[8192];
	const struct itimerval once = { .it_value = { 0, 1000 } };
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) }, now;

	MUST(sigaltstack(&stack, NULL) == 0);
	alarms(0, jump_with_mask, SA_ONSTACK);
	may_jump = 1;
	sigsetjmp(with_mask, 1);
	MUST(setitimer(ITIMER_REAL, &once, NULL) == 0);
	compute_until_all_jumped();
	MUST(sigaltstack(NULL, &now) == 0);
	MUST(now.ss_sp == room && now.ss_flags == 0);
	after_jumps();
}

/*
 * The same with so much of that stack in use, and for so long, that a timer's
 * signal is waiting when the handler is left: libc restores the mask while it
 * is still on the stack, on which there is no room for a second frame.
 */
static void jump_late(int sig)
{
	volatile char used[LATE_USES];

	used[0] = used[LATE_USES - 1] = (char)sig;
	burn(12);
	jump_with_mask(used[LATE_USES - 1]);
}

static void late_from_alternate_stack(void)
{
	char *room = mmap(
		NULL, 16384, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = room + 8192, .ss_size = 8192 };
	struct sigaction act = { .sa_handler = jump_late,
		.sa_flags = SA_ONSTACK };

	MUST(room != MAP_FAILED);
	MUST(mprotect(stack.ss_sp, 8192, PROT_READ | PROT_WRITE) == 0);
	MUST(sigaltstack(&stack, NULL) == 0);
	MUST(sigaction(SIGUSR1, &act, NULL) == 0);
	may_jump = 1;
	sigsetjmp(with_mask, 1);
	while (jumps < LATE_JUMPS)
		raise(SIGUSR1);
	may_jump = 0;
	after_jumps();
}

/* Another handler of the program was interrupted, both are left at once. */
static void jump_further(int sig)
{
	(void)sig;
	raise(SIGALRM);
}

static void from_nested_handlers(void)
{
	struct sigaction act = { .sa_handler = jump_further,
		.sa_flags = SA_NODEFER };

	MUST(sigaction(SIGUSR1, &act, NULL) == 0);
	act.sa_handler = jump_with_mask;
	MUST(sigaction(SIGALRM, &act, NULL) == 0);
	may_jump = 1;
	sigsetjmp(with_mask, 1);
	while (jumps < JUMPS)
		raise(SIGUSR1);
	may_jump = 0;
	after_jumps();
}

/* --- out of anything ------------------------------------------------------ */

static void *doing_nothing(void *unused)
{
	return unused;
}

static void do_everything(const pthread_attr_t *without_signals)
{
	pthread_t t;
	void *library;

	churn(30);
	if (pthread_create(&t, without_signals, doing_nothing, NULL) == 0)
		pthread_join(t, NULL);
	library = dlopen("libz.so.1", RTLD_NOW);
	if (library)
		dlclose(library);
	dump();
}

/* After the jump nothing but what is safe in a handler. */
static void jump_and_end(int number)
{
	pthread_attr_t attr; /* the alarm is for this thread only */
	sigset_t all;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setsigmask_np(&attr, &all);
	alarms(500 + number * 137 % 3000, jump_with_mask, 0);
	if (sigsetjmp(with_mask, 1) == 0) {
		may_jump = 1;
		for (;;)
			do_everything(&attr);
	}
	may_jump = 0;
	if (number % 2)
		kill(getpid(), SIGTERM);
	_exit(7);
}

static void out_of_anything(void)
{
	hold();
	for (int i = 0; i < 40; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			jump_and_end(i);
		MUST(waitpid(child, &status, 0) == child);
		MUST(status == (i % 2 ? SIGTERM : 7 << 8));
	}
	burn(30);
}

/* --- other stacks --------------------------------------------------------- */

static ucontext_t here, there;

static void routine(void)
{
	for (int i = 0; i < 200; i++) {
		churn(5);
		burn(0);
		MUST(swapcontext(&there, &here) == 0);
	}
}

/* Coroutines: the stack is not the thread's. */
static void coroutines(void)
{
	size_t size = 16384;
	char *stack = malloc(size);

	hold();
	MUST(stack && getcontext(&there) == 0);
	there.uc_stack = (stack_t){ .ss_sp = stack, .ss_size = size };
	there.uc_link = &here;
	makecontext(&there, routine, 0);
	for (int i = 0; i < 200; i++) {
		MUST(swapcontext(&here, &there) == 0);
		churn(5);
	}
	burn(30);
}

static const struct way ways[] = {
	{ "by_siglongjmp", by_siglongjmp },
	{ "by_longjmp", by_longjmp },
	{ "by__longjmp", by__longjmp },
	{ "from_alternate_stack", from_alternate_stack },
	{ "late_from_alternate_stack", late_from_alternate_stack },
	{ "from_nested_handlers", from_nested_handlers },
	{ "out_of_anything", out_of_anything },
	{ "coroutines", coroutines },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
