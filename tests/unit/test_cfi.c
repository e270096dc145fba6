/*
 * test_cfi.c - unwind tables to rules: what share of real code is expressed,
 * single forms, and tables that lie.
 */
#include "pp.h"

#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arch.h"
#include "cfi.h"
#include "find_module.h"
#include "rules.h"
#include "test.h"

/* --- Coverage --- */

struct coverage {
	const char *name; /* part of the object's path */
	double least;	  /* percent of positions that have a rule */
	bool seen;
};

/* What is left of libc and the loader switches contexts (longjmp), of libcrypto
 * it is hand-written. */
static struct coverage wanted[] = {
	{ "libc.so.6", 99.98, false },
	{ "libstdc++.so", 99.99, false },
	{ "libm.so.6", 99.99, false },
	{ "libgcc_s.so", 99.97, false },
	{ "ld-linux", 99.9, false },
	{ "libz.so", 99.99, false },
	{ "libpython3", 99.99, false },
	{ "libsqlite3", 99.99, false },
	{ "libssl.so", 99.99, false },
	{ "libcrypto.so", 99.7, false },
	{ "libLLVM", 99.99, false },
};

static const char *const to_load[] = { "libstdc++.so.6", "libm.so.6",
	"libgcc_s.so.1", "libz.so.1", "libpython3.11.so.1.0", "libsqlite3.so.0",
	"libssl.so.3", "libcrypto.so.3" };

/* LLVM has 50 million positions: only in the long test. */
static const char *const to_load_long[] = { "libLLVM-14.so.1" };

struct count {
	uint64_t all, expressed, without;
};

static void count_segment(const struct cfi_source *source,
	const struct segment *seg, struct count *n)
{
	for (uint64_t pc = seg->start; pc < seg->limit; pc += 3) {
		switch (rule_kind(cfi_rule(source, pc))) {
		case RULE_NO_INFO: /* padding between functions, mostly */
			n->without++;
			break;
		case RULE_FAILED:
			n->all++;
			break;
		default:
			n->all++;
			n->expressed++;
		}
	}
}

static int count_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct count n = { 0, 0, 0 };
	struct cfi_source source;
	struct segment seg;
	double percent;

	(void)size;
	(void)arg;
	for (unsigned w = 0; w < PP_ARRAY_LEN(wanted); w++) {
		if (!strstr(info->dlpi_name, wanted[w].name))
			continue;
		for (int i = 0; i < info->dlpi_phnum; i++) {
			const ElfW(Phdr) *p = &info->dlpi_phdr[i];

			if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
				!find_segment(info->dlpi_addr + p->p_vaddr,
					false, &seg))
				continue;
			find_cfi_source(&seg.object, &source);
			count_segment(&source, &seg, &n);
		}
		percent = n.all ? 100.0 * (double)n.expressed / (double)n.all
				: 0;
		printf("# %-14s %9" PRIu64 " positions, %.3f %% expressed\n",
			wanted[w].name, n.all, percent);
		CHECK(percent >= wanted[w].least);
		wanted[w].seen = true;
	}
	return 0;
}

TEST(rules_express_nearly_all_code)
{
	for (unsigned i = 0; i < PP_ARRAY_LEN(to_load); i++)
		(void)dlopen(to_load[i], RTLD_NOW);
	if (getenv("PPROFC_TEST_LONG"))
		(void)dlopen(to_load_long[0], RTLD_NOW);
	(void)dl_iterate_phdr(count_object, NULL);
	CHECK(wanted[0].seen);
	CHECK(wanted[4].seen);
}

/* --- Tables made by hand --- */

/* An object of one page: header, one CIE, one FDE for code at +0x800. */
struct image {
	uint8_t bytes[PP_PAGE];
};

#define CODE_AT 0x800
#define CODE_SIZE 0x100
#define EH_FRAME_AT 0x100

static struct image *image;

static size_t put4(size_t at, uint32_t v)
{
	memcpy(image->bytes + at, &v, 4);
	return at + 4;
}

static size_t put(size_t at, const void *bytes, size_t n)
{
	memcpy(image->bytes + at, bytes, n);
	return at + n;
}

/* The usual start: CFA = rsp + 8, return address at CFA - 8. */
static const uint8_t usual[] = { 0x0c, 7, 8, 0x90, 1 };

