/*
 * orphan.c - see orphan.h. Context: PP_ANY.
 *
 * CLONE_UNTRACED: who traces the host does not get to see these two.
 * CLONE_VFORK suspends the maker until the other has executed a program or
 * ended: only then may the memory both use be given back.
 */
#include "pp.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "fmt.h"
#include "lock.h"
#include "orphan.h"
#include "own_fd.h"
#include "own_stack.h"
#include "own_table.h"
#include "program.h"
#include "sys.h"

#define SHARING (CLONE_VM | CLONE_FILES | CLONE_UNTRACED)
#define INNER_STACK (OWN_STACK_BYTES / 2)

/* At the top of the mapping. */
struct start {
	struct orphan_program program;
	void *inner_top; /* the stack of what becomes the program */
	bool kept;
	_Atomic uint32_t done; /* the program is there, or there is none */
	int pid, error;
};

/* --- in the process that becomes the program ------------------------------ */

/* Away from the host's terminal, groups, directories and files. */
static int leave_host(void)
{
	int err = own_table_take(0);

	(void)sys_call0(SYS_setsid);
	(void)sys_call1(SYS_chdir, "/");
	return err;
}

static void write_to(const char *path, const char *text)
{
	int fd = sys_open(path, O_WRONLY, 0);

	if (fd < 0)
		return;
	(void)sys_write(fd, text, str_len(text));
	(void)sys_close(fd);
}

static bool is_realtime(void)
{
	long policy = sys_call1(SYS_sched_getscheduler, 0) &
		      ~(long)SCHED_RESET_ON_FORK;

	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* What it is not allowed to change is right as it is. It does not become slower
 * before it has executed the program, for which we wait. */
static void be_modest(void)
{
	static const struct rlimit no_core = { 1, 1 }; /* 0: pipes take all */
	static const int priority; /* the one of SCHED_OTHER */

	write_to("/proc/self/oom_score_adj", "1000");
	if (is_realtime())
		(void)sys_call3(
			SYS_sched_setscheduler, 0, SCHED_OTHER, &priority);
	(void)sys_call4(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, NULL);
}

/* Whatever the program opens must not become its standard output. */
static int open_nothing(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		long got = sys_call4(
			SYS_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);

		if (got != fd)
			return got < 0 ? (int)got : -EBADF;
	}
	return 0;
}

/* The handlers are the host's code. */
static void default_signals(void)
{
	static const struct {
		uint64_t handler, flags, restorer, mask;
	} dfl;
	static const sys_sigset none;

	for (int sig = 1; sig <= 64; sig++)
		(void)sys_call4(
			SYS_rt_sigaction, sig, &dfl, NULL, sizeof(sys_sigset));
	sys_restore_signals(&none);
}

static void become(void *arg)
{
	struct start *s = arg;
	int err = leave_host();

	if (!err)
		err = open_nothing();
	if (!err) {
		be_modest();
		default_signals();
		err = (int)sys_call3(SYS_execve, s->program.path,
			s->program.argv, s->program.envp);
	}
	s->error = err;
}

/* --- in the intermediate -------------------------------------------------- */

/* Children of a process that ignores SIGCHLD leave nothing behind, not even
 * what they have used, which would become ours by reaping this one. */
static void ignore_children(void)
{
	static const struct {
		uint64_t handler, flags, restorer, mask;
	} ignore = { .handler = (uintptr_t)SIG_IGN };

	(void)sys_call4(
		SYS_rt_sigaction, SIGCHLD, &ignore, NULL, sizeof(sys_sigset));
}

