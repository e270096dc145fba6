/*
 * rules.c - the table of rules.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "rules.h"
#include "sys.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

_Atomic(struct rule_table *) rules_table;

/* 17 bits of it are in the keys; RULE_NONE under key 0 is never asked for,
 * because no code lies at address 0. */
_Atomic uint32_t rules_generation_word;

#define GENERATION_MASK ((1u << (64 - RULE_KEY_ADDRESS_BITS)) - 1)

/* Page faults would make the first frames ten times slower. */
static void prefault(char *p, size_t bytes)
{
	if (sys_madvise(p, bytes, MADV_POPULATE_WRITE) == 0)
		return;
	for (size_t i = 0; i < bytes; i += PP_PAGE)
		*(volatile char *)(p + i) = 0;
}

int rules_prepare(void)
{
	struct rule_table *none = NULL, *t;

	if (atomic_load_explicit(&rules_table, memory_order_acquire))
		return 0;
	t = sys_map_pages(sizeof(*t));
	if (!t)
		return -ENOMEM;
	prefault((char *)t, sizeof(*t));
	/* A handler or another thread may have been faster. */
	if (!atomic_compare_exchange_strong(&rules_table, &none, t))
		(void)sys_munmap(t, sizeof(*t));
	return 0;
}

static void clear(struct rule_slot *slots, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		atomic_store_explicit(&slots[i].value, 0, memory_order_relaxed);
		atomic_store_explicit(&slots[i].check, 0, memory_order_relaxed);
	}
}

static void forget_all(void)
{
	struct rule_table *t = atomic_load(&rules_table);

	if (!t)
		return;
	clear(t->rules, RULE_SLOTS);
	clear(t->modules, RULE_MODULE_SLOTS);
}

/* A generation returns after 131072 steps; what was stored in its last round
 * must be gone by then, also what a slow writer stores just after a clearing:
 * so there are two clearings a round. */
void rules_invalidate(void)
{
	uint32_t old = atomic_load(&rules_generation_word);

	do {
		if (old == GENERATION_MASK || old == GENERATION_MASK / 2)
			forget_all();
	} while (!atomic_compare_exchange_weak(
		&rules_generation_word, &old, (old + 1) & GENERATION_MASK));
}

static void slot_put(struct rule_slot *slot, uint64_t key, uint64_t value)
{
	atomic_store_explicit(&slot->value, value, memory_order_relaxed);
	atomic_store_explicit(&slot->check, key ^ value, memory_order_relaxed);
}

/* Does the slot hold something of this generation? */
static bool slot_lives(struct rule_slot *slot, uint32_t generation)
{
	uint64_t value = atomic_load_explicit(
		&slot->value, memory_order_relaxed);
	uint64_t check = atomic_load_explicit(
		&slot->check, memory_order_relaxed);

	return value && (check ^ value) >> RULE_KEY_ADDRESS_BITS == generation;
}

void rules_put(uint64_t addr, uint32_t generation, rule_t rule)
{
	struct rule_table *t = atomic_load(&rules_table);
	unsigned home = rule_hash(addr), i = home;

	if (!t)
		return;
	for (unsigned k = 0; k < RULE_WAYS; k++) {
		i = home ^ k;
		if (!slot_lives(&t->rules[i], generation))
			break;
	}
	slot_put(&t->rules[i], rule_key(addr, generation), rule);
}

static struct rule_slot *module_slot(uint64_t start)
{
	struct rule_table *t = atomic_load(&rules_table);

	return t ? &t->modules[rule_hash(start) % RULE_MODULE_SLOTS] : NULL;
}

unsigned rules_module_get(uint64_t start, uint32_t generation)
{
	struct rule_slot *slot = module_slot(start);

	return slot ? (unsigned)rule_slot_get(slot, rule_key(start, generation))
		    : 0;
}

void rules_module_put(uint64_t start, uint32_t generation, unsigned instance)
{
	struct rule_slot *slot = module_slot(start);

	if (slot)
		slot_put(slot, rule_key(start, generation), instance);
}
