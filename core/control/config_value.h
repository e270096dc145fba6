/*
 * config_value.h - the types a variable can have: how each reads its value.
 *
 * All take the variable's row of the table (range, words, field) and follow
 * config_parse_fn in config.h. Context: PP_NORMAL (stat, getcwd, SIGRTMIN).
 */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H

#include "pp.h"

#include "config.h"
#include "fmt.h"

/* What to return, with the reason. */
#define REFUSE(why, ...) \
	((void)fmt((why)->text, sizeof((why)->text), __VA_ARGS__), false)

config_parse_fn value_count;	/* whole number -> uint32_t */
config_parse_fn value_size;	/* number with k, m or g -> uint64_t */
config_parse_fn value_word;	/* one of v->words -> uint8_t */
config_parse_fn value_signal;	/* name, number or none -> int32_t */
config_parse_fn value_profiles; /* list of kinds -> bit mask */
config_parse_fn value_waits;	/* list of wait classes -> bit mask */
config_parse_fn value_output;	/* file name template */
config_parse_fn value_session;	/* auto, anonymous or a directory */
config_parse_fn value_log;	/* none, stderr or a path */
config_parse_fn value_glob;	/* stores nothing: matched in config.c */

#endif
