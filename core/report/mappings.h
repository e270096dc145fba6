/*
 * mappings.h - encodes the mappings of a profile. Context: PP_ANY.
 *
 * Mapping ids are module instances + 1; unknown code has id 1. Two segments of
 * addresses are ours: "[pprofc]" for frames that are names, "[unknown]" for
 * code in no known module. Every location so lies in a mapping, which is what
 * makes readers merge it over runs (contract 1.7).
 */
#ifndef MAPPINGS_H
#define MAPPINGS_H

#include "pp.h"

struct encoder;
struct locations;

#define MAPPING_SYNTHETIC_ID (UINT64_C(0xffff) + 1)
#define MAPPING_MAIN_ID (UINT64_C(0xfffe) + 1) /* without samples in it */
/* Below mmap_min_addr: no code of a program is there. */
#define MAPPING_SYNTHETIC_START 0x1000u
#define MAPPING_SYNTHETIC_LIMIT 0x2000u

static inline uint64_t mapping_id(unsigned module)
{
	return (uint64_t)module + 1;
}

int mappings_write(const struct locations *l, struct encoder *e) PP_ANY;

#endif
