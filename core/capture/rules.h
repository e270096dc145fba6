/*
 * rules.h - how to find the caller of one program counter, in one word, and
 * the table that remembers these words.
 *
 *   bits 0-3    enum rule_kind
 *   bits 4-7    a register (DWARF number), see the kinds
 *   bits 8-27   signed offset / 8
 *   bits 28-38  where the caller's rbp is: 2 bits enum rule_saved, 9 bits n
 *   bits 39-46  the same for rbx, 6 bits n
 *   bit  47     the program counter is the first of its function
 *   bits 48-63  module instance of the program counter
 *
 * The table is a private mapping of 4 k slots, which most programs never fill,
 * and later of 32 k, if they do: its memory is what a first sample takes
 * longest for. A slot is two words, {key ^ value, value}: a reader that meets
 * half of another thread's store finds a key that is not his. The key holds the
 * generation, so that rules_invalidate() voids everything at once. Nothing here
 * waits. Context: PP_ANY.
 */
#ifndef RULES_H
#define RULES_H

#include <stdatomic.h>

#include "pp.h"

#include "arch.h"

typedef uint64_t rule_t;

enum rule_kind {
	RULE_NONE,    /* an empty slot */
	RULE_REG,     /* CFA = reg + offset */
	RULE_DEREF,   /* CFA = *(reg + offset) */
	RULE_DEREF8,  /* CFA = *(reg + offset) + 8 */
	RULE_PLT,     /* CFA = rsp + 8, and 8 more if (pc & 15) >= offset / 8 */
	RULE_RA_REG,  /* CFA = rsp + offset, return address in reg */
	RULE_SIGNAL,  /* a signal trampoline: a ucontext lies at rsp */
	RULE_END,     /* return address undefined: the start of the stack */
	RULE_NO_INFO, /* in an executable segment, without unwind information */
	RULE_UNKNOWN, /* in no known segment: generated code, or nothing */
	RULE_JUMP,    /* the caller's pc in reg, its rsp and rbp in those of
			 the offset, rule_make_jump(): longjmp */
	RULE_FAILED,  /* there is information, but it does not fit a word */
};

enum rule_saved {
	SAVED_SAME, /* the register still holds it */
	SAVED_CFA,  /* at CFA - 8 * (n + 1) */
	SAVED_RBP,  /* at rbp + 8 * n, n signed; rbp of this frame */
	SAVED_LOST, /* cannot be found */
};

#define RULE_RBP_SHIFT 28
#define RULE_RBP_BITS 9
#define RULE_RBX_SHIFT 39
#define RULE_RBX_BITS 6
#define RULE_AT_START (UINT64_C(1) << 47)
#define RULE_MODULE_SHIFT 48
/* An offset is below it, in either direction. */
#define RULE_OFFSET_LIMIT (INT64_C(1) << 22)

static inline enum rule_kind rule_kind(rule_t r)
{
	return (enum rule_kind)(r & 15);
}

static inline unsigned rule_reg(rule_t r)
{
	return (unsigned)(r >> 4 & 15);
}

static inline int64_t rule_offset(rule_t r)
{
	return ((int64_t)(r << 36) >> 44) * 8;
}

static inline unsigned rule_module(rule_t r)
{
	return (unsigned)(r >> RULE_MODULE_SHIFT);
}

/* CFA = rbp + offset. */
static inline bool rule_is_by_rbp(rule_t r)
{
	return (r & 0xff) == (RULE_REG | ARCH_REG_RBP << 4);
}

static inline rule_t rule_make(
	enum rule_kind kind, unsigned reg, int64_t offset)
{
	return (rule_t)kind | (rule_t)reg << 4 |
	       ((rule_t)(offset >> 3) & 0xfffff) << 8;
}

static inline rule_t rule_make_jump(unsigned pc, unsigned rsp, unsigned rbp)
{
	return rule_make(RULE_JUMP, pc, (int64_t)(rsp | rbp << 4) * 8);
}

static inline unsigned rule_jump_rsp(rule_t r)
{
	return (unsigned)(rule_offset(r) / 8) & 15;
}

static inline unsigned rule_jump_rbp(rule_t r)
{
	return (unsigned)(rule_offset(r) / 8) >> 4 & 15;
}

/* The slots of a table: the rules, and the module instances by segment. */
struct rule_slot {
	_Atomic uint64_t check, value;
};

