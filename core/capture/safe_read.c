/*
 * safe_read.c - see safe_read.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <stdatomic.h>

#include "safe_read.h"
#include "sys.h"

/* rt_sigprocmask copies the new mask in before it looks at `how`: -EFAULT for
 * an address that cannot be read, else -EINVAL for the bad `how`. It needs no
 * descriptor, and changes nothing. */
static int probe(uint64_t addr)
{
	return sys_sigmask(-1, (const sys_sigset *)addr, NULL);
}

/* Does the kernel answer as expected? An emulator may not look at the address
 * at all. */
static bool probe_works(void)
{
	static _Atomic enum { UNKNOWN, NO, YES } known;
	uint64_t here = 0;

	if (atomic_load_explicit(&known, memory_order_relaxed) == UNKNOWN)
		atomic_store(&known,
			probe(8) == -EFAULT &&
					probe((uint64_t)(uintptr_t)&here) ==
						-EINVAL
				? YES
				: NO);
	return atomic_load_explicit(&known, memory_order_relaxed) == YES;
}

/* What lies there belongs to anybody: no sanitizer knows it. */
__attribute__((no_sanitize_address)) bool safe_read_probed(
	struct safe_reader *r, uint64_t addr, uint64_t *ret)
{
	uint64_t page = addr & ~(uint64_t)(PP_PAGE - 1);

	if (addr >= SAFE_READ_LIMIT || addr % 8 != 0)
		return false;
	if (page != r->page) {
		if (!probe_works())
			return false;
		r->probes++;
		if (probe(addr) != -EINVAL)
			return false;
		r->page = page;
	}
	*ret = *(const volatile uint64_t *)addr;
	return true;
}

bool safe_read_unaligned(struct safe_reader *r, uint64_t addr, uint64_t *ret)
{
	unsigned shift = addr % 8 * 8;
	uint64_t low, high = 0;

	if (!safe_read(r, addr & ~UINT64_C(7), &low))
		return false;
	if (shift && !safe_read(r, (addr & ~UINT64_C(7)) + 8, &high))
		return false;
	*ret = shift ? low >> shift | high << (64 - shift) : low;
	return true;
}
