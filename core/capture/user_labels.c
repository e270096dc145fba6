/*
 * user_labels.c - see user_labels.h. Context: PP_ANY.
 *
 * What is visible is one word: the numbers of up to 8 texts and a count of
 * changes. A text is written whole while no word names it, and stays as it is
 * as long as one does. So a handler in the middle of a change finds what was
 * before or what comes after; and whoever reads another thread's reads the word
 * again afterwards.
 */
#include "pp.h"

#include <errno.h>
#include <stdatomic.h>

#include "fmt.h"
#include "process.h"
#include "sys.h"
#include "user_labels.h"

#define TEXTS 15u     /* visible or hidden by others, and one to write */
#define BLOCKS 16384u /* threads with labels at a time */
#define BLOCK_BYTES 8192u
#define ON_ITS_WAY UINT32_MAX /* owner: a thread that is being made */

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
	uint32_t index;
	volatile uint32_t busy;
	struct text texts[TEXTS];
};
_Static_assert(sizeof(struct user_labels) <= BLOCK_BYTES, "one block");

static PP_BIG _Atomic(struct user_labels *) blocks[BLOCKS];
static PP_BIG _Atomic uint32_t owners[BLOCKS]; /* tid; 0 = free */
static _Atomic uint32_t highest;	       /* index + 1 ever used */

/* --- blocks --------------------------------------------------------------- */

static struct user_labels *block_at(uint32_t i)
{
	struct user_labels *l = atomic_load(&blocks[i]);

	if (!l) {
		l = sys_map_pages(BLOCK_BYTES);
		if (l)
			l->index = i;
		atomic_store(&blocks[i], l);
	}
	return l;
}

static void note_highest(uint32_t i)
{
	uint32_t n = atomic_load(&highest);

	while (n <= i && !atomic_compare_exchange_weak(&highest, &n, i + 1))
		;
}

static bool claim(uint32_t i, uint32_t owner)
{
	uint32_t nobody = 0;

	return atomic_load_explicit(&owners[i], memory_order_relaxed) == 0 &&
	       atomic_compare_exchange_strong(&owners[i], &nobody, owner);
}

static struct user_labels *take_block(uint32_t owner)
{
	struct user_labels *l;

	for (uint32_t i = 0; i < BLOCKS; i++) {
		if (!claim(i, owner))
			continue;
		note_highest(i);
		l = block_at(i);
		if (!l)
			atomic_store(&owners[i], 0);
		return l;
	}
	return NULL;
}

/* The count of changes goes on: readers may still look. */
static void empty(struct user_labels *l)
{
	uint64_t changes = (atomic_load(&l->visible) >> 32) + 1;

	atomic_store(&l->visible, changes << 32);
	atomic_store(&l->known, 0);
}

void user_labels_drop(struct user_labels *l)
{
	if (!l)
		return;
	empty(l);
	atomic_store(&owners[l->index], 0);
}

/* --- what is visible ------------------------------------------------------ */

struct view {
	uint32_t n;
	uint8_t text[USER_LABELS_MAX]; /* numbers */
};

static struct view view_of(uint64_t visible)
{
	struct view v = { 0 };

	for (; v.n < USER_LABELS_MAX && (visible & 15); visible >>= 4)
		v.text[v.n++] = (uint8_t)((visible & 15) - 1);
	return v;
}

static struct view look(const struct user_labels *l)
{
	return view_of(atomic_load_explicit(&l->visible, memory_order_acquire));
}

static void publish(struct user_labels *l, const struct view *v)
{
	uint64_t changes = (atomic_load(&l->visible) >> 32) + 1, word = 0;

	for (uint32_t i = 0; i < v->n; i++)
		word |= (uint64_t)(v->text[i] + 1) << (4 * i);
	atomic_store(&l->visible, changes << 32 | word);
	atomic_store(&l->known, 0);
}

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
		for (uint32_t t = v->text[i] + 1u; t; t = l->texts[t - 1].hides)
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
	struct view v = look(l);
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
	publish(l, &v);
	*ret_serial = new->serial;
	return 0;
}

