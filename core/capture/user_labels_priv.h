/*
 * user_labels_priv.h - what a thread's labels are made of, for the files
 * user_label*.c.
 *
 * What is visible is one word: the numbers of up to 8 texts and a count of
 * changes. A text is written whole while no word names it, and stays as it is
 * as long as one does. So a handler in the middle of a change finds what was
 * before or what comes after; and whoever reads another thread's reads the word
 * again afterwards.
 */
#ifndef USER_LABELS_PRIV_H
#define USER_LABELS_PRIV_H

#include <stdatomic.h>

#include "pp.h"

#include "labels.h"
#include "user_labels.h"

#define TEXTS 15u /* visible or hidden by others, and one to write */

struct text {
	uint32_t serial; /* of a push; 0 = set */
	uint32_t hides;	 /* number + 1; 0 = nothing */
	char key[LABEL_TEXT_MAX + 1];
	char value[LABEL_TEXT_MAX + 1];
};

struct user_labels {
	/* Four bits each: number + 1, 0 behind the last one. Above, changes. */
	_Atomic uint64_t visible;
	_Atomic uint64_t known; /* set id << 32 | stamp(); 0 = not known */
	uint32_t serial;	/* of the last push */
	uint32_t index;		/* of the block: user_labels_threads.c */
	struct text texts[TEXTS];
};

struct view {
	uint32_t n;
	uint8_t text[USER_LABELS_MAX]; /* numbers */
};

static inline struct view view_of(uint64_t visible)
{
	struct view v = { 0 };

	for (; v.n < USER_LABELS_MAX && (visible & 15); visible >>= 4)
		v.text[v.n++] = (uint8_t)((visible & 15) - 1);
	return v;
}

static inline struct view view_look(const struct user_labels *l)
{
	return view_of(atomic_load_explicit(&l->visible, memory_order_acquire));
}

static inline void view_publish(struct user_labels *l, const struct view *v)
{
	uint64_t changes = (atomic_load(&l->visible) >> 32) + 1, word = 0;

	for (uint32_t i = 0; i < v->n; i++)
		word |= (uint64_t)(v->text[i] + 1) << (4 * i);
	atomic_store(&l->visible, changes << 32 | word);
	atomic_store(&l->known, 0);
}

/* A block for the owner of this tid, empty; NULL = there is none. */
struct user_labels *user_labels_take(uint32_t owner) PP_ANY;

/* The labels of a thread of this process, while it has any; or NULL. */
const struct user_labels *user_labels_find(uint32_t tid) PP_ANY;

#endif
