/*
 * interruptions.c - see interruptions.h. Context: PP_ANY.
 */
#include "pp.h"

#include <stdatomic.h>
#include <ucontext.h>

#include "arch.h"
#include "interruptions.h"
#include "interruptions_x86_64.h"
#include "signal_uses.h"
#include "sys.h"

_Static_assert(INTERRUPTIONS_SHIFT == 14 && INTERRUPTIONS_BITS == 8 &&
		       INTERRUPTIONS_FACTOR == 0x9e3779b1u,
	"what counted_return takes for granted");
_Static_assert(offsetof(ucontext_t, uc_mcontext.gregs[REG_RSP]) == 160 &&
		       offsetof(ucontext_t, uc_mcontext.gregs[REG_R8]) == 40 &&
		       offsetof(ucontext_t, uc_mcontext.gregs[REG_RIP]) == 168,
	"the kernel's ucontext");

uint64_t interruptions[1u << INTERRUPTIONS_BITS];

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
	union {
		uint64_t address;
		sighandler_t function;
	} u = { handler };

	return signal_is_ours(u.function);
}

/* Two steps, for libc has its own to take: until the second a signal is not
 * counted. Should another thread set another handler in between, that one is
 * read here. */
void interruptions_watch(int sig)
{
	struct signal_kernels k;

	if (sys_call4(SYS_rt_sigaction, sig, NULL, &k, sizeof(sys_sigset)) !=
			0 ||
		k.handler == (uintptr_t)SIG_DFL ||
		k.handler == (uintptr_t)SIG_IGN || is_ours(k.handler) ||
		!(k.flags & KERNEL_RESTORER) ||
		k.restorer == (uintptr_t)counted_return)
		return;
	atomic_store(&libcs_return, k.restorer);
	k.restorer = (uintptr_t)counted_return;
	(void)sys_call4(SYS_rt_sigaction, sig, &k, NULL, sizeof(sys_sigset));
}

void interruptions_hide(struct sigaction *kernels)
{
	union {
		uint64_t address;
		void (*function)(void);
	} libcs = { atomic_load(&libcs_return) };

	if ((uintptr_t)kernels->sa_restorer == (uintptr_t)counted_return)
		kernels->sa_restorer = libcs.function;
}
