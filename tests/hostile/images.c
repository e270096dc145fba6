/*
 * images.c - what the next program image finds of the last one: the signals
 * that the program blocked and that wait for it, and nothing of ours.
 *
 * images chain N   N images one after another by exec
 * images WAY       sets things up and execs "images look", which checks them.
 *                  without the library, so that it finds all that is left.
 * BUILD: -pthread
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include "hostile.h"

static char *self;

static int entries(const char *directory)
{
	DIR *dir = opendir(directory);
	int n = 0;

	MUST(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

static unsigned long word_of(const char *key)
{
	char line[256];
	unsigned long value = 0;
	int found = 0;
	FILE *f = fopen("/proc/self/status", "r");

	MUST(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			found = sscanf(strchr(line, ':') + 1, "%lx", &value);
	}
	fclose(f);
	MUST(found == 1);
	return value;
}

static unsigned long bit(int sig)
{
	return 1ul << (sig - 1);
}

/* Blocked, pending and ignored signals are those of the last image. */
static void look(void)
{
	FILE *f = fopen("/proc/self/timers", "r");
	unsigned long other = bit(SIGUSR1) | bit(40);

	MUST(f && fgetc(f) == EOF);
	fclose(f);
	MUST(entries("/proc/self/task") == 1);
	MUST(entries("/proc/self/fd") == 4); /* and the one that looks */
	MUST(word_of("SigBlk") == other);
	MUST((word_of("SigPnd") | word_of("ShdPnd")) == other);
	/* glibc's posix_spawn leaves its own two ignored: make uses it. */
	MUST((word_of("SigIgn") & ~(bit(32) | bit(33))) == bit(SIGUSR2));
	MUST(word_of("SigCgt") == 0);
}

static void block_and_raise(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 40);
	MUST(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	raise(SIGUSR1);
	kill(getpid(), 40);
	signal(SIGUSR2, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

static void exec_look(void)
{
	unsetenv("LD_PRELOAD");
	execl(self, self, "look", (char *)NULL);
	MUST(!"exec failed");
}

static void by_main(void)
{
	hold();
	burn(40);
	block_and_raise();
	exec_look();
}

/* The system call itself: nobody can clean up. */
static void by_system_call(void)
{
	char *argv[] = { self, "look", NULL }, *envp[] = { NULL };

	hold();
	burn(40);
	block_and_raise();
	syscall(SYS_execve, self, argv, envp);
	MUST(!"exec failed");
}

static void *burning(void *unused)
{
	for (;;)
		burn(10);
	return unused;
}

static void *in_thread(void *unused)
{
	burn(40);
	block_and_raise();
	exec_look();
	return unused;
}

static void by_thread(void)
{
	pthread_t t;
	sigset_t set;

	hold();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, 40);
	MUST(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
	MUST(pthread_create(&t, NULL, burning, NULL) == 0);
	MUST(pthread_create(&t, NULL, in_thread, NULL) == 0);
	burning(NULL);
}

static void chain(const char *left)
{
	char next[16];
	int n = atoi(left);

	if (n == 0)
		return;
	churn(100);
	burn(10);
	snprintf(next, sizeof(next), "%d", n - 1);
	execl(self, self, "chain", next, (char *)NULL);
	MUST(!"exec failed");
}

static void last(void)
{
	hold();
	burn(30);
}

static const struct way ways[] = {
	{ "look", look },
	{ "by_main", by_main },
	{ "by_system_call", by_system_call },
	{ "by_thread", by_thread },
};

/* Whoever started us may ignore some: a shell's background job does. */
static void ignore_nothing(void)
{
	unsigned long ignored = word_of("SigIgn");

	for (int sig = 1; sig <= 64; sig++)
		if (ignored & bit(sig))
			signal(sig, SIG_DFL);
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "look") != 0)
		ignore_nothing();
	if (argc > 2) {
		chain(argv[2]);
		last();
		printf("fine\n");
		return 0;
	}
	return go_the_way(ways, COUNT(ways), argc, argv);
}