/* Program bytes become the FDE's; aug is "zR" or "zRS". */
static void make_image(const char *aug, const uint8_t *cie, size_t cie_len,
	const uint8_t *program, size_t len)
{
	size_t cie_at = EH_FRAME_AT, fde_at, at;

	memset(image, 0, sizeof(*image));
	at = put4(cie_at + 4, 0);
	image->bytes[at++] = 1;
	at = put(at, aug, strlen(aug) + 1);
	at = put(at, (const uint8_t[]){ 1, 0x78, 16, 1, 0x1b }, 5);
	at = put(at, cie, cie_len);
	at = (at + 7) & ~(size_t)7;
	(void)put4(cie_at, (uint32_t)(at - cie_at - 4));
	fde_at = at;
	at = put4(fde_at + 4, (uint32_t)(fde_at + 4 - cie_at));
	at = put4(at, (uint32_t)(CODE_AT - at));
	at = put4(at, CODE_SIZE);
	image->bytes[at++] = 0;
	at = put(at, program, len);
	(void)put4(fde_at, (uint32_t)(at - fde_at - 4));
	at = put(0, (const uint8_t[]){ 1, 0x1b, 0x03, 0x3b }, 4);
	at = put4(at, EH_FRAME_AT - 4);
	at = put4(at, 1);
	at = put4(at, CODE_AT);
	(void)put4(at, (uint32_t)fde_at);
}

static uint64_t base(void)
{
	return (uint64_t)(uintptr_t)image;
}

static rule_t rule_in_image(uint64_t offset)
{
	struct cfi_source source = { base(), base() + sizeof(*image), base() };

	return cfi_rule(&source, base() + offset);
}

