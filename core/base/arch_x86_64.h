/*
 * arch_x86_64.h - everything that depends on the CPU: raw system calls, the
 * registers an unwind starts from, a thread without pthread.
 *
 * Include "arch.h", never this file. Context: PP_ANY throughout.
 */
#ifndef ARCH_X86_64_H
#define ARCH_X86_64_H

#include <sys/ucontext.h>

#include "pp.h"

/* Registers in DWARF numbering (System V psABI x86-64, figure 3.36); number
 * 16 is the return address column, that is the program counter. */
enum {
	ARCH_REG_RAX = 0,
	ARCH_REG_RDX = 1,
	ARCH_REG_RCX = 2,
	ARCH_REG_RBX = 3,
	ARCH_REG_RSI = 4,
	ARCH_REG_RDI = 5,
	ARCH_REG_RBP = 6,
	ARCH_REG_RSP = 7,
	ARCH_REG_R8 = 8,
	ARCH_REG_R15 = 15,
	ARCH_REG_PC = 16,
	ARCH_REGS = 17,
	ARCH_REG_SP = ARCH_REG_RSP,
};

#define ARCH_AUDIT 0xc000003eu /* AUDIT_ARCH_X86_64 of <linux/audit.h> */

struct arch_regs {
	uint64_t r[ARCH_REGS];
};

