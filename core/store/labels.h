/*
 * labels.h - interned label sets: equal sets get equal 4-byte ids.
 *
 * A set is a list of labels; keys, words and units are texts, interned by the
 * same means. Texts and sets lie in the session as struct blob; an id is that
 * offset / 8. Lock-free and append-only. Context: PP_ANY.
 */
#ifndef LABELS_H
#define LABELS_H

#include "pp.h"

#include "session.h"

#define LABEL_TEXT_MAX 255u /* longer texts are cut */
#define LABELS_MAX 16u	    /* in one set */

enum label_kind {
	LABEL_WORD,   /* str */
	LABEL_NUMBER, /* num */
	LABEL_PLACE,  /* num: a frame_t, the place of a variable */
};

/* No padding: sets are compared as bytes. */
struct label {
	uint32_t key; /* text */
	uint32_t str; /* text; 0 but for words */
	int64_t num;
	uint64_t kind; /* enum label_kind */
};

/* The id of a text, or 0 when the session is full. */
uint32_t labels_text(struct session *s, const char *text) PP_ANY;

/* The id of a set of n labels, or 0 for an empty one and when the session is
 * full. */
uint32_t labels_intern(
	struct session *s, const struct label *list, unsigned n) PP_ANY;

/* The id of the set of what is in either, first a's; either may be 0. */
uint32_t labels_merge(struct session *s, uint32_t a, uint32_t b) PP_ANY;

/* NULL for id 0 and for ids that cannot be (hostile file). A text is
 * terminated. */
const char *labels_text_get(const struct session *s, uint32_t id) PP_ANY;
const struct label *labels_get(
	const struct session *s, uint32_t id, unsigned *ret_n) PP_ANY;

#endif
