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

/* So many rules that had to go cost as much as a larger table. */
#define CROWDED_MOST 128u

#define GENERATION_MASK ((1u << (64 - RULE_KEY_ADDRESS_BITS)) - 1)

/* Page faults would make the first frames ten times slower. */
static void prefault(char *p, size_t bytes)
{
	if (sys_madvise(p, bytes, MADV_POPULATE_WRITE) == 0)
		return;
	for (size_t i = 0; i < bytes; i += PP_PAGE)
		*(volatile char *)(p + i) = 0;
}

static size_t bytes_of(uint32_t slots)
{
	return sizeof(struct rule_table) + slots * sizeof(struct rule_slot);
}

static struct rule_table *create(uint32_t slots)
{
	struct rule_table *t = sys_map_pages(bytes_of(slots));

	if (!t)
		return NULL;
	prefault((char *)t, bytes_of(slots));
	t->mask = slots - 1;
	return t;
}

/* A handler or another thread may have been faster. */
static void publish(struct rule_table *old, struct rule_table *t)
{
	if (!atomic_compare_exchange_strong(&rules_table, &old, t))
		(void)sys_munmap(t, bytes_of(t->mask + 1));
}

int rules_prepare(void)
{
	struct rule_table *t;

	if (atomic_load_explicit(&rules_table, memory_order_acquire))
		return 0;
	t = create(RULE_SLOTS_FIRST);
	if (!t)
		return -ENOMEM;
	publish(NULL, t);
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
	clear(t->rules, t->mask + 1);
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

/* False if another rule had to go. */
static bool put(struct rule_table *t, uint64_t key, uint64_t value)
{
	uint32_t generation = (uint32_t)(key >> RULE_KEY_ADDRESS_BITS);
	unsigned home = rule_home(t, rule_key_address(key)), i = home;
	bool room = false;

	for (unsigned k = 0; k < RULE_WAYS && !room; k++) {
		i = home ^ k;
		room = !slot_lives(&t->rules[i], generation);
	}
	slot_put(&t->rules[i], key, value);
	return room;
}

/* The small one stays mapped: a walk may be reading it. */
static PP_COLD void grow(struct rule_table *old)
{
	struct rule_table *t = create(RULE_SLOTS_MOST);
	uint32_t generation = rules_generation();

	if (!t)
		return;
	for (uint32_t i = 0; i <= old->mask; i++) {
		uint64_t value = atomic_load(&old->rules[i].value);
		uint64_t key = atomic_load(&old->rules[i].check) ^ value;

		/* Halves of two stores hardly ever belong here. */
		if (value && key >> RULE_KEY_ADDRESS_BITS == generation &&
			(rule_home(old, rule_key_address(key)) ^ i) < RULE_WAYS)
			(void)put(t, key, value);
	}
	for (unsigned i = 0; i < RULE_MODULE_SLOTS; i++) {
		uint64_t value = atomic_load(&old->modules[i].value);

		slot_put(&t->modules[i],
			atomic_load(&old->modules[i].check) ^ value, value);
	}
	publish(old, t);
}

void rules_put(uint64_t addr, uint32_t generation, rule_t rule)
{
	struct rule_table *t = atomic_load(&rules_table);

	if (!t || put(t, rule_key(addr, generation), rule))
		return;
	if (t->mask + 1 < RULE_SLOTS_MOST &&
		(atomic_fetch_add(&t->crowded, 1) + 1) % CROWDED_MOST == 0)
		grow(t);
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
