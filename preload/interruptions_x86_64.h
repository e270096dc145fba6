/*
 * interruptions_x86_64.h - part of interruptions.c: what a handler of the host
 * returns to. The stack pointer is at the kernel's ucontext, whose registers
 * begin 40 bytes in; all of them are about to be restored.
 *
 * Unwinders that come by must find the way on as behind libc's own: by the
 * registers in the ucontext. They look a byte before the return address, and
 * so there is one.
 */
#ifndef INTERRUPTIONS_X86_64_H
#define INTERRUPTIONS_X86_64_H

#define KERNEL_RESTORER 0x04000000u /* SA_RESTORER */

/* DW_CFA_expression, register, length, DW_OP_breg7 and its offset. */
#define SAVED_NEAR(reg, at) ".cfi_escape 0x10," #reg ",2,0x77," #at "\n"
#define SAVED(reg, low, high) \
	".cfi_escape 0x10," #reg ",3,0x77," #low "," #high "\n"

/* clang-format off */
__asm__(".text\n"
	".balign 16\n"
	".type counted_return, @function\n"
	".hidden counted_return\n"
	".cfi_startproc\n"
	".cfi_signal_frame\n"
	/* CFA: the interrupted stack pointer, *(rsp + 160) */
	".cfi_escape 0x0f,4,0x77,0xa0,0x01,0x06\n"
	SAVED_NEAR(8, 0x28)
	SAVED_NEAR(9, 0x30)
	SAVED_NEAR(10, 0x38)
	SAVED(11, 0xc0, 0x00)
	SAVED(12, 0xc8, 0x00)
	SAVED(13, 0xd0, 0x00)
	SAVED(14, 0xd8, 0x00)
	SAVED(15, 0xe0, 0x00)
	SAVED(5, 0xe8, 0x00)	/* rdi */
	SAVED(4, 0xf0, 0x00)	/* rsi */
	SAVED(6, 0xf8, 0x00)	/* rbp */
	SAVED(3, 0x80, 0x01)	/* rbx */
	SAVED(1, 0x88, 0x01)	/* rdx */
	SAVED(0, 0x90, 0x01)	/* rax */
	SAVED(2, 0x98, 0x01)	/* rcx */
	SAVED(7, 0xa0, 0x01)	/* rsp */
	SAVED(16, 0xa8, 0x01)	/* rip */
	"nop\n"
	"counted_return:\n"
	"	mov 160(%rsp), %rax\n"
	"	shr $14, %rax\n"	 /* INTERRUPTIONS_SHIFT */
	"	imul $0x9e3779b1, %eax, %eax\n" /* INTERRUPTIONS_FACTOR */
	"	shr $24, %eax\n"	 /* 32 - INTERRUPTIONS_BITS */
	"	lea interruptions(%rip), %rcx\n"
	"	lock incl 4(%rcx, %rax, 8)\n"
	"	mov $15, %rax\n" /* rt_sigreturn */
	"	syscall\n"
	".cfi_endproc\n"
	".size counted_return, . - counted_return\n");
/* clang-format on */

#endif
