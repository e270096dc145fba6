/*
 * libgate.c - a plugin that allocates while it is closed, through code without
 * unwind tables: there a caller can only be guessed. x86-64.
 * BUILD: -Wl,--build-id -fno-builtin-malloc
 */
#include "hostile.h"

typedef void held_fn(void);

void plugin_hold(void);
void without_tables(held_fn *fn);

/* Assembly has no tables unless it says so; a frame pointer it has. */
__asm__(".text\n"
	".globl without_tables\n"
	".type without_tables, @function\n"
	"without_tables:\n"
	"	pushq %rbp\n"
	"	movq %rsp, %rbp\n"
	"	call *%rdi\n"
	"	popq %rbp\n"
	"	ret\n"
	".size without_tables, . - without_tables\n");

static void *volatile pieces[2];

__attribute__((noinline)) static void holds_open(void)
{
	pieces[0] = malloc(4000);
}

__attribute__((noinline)) static void holds_closing(void)
{
	pieces[1] = malloc(5000);
}

void plugin_hold(void)
{
	without_tables(holds_open);
	sink++;
}

__attribute__((destructor)) static void plugin_ends(void)
{
	without_tables(holds_closing);
	sink++;
}
