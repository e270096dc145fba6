/*
 * interruptions.c - see interruptions.h. Context: PP_ANY.
 */
#include "pp.h"

#include <stdatomic.h>
#include <ucontext.h>

#include "arch.h"
#include "interruptions.h"
#include "interruptions_x86_64.h"
#include "real.h"
#include "signal_uses.h"
#include "sys.h"

_Static_assert(INTERRUPTIONS_SHIFT == 14 && INTERRUPTIONS_BITS == 8 &&
		       INTERRUPTIONS_FACTOR == 0x9e3779b1u,
	"what counted_return takes for granted");
_Static_assert(offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP]) == 160 &&
		       offsetof(ucontext_t, uc_mcontext.gregs[REG_R8]) == 40 &&
		       offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]) == 168,
	"the kernel's ucontext");

PP_BIG uint64_t interruptions[1u << INTERRUPTIONS_BITS];

extern const char counted_return[] __attribute__((visibility("hidden")));
static _Atomic uint64_t libcs_return;

static bool is_half_same(uint64_t a, uint64_t b, unsigned shift)
{
	return (uint32_t)(a >> shift) == (uint32_t)(b >> shift);
}

bool interruptions_ours_alone(
	const struct interrupted *before, const struct interrupted *now)
{
	bool ours = false;

	for (unsigned i = 0; i < PP_ARRAY_LEN(now->counts); i++) {
		if (!is_half_same(before->counts[i], now->counts[i], 32))
			return false;
		if (!is_half_same(before->counts[i], now->counts[i], 0))
			ours = true;
	}
	return ours;
}

void interruptions_count(const void *context)
{
	const ucontext_t *uc = context;
	uint64_t sp = (uint64_t)uc->uc_mcontext.gregs[REG_RSP];
	uint32_t i = interruptions_index((uint32_t)(sp >> INTERRUPTIONS_SHIFT));

	/* The lower half alone. */
	__atomic_fetch_add(
		(uint32_t *)(void *)&interruptions[i], 1, __ATOMIC_RELAXED);
}

static bool is_ours(uint64_t handler)
{
	return signal_is_ours((sighandler_t)handler);
}

bool interruptions_start(int sig)
{
	struct signal_kernels k;

	if (sys_call4(SYS_rt_sigaction, sig, NULL, &k, sizeof(sys_sigset)) !=
			0 ||
		!is_ours(k.handler) || !(k.flags & KERNEL_RESTORER))
		return false;
	atomic_store(&libcs_return, k.restorer);
	return true;
}

/* Of libc's own signals and of what abort() needs, libc takes care. */
static bool is_to_count(int sig, const struct sigaction *act)
{
	return act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN &&
	       sig > 0 && sig < SIGNALS && sig != 32 && sig != 33 &&
	       sig != SIGABRT && atomic_load(&libcs_return) != 0;
}

int interruptions_set(
	int sig, const struct sigaction *act, struct sigaction *ret_before)
{
	struct signal_kernels k = {
		.handler = (uintptr_t)act->sa_handler,
		.flags = (unsigned)act->sa_flags | KERNEL_RESTORER,
		.restorer = (uintptr_t)counted_return,
		.mask = act->sa_mask.__val[0],
	};
	struct signal_kernels before;
	long result;

	if (!is_to_count(sig, act))
		return real.sigaction(sig, act, ret_before);
	result = sys_call4(
		SYS_rt_sigaction, sig, &k, &before, sizeof(sys_sigset));
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	*ret_before = (struct sigaction){ .sa_flags = (int)before.flags };
	ret_before->sa_handler = (sighandler_t)before.handler;
	ret_before->sa_mask.__val[0] = before.mask;
	ret_before->sa_restorer = (void (*)(void))before.restorer;
	return 0;
}

void interruptions_hide(struct sigaction *kernels)
{
	if ((uintptr_t)kernels->sa_restorer == (uintptr_t)counted_return)
		kernels->sa_restorer = (void (*)(void))atomic_load(
			&libcs_return);
}
