/*
 * user_labels_set.c - a thread's labels as a set of the session, for samples:
 * see user_labels.h. Context: PP_ANY.
 */
#include "pp.h"

#include <stdatomic.h>

#include "process.h"
#include "user_labels_priv.h"

/* --- for samples ---------------------------------------------------------- */

/* By key: the same labels make the same set in whatever order they came. */
static void insert(struct label *list, unsigned n, struct label new)
{
	for (; n && list[n - 1].key > new.key; n--)
		list[n] = list[n - 1];
	list[n] = new;
}

static uint32_t intern(
	struct session *s, const struct user_labels *l, const struct view *v)
{
	struct label list[USER_LABELS_MAX];
	uint32_t id;

	for (uint32_t i = 0; i < v->n; i++) {
		const struct text *t = &l->texts[v->text[i]];

		insert(list, i,
			(struct label){ .kind = LABEL_WORD,
				.key = labels_text(s, t->key),
				.str = labels_text(s, t->value) });
	}
	id = labels_intern(s, list, v->n);
	if (!id)
		session_count(s, STAT_LOST_LABELS, 1);
	return id;
}

/* Of a moment of this thread in this image: the next set clears it, too. */
static uint32_t stamp(uint64_t visible, uint32_t generation)
{
	return generation << 24 | (uint32_t)(visible >> 32 & 0xffffff);
}

uint32_t user_labels_here(struct session *s, struct thread_state *t)
{
	struct user_labels *l = t->labels;
	uint64_t visible = l ? atomic_load(&l->visible) : 0, known;
	uint32_t now = stamp(visible, t->generation), id;
	struct view v;

	if (pp_likely((uint32_t)visible == 0))
		return 0;
	known = atomic_load(&l->known);
	if (known >> 32 && (uint32_t)known == now)
		return (uint32_t)(known >> 32);
	v = view_of(visible);
	id = intern(s, l, &v);
	atomic_store(&l->known, (uint64_t)id << 32 | now);
	return id;
}

/* The thread may change them meanwhile: then once more, a few times. */
static uint32_t read_other(struct session *s, const struct user_labels *l)
{
	for (unsigned tries = 0; tries < 4; tries++) {
		uint64_t visible = atomic_load(&l->visible);
		struct view v = view_of(visible);
		uint32_t id = v.n ? intern(s, l, &v) : 0;

		if (atomic_load(&l->visible) == visible)
			return id;
	}
	session_count(s, STAT_LOST_LABELS, 1);
	return 0;
}

/* A block may become another's meanwhile. */
uint32_t user_labels_of(struct session *s, uint32_t tid)
{
	const struct user_labels *l = user_labels_find(tid);
	uint32_t set = l ? read_other(s, l) : 0;

	return set && user_labels_find(tid) == l ? set : 0;
}
