/*
 * jump_out.c - siglongjmp out of the profiler's own code, which a program that
 * jumps out of handlers cannot avoid. BUILD: -fno-builtin-malloc
 *
 * jump_out JUMPS [stack]
 *   A timer's handler jumps if it has interrupted code of libpprofc.so;
 *   JUMPS times at most. `stack`: it runs on an alternate stack, which lies in
 *   main's frame. Then jumped() allocates 1000 objects. Without the library it
 *   never jumps.
 *
 * Prints how often it has jumped.
 */
#include <link.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#define OBJECTS 1000
#define SECONDS 20 /* at most */

static uintptr_t library_lo, library_hi;
static sigjmp_buf back;
static volatile sig_atomic_t jumps, most;

static int find_library(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	if (!strstr(info->dlpi_name, "libpprofc.so"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;
		library_lo = info->dlpi_addr + p->p_vaddr;
		library_hi = library_lo + p->p_memsz;
	}
	return 1;
}

static void jump(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *uc = context;
	uintptr_t pc = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];

	(void)info;
	if (jumps >= most || pc - library_lo >= library_hi - library_lo)
		return;
	jumps++;
	siglongjmp(back, sig);
}

static __attribute__((noinline)) void *allocate(unsigned depth)
{
	void *volatile p = depth ? allocate(depth - 1) : malloc(48);

	return p;
}

static __attribute__((noinline)) void jumped(void)
{
	for (int i = 0; i < OBJECTS; i++) {
		void *volatile p = malloc(48);

		(void)p;
	}
}

static __attribute__((noinline)) void allocate_until_all_jumped(void)
{
	time_t end = time(NULL) + SECONDS;

	(void)sigsetjmp(back, 1);
	for (unsigned n = 0; jumps < most; n++) {
		free(allocate(n % 50));
		if (n % 1000 == 0 && (!library_hi || time(NULL) > end))
			break;
	}
}

int main(int argc, char **argv)
{
	struct itimerval every = { { 0, 300 }, { 0, 300 } }, never = { 0 };
	struct sigaction act = { .sa_sigaction = jump, .sa_flags = SA_SIGINFO };
	char room[65536];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };

	most = argc > 1 ? atoi(argv[1]) : 0;
	(void)dl_iterate_phdr(find_library, NULL);
	if (argc > 2) {
		act.sa_flags |= SA_ONSTACK;
		if (sigaltstack(&stack, NULL) != 0)
			return 2;
	}
	if (sigaction(SIGALRM, &act, NULL) != 0 ||
		setitimer(ITIMER_REAL, &every, NULL) != 0)
		return 2;
	allocate_until_all_jumped();
	if (setitimer(ITIMER_REAL, &never, NULL) != 0)
		return 2;
	jumped();
	printf("%d\n", (int)jumps);
	return 0;
}
