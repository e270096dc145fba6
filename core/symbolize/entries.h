/*
 * entries.h - the entries (DIEs) of one unit, one after the other, fast.
 *
 * libdw takes 100 ns and more for a step, and there are millions; here a step
 * is a table of sizes, made once for each abbreviation. Attributes of the few
 * entries that matter are then read by libdw.
 *
 * Owner: entries_close(). Context: PP_NORMAL.
 */
#ifndef ENTRIES_H
#define ENTRIES_H

#include <elfutils/libdw.h>

#include "pp.h"

/* A value at a place that is the same in all entries of an abbreviation. */
struct entries_value {
	uint32_t form; /* 0: there is none, or not at a fixed place */
	uint32_t at;   /* from behind the abbreviation's code */
};

struct entries_skip;

struct entries_abbrev {
	uint16_t tag; /* 0: there is no such abbreviation */
	bool children;
	bool has_pc; /* low_pc or ranges */
	struct entries_value sibling, low_pc, high_pc;
	uint32_t skip_from, skip_count; /* in entries.skips */
};

struct entries {
	Dwarf_Die unit;
	const uint8_t *start, *end; /* the unit's entries */
	const uint8_t *base;	    /* what references count from */
	uint8_t address_size, offset_size;
	uint16_t version;
	struct entries_abbrev *abbrevs; /* by code */
	size_t abbrev_count, abbrev_room;
	struct entries_skip *skips;
	size_t skip_count, skip_room;
};

/* One entry. */
struct entry {
	const uint8_t *at;		     /* its code */
	const uint8_t *values;		     /* behind that */
	const uint8_t *behind;		     /* its attributes */
	const struct entries_abbrev *abbrev; /* NULL: the end of siblings */
};

/* false when it cannot be read, or has abbreviations without end. */
bool entries_open(struct entries *e, const Dwarf_Die *unit);
void entries_close(struct entries *e);

/* The entry at a place; false at the end or where nothing is to be read. */
bool entries_read(
	const struct entries *e, const uint8_t *at, struct entry *ret);

/* Where its next sibling starts, whatever is in it; NULL if unreadable. */
const uint8_t *entries_behind(
	const struct entries *e, const struct entry *entry);

/* The range of its code, if that is one and easily read. */
bool entries_range(const struct entries *e, const struct entry *entry,
	uint64_t *ret_start, uint64_t *ret_end);

static inline Dwarf_Die entries_die(const struct entries *e, const uint8_t *at)
{
	Dwarf_Die die = e->unit;

	/* Data of libdw is const; its type says so nowhere. */
	die.addr = (void *)(uintptr_t)at;
	die.abbrev = NULL;
	return die;
}

#endif
