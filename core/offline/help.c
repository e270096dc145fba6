/*
 * help.c - see help.h.
 */
#include "pp.h"

#include <ctype.h>
#include <string.h>

#include "help.h"

#define COLUMNS 79

void option_name(const struct config_variable *v, char ret[OPTION_NAME_MAX])
{
	const char *s = v->name + strlen("PPROFC_");
	size_t n = 0;

	for (; *s && n < OPTION_NAME_MAX - 1; s++)
		ret[n++] = (char)(*s == '_' ? '-' : tolower((int)*s));
	ret[n] = '\0';
}

/* Text broken at blanks, every line after `indent` columns. */
static void wrap(FILE *to, int indent, const char *text)
{
	int column = indent;

	(void)fprintf(to, "%*s", indent, "");
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > indent && column + 1 + word > COLUMNS) {
			(void)fprintf(to, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(
			to, "%s%.*s", column > indent ? " " : "", word, text);
		text += word;
		text += strspn(text, " ");
	}
	(void)fprintf(to, "\n");
}

static void explain(FILE *to, const struct config_variable *v)
{
	char line[256];

	wrap(to, 8, v->help);
	(void)snprintf(line, sizeof(line), "Default: %s. Accepted: %s.",
		v->fallback, v->accepted);
	wrap(to, 8, line);
}

void help_pprofc(FILE *to)
{
	(void)fprintf(to,
		"Usage: pprofc run [OPTION]... [--] CMD [ARG]...\n"
		"       pprofc symbolize [OPTION]... FILE...\n"
		"       pprofc recover [OPTION]... [FILE|DIR]...\n"
		"       pprofc threads [OPTION]... PID|FILE\n"
		"       pprofc dump PID [KIND]...\n"
		"       pprofc list\n"
		"       pprofc --help | --version | --variables\n"
		"\n"
		"run: run a program and write CPU and heap profiles of it for\n"
		"`go tool pprof`. `pprofc run --help` lists the options.\n"
		"symbolize: put source lines and inlined functions into"
		" profiles.\n`pprofc symbolize --help` lists the options.\n"
		"recover: write the profiles of processes that were killed.\n"
		"`pprofc recover --help` lists the options.\n"
		"threads: what all threads of a running process do, and who"
		" waits for whom.\n"
		"dump: have a running process write its profiles now.\n"
		"list: profiled processes, running or dead.\n"
		"\n"
		"The same without this command:\n"
		"    LD_PRELOAD=libpprofc.so PPROFC_PROFILES=cpu CMD...\n"
		"\n"
		"Environment variables:\n");
	for (size_t i = 0; i < config_count; i++) {
		const struct config_variable *v = &config_table[i];

		(void)fprintf(to, "\n  %s=%s\n", v->name, v->value);
		explain(to, v);
	}
	(void)fprintf(to,
		"\nA variable set to nothing counts as not set. A value that is"
		" not accepted is\nreported on stderr once; the default is used"
		" instead.\n\n"
		"Manual pages: pprofc(1), pprofc(7)\n");
}

void help_run(FILE *to)
{
	(void)fprintf(to,
		"Usage: pprofc run [OPTION]... [--] CMD [ARG]...\n"
		"\n"
		"Run CMD with libpprofc.so preloaded. Its exit status, signals,"
		" input and\noutput are its own. Afterwards say on stderr where"
		" the profiles are.\n"
		"\n"
		"  -q, --quiet\n"
		"        Say nothing, unless CMD cannot be run.\n"
		"  -h, --help\n"
		"        This text.\n"
		"  -o TEMPLATE\n"
		"        The same as --output=TEMPLATE.\n");
	for (size_t i = 0; i < config_count; i++) {
		const struct config_variable *v = &config_table[i];
		char name[OPTION_NAME_MAX];

		option_name(v, name);
		(void)fprintf(
			to, "  --%s=%s   (%s)\n", name, v->value, v->name);
		explain(to, v);
	}
	(void)fprintf(to,
		"\nExit status: that of CMD; 125 if pprofc itself fails, 126 if"
		" CMD cannot be\nexecuted, 127 if it is not found. If a signal"
		" kills CMD, pprofc dies by it,\ntoo.\n");
}

void help_recover(FILE *to)
{
	(void)fputs(
		"Usage: pprofc recover [OPTION]... [FILE|DIR]...\n"
		"       pprofc recover --core=CORE [--exe=FILE] [-o TEMPLATE]\n"
		"\n"
		"Write the profiles of processes that were killed, from the "
		"session"
		" files they\nhave left: FILE, or all in DIR. Without either "
		"those"
		" in /dev/shm, in the\ncurrent directory and in those of"
		" PPROFC_SESSION and PPROFC_OUTPUT.\n"
		"\n"
		"  -l, --list\n"
		"        Only list them: program, process id, start, bytes in "
		"use,\n"
		"        samples, state, file. Separated by tabs, unless for a "
		"terminal.\n"
		"  -k, --keep\n"
		"        Keep the session file. Without it, it is removed when "
		"the\n"
		"        profiles are written.\n"
		"  -s, --snapshot\n"
		"        Read the sessions of living processes, too. Nothing "
		"is\n"
		"        changed there.\n"
		"  -f, --force\n"
		"        Take a process that cannot be seen from here (of "
		"another PID\n"
		"        namespace, of another machine) for dead.\n"
		"  -o TEMPLATE, --output=TEMPLATE\n"
		"        Names of the profiles, as in PPROFC_OUTPUT, in place "
		"of those\n"
		"        the process would have given them.\n"
		"  --exe=FILE\n"
		"        Take the names of the program's own functions from "
		"this copy.\n"
		"  --core=CORE\n"
		"        Take the session out of this core file.\n"
		"  -h, --help\n"
		"        This text.\n"
		"\n"
		"Exit status: 0, or 1 if a session could not be read or "
		"written,"
		" or 125 if\nthe options are wrong.\n",
		to);
}

void help_threads(FILE *to)
{
	(void)fputs(
		"Usage: pprofc threads [OPTION]... PID|FILE\n"
		"\n"
		"Say what all threads of a running process that is profiled are"
		" doing, or of a\ngoroutine profile: who waits for whom,"
		" circles first, then every stack.\nHow it is asked:"
		" pprofc(1).\n"
		"\n"
		"  --debug=1|2\n"
		"        1: as Go's goroutine?debug=1, equal stacks once.\n"
		"        2 (default): every thread.\n"
		"  --names\n"
		"        Without source lines: faster.\n"
		"  -h, --help\n"
		"        This text.\n"
		"\n"
		"Exit status: 0; 2 if threads wait for each other in a circle;"
		" 1 if it failed;\n125 if the options are wrong.\n",
		to);
}

void help_dump(FILE *to)
{
	(void)fputs(
		"Usage: pprofc dump PID [KIND]...\n"
		"\n"
		"Have a running process that is profiled write its profiles"
		" now: those of the\nkinds named (cpu, heap, mutex, goroutine"
		" and so on), or all it makes. Prints\nthe names of the"
		" files. CPU profiles are from the start until now.\n"
		"\n"
		"Exit status: 0, 1 if nothing was written, 125 if the options"
		" are wrong.\n",
		to);
}

void help_variables(FILE *to)
{
	for (size_t i = 0; i < config_count; i++) {
		const struct config_variable *v = &config_table[i];
		char name[OPTION_NAME_MAX];

		option_name(v, name);
		(void)fprintf(to, "%s\t--%s\t%s\t%s\t%s\t%s\n", v->name, name,
			v->value, v->fallback, v->accepted, v->help);
	}
}