/* The program's own children, when it is killed, must not come to the host. */
static void adopt(void)
{
	(void)sys_call2(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
}

static void await_children(void)
{
	long got;

	do {
		got = sys_call4(SYS_wait4, -1, NULL, __WALL, NULL);
	} while (got != -ECHILD);
}

static void intermediate(void *arg)
{
	struct start *s = arg;
	long pid;

	if (s->kept) {
		(void)leave_host();
		ignore_children();
		adopt();
	}
	pid = arch_clone_thread(SHARING | CLONE_VFORK, s->inner_top, NULL, NULL,
		NULL, become, s);
	if (pid < 0)
		s->error = (int)pid;
	s->pid = (int)pid;
	atomic_store(&s->done, 1);
	if (s->kept) {
		futex_wake_all(&s->done);
		await_children();
	}
}

/* --- in the host ---------------------------------------------------------- */

bool orphan_comes_home(void)
{
	int adopts = 0;

	return sys_getpid() == 1 ||
	       (sys_call2(SYS_prctl, PR_GET_CHILD_SUBREAPER, &adopts) == 0 &&
		       adopts);
}

/* A link's text names a namespace by its inode; the first one's is fixed. */
#define FIRST_PID_NAMESPACE "pid:[4026531836]"

static bool has_library(struct own_fd *maps)
{
	static const char name[] = "/libpprofc.so";
	size_t matched = 0;
	char buf[512];
	long n;

	while ((n = sys_read(maps->fd, buf, sizeof(buf))) > 0) {
		for (long i = 0; i < n; i++) {
			if (buf[i] != name[matched])
				matched = 0;
			matched += buf[i] == name[matched];
			if (!name[matched])
				return true;
		}
	}
	return false;
}

/* Is /proc that of our PID namespace? Else its process 1 is another one's. */
static bool proc_is_ours(void)
{
	char link[32], own[32];

	(void)fmt(own, sizeof(own), "%d", sys_getpid());
	return program_read_link("/proc/self", link, sizeof(link)) &&
	       str_eq(link, own);
}

/* Where that cannot be found out: it may be. */
bool orphan_goes_to_host(void)
{
	char ns[64];
	struct own_fd maps;
	bool has;

	if (!program_read_link("/proc/self/ns/pid", ns, sizeof(ns)))
		return true;
	if (str_eq(ns, FIRST_PID_NAMESPACE))
		return false;
	if (!proc_is_ours() ||
		own_fd_open_any(&maps, "/proc/1/maps", O_RDONLY, 0) != 0)
		return true;
	has = has_library(&maps);
	(void)own_fd_close(&maps);
	return has;
}

/* Each thread may have asked for its own. */
bool orphan_is_forbidden(void)
{
	static const char ns[] = "/proc/thread-self/ns/pid";
	static const char next[] = "/proc/thread-self/ns/pid_for_children";
	char now[64], then[64];

	/* Linux 4.12 has both; the second has no answer before the namespace
	 * has its first process. */
	return !program_read_link(ns, now, sizeof(now)) ||
	       !program_read_link(next, then, sizeof(then)) ||
	       !str_eq(now, then);
}

static struct start *prepare(
	const struct orphan_program *program, bool kept, void **ret_base)
{
	void *top, *base = own_stack_map(0, &top);
	struct start *s;

	if (!base)
		return NULL;
	/* The stack begins below, on a multiple of 16. */
	s = (struct start *)(void *)((char *)top - pp_round_up(sizeof(*s), 64));
	*s = (struct start){
		.program = *program,
		.inner_top = (char *)top - INNER_STACK,
		.kept = kept,
	};
	*ret_base = base;
	return s;
}

static void reap(int tid)
{
	(void)sys_call4(SYS_wait4, tid, NULL, __WALL, NULL);
}

static int result_of(const struct start *s)
{
	return s->error ? s->error : s->pid;
}

int orphan_start(const struct orphan_program *program)
{
	void *base;
	struct start *s = prepare(program, false, &base);
	long tid;
	int result;

	if (!s)
		return -ENOMEM;
	tid = arch_clone_thread(
		SHARING | CLONE_VFORK, s, NULL, NULL, NULL, intermediate, s);
	if (tid > 0)
		reap((int)tid);
	result = tid < 0 ? (int)tid : result_of(s);
	(void)sys_munmap(base, OWN_STACK_BYTES);
	return result;
}

int orphan_start_kept(const struct orphan_program *program, struct orphan *ret)
{
	struct start *s = prepare(program, true, &ret->base);
	int *word = (int *)(uintptr_t)&ret->alive;
	long tid;

	if (!s)
		return -ENOMEM;
	atomic_store(&ret->alive, 1);
	tid = arch_clone_thread(
		SHARING | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, s, word,
		word, NULL, intermediate, s);
	if (tid < 0) {
		(void)sys_munmap(ret->base, OWN_STACK_BYTES);
		ret->base = NULL;
		return (int)tid;
	}
	ret->parent = (int)tid;
	/* Ended by somebody, it says nothing any more. */
	while (!atomic_load(&s->done) && atomic_load(&ret->alive))
		futex_wait(&s->done, 0, 10000000);
	ret->pid = s->pid;
	if (s->error || !atomic_load(&s->done)) {
		int err = s->error ? s->error : -ESRCH;

		(void)orphan_await(ret, UINT64_MAX);
		return err;
	}
	return 0;
}

/* Not FUTEX_WAIT_PRIVATE: the kernel's wake is for anybody. */
static bool has_ended(struct orphan *o, uint64_t ns)
{
	uint64_t now = sys_clock_ns(CLOCK_MONOTONIC);
	uint64_t end = ns < UINT64_MAX - now ? now + ns : UINT64_MAX;
	uint32_t tid;

	while ((tid = atomic_load(&o->alive)) != 0 && now < end) {
		struct timespec limit = {
			(time_t)((end - now) / 1000000000u),
			(long)((end - now) % 1000000000u),
		};

		(void)sys_call4(SYS_futex, &o->alive, FUTEX_WAIT, tid, &limit);
		now = sys_clock_ns(CLOCK_MONOTONIC);
	}
	return tid == 0;
}

bool orphan_await(struct orphan *o, uint64_t ns)
{
	if (!has_ended(o, ns))
		return false;
	reap(o->parent);
	(void)sys_munmap(o->base, OWN_STACK_BYTES);
	o->base = NULL;
	return true;
}

void orphan_kill(const struct orphan *o)
{
	(void)sys_call2(SYS_kill, o->pid, SIGKILL);
}
