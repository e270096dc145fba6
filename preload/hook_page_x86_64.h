/*
 * hook_page_x86_64.h - the code of the hook page; see hook_page.c.
 *
 * A slot is 64 bytes. `by` is how far behind its place the code is assembled:
 * "0" in the page that is there at first, "4096" in the one that may replace
 * it, so that distances are right once that has moved. The two differ in the
 * first instruction of each slot, which has seven bytes in both; even the first
 * byte is the same, or a debugger that takes its breakpoint back would ruin the
 * other page:
 *
 *	at first	48 8b 0d or 48 8d 0d	movq, leaq to %rcx
 *	replacement	48 ff 25		jmp *real.NAME(%rip)
 *
 * %rax and %rcx are free in all functions of the family.
 */
#ifndef HOOK_PAGE_X86_64_H
#define HOOK_PAGE_X86_64_H

/* Where indirect branches are tracked, their targets are marked. */
#if defined(__CET__) && (__CET__ & 1)
#define HOOK_TARGET "endbr64\n"
#else
#define HOOK_TARGET
#endif

/* The first instruction. What is assembled in the replacement lies one page
 * behind its place. */
#define LOAD_COUNTDOWN "movq thread_state@gottpoff(%rip), %rcx\n"
#define LOAD_FILTER LOAD_FILTER_BY("0")
#define LOAD_FILTER_BY(by) "leaq process_wiped+64+" by "(%rip), %rcx\n"
#define LOAD_COUNTED(name) "leaq " #name "_counted(%rip), %rcx\n"
#define LEAVE(name) ".byte 0x48\n jmp *real+.Lat_" #name "+4096(%rip)\n"

/* heap_due() with the size + 1 in %rax; filter.h's first look at %rdi. */
#define IF_DUE(target, by)        \
	"subq %rax, %fs:(%rcx)\n" \
	"jb " #target "+" by "\n"
#define IF_NEAR(target, by)      \
	"movl %edi, %eax\n"      \
	"shrl $14, %eax\n"       \
	"cmpb $0, (%rcx,%rax)\n" \
	"jne " #target "+" by "\n"
#define CALL_REAL(name, by) "jmp *real+.Lat_" #name "+" by "(%rip)\n"

#define SIZE_IS(reg) "leaq 1(" reg "), %rax\n"
#define SIZE_IS_PRODUCT "movq %rdi, %rax\n imulq %rsi, %rax\n incq %rax\n"

/* What stands behind the first instruction. */
#define ALLOCATE(name, size, by) \
	size IF_DUE(name##_sampled, by) CALL_REAL(name, by)
#define RELEASE(by) IF_NEAR(free_near, by) CALL_REAL(free, by)
#define RESIZE(by)              \
	SIZE_IS("%rsi")         \
	IF_DUE(realloc_due, by) \
	LOAD_FILTER_BY(by) IF_NEAR(realloc_near, by) CALL_REAL(realloc, by)

/* SLOT(name, the real function's, first instruction, the rest) */
#define SLOT_ALLOCATE(SLOT, name, size, by) \
	SLOT(name, name, LOAD_COUNTDOWN, ALLOCATE(name, size, by))
#define HOOK_SLOTS(SLOT, by)                                         \
	SLOT_ALLOCATE(SLOT, malloc, SIZE_IS("%rdi"), by)             \
	SLOT(free, free, LOAD_FILTER, RELEASE(by))                   \
	SLOT_ALLOCATE(SLOT, calloc, SIZE_IS_PRODUCT, by)             \
	SLOT(realloc, realloc, LOAD_COUNTDOWN, RESIZE(by))           \
	SLOT_ALLOCATE(SLOT, memalign, SIZE_IS("%rsi"), by)           \
	SLOT_ALLOCATE(SLOT, aligned_alloc, SIZE_IS("%rsi"), by)      \
	SLOT_ALLOCATE(SLOT, posix_memalign, SIZE_IS("%rdx"), by)     \
	SLOT_ALLOCATE(SLOT, valloc, SIZE_IS("%rdi"), by)             \
	SLOT_ALLOCATE(SLOT, pvalloc, SIZE_IS("%rdi"), by)            \
	SLOT(reallocarray, reallocarray, LOAD_COUNTED(reallocarray), \
		"jmp *%rcx\n")                                       \
	SLOT(cfree, free, LOAD_FILTER, RELEASE(by))                  \
	SLOT(free_sized, free, LOAD_FILTER, RELEASE(by))             \
	SLOT(free_aligned_sized, free, LOAD_FILTER, RELEASE(by))

#define SLOT_AT_FIRST(name, real_name, first, rest)                \
	".balign 64, 0xcc\n"                                       \
	".globl " #name "\n"                                       \
	".type " #name ", @function\n" #name ":\n"                 \
	".cfi_startproc\n" HOOK_TARGET first rest ".cfi_endproc\n" \
	".size " #name ", . - " #name "\n"
#define SLOT_REPLACED(name, real_name, first, rest) \
	".balign 64, 0xcc\n" HOOK_TARGET LEAVE(real_name) rest

#endif
