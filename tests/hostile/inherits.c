/*
 * inherits.c - a program that starts under a filter (confiner.c) and does
 * nothing that the filter minds, but for one call of its own where it says so.
 * BUILD: -pthread
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hostile.h"

static volatile sig_atomic_t traps;

static void on_trap(int sig)
{
	traps += sig == SIGSYS;
}

static void *churning(void *unused)
{
	churn(500);
	burn(10);
	return unused;
}

/* Nobody is waiting to be waited for, and none has been. */
static void no_children(void)
{
	int status;

	MUST(waitpid(-1, &status, __WALL) == -1 && errno == ECHILD);
}

int main(int argc, char **argv)
{
	int foreign, trapped;
	pthread_t t;

	MUST(argc == 2);
	foreign = strstr(argv[1], "foreign") != NULL;
	trapped = foreign && strstr(argv[1], "trap");
	no_children();
	signal(SIGSYS, on_trap);
	hold();
	burn(60);
	MUST(pthread_create(&t, NULL, churning, NULL) == 0);
	MUST(pthread_join(t, NULL) == 0);
	MUST(system("exit 3") == 3 << 8);
	if (foreign)
		dump(); /* else it may be the end: we may not be there */
	churn(500);
	MUST(traps == 0);
	if (trapped) {
		syscall(SYS_getpgid, 0);
		MUST(traps == 1);
	}
	burn(30);
	no_children();
	printf("fine\n");
	return 0;
}
