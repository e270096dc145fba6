/*
 * user_labels.c - see user_labels.h: what the program sets and reads.
 * Context: PP_ANY.
 *
 * One change of a thread's labels at a time: thread_state.labels_frame says
 * where it runs. One in a handler that came over another is refused, so that
 * neither writes into what the other does. A change that is left half way, by a
 * jump or an exception, has shown nothing yet; the next one finds that its
 * frame is gone.
 */
#include "pp.h"

#include <errno.h>

#include "fmt.h"
#include "process.h"
#include "user_labels_priv.h"

/* Keys are cut as they are kept. */
static bool is_key(const char *kept, const char *key)
{
	size_t i = 0;

	while (i < LABEL_TEXT_MAX && key[i] && kept[i] == key[i])
		i++;
	return kept[i] == '\0' && (i == LABEL_TEXT_MAX || key[i] == '\0');
}

/* The place of a key in the view; v->n if it is not there. */
static uint32_t place_of(
	const struct user_labels *l, const struct view *v, const char *key)
{
	uint32_t i = 0;

	while (i < v->n && !is_key(l->texts[v->text[i]].key, key))
		i++;
	return i;
}

/* --- changes -------------------------------------------------------------- */

/* A bit for each text that is visible or hidden. */
static uint32_t used_texts(const struct user_labels *l, const struct view *v)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		for (uint32_t t = v->text[i] + 1u; t && !(used & 1u << (t - 1));
			t = l->texts[t - 1].hides)
			used |= 1u << (t - 1);
	}
	return used;
}

static void copy_text(char *to, const char *from)
{
	if (!str_copy(to, LABEL_TEXT_MAX + 1, from))
		process_count(STAT_LABELS_CUT, 1);
}

/* The number of a new text, or -E2BIG: a push leaves one free for set. */
static int write_text(struct user_labels *l, const struct view *v,
	const char *key, const char *value, bool push)
{
	uint32_t used = used_texts(l, v), last = (1u << TEXTS) - 1;
	int free = __builtin_ctz(~used);

	if (used == last || (push && (used | 1u << free) == last))
		return -E2BIG;
	copy_text(l->texts[free].key, key);
	copy_text(l->texts[free].value, value);
	return free;
}

static int put(struct user_labels *l, const char *key, const char *value,
	bool push, uint32_t *ret_serial)
{
	struct view v = view_look(l);
	uint32_t at = place_of(l, &v, key);
	const struct text *old = at < v.n ? &l->texts[v.text[at]] : NULL;
	struct text *new;
	int number;

	if (at == USER_LABELS_MAX)
		return -E2BIG;
	number = write_text(l, &v, key, value, push);
	if (number < 0)
		return number;
	new = &l->texts[number];
	new->serial = push ? ++l->serial : old ? old->serial : 0;
	new->hides = push &&old ? v.text[at] + 1u : old ? old->hides : 0;
	v.text[at] = (uint8_t)number;
	v.n += at == v.n;
	view_publish(l, &v);
	*ret_serial = new->serial;
	return 0;
}

static void take_out(struct user_labels *l, struct view *v, uint32_t at)
{
	for (v->n--; at < v->n; at++)
		v->text[at] = v->text[at + 1];
	view_publish(l, v);
}

static void remove_key(struct user_labels *l, const char *key)
{
	struct view v = view_look(l);
	uint32_t at = place_of(l, &v, key);

	if (at < v.n)
		take_out(l, &v, at);
}

/* Popped out of turn: it is hidden. One store, so it is done or not. */
static bool unlink_hidden(struct user_labels *l, uint32_t top, uint32_t serial)
{
	struct text *t = &l->texts[top];

	for (; t->hides; t = &l->texts[t->hides - 1]) {
		struct text *next = &l->texts[t->hides - 1];

		if (next->serial == serial) {
			t->hides = next->hides;
			return true;
		}
	}
	return false;
}

