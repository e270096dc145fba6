/*
 * config.h - the one table of PPROFC_* variables: name, type, default, range,
 * help. `pprofc --help`, the options of `pprofc run`, the man page's list, the
 * README's table and the error texts are made from it.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "pp.h"

#include "settings.h"

struct config_variable;

/* Why a value was refused, where "accepted" does not say enough; "" if it
 * does. Never more than fits into one line. */
struct config_why {
	char text[160];
};

/* Store the value into *to, or say why not and leave *to alone. */
typedef bool config_parse_fn(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why);

struct config_variable {
	const char *name;     /* "PPROFC_CPU_HZ" */
	const char *value;    /* placeholder in help: "HZ" */
	const char *fallback; /* default, as the user would write it */
	const char *accepted; /* "a whole number from 1 to 10000" */
	const char *help;     /* one or more sentences */

	config_parse_fn *parse;	  /* its type: config_value.h */
	size_t field;		  /* offset in struct settings */
	uint64_t min, max;	  /* numbers and sizes */
	const char *const *words; /* choices; the index is what is stored */
};

#define CONFIG_VARIABLES 23u
extern const struct config_variable config_table[CONFIG_VARIABLES]
	__attribute__((visibility("hidden")));
extern const size_t config_count __attribute__((visibility("hidden")));

/* How the status file is told that a program is not meant. */
#define CONFIG_NOT_MEANT "PPROFC_PROGRAM does not match "

/* Receives one finished sentence per bad value, without prefix and newline. */
typedef void config_bad_fn(const char *sentence, void *arg);

/*
 * Fill *ret from the environment (none of it counts in a program that has more
 * rights than its user). Bad values are reported and replaced by their
 * defaults. Paths are made absolute. The names of program and host are left to
 * the session. Also decides whether this program is meant at all
 * (PPROFC_PROGRAM): if not, nothing is on in *ret; log_status() says so.
 *
 * Only the first process complains: the first bad entry of environ is replaced
 * by PPROFC_COMPLAINED=1, in place (nothing is allocated, the array stays where
 * it is), and a process that inherits this reports nothing.
 *
 * Opens the log (log_open), so *ret must live as long as the process. It has to
 * be zero: what stays empty is not touched, for the sake of page faults.
 */
void config_read(struct settings *ret, config_bad_fn *bad, void *arg) PP_NORMAL;

/* The same for a process that is not the one to be profiled: writes no log, and
 * is always meant. */
void config_resolve(
	struct settings *ret, config_bad_fn *bad, void *arg) PP_NORMAL;

/* Check one variable's value as config_read() would; used by `pprofc run`. The
 * sentence promises no default. An unknown name is false and reported. */
bool config_check(const char *name, const char *value, config_bad_fn *bad,
	void *arg) PP_NORMAL;

#endif
