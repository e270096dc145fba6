/*
 * isolate.c - see isolate.h.
 */
#include "pp.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"
#include "isolate.h"
#include "load.h"

#define PIECE (64u * 1024)

static bool write_all(int fd, const uint8_t *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static _Noreturn void work(isolate_fn *fn, void *arg,
	const struct isolate_limits *limits, int fd, pid_t parent)
{
	struct wire_out out = { 0 };
	int err;

	guard_worker(parent, limits->cpu_s, limits->memory);
	err = fn(arg, &out);
	/* Nothing is freed: that would read what may be damaged by now. */
	_exit(err || out.failed || !write_all(fd, out.data, out.len));
}

/* To the end, which is that of the worker. */
static int read_all(int fd, struct wire_out *to)
{
	uint8_t piece[PIECE];

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return to->failed ? -ENOMEM : 0;
		if (to->len + (size_t)n > LOAD_MAX)
			return -EFBIG;
		wire_put_raw(to, (struct slice){ piece, (size_t)n });
	}
}

static int await(pid_t worker, int fd, struct isolate_result *ret)
{
	int err = read_all(fd, &ret->bytes);

	if (err)
		(void)kill(worker, SIGKILL);
	while (waitpid(worker, &ret->status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return err || ret->status ? -ECHILD : 0;
}

int isolate_run(isolate_fn *fn, void *arg, const struct isolate_limits *limits,
	struct isolate_result *ret)
{
	pid_t parent = getpid(), worker;
	int fds[2], err;

	*ret = (struct isolate_result){ 0 };
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	worker = fork();
	err = worker < 0 ? -errno : 0;
	if (worker == 0)
		work(fn, arg, limits, fds[1], parent);
	(void)close(fds[1]);
	if (!err)
		err = await(worker, fds[0], ret);
	(void)close(fds[0]);
	return err;
}

void isolate_free(struct isolate_result *r)
{
	wire_out_free(&r->bytes);
}

void isolate_reason(const struct isolate_result *r,
	const struct isolate_limits *limits, char *text, size_t room)
{
	int sig = WIFSIGNALED(r->status) ? WTERMSIG(r->status) : 0;

	if (sig == SIGXCPU)
		(void)snprintf(
			text, room, "took more than %u s", limits->cpu_s);
	else if (sig == SIGKILL)
		(void)snprintf(text, room, "was killed, maybe for its memory");
	else if (sig)
		(void)snprintf(text, room, "crashed with signal %d", sig);
	else
		(void)snprintf(text, room, "took too much memory");
}