static void take_out(struct user_labels *l, struct view *v, uint32_t at)
{
	for (v->n--; at < v->n; at++)
		v->text[at] = v->text[at + 1];
	publish(l, v);
}

static void remove_key(struct user_labels *l, const char *key)
{
	struct view v = look(l);
	uint32_t at = place_of(l, &v, key);

	if (at < v.n)
		take_out(l, &v, at);
}

/* Popped out of turn: it is hidden. */
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
	struct view v = look(l);

	for (uint32_t i = 0; i < v.n; i++) {
		const struct text *t = &l->texts[v.text[i]];

		if (t->serial != serial) {
			if (unlink_hidden(l, v.text[i], serial))
				return;
			continue;
		}
		if (t->hides) {
			v.text[i] = (uint8_t)(t->hides - 1);
			publish(l, &v);
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
		t->labels = take_block(t->tid);
	return t->labels;
}

static int refuse(int err)
{
	process_count(STAT_LABELS_REFUSED, 1);
	return err;
}

static int change(
	const char *key, const char *value, bool push, uint32_t *ret_serial)
{
	struct user_labels *l = block_here(value != NULL);
	int err = 0;

	if (!key || !*key)
		return refuse(-EINVAL);
	if (!l)
		return value ? refuse(-ENOMEM) : 0;
	if (l->busy)
		return refuse(-EBUSY);
	l->busy = 1;
	if (value)
		err = put(l, key, value, push, ret_serial);
	else
		remove_key(l, key);
	l->busy = 0;
	return err ? refuse(err) : 0;
}

int user_labels_set(const char *key, const char *value)
{
	uint32_t unused;

	return change(key, value, false, &unused);
}

unsigned long user_labels_push(const char *key, const char *value)
{
	uint32_t serial = 0;

	return value && change(key, value, true, &serial) == 0 ? serial : 0;
}

void user_labels_pop(unsigned long token)
{
	struct user_labels *l = thread_state.labels;

	if (!l || !token || l->busy)
		return;
	l->busy = 1;
	pop(l, (uint32_t)token);
	l->busy = 0;
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
	v = look(l);
	at = place_of(l, &v, key);
	if (at == v.n || !size)
		return 0;
	(void)str_copy(to, size, l->texts[v.text[at]].value);
	return str_len(to);
}

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

uint32_t user_labels_of(struct session *s, uint32_t tid)
{
	uint32_t n = atomic_load(&highest);

	for (uint32_t i = 0; i < n; i++) {
		const struct user_labels *l;
		uint32_t set;

		if (atomic_load(&owners[i]) != tid)
			continue;
		l = atomic_load(&blocks[i]); /* NULL: it is being made */
		set = l ? read_other(s, l) : 0;
		return atomic_load(&owners[i]) == tid ? set : 0;
	}
	return 0;
}

/* --- threads and processes ------------------------------------------------ */

struct user_labels *user_labels_copy(void)
{
	const struct user_labels *from = thread_state.labels;
	struct user_labels *l;
	struct view v;

	if (!from || (uint32_t)atomic_load(&from->visible) == 0)
		return NULL;
	v = look(from);
	l = take_block(ON_ITS_WAY);
	if (!l) {
		(void)refuse(0);
		return NULL;
	}
	for (uint32_t i = 0; i < v.n; i++) {
		l->texts[i] = from->texts[v.text[i]];
		l->texts[i].serial = l->texts[i].hides = 0;
		v.text[i] = (uint8_t)i;
	}
	publish(l, &v);
	return l;
}

void user_labels_adopt(struct user_labels *l)
{
	struct thread_state *t = l ? thread_state_get() : NULL;

	thread_state.labels = l;
	if (t)
		atomic_store(&owners[l->index], t->tid);
}

void user_labels_thread_end(void)
{
	struct user_labels *l = thread_state.labels;

	thread_state.labels = NULL;
	user_labels_drop(l);
}

void user_labels_forked(void)
{
	struct user_labels *mine = thread_state.labels;
	uint32_t n = atomic_load(&highest);

	for (uint32_t i = 0; i < n; i++) {
		if (!mine || mine->index != i)
			atomic_store(&owners[i], 0);
		else
			atomic_store(&owners[i], (uint32_t)sys_gettid());
	}
}
