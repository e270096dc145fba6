/*
 * test_unwind_damaged.c - walks over generated code and damaged stacks.
 */
#include "pp.h"

#include "walks.h"

/* --- Code without unwind information --- */

/* push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret */
static const uint8_t with_frame[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d,
	0xc3 };
/* The same around a jump table of one: calls the code at %rsi with %rdi. */
static const uint8_t calls_next[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d,
	0xc3 };
/* No frame pointer: sub $24,%rsp; call *%rdi; add $24,%rsp; ret */
static const uint8_t without_frame[] = { 0x48, 0x83, 0xec, 0x18, 0xff, 0xd7,
	0x48, 0x83, 0xc4, 0x18, 0xc3 };

typedef void jit_fn(void (*f)(void), void *next);

static uint8_t *jit_page(void)
{
	uint8_t *p = mmap(NULL, PP_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memcpy(p, with_frame, sizeof(with_frame));
	memcpy(p + 64, calls_next, sizeof(calls_next));
	memcpy(p + 128, without_frame, sizeof(without_frame));
	return p;
}

static jit_fn *jit_at(uint8_t *p)
{
	jit_fn *f;

	*(void **)&f = p;
	return f;
}

static PP_NOINLINE uint64_t run_jit(uint8_t *entry, void *next)
{
	jit_at(entry)(walk_here, next);
	__asm__ volatile("");
	return (uint64_t)(uintptr_t)__builtin_return_address(0);
}

TEST(generated_code_with_frame_pointers_is_walked)
{
	uint8_t *p = jit_page();
	uint64_t caller = run_jit(p + 64, p);

	CHECK_EQ(end, UNWIND_COMPLETE);
	/* walk_here, with_frame, calls_next, run_jit, us */
	CHECK_EQ(frame_pc(frames[1]), (uint64_t)(uintptr_t)p + 6);
	CHECK_EQ(frame_pc(frames[2]), (uint64_t)(uintptr_t)p + 64 + 6);
	CHECK_EQ(frame_pc(frames[4]), caller);
	CHECK(module_of(frames[1]) && module_of(frames[1])->kind == MODULE_JIT);
	CHECK_EQ(frame_module(frames[1]), frame_module(frames[2]));
	munmap(p, PP_PAGE);
}

TEST(generated_code_without_frame_pointers_is_no_truth)
{
	uint8_t *p = jit_page();

	run_jit(p + 128, NULL);
	/* The return address is known, its caller is not. */
	CHECK_EQ(end, UNWIND_TRUNCATED);
	CHECK_EQ(depth, 1);
	munmap(p, PP_PAGE);
}

/* --- What lies on damaged stacks must not hurt --- */

TEST(page_zero_and_unmapped_pages_are_not_read)
{
	struct safe_reader r;
	char *page = mmap(
		NULL, PP_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t word, at = (uint64_t)(uintptr_t)page;

	safe_read_init(&r);
	CHECK(!safe_read(&r, 0, &word));
	CHECK(!safe_read(&r, 8, &word));
	CHECK(!safe_read(&r, at, &word));
	CHECK(!safe_read(&r, UINT64_C(0x8000000000000000), &word));
	CHECK(!safe_read(&r, (uint64_t)(uintptr_t)&at + 1, &word));
	CHECK(safe_read(&r, (uint64_t)(uintptr_t)&at, &word) && word == at);
	CHECK(!safe_read(&r, at, &word));
	munmap(page, PP_PAGE);
}

static uint64_t seed = 1;

static uint64_t random_word(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return pp_mix(seed);
}

/* A value of the kinds that are found in registers. */
static uint64_t random_value(const uint64_t *stack)
{
	uint64_t r = random_word();

	switch (r % 6) {
	case 0:
		return r;
	case 1:
		return r >> 44;
	case 2:
		return (uint64_t)(uintptr_t)stack + (r >> 8) % 4096;
	case 3:
		return (uint64_t)(uintptr_t)strtol + (r >> 8) % 100000;
	case 4:
		return (uint64_t)(uintptr_t)walk_here + (r >> 8) % 8192;
	default:
		return r >> 17 & ~UINT64_C(7);
	}
}

TEST(random_registers_and_stacks_never_fault)
{
	static uint64_t stack[512];
	struct arch_regs regs;

	for (int i = 0; i < 300000; i++) {
		for (int k = 0; k < ARCH_REGS; k++)
			regs.r[k] = random_value(stack);
		stack[random_word() % 512] = random_value(stack);
		depth = unwind(
			NULL, &regs, i & 1, NO_BOUNDS, frames, MOST, &end);
		if (depth < 1 || depth > MOST) {
			CHECK(depth >= 1 && depth <= MOST);
			break;
		}
	}
	unwind_invalidate();
}

int main(void)
{
	if (!begin_walks())
		return 2;
	RUN(generated_code_with_frame_pointers_is_walked);
	RUN(generated_code_without_frame_pointers_is_no_truth);
	RUN(page_zero_and_unmapped_pages_are_not_read);
	RUN(random_registers_and_stacks_never_fault);
	return test_done();
}
