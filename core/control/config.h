/*
 * config.h - the one table of PPROFC_* variables: name, type, default, range,
 * help. --help, the man page's list, the README's table and the error texts are
 * made from it.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "pp.h"

#include "settings.h"

struct config_variable {
	const char *name;     /* "PPROFC_CPU_HZ" */
	const char *value;    /* placeholder in help: "HZ" */
	const char *fallback; /* default, as the user would write it */
	const char *accepted; /* "a whole number from 1 to 10000" */
	const char *help;     /* one or more sentences */
};

extern const struct config_variable config_table[]
	__attribute__((visibility("hidden")));
extern const size_t config_count __attribute__((visibility("hidden")));

/* Receives one finished sentence per bad value, without newline. */
typedef void config_bad_fn(const char *sentence, void *arg);

/*
 * Fill *ret from the environment (secure_getenv). Bad values are reported and
 * replaced by their defaults. Paths are made absolute, the program's name and
 * the host's are filled in. Also decides whether this program is meant at all
 * (PPROFC_PROGRAM): if not, profiles = 0.
 */
void config_read(struct settings *ret, config_bad_fn *bad, void *arg) PP_NORMAL;

/* Check one "NAME=value" as config_read() would; used by `pprofc run`. */
bool config_check(const char *name, const char *value, config_bad_fn *bad,
	void *arg) PP_NORMAL;

#endif
