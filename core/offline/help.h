/*
 * help.h - the texts of --help and --variables, made from the table in
 * core/control/config_table.c.
 */
#ifndef HELP_H
#define HELP_H

#include <stdio.h>

#include "pp.h"

#include "config.h"

void help_pprofc(FILE *to);
void help_run(FILE *to);
void help_recover(FILE *to);
void help_threads(FILE *to);
void help_dump(FILE *to);

/* One line per variable, fields separated by tabs: name, option, placeholder,
 * default, accepted, help. scripts/gen-docs reads it. */
void help_variables(FILE *to);

#define OPTION_NAME_MAX 32

/* "PPROFC_CPU_HZ" -> "cpu-hz". */
void option_name(const struct config_variable *v, char ret[OPTION_NAME_MAX]);

#endif
