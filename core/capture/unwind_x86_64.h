/*
 * unwind_x86_64.h - what a walk must know of this CPU beyond arch.h: call
 * instructions, signal trampolines, the kernel's signal frame. Context: PP_ANY.
 */
#ifndef UNWIND_X86_64_H
#define UNWIND_X86_64_H

#include <sys/ucontext.h>

#include "pp.h"

#include "arch.h"

/* Length of ModRM, SIB and displacement of an instruction. */
static inline unsigned modrm_length(uint8_t modrm, uint8_t sib)
{
	unsigned mod = modrm >> 6, rm = modrm & 7, n = 1;

	if (mod == 3)
		return 1;
	if (rm == 4) {
		n++;
		if (mod == 0 && (sib & 7) == 5)
			n += 4;
	} else if (mod == 0 && rm == 5) {
		n += 4;
	}
	return n + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* Do the eight bytes before a return address end in a call instruction? */
static inline bool ends_in_call(uint64_t eight)
{
	uint8_t b[8];

	__builtin_memcpy(b, &eight, 8);
	if (b[3] == 0xe8)
		return true;
	for (unsigned at = 1; at <= 6; at++)
		if (b[at] == 0xff && (b[at + 1] & 0x38) == 0x10 &&
			modrm_length(b[at + 1], b[(at + 2) & 7]) == 7 - at)
			return true;
	return false;
}

/* Where the call before return address `ra` goes to, given the eight bytes
 * before it; 0 if it is not a direct call. */
static inline uint64_t direct_call_target(uint64_t eight, uint64_t ra)
{
	int32_t distance = (int32_t)(eight >> 32);

	return (eight >> 24 & 0xff) == 0xe8 ? ra + (uint64_t)(int64_t)distance
					    : 0;
}

/* Do these first eight bytes jump through memory: ff 25, perhaps after endbr64
 * and a bnd prefix? */
static inline bool is_plt_stub(uint64_t code)
{
	if ((code & 0xffffffff) == 0xfa1e0ff3)
		code >>= 32;
	if ((code & 0xff) == 0xf2)
		code >>= 8;
	return (code & 0xffff) == 0x25ff;
}

/* "mov $15, %rax; syscall": a signal trampoline without unwind information,
 * given its first sixteen bytes. */
static inline bool is_sigreturn(uint64_t first, uint64_t second)
{
	if (first == UINT64_C(0x0f0000000fc0c748))
		return (second & 0xff) == 0x05;
	return (first & UINT64_C(0xffffffffffffff)) ==
	       UINT64_C(0x050f0000000fb8);
}

/* Where in a ucontext_t a register is, by DWARF number. */
static inline unsigned ucontext_offset(unsigned reg)
{
	static const uint8_t greg[ARCH_REGS] = { REG_RAX, REG_RDX, REG_RCX,
		REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9,
		REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP };

	return (unsigned)offsetof(ucontext_t, uc_mcontext.gregs) +
	       8u * greg[reg];
}

#endif
