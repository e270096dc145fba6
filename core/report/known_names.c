/*
 * known_names.c - see known_names.h. Context: PP_ANY.
 */
#include "pp.h"

#include "known_names.h"
#include "modules.h"

#define FIRST_ROOM 1024u /* a power of two */

void known_names_init(
	struct known_names *n, const struct session *s, bool own_process)
{
	*n = (struct known_names){ .symbols = { .session = s,
					   .own_process = own_process } };
	arena_init(&n->arena);
}

void known_names_free(struct known_names *n)
{
	arena_free(&n->arena);
}

static bool begin(struct known_names *n)
{
	struct symbols *y = &n->symbols;

	if (y->steps)
		return true;
	n->changed = arena_alloc(&n->arena, MODULES_MAX / 8 + 1);
	return n->changed &&
	       symbols_init(y, y->session, &n->arena, y->own_process) == 0;
}

/* --- what is known -------------------------------------------------------- */

/* Where the key is, or would be. */
static struct symbol *slot_of(const struct known_names *n, uint64_t key)
{
	uint32_t at = (uint32_t)pp_mix(key) & (n->room - 1);

	while (n->known[at].key && n->known[at].key != key)
		at = (at + 1) & (n->room - 1);
	return &n->known[at];
}

/* Half of the slots stay free. */
static bool make_room(struct known_names *n, uint32_t more)
{
	struct known_names larger = *n;

	if (n->count + more <= n->room / 2)
		return true;
	larger.room = PP_MAX(n->room, FIRST_ROOM);
	while (n->count + more > larger.room / 2)
		larger.room *= 2;
	larger.known = arena_alloc(
		&n->arena, larger.room * sizeof(*larger.known));
	if (!larger.known)
		return false;
	for (uint32_t i = 0; i < n->room; i++) {
		if (n->known[i].key)
			*slot_of(&larger, n->known[i].key) = n->known[i];
	}
	n->known = larger.known;
	n->room = larger.room;
	return true;
}

static bool is_changed(const struct known_names *n, unsigned module)
{
	return n->changed[module / 8] & 1u << module % 8;
}

/* --- looking -------------------------------------------------------------- */

/* Those of which nothing is known, in the same order. */
static uint32_t list_new(const struct known_names *n,
	const struct symbol *wanted, uint32_t count, struct symbol *to)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!slot_of(n, wanted[i].key)->key)
			to[k++] = (struct symbol){ .key = wanted[i].key };
	}
	return k;
}

static bool look(struct known_names *n, unsigned module, struct symbol *list,
	uint32_t count)
{
	const struct module *m = modules_get(n->symbols.session, module);
	bool changed = symbols_find(&n->symbols, m, list, count) ==
		       SYMBOLS_CHANGED;

	n->changed[module / 8] |= (uint8_t)(changed << module % 8);
	return changed;
}

/* What is not found is known, too. */
static void remember(
	struct known_names *n, const struct symbol *list, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		*slot_of(n, list[i].key) = list[i];
	n->count += count;
}

static void answer(
	const struct known_names *n, struct symbol *wanted, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct symbol *known = slot_of(n, wanted[i].key);

		wanted[i].name = known->name;
		wanted[i].name_len = known->name_len;
		wanted[i].offset = known->offset;
	}
}

bool known_names_find(struct known_names *n, unsigned module,
	struct symbol *wanted, uint32_t count)
{
	struct symbol *new;
	uint32_t new_count;

	if (!begin(n))
		return true;
	/* A perf map grows while the program runs. */
	if (module == 0) {
		(void)symbols_find_jit(&n->symbols, wanted, count);
		return true;
	}
	new = arena_alloc(&n->arena, count * sizeof(*new));
	if (!new || !make_room(n, count))
		return !look(n, module, wanted, count);
	new_count = list_new(n, wanted, count, new);
	if (new_count) {
		(void)look(n, module, new, new_count);
		remember(n, new, new_count);
	}
	answer(n, wanted, count);
	return !is_changed(n, module);
}
