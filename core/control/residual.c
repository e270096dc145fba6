/*
 * residual.c - see residual.h. Context: PP_ANY.
 */
#include "pp.h"

#include "account.h"
#include "fmt.h"
#include "own_fd.h"
#include "process.h"
#include "registry.h"
#include "residual.h"
#include "sys.h"
#include "unwind.h"

/* The session, which another thread may just be making. */
static struct session *patient_session(void)
{
	struct session *s = process_session();

	if (s)
		return s;
	process_await_session(PROCESS_END_PATIENCE_NS);
	return process_session_peek();
}

void residual_charge(enum frame_synthetic leaf, uint64_t start_pc,
	uint64_t periods, const struct sample_thread *of)
{
	struct session *s = periods ? patient_session() : NULL;
	frame_t start = s && start_pc ? unwind_frame_of(s, start_pc, true) : 0;

	if (periods)
		sample_cpu_synthetic(leaf, start, periods, of);
}

static void read_name(uint32_t tid, struct sample_thread *ret)
{
	char path[48];
	struct own_fd f;
	long n = 0;

	*ret = (struct sample_thread){ .tid = tid };
	(void)fmt(path, sizeof(path), "/proc/self/task/%u/comm", tid);
	if (own_fd_open_any(&f, path, O_RDONLY, 0) == 0)
		n = sys_read(f.fd, ret->name, sizeof(ret->name));
	(void)own_fd_close(&f);
	/* A newline ends it; the kernel's names have at most 15 characters. */
	ret->name[n > 0 ? n - 1 : 0] = '\0';
}

void residual_settle(struct counted_thread *t, bool goes_on)
{
	uint32_t tid = atomic_load(&t->tid);
	uint64_t rest = goes_on ? account_settle(t) : account_close(t);
	struct sample_thread of;

	if (!rest)
		return;
	read_name(tid, &of);
	residual_charge(FRAME_THREAD_END, t->start_pc, rest, &of);
}