static inline long arch_syscall6(
	long n, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile(
		"syscall"
		: "=a"(ret)
		: "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return ret;
}

/* The stack pointer that glibc's longjmp will go to; it is kept mangled in the
 * buffer: sysdeps/unix/sysv/linux/x86_64/sysdep.h, PTR_MANGLE. */
static inline uint64_t arch_jump_sp(const void *jmpbuf)
{
	uint64_t sp = ((const uint64_t *)jmpbuf)[6];

	__asm__("ror $17, %0\n\txor %%fs:0x30, %0" : "+r"(sp) : : "cc");
	return sp;
}

/* The registers a signal interrupted. */
static inline void arch_regs_from_ucontext(
	struct arch_regs *regs, const ucontext_t *uc)
{
	const greg_t *g = uc->uc_mcontext.gregs;

	regs->r[0] = (uint64_t)g[REG_RAX];
	regs->r[1] = (uint64_t)g[REG_RDX];
	regs->r[2] = (uint64_t)g[REG_RCX];
	regs->r[3] = (uint64_t)g[REG_RBX];
	regs->r[4] = (uint64_t)g[REG_RSI];
	regs->r[5] = (uint64_t)g[REG_RDI];
	regs->r[6] = (uint64_t)g[REG_RBP];
	regs->r[7] = (uint64_t)g[REG_RSP];
	regs->r[8] = (uint64_t)g[REG_R8];
	regs->r[9] = (uint64_t)g[REG_R9];
	regs->r[10] = (uint64_t)g[REG_R10];
	regs->r[11] = (uint64_t)g[REG_R11];
	regs->r[12] = (uint64_t)g[REG_R12];
	regs->r[13] = (uint64_t)g[REG_R13];
	regs->r[14] = (uint64_t)g[REG_R14];
	regs->r[15] = (uint64_t)g[REG_R15];
	regs->r[16] = (uint64_t)g[REG_RIP];
}

/* The registers of the running function, here. Inlined, so that the frame is
 * the caller's own. Registers that are not callee-saved read as zero: in
 * assembly, because in cold functions gcc makes a slow string instruction of
 * it. */
static inline __attribute__((always_inline)) void arch_regs_here(
	struct arch_regs *regs)
{
	__asm__ volatile("xorl %%eax, %%eax\n\t"
			 "movq %%rax, 0(%0)\n\t"
			 "movq %%rax, 8(%0)\n\t"
			 "movq %%rax, 16(%0)\n\t"
			 "movq %%rbx, 24(%0)\n\t"
			 "movq %%rax, 32(%0)\n\t"
			 "movq %%rax, 40(%0)\n\t"
			 "movq %%rbp, 48(%0)\n\t"
			 "movq %%rsp, 56(%0)\n\t"
			 "movq %%rax, 64(%0)\n\t"
			 "movq %%rax, 72(%0)\n\t"
			 "movq %%rax, 80(%0)\n\t"
			 "movq %%rax, 88(%0)\n\t"
			 "movq %%r12, 96(%0)\n\t"
			 "movq %%r13, 104(%0)\n\t"
			 "movq %%r14, 112(%0)\n\t"
			 "movq %%r15, 120(%0)\n\t"
			 "leaq 0(%%rip), %%rax\n\t"
			 "movq %%rax, 128(%0)\n\t"
			 :
			 : "r"(regs->r)
			 : "rax", "cc", "memory");
}

/* *word -= n; true when the result went below zero. One instruction on memory
 * whose carry is the answer: gcc 12 makes three of __builtin_sub_overflow(). A
 * handler of this thread sees the word before or after, never in between. */
static inline __attribute__((always_inline)) bool arch_sub_borrows(
	uint64_t *word, uint64_t n)
{
	bool borrow;

	__asm__("subq %2, %1" : "=@ccb"(borrow), "+m"(*word) : "r"(n));
	return borrow;
}

/* *word == 0 in one instruction: gcc 12 makes two of a plain comparison. */
static inline __attribute__((always_inline)) bool arch_is_zero(const int *word)
{
	bool zero;

	__asm__("cmpl $0, %1" : "=@ccz"(zero) : "m"(*word));
	return zero;
}

/* Compare and exchange 16 aligned bytes; on failure *old is what is there. */
static inline bool arch_cas16(void *at, void *old, const void *new)
{
	uint64_t *o = old;
	const uint64_t *n = new;
	bool done;

	__asm__ volatile(
		"lock cmpxchg16b %1"
		: "=@ccz"(done), "+m"(*(__int128 *)at), "+a"(o[0]), "+d"(o[1])
		: "b"(n[0]), "c"(n[1])
		: "memory");
	return done;
}

/*
 * Start fn(arg) on a stack of its own with raw clone(flags); when fn returns,
 * the thread leaves through exit(2) and touches no memory after storing 0 to
 * the word named by CLONE_CHILD_CLEARTID. `stack_top` is 16-byte aligned;
 * `tls` is the new thread pointer for CLONE_SETTLS. Returns the tid or -errno.
 */
long arch_clone_thread(unsigned long flags, void *stack_top, int *parent_tid,
	int *child_tid, void *tls, void (*fn)(void *), void *arg) PP_ANY;

/* Call fn(arg) with the stack pointer at `stack_top` (16-byte aligned) and come
 * back to the old stack. */
void arch_call_on_stack(void *stack_top, void (*fn)(void *), void *arg) PP_ANY;

/* Give back the mapping this thread (of arch_clone_thread) runs on, and end
 * it: no stack is needed in between. */
static inline _Noreturn void arch_unmap_and_exit(void *base, size_t bytes)
{
	__asm__ volatile("syscall\n\t"
			 "xorl %%edi, %%edi\n\t"
			 "movl $60, %%eax\n\t"
			 "syscall\n\t"
			 "hlt"
			 :
			 : "a"(11L), "D"(base), "S"(bytes)
			 : "rcx", "r11", "memory");
	__builtin_unreachable();
}

/* The thread pointer, and what a fresh block for it must start with. */
static inline char *arch_thread_pointer(void)
{
	char *tp;

	__asm__("movq %%fs:0, %0" : "=r"(tp));
	return tp;
}

/* The same where nothing may lie at it: asks the kernel. */
static inline bool arch_ask_thread_pointer(uint64_t *ret)
{
	return arch_syscall6(158, 0x1003, (long)ret, 0, 0, 0, 0) == 0;
}

static inline void arch_thread_block_init(char *tp)
{
	uint64_t *word = (uint64_t *)(void *)tp;

	/* tcb, self; stack and pointer guards as in the creator. */
	word[0] = word[2] = (uint64_t)(uintptr_t)tp;
	__asm__("movq %%fs:40, %0" : "=r"(word[5]));
	__asm__("movq %%fs:48, %0" : "=r"(word[6]));
}

#endif