#define PROGRAM(...)                              \
	make_image("zR", usual, sizeof(usual),    \
		(const uint8_t[]){ __VA_ARGS__ }, \
		sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void check_rule(
	uint64_t offset, enum rule_kind kind, unsigned reg, int64_t value)
{
	rule_t r = rule_in_image(offset);

	CHECK_EQ(rule_kind(r), kind);
	CHECK_EQ(rule_reg(r), reg);
	CHECK_EQ(rule_offset(r), value);
}

static unsigned saved(rule_t r, unsigned shift, unsigned bits)
{
	return (unsigned)(r >> shift) & ((4u << bits) - 1);
}

TEST(prologue_moves_the_cfa)
{
	/* push %rbp; mov %rsp,%rbp; ... */
	PROGRAM(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6);
	check_rule(CODE_AT, RULE_REG, ARCH_REG_RSP, 8);
	check_rule(CODE_AT + 1, RULE_REG, ARCH_REG_RSP, 16);
	check_rule(CODE_AT + 3, RULE_REG, ARCH_REG_RSP, 16);
	check_rule(CODE_AT + 4, RULE_REG, ARCH_REG_RBP, 16);
	CHECK_EQ(saved(rule_in_image(CODE_AT), RULE_RBP_SHIFT, RULE_RBP_BITS),
		SAVED_SAME);
	CHECK_EQ(saved(rule_in_image(CODE_AT + 4), RULE_RBP_SHIFT,
			 RULE_RBP_BITS),
		SAVED_CFA | 1 << 2);
	CHECK(rule_in_image(CODE_AT) & RULE_AT_START);
	CHECK(!(rule_in_image(CODE_AT + 1) & RULE_AT_START));
}

TEST(code_outside_every_function_has_no_rule)
{
	PROGRAM(0);
	check_rule(CODE_AT - 1, RULE_NO_INFO, 0, 0);
	check_rule(CODE_AT + CODE_SIZE, RULE_NO_INFO, 0, 0);
	check_rule(CODE_AT + CODE_SIZE - 1, RULE_REG, ARCH_REG_RSP, 8);
}

TEST(rows_are_remembered_and_recalled)
{
	PROGRAM(0x0a, 0x41, 0x0e, 64, 0x41, 0x0b);
	check_rule(CODE_AT, RULE_REG, ARCH_REG_RSP, 8);
	check_rule(CODE_AT + 1, RULE_REG, ARCH_REG_RSP, 64);
	check_rule(CODE_AT + 2, RULE_REG, ARCH_REG_RSP, 8);
}

TEST(registers_are_restored_to_the_first_row)
{
	PROGRAM(0x83, 3, 0x41, 0xc3);
	CHECK_EQ(saved(rule_in_image(CODE_AT), RULE_RBX_SHIFT, RULE_RBX_BITS),
		SAVED_CFA | 2 << 2);
	CHECK_EQ(saved(rule_in_image(CODE_AT + 1), RULE_RBX_SHIFT,
			 RULE_RBX_BITS),
		SAVED_SAME);
}

TEST(expressions_in_use_are_expressed)
{
	/* realigned: CFA = *(rbp - 8), rbp = *(rbp + 0), rbx = *(rbp - 16) */
	PROGRAM(0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0, 0x10, 3, 2,
		0x76, 0x70);
	check_rule(CODE_AT, RULE_DEREF, ARCH_REG_RBP, -8);
	CHECK_EQ(saved(rule_in_image(CODE_AT), RULE_RBP_SHIFT, RULE_RBP_BITS),
		SAVED_RBP);
	CHECK_EQ(saved(rule_in_image(CODE_AT), RULE_RBX_SHIFT, RULE_RBX_BITS),
		SAVED_RBP | (0x3f & -2) << 2);
	/* hand-written: CFA = *(rsp + 32) + 8, two spellings */
	PROGRAM(0x0f, 5, 0x77, 32, 0x06, 0x23, 8);
	check_rule(CODE_AT, RULE_DEREF8, ARCH_REG_RSP, 32);
	PROGRAM(0x0f, 5, 0x77, 32, 0x06, 0x38, 0x22);
	check_rule(CODE_AT, RULE_DEREF8, ARCH_REG_RSP, 32);
	/* lazy PLT */
	PROGRAM(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24,
		0x22);
	check_rule(CODE_AT, RULE_PLT, ARCH_REG_RSP, 11 * 8);
}

TEST(what_no_rule_says_fails)
{
	PROGRAM(0x0f, 4, 0x77, 8, 0x73, 0); /* rsp + 8, rbx pushed */
	check_rule(CODE_AT, RULE_FAILED, 0, 0);
	PROGRAM(0x90, 2); /* return address elsewhere */
	check_rule(CODE_AT, RULE_FAILED, 0, 0);
	PROGRAM(0x09, 7, 8); /* caller's rsp in r8: longjmp */
	check_rule(CODE_AT, RULE_FAILED, 0, 0);
	PROGRAM(0x0e, 12); /* not a multiple of 8 */
	check_rule(CODE_AT, RULE_FAILED, 0, 0);
	PROGRAM(0x3e); /* an opcode nobody knows */
	check_rule(CODE_AT, RULE_FAILED, 0, 0);
	PROGRAM(0x0b); /* recall without remember */
	check_rule(CODE_AT, RULE_FAILED, 0, 0);
}

TEST(signal_frames_and_ends_are_known)
{
	make_image("zRS", usual, sizeof(usual), usual, 0);
	CHECK_EQ(rule_kind(rule_in_image(CODE_AT + 4)), RULE_SIGNAL);
	PROGRAM(0x07, 16);
	CHECK_EQ(rule_kind(rule_in_image(CODE_AT + 4)), RULE_END);
	PROGRAM(0x09, 16, 1); /* return address in rdx */
	check_rule(CODE_AT + 1, RULE_RA_REG, ARCH_REG_RCX - 1, 8);
}

TEST(large_frames_fit)
{
	/* rsp + 1048592 */
	PROGRAM(0x0e, 0x90, 0x80, 0x40);
	check_rule(CODE_AT, RULE_REG, ARCH_REG_RSP, 1048592);
}

/* --- Tables that lie --- */

static uint64_t seed = 7;

static uint64_t random_word(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return pp_mix(seed);
}

/* The image lies between two pages that cannot be read. */
static void map_image(void)
{
	char *p = mmap(NULL, 3 * PP_PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)mprotect(p + PP_PAGE, PP_PAGE, PROT_READ | PROT_WRITE);
	image = (struct image *)(void *)(p + PP_PAGE);
}

TEST(damaged_tables_are_never_left)
{
	unsigned rules = 0;

	for (int i = 0; i < 200000; i++) {
		if (i % 16 == 0)
			PROGRAM(0x0a, 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6,
				0x10, 3, 2, 0x76, 0x70, 0x41, 0x0b, 0x0f, 3,
				0x77, 8, 0x06);
		for (unsigned k = random_word() % 4; k; k--)
			image->bytes[random_word() % 0x180] =
				(uint8_t)random_word();
		rules += rule_kind(rule_in_image(
				 CODE_AT + random_word() % CODE_SIZE)) !=
			 RULE_FAILED;
	}
	CHECK(rules > 1000); /* not all was damaged beyond use */
}

int main(void)
{
	find_module_start();
	map_image();
	RUN(prologue_moves_the_cfa);
	RUN(code_outside_every_function_has_no_rule);
	RUN(rows_are_remembered_and_recalled);
	RUN(registers_are_restored_to_the_first_row);
	RUN(expressions_in_use_are_expressed);
	RUN(what_no_rule_says_fails);
	RUN(signal_frames_and_ends_are_known);
	RUN(large_frames_fit);
	RUN(damaged_tables_are_never_left);
	RUN(rules_express_nearly_all_code);
	return test_done();
}
