/*
 * lock.h - a lock for code of ours that may run in a handler.
 *
 * A futex word of our own: pthread's would be hooked, and its state survives
 * fork. Rule for every holder: all signals are blocked while it is held, so a
 * handler never finds its own thread holding it. Context: PP_ANY.
 */
#ifndef LOCK_H
#define LOCK_H

#include <stdatomic.h>

#include "pp.h"

struct lock {
	_Atomic uint32_t word; /* 0 free, 1 held, 2 held and waited for */
};

bool lock_try(struct lock *l) PP_ANY;
void lock_take(struct lock *l) PP_ANY;
/* Give up after about `ns` nanoseconds. */
bool lock_take_for(struct lock *l, uint64_t ns) PP_ANY;
void lock_drop(struct lock *l) PP_ANY;

/* Sleep while *word == value, at most ns nanoseconds (0 = for ever); may return
 * early. And the other side. */
void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t ns) PP_ANY;
void futex_wake_all(_Atomic uint32_t *word) PP_ANY;

#endif
