/*
 * children.c - processes made in every way, and who waits for whom.
 * BUILD: -pthread
 */
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "hostile.h"

extern char **environ;

static void nobody_left(void)
{
	int status;

	MUST(waitpid(-1, &status, __WALL) == -1 && errno == ECHILD);
}

/* wait() sees this child and nothing else. */
static void expect_child(pid_t child, int wanted)
{
	int status = 0;

	MUST(child > 0);
	MUST(wait(&status) == child);
	MUST(status == wanted);
	nobody_left();
}

static void raw_clone(void)
{
	hold();
	for (int i = 0; i < 20; i++) {
		pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (child == 0) {
			churn(300);
			_exit(5);
		}
		expect_child(child, 5 << 8);
	}
	burn(30);
}

/* The child of _Fork ends by exit() and writes what it inherited, once. */
static void small_fork(void)
{
	hold();
	for (int i = 0; i < 10; i++) {
		pid_t child = _Fork();

		if (child == 0) {
			burn(5);
			exit(6);
		}
		expect_child(child, 6 << 8);
	}
	burn(30);
}

static void vfork_signal(void)
{
	static const int by[] = { SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGUSR1,
		SIGALRM, SIGUSR2, SIGQUIT, SIGSEGV, SIGABRT };

	hold();
	for (size_t i = 0; i < COUNT(by); i++) {
		pid_t child = vfork();

		if (child == 0) {
			syscall(SYS_kill, syscall(SYS_getpid), by[i]);
			_exit(1);
		}
		expect_child(child, by[i]);
		churn(100);
	}
	burn(30);
}

static void vfork_many(void)
{
	hold();
	for (int i = 0; i < 100; i++) {
		pid_t child = vfork();

		if (child == 0)
			_exit(i);
		expect_child(child, i << 8);
	}
	for (int i = 0; i < 5; i++) {
		pid_t child = vfork();

		if (child == 0) {
			execl("/nonexistent", "x", (char *)NULL);
			execl("/bin/false", "false", (char *)NULL);
			_exit(9);
		}
		expect_child(child, 1 << 8);
	}
	burn(30);
}

static void spawned(void)
{
	static char *const argv[] = { "sh", "-c", "exit 4", NULL };
	posix_spawnattr_t attr;
	sigset_t all;
	pid_t child;

	hold();
	MUST(posix_spawnp(&child, "sh", NULL, NULL, argv, environ) == 0);
	expect_child(child, 4 << 8);
	MUST(posix_spawn(&child, "/nonexistent", NULL, NULL, argv, environ) ==
		ENOENT);
	nobody_left();
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &all);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	MUST(posix_spawn(&child, "/bin/sh", NULL, &attr, argv, environ) == 0);
	expect_child(child, 4 << 8);
	burn(30);
}

static void shells(void)
{
	char line[32];
	FILE *p;

	hold();
	MUST(system("exit 3") == 3 << 8);
	MUST(system("kill -TERM $$") == SIGTERM);
	p = popen("echo seven; exit 7", "r");
	MUST(p && fgets(line, sizeof(line), p));
	MUST(strcmp(line, "seven\n") == 0);
	MUST(pclose(p) == 7 << 8);
	p = popen("cat >/dev/null", "w");
	MUST(p && fputs("x", p) >= 0);
	burn(30);
	MUST(pclose(p) == 0);
	nobody_left();
}

/* The parent learns by a pipe how the daemon fares. */
static void await_daemon(int fd)
{
	char word[16] = "";

	MUST(read(fd, word, sizeof(word)) == 5);
	MUST(memcmp(word, "alive", 5) == 0);
	MUST(read(fd, word, 1) == 0); /* until it has ended */
}

static void daemonize(void)
{
	int ends[2];
	pid_t child;

	hold();
	MUST(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		MUST(daemon(1, 0) == 0);
		churn(500);
		burn(30);
		MUST(write(ends[1], "alive", 5) == 5);
		exit(0);
	}
	close(ends[1]);
	expect_child(child, 0);
	await_daemon(ends[0]);
	burn(30);
}

static void twice(int fd)
{
	MUST(setsid() > 0);
	if (fork() != 0)
		_exit(0);
	churn(500);
	burn(30);
	MUST(write(fd, "alive", 5) == 5);
	exit(0);
}

static void double_fork(void)
{
	int ends[2];
	pid_t child;

	hold();
	MUST(pipe(ends) == 0);
	child = fork();
	if (child == 0) {
		close(ends[0]);
		twice(ends[1]);
	}
	close(ends[1]);
	expect_child(child, 0);
	await_daemon(ends[0]);
	burn(30);
}

/* A fork server: nothing may pile up. The argument of exit is the child's. */
static void one_after_another(void)
{
	int n = getenv("HOSTILE_LONG") ? 2000 : 200;

	hold();
	for (int i = 0; i < n; i++) {
		pid_t child = fork();

		if (child == 0) {
			churn(20);
			_exit(i & 127);
		}
		expect_child(child, (i & 127) << 8);
	}
	burn(30);
}

static volatile sig_atomic_t ended;

static void on_child(int sig)
{
	(void)sig;
	ended++;
}

/* SIGCHLD comes for children of the program only, also when we report. */
static void child_signals(void)
{
	pid_t child;

	signal(SIGCHLD, on_child);
	hold();
	burn(30);
	dump();
	burn(20);
	nobody_left();
	MUST(ended == 0);
	child = fork();
	if (child == 0)
		exit(0);
	expect_child(child, 0);
	MUST(ended == 1);
}

/* Children that nobody waits for. */
static void ignored_children(void)
{
	signal(SIGCHLD, SIG_IGN);
	hold();
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0)
			exit(i);
		MUST(child > 0);
		MUST(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
	}
	burn(30);
}

static const struct way ways[] = {
	{ "raw_clone", raw_clone },
	{ "small_fork", small_fork },
	{ "vfork_signal", vfork_signal },
	{ "vfork_many", vfork_many },
	{ "spawned", spawned },
	{ "shells", shells },
	{ "daemonize", daemonize },
	{ "double_fork", double_fork },
	{ "one_after_another", one_after_another },
	{ "child_signals", child_signals },
	{ "ignored_children", ignored_children },
};

int main(int argc, char **argv)
{
	return go_the_way(ways, COUNT(ways), argc, argv);
}
