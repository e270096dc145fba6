/*
 * arch_x86_64.c - what cannot be inline: a thread by raw clone, another stack.
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
	"	movq 8(%rsp), %rax\n" /* arg */
	"	subq $16, %rsi\n"
	"	movq %r9, 0(%rsi)\n" /* fn */
	"	movq %rax, 8(%rsi)\n"
	"	movq %rcx, %r10\n" /* child_tid */
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

/* rbp marks the way back, for us and for unwinders. */
__asm__(".text\n"
	".p2align 4\n"
	".hidden arch_call_on_stack\n"
	".globl arch_call_on_stack\n"
	".type arch_call_on_stack, @function\n"
	"arch_call_on_stack:\n"
	"	.cfi_startproc\n"
	"	pushq %rbp\n"
	"	.cfi_def_cfa_offset 16\n"
	"	.cfi_offset rbp, -16\n"
	"	movq %rsp, %rbp\n"
	"	.cfi_def_cfa_register rbp\n"
	"	movq %rdi, %rsp\n"
	"	movq %rdx, %rdi\n"
	"	call *%rsi\n"
	"	leave\n"
	"	.cfi_def_cfa rsp, 8\n"
	"	ret\n"
	"	.cfi_endproc\n"
	"	.size arch_call_on_stack, .-arch_call_on_stack\n");