#define RULE_SLOTS_FIRST 4096u
#define RULE_SLOTS_MOST 32768u
#define RULE_WAYS 4u
#define RULE_MODULE_SLOTS 256u

struct rule_table {
	uint32_t mask;		  /* slots - 1 */
	_Atomic uint32_t crowded; /* rules that took another one's slot */
	_Alignas(PP_CACHE_LINE) struct rule_slot modules[RULE_MODULE_SLOTS];
	_Alignas(PP_CACHE_LINE) struct rule_slot rules[];
};

extern _Atomic(struct rule_table *) rules_table
	__attribute__((visibility("hidden")));
extern _Atomic uint32_t rules_generation_word
	__attribute__((visibility("hidden")));

/* Map and prefault the table, with the first walk: that takes longer than all
 * else of a session, and a short program may never walk. Returns 0 or -ENOMEM;
 * without a table every rule is compiled anew, slowly but right. */
int rules_prepare(void) PP_ANY;

/* For rules_get_in(): the table of now, which stays mapped; NULL = none. */
static inline struct rule_table *rules_table_now(void)
{
	return atomic_load_explicit(&rules_table, memory_order_acquire);
}

/* Everything remembered so far is void. */
void rules_invalidate(void) PP_ANY;

/* Read before a rule is compiled and given to rules_put() after: a rule that
 * was compiled while code went away is void from the start. */
static inline uint32_t rules_generation(void)
{
	return atomic_load_explicit(
		&rules_generation_word, memory_order_acquire);
}

#define RULE_KEY_ADDRESS_BITS 47

static inline uint64_t rule_key(uint64_t addr, uint32_t generation)
{
	return addr | (uint64_t)generation << RULE_KEY_ADDRESS_BITS;
}

static inline uint64_t rule_key_address(uint64_t key)
{
	return key & ((UINT64_C(1) << RULE_KEY_ADDRESS_BITS) - 1);
}

static inline unsigned rule_hash(uint64_t addr)
{
	return (unsigned)(addr * 0x9e3779b97f4a7c15u >> 49);
}
_Static_assert(RULE_WAYS * sizeof(struct rule_slot) == PP_CACHE_LINE,
	"the ways of a rule share a cache line");
_Static_assert(RULE_SLOTS_MOST == 1u << (64 - 49), "rule_hash() gives 15 bits");

/* Where the rule for the byte at addr is, or in a slot of its cache line. */
static inline unsigned rule_home(const struct rule_table *t, uint64_t addr)
{
	return rule_hash(addr) & t->mask;
}

/* The value stored under key in this slot, or 0. */
static inline uint64_t rule_slot_get(struct rule_slot *slot, uint64_t key)
{
	uint64_t value = atomic_load_explicit(
		&slot->value, memory_order_relaxed);
	uint64_t check = atomic_load_explicit(
		&slot->check, memory_order_relaxed);

	return (check ^ value) == key ? value : 0;
}

/* The rule for the byte at addr (< 2^47), or 0 if it is not remembered. */
static inline rule_t rules_get_in(
	struct rule_table *t, uint64_t addr, uint32_t generation)
{
	uint64_t key = rule_key(addr, generation);
	unsigned i = rule_home(t, addr);
	rule_t r = rule_slot_get(&t->rules[i], key);

	/* A rule may also lie in the other slots of the cache line. */
	for (unsigned k = 1; pp_unlikely(!r) && k < RULE_WAYS; k++)
		r = rule_slot_get(&t->rules[i ^ k], key);
	return r;
}

static inline rule_t rules_get(uint64_t addr, uint32_t generation)
{
	struct rule_table *t = rules_table_now();

	return pp_likely(t != NULL) ? rules_get_in(t, addr, generation) : 0;
}

/* The rule for the byte at addr will be asked for. */
static inline void rules_prefetch(uint64_t addr)
{
	struct rule_table *t = rules_table_now();

	if (pp_likely(t != NULL))
		__builtin_prefetch(&t->rules[rule_home(t, addr)]);
}

void rules_put(uint64_t addr, uint32_t generation, rule_t rule) PP_ANY;

/* The module instance of the segment that starts at addr; 0 = not known. */
unsigned rules_module_get(uint64_t start, uint32_t generation) PP_ANY;
void rules_module_put(
	uint64_t start, uint32_t generation, unsigned instance) PP_ANY;

#endif
