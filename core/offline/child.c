/*
 * child.c - see child.h.
 *
 * All signals we care about are blocked from before the fork until the end and
 * taken with sigwaitinfo(): no handlers, nothing is lost in between.
 */
#include "pp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1,
	SIGUSR2, SIGALRM };

/* How we found the world; the command gets it back like this. */
struct inherited {
	sigset_t mask;
	struct sigaction on_child, on_pipe;
};

static void set_of_signals(const int also[2], sigset_t *ret)
{
	(void)sigemptyset(ret);
	(void)sigaddset(ret, SIGCHLD);
	for (size_t i = 0; i < PP_ARRAY_LEN(passed_on); i++)
		(void)sigaddset(ret, passed_on[i]);
	for (int i = 0; i < 2; i++) {
		if (also[i] > 0)
			(void)sigaddset(ret, also[i]);
	}
}

static void prepare(const sigset_t *signals, struct inherited *ret)
{
	struct sigaction deflt = { .sa_handler = SIG_DFL };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	(void)sigprocmask(SIG_BLOCK, signals, &ret->mask);
	/* With SIGCHLD ignored the kernel would throw the status away. */
	(void)sigaction(SIGCHLD, &deflt, &ret->on_child);
	/* A closed stderr must not change our exit status. */
	(void)sigaction(SIGPIPE, &ignore, &ret->on_pipe);
}

static _Noreturn void become(
	char **argv, const struct inherited *inherited, int error_pipe)
{
	int failure;

	(void)sigaction(SIGCHLD, &inherited->on_child, NULL);
	(void)sigaction(SIGPIPE, &inherited->on_pipe, NULL);
	(void)sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
	(void)execvp(argv[0], argv);
	failure = errno;
	/* If this is lost, the parent sees an empty pipe and status 127. */
	(void)!write(error_pipe, &failure, sizeof(failure));
	_exit(127);
}

/* 0 once exec has closed the pipe, else its errno. */
static int read_exec_errno(int error_pipe)
{
	int failure = 0;
	ssize_t n;

	do {
		n = read(error_pipe, &failure, sizeof(failure));
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(failure) ? failure : 0;
}

/* What the kernel sent (the terminal, a hangup) went to the whole foreground
 * group. What the command itself sent to its group, it has got, too. */
static bool is_for_child(const siginfo_t *info, pid_t child)
{
	return info->si_code <= 0 && info->si_pid != child;
}

static int wait_for(pid_t child, const sigset_t *signals)
{
	int status = 0;

	for (;;) {
		siginfo_t info;
		int sig;

		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		sig = sigwaitinfo(signals, &info);
		if (sig > 0 && sig != SIGCHLD && is_for_child(&info, child))
			(void)kill(child, sig);
	}
}

int child_run(char **argv, const int also[2], struct child_result *ret)
{
	struct inherited inherited;
	sigset_t signals;
	int error_pipe[2];
	pid_t child;

	if (pipe2(error_pipe, O_CLOEXEC) != 0)
		return -errno;
	set_of_signals(also, &signals);
	prepare(&signals, &inherited);
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0)
		become(argv, &inherited, error_pipe[1]);
	(void)close(error_pipe[1]);
	ret->exec_errno = read_exec_errno(error_pipe[0]);
	(void)close(error_pipe[0]);
	ret->pid = child;
	ret->wait_status = wait_for(child, &signals);
	return 0;
}

_Noreturn void child_leave(int wait_status)
{
	int sig;
	sigset_t one;

	if (!WIFSIGNALED(wait_status))
		exit(WEXITSTATUS(wait_status));
	sig = WTERMSIG(wait_status);
	(void)sigemptyset(&one);
	(void)sigaddset(&one, sig);
	(void)prctl(PR_SET_DUMPABLE, 0); /* the core is the command's */
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	exit(128 + sig); /* as a shell would say it */
}
