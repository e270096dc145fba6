/*
 * known_names.h - the names of the code addresses of a session, each looked for
 * once for all the profiles that are written together: the symbol table of a
 * large program takes longer to read than a profile to write.
 *
 * Owner: whoever called known_names_init(); what is found lives until
 * known_names_free(). One user at a time. Context: PP_ANY.
 */
#ifndef KNOWN_NAMES_H
#define KNOWN_NAMES_H

#include "pp.h"

#include "arena.h"
#include "session.h"
#include "symbols.h"

struct known_names {
	struct arena arena;
	struct symbols symbols;
	struct symbol *known; /* hash table by key; key 0 = free */
	uint32_t count, room;
	uint8_t *changed; /* a bit for each module: its file is another now */
};

/* Takes no memory yet. `own_process`: as in struct report_request. */
void known_names_init(struct known_names *n, const struct session *s,
	bool own_process) PP_ANY;
void known_names_free(struct known_names *n) PP_ANY;

/* Name `count` addresses of one module instance (0: code outside of files),
 * sorted by address and each only once. Returns false if they were not looked
 * for in its file, as that is not the one that was mapped. Without memory fewer
 * names are found. */
bool known_names_find(struct known_names *n, unsigned module,
	struct symbol *wanted, uint32_t count) PP_ANY;

#endif