static void pop(struct user_labels *l, uint32_t serial)
{
	struct view v = view_look(l);

	for (uint32_t i = 0; i < v.n; i++) {
		const struct text *t = &l->texts[v.text[i]];

		if (t->serial != serial) {
			if (unlink_hidden(l, v.text[i], serial))
				return;
			continue;
		}
		if (t->hides) {
			v.text[i] = (uint8_t)(t->hides - 1);
			view_publish(l, &v);
		} else {
			take_out(l, &v, i);
		}
		return;
	}
}

/* --- for the program ------------------------------------------------------ */

/* Where nothing is recorded, no system call is made: sandbox.h. */
static struct user_labels *block_here(bool make)
{
	struct thread_state *t = &thread_state;

	if (!t->labels && make && thread_state_get())
		t->labels = user_labels_take(t->tid);
	return t->labels;
}

static int refuse(int err)
{
	process_count(STAT_LABELS_REFUSED, 1);
	return err;
}

static bool on_own_stack(const struct thread_state *t, uint64_t sp)
{
	return sp >= t->stack_lo && sp <= t->stack_hi;
}

/*
 * Has a change at `frame` been left for good, seen from `sp`? On one stack,
 * what lies at or below us is gone. On another than the thread's own, which is
 * where we are, it was in a handler.
 */
static bool is_gone(const struct thread_state *t, uint64_t frame, uint64_t sp)
{
	if (on_own_stack(t, frame) != on_own_stack(t, sp))
		return on_own_stack(t, sp);
	return sp >= frame;
}

static bool begin(uint64_t frame)
{
	struct thread_state *t = &thread_state;

	if (t->labels_frame && !is_gone(t, t->labels_frame, frame))
		return false;
	t->labels_frame = frame;
	atomic_signal_fence(memory_order_seq_cst);
	return true;
}

static void finish(void)
{
	atomic_signal_fence(memory_order_seq_cst);
	thread_state.labels_frame = 0;
}

void user_labels_jumps(uint64_t sp)
{
	struct thread_state *t = &thread_state;

	/* Where a change begins is at its frame, where it goes on below. */
	if (t->labels_frame && is_gone(t, t->labels_frame, sp))
		t->labels_frame = 0;
}

static int change_begun(
	const char *key, const char *value, bool push, uint32_t *ret_serial)
{
	struct user_labels *l = block_here(value != NULL);

	if (l && value)
		return put(l, key, value, push, ret_serial);
	if (l)
		remove_key(l, key);
	return !l && value ? -ENOMEM : 0;
}

static int change(const char *key, const char *value, bool push,
	uint32_t *ret_serial, uint64_t frame)
{
	int err;

	if (!key || !*key)
		return refuse(-EINVAL);
	if (!begin(frame))
		return refuse(-EBUSY);
	err = change_begun(key, value, push, ret_serial);
	finish();
	return err ? refuse(err) : 0;
}

int user_labels_set(const char *key, const char *value)
{
	uint32_t unused;

	return change(
		key, value, false, &unused, (uintptr_t)__builtin_dwarf_cfa());
}

unsigned long user_labels_push(const char *key, const char *value)
{
	uint32_t serial = 0;

	if (!value || change(key, value, true, &serial,
			      (uintptr_t)__builtin_dwarf_cfa()) != 0)
		return 0;
	return serial;
}

void user_labels_pop(unsigned long token)
{
	struct user_labels *l = thread_state.labels;

	if (!l || !token)
		return;
	if (!begin((uintptr_t)__builtin_dwarf_cfa())) {
		(void)refuse(-EBUSY);
		return;
	}
	pop(l, (uint32_t)token);
	finish();
}

size_t user_labels_read(const char *key, char *to, size_t size)
{
	const struct user_labels *l = thread_state.labels;
	struct view v;
	uint32_t at;

	if (size)
		to[0] = '\0';
	if (!l || !key)
		return 0;
	v = view_look(l);
	at = place_of(l, &v, key);
	if (at == v.n || !size)
		return 0;
	(void)str_copy(to, size, l->texts[v.text[at]].value);
	return str_len(to);
}
