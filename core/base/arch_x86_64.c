/*
 * arch_x86_64.c - the one piece that cannot be inline: a thread by raw clone.
 *
 * Context: PP_ANY.
 */
#include "pp.h"

#include "arch.h"

/* The child starts on an empty stack: fn and arg were pushed by the parent
 * side, the return address column is marked undefined so that every unwinder
 * stops here. */
__asm__(".text\n"
	".p2align 4\n"
	".hidden arch_clone_thread\n"
	".globl arch_clone_thread\n"
	".type arch_clone_thread, @function\n"
	"arch_clone_thread:\n"
	"	.cfi_startproc\n"
	"	movq 8(%rsp), %rax\n"	/* arg */
	"	subq $16, %rsi\n"
	"	movq %r9, 0(%rsi)\n"	/* fn */
	"	movq %rax, 8(%rsi)\n"
	"	movq %rcx, %r10\n"	/* child_tid */
	/* rdi flags, rsi stack, rdx parent_tid, r10 child_tid, r8 tls */
	"	movl $56, %eax\n"
	"	syscall\n"
	"	testq %rax, %rax\n"
	"	je 1f\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"1:\n"
	"	.cfi_startproc\n"
	"	.cfi_undefined rip\n"
	"	xorl %ebp, %ebp\n"
	"	popq %rax\n"
	"	popq %rdi\n"
	"	call *%rax\n"
	"	xorl %edi, %edi\n"
	"	movl $60, %eax\n"
	"	syscall\n"
	"	hlt\n"
	"	.cfi_endproc\n"
	"	.size arch_clone_thread, .-arch_clone_thread\n");
