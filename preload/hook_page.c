/*
 * hook_page.c - where calls of the malloc family arrive, and how we get out of
 * their way.
 *
 * Programs are bound to these few instructions: malloc takes five and free six
 * on top of what the real ones take (tests/e2e/test_instructions.py), and
 * nothing may be added. They count or look, and jump to the real function or to
 * a slow path of heap.c. Nothing else is in their page. When the heap will
 * never be recorded in this process, another page of this object takes its
 * place, in which each function begins with a jump to the real one.
 *
 * It is moved by one mremap(2): a part of our file, read-only before and after,
 * so that a policy against code that has been written finds nothing to refuse,
 * and no memory is copied. Threads that run in here meanwhile are not harmed:
 * the kernel holds the address space until the pages are exchanged, so whoever
 * comes in between waits in a page fault; and behind the first instruction of
 * each slot both pages are the same, so whoever is inside a slot goes on in it
 * as before. Forked children inherit what there is.
 *
 * With MREMAP_DONTUNMAP there would be no hole to fill. But it can fail after
 * the kernel has given up the first page, where RLIMIT_AS is below what is
 * mapped; a plain move of equal size is not subject to that limit.
 *
 * It cannot be undone: nothing may switch the heap on later.
 *
 * Context: the hooks: application threads at any moment. hook_page_leave():
 * PP_NORMAL.
 */
#include "pp.h"

#include "heap_hooks.h"
#include "hook_page_x86_64.h"
#include "process.h"
#include "real.h"
#include "sys.h"
#include "thread_state.h"

/* What the code below takes for granted. */
_Static_assert(offsetof(struct thread_state, heap_until) == 0, "countdown");
_Static_assert(offsetof(struct process_wiped, filter) == 64, "filter");
_Static_assert(offsetof(struct filter, near) == 0, "the first look");
_Static_assert(FILTER_NEAR_SHIFT == 14, "one shrl makes a slot");
_Static_assert(PP_PAGE == 4096, "distance of the pages");
_Static_assert(offsetof(struct real, malloc) == 0, "begins with REAL_HEAP");

extern const char hook_page[] __attribute__((visibility("hidden")));
extern const char hook_page_off[] __attribute__((visibility("hidden")));

/* .Lat_NAME: where a function is in struct real. */
#define REAL_AT(result, name, params, args) \
	".set .Lat_" #name ", .Lat_next\n"  \
	".set .Lat_next, .Lat_next+8\n"
#define OFFSETS ".set .Lat_next, 0\n" REAL_HEAP(REAL_AT)

#define WHOLE_PAGE ".balign 4096, 0xcc\n"
#define HIDDEN(name) ".globl " #name "\n.hidden " #name "\n" #name ":\n"
#define AT_FIRST HIDDEN(hook_page) HOOK_SLOTS(SLOT_AT_FIRST, "0")
#define REPLACED HIDDEN(hook_page_off) HOOK_SLOTS(SLOT_REPLACED, "4096")
#define BOTH_PAGES WHOLE_PAGE AT_FIRST WHOLE_PAGE REPLACED WHOLE_PAGE

#define SECTION ".pushsection .text.hook_page, \"ax\", @progbits\n"
#define END ".popsection\n"

__asm__(OFFSETS SECTION BOTH_PAGES END);

/* Refused, all stays as it is, and works. The hole is filled, or the next
 * mapping of the host might go there and its code be taken for ours. */
void hook_page_leave(void)
{
	if (sys_call6(SYS_mremap, hook_page_off, PP_PAGE, PP_PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED, hook_page, 0) < 0)
		return;
	(void)sys_call6(SYS_mmap, hook_page_off, PP_PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}
