/*
 * config.c - reads the environment by the table of variables (config_table.c).
 *
 * Context: PP_NORMAL: the library's constructor and the pprofc command. Uses
 * neither malloc nor stdio: the constructor runs in front of the host's main.
 */
#include "pp.h"

#include <errno.h>
#include <fnmatch.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "config.h"
#include "config_value.h"
#include "fmt.h"
#include "log.h"
#include "program.h"
#include "sys.h"

/* Values in the environment; NULL: not set, or empty, which counts as the same:
 * `PPROFC_LOG= ./app` undoes an export. */
struct given {
	const char *of[CONFIG_VARIABLES];
	const char *status;
	bool complained, not_followed; /* said by the program before */
};

/* Where complaints go; quiet when an ancestor has complained already. */
struct complaints {
	config_bad_fn *bad;
	void *arg;
	bool quiet, any;
};

static char complained[] = "PPROFC_COMPLAINED=1";
static char not_followed[] = "PPROFC_NOT_FOLLOWED=1";

/* One line of at most so many characters, whatever the environment holds. */
static void show(char *buf, size_t size, const char *value)
{
	bool whole = str_copy(buf, size, value);

	for (char *s = buf; *s; s++) {
		if (*s < ' ' || *s == 0x7f)
			*s = '?';
	}
	if (!whole)
		(void)str_copy(buf + size - 4, 4, "...");
}

static void complain(struct complaints *to, const struct config_variable *v,
	const char *value, const struct config_why *why, bool fall_back)
{
	char sentence[512], shown[81], because[sizeof(why->text)];

	show(shown, sizeof(shown), value);
	show(because, sizeof(because), why->text); /* it may quote the value */
	(void)fmt(sentence, sizeof(sentence),
		"%s=%s is not accepted%s%s; give %s%s%s%s", v->name, shown,
		because[0] ? ": " : "", because, v->accepted,
		fall_back ? " (using the default, " : "",
		fall_back ? v->fallback : "", fall_back ? ")" : "");
	to->any = true;
	if (!to->quiet)
		to->bad(sentence, to->arg);
}

/* The pointer in environ to NAME=..., or NULL. */
static char **environment_entry(const char *name)
{
	size_t len = str_len(name);

	for (char **e = environ; e && *e; e++) {
		if (__builtin_strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return e;
	}
	return NULL;
}

/* Tell our children that the user has been told. */
static void mark_complained(const struct config_variable *v)
{
	char **entry = environment_entry(v->name);

	if (entry)
		*entry = complained;
}

/* system() and popen() start programs inside libc, where no wrapper of ours
 * takes LD_PRELOAD away: such a program stays dormant by this. */
static void mark_not_followed(void)
{
	char **entry = environment_entry("PPROFC_FOLLOW");

	if (entry)
		*entry = not_followed;
}

/* The value of an entry of that name, or NULL. */
static const char *value_in(const char *entry, const char *name)
{
	while (*name && *entry == *name) {
		entry++;
		name++;
	}
	return !*name && *entry == '=' ? entry + 1 : NULL;
}

static void take_entry(const char *entry, struct given *to)
{
	const char *value = value_in(entry, "PPROFC_STATUS");

	to->complained |= value_in(entry, "PPROFC_COMPLAINED") != NULL;
	to->not_followed |= value_in(entry, "PPROFC_NOT_FOLLOWED") != NULL;
	if (value && !to->status)
		to->status = value;
	for (size_t i = 0; i < config_count; i++) {
		value = value_in(entry, config_table[i].name);
		if (value && !to->of[i]) /* the first one counts */
			to->of[i] = value;
	}
}

/* All in one go: environments are long. As secure_getenv reads them. */
static void read_environment(struct given *ret)
{
	*ret = (struct given){ 0 };
	if (getauxval(AT_SECURE))
		return;
	for (char **e = environ; e && *e; e++) {
		if (**e == 'P' && __builtin_strncmp(*e, "PPROFC_", 7) == 0)
			take_entry(*e, ret);
	}
	for (size_t i = 0; i < config_count; i++) {
		if (ret->of[i] && !*ret->of[i])
			ret->of[i] = NULL;
	}
}

static void read_variable(const struct config_variable *v, const char *value,
	struct settings *to, struct complaints *complaints)
{
	struct config_why why = { "" };

	if (value && v->parse(v, value, to, &why)) {
		if (v->field == offsetof(struct settings, dump_signal))
			to->dump_signal_named = to->dump_signal != 0;
		return;
	}
	if (value) {
		bool first = !complaints->any;

		complain(complaints, v, value, &why, true);
		if (first && !complaints->quiet)
			mark_complained(v);
	}
	(void)v->parse(v, v->fallback, to, &why);
}

static const struct config_variable *find(const char *name)
{
	for (size_t i = 0; i < config_count; i++) {
		if (str_eq(config_table[i].name, name))
			return &config_table[i];
	}
	return NULL;
}

static const char *given_for(const struct given *given, const char *name)
{
	return given->of[find(name) - config_table];
}

/* One signal cannot mean two things. */
static void settle_signals(struct settings *s, const struct given *given,
	struct complaints *complaints)
{
	const struct config_variable *v;
	const char *value;
	struct config_why why = { "PPROFC_SIGNAL is the same signal" };
	bool first = !complaints->any;

	if (s->toggle_signal == 0 || s->toggle_signal != s->dump_signal)
		return;
	v = find("PPROFC_TOGGLE_SIGNAL");
	value = given_for(given, v->name);
	complain(complaints, v, value ? value : "", &why, true);
	if (first && !complaints->quiet)
		mark_complained(v);
	s->toggle_signal = 0;
}

static void settle_status(struct settings *s, const char *path)
{
	if (path && path[0] == '/' && str_len(path) < sizeof(s->status_path))
		(void)str_copy(s->status_path, sizeof(s->status_path), path);
}

/* What is off stays off altogether. A signal that the user has named is taken
 * all the same: it would end the program. */
static void settle_kinds(struct settings *s)
{
	if (s->heap_rate == 0)
		s->profiles &= ~PROFILE_HEAP_FAMILY;
	if (s->mutex_fraction == 0)
		s->profiles &= ~PROFILE_BIT(PROFILE_MUTEX);
	if (s->block_rate == 0)
		s->profiles &= ~PROFILE_BIT(PROFILE_BLOCK);
	if (!(s->profiles & PROFILE_DUMPED) && !s->dump_signal_named)
		s->dump_signal = 0;
	if (s->profiles == 0)
		s->interval_s = 0;
}

static void settle(struct settings *ret, const struct given *given,
	config_bad_fn *bad, void *arg)
{
	struct complaints complaints = {
		.bad = bad,
		.arg = arg,
		.quiet = given->complained,
	};

	for (size_t i = 0; i < config_count; i++)
		read_variable(&config_table[i], given->of[i], ret, &complaints);
	settle_signals(ret, given, &complaints);
	settle_kinds(ret);
	settle_status(ret, given->status);
}

void config_resolve(struct settings *ret, config_bad_fn *bad, void *arg)
{
	struct given given;

	*ret = (struct settings){ 0 };
	read_environment(&given);
	settle(ret, &given, bad, arg);
}

/* By the name of its file or by the one it was started under: awk is mawk. */
static PP_NORMAL bool is_meant(const char *glob)
{
	const char *typed = program_invocation_short_name;

	if (!glob)
		return true;
	program_look();
	if (fnmatch(glob, program_name(), 0) == 0 ||
		fnmatch(glob, typed, 0) == 0)
		return true;
	if (str_eq(program_name(), typed))
		log_status(CONFIG_NOT_MEANT "%s", typed);
	else
		log_status(CONFIG_NOT_MEANT "%s, started as %s", program_name(),
			typed);
	return false;
}

/* A program that is not meant or not to be followed, or that runs with more
 * rights than its user (then the environment is not to be trusted, and files of
 * ours would be written with these rights). */
static PP_NORMAL void settle_program(
	struct settings *s, const struct given *given)
{
	if (!getauxval(AT_SECURE) && !given->not_followed &&
		is_meant(given_for(given, "PPROFC_PROGRAM")))
		return;
	s->profiles = 0;
	s->interval_s = 0;
	s->dump_signal = 0;
	s->dump_signal_named = 0;
	s->toggle_signal = 0;
}

#define SLOWEST_TICK_HZ 100u /* that a kernel can be built with */

/* CPU timers fire at ticks only: a higher rate would be weight, not detail. */
static void cap_cpu_rate(struct settings *s)
{
	struct timespec tick = { 0, 0 };
	uint32_t hz;

	if (s->cpu_hz <= SLOWEST_TICK_HZ ||
		sys_call2(SYS_clock_getres, CLOCK_MONOTONIC_COARSE, &tick) !=
			0 ||
		tick.tv_sec != 0 || tick.tv_nsec <= 0)
		return;
	hz = (uint32_t)(1000000000 / tick.tv_nsec);
	if (s->cpu_hz <= hz || hz == 0)
		return;
	if (s->profiles & PROFILE_BIT(PROFILE_CPU))
		log_line("PPROFC_CPU_HZ=%u is above this kernel's clock tick; "
			 "sampling at %u Hz",
			s->cpu_hz, hz);
	s->cpu_hz = hz;
}

/* Its handler stays: the signal would end the program. */
static void look_at_toggle(const struct settings *s)
{
	if (s->toggle_signal && !(s->profiles & PROFILE_BIT(PROFILE_CPU)))
		log_line("PPROFC_TOGGLE_SIGNAL does nothing: cpu is not in "
			 "PPROFC_PROFILES");
}

void config_read(struct settings *ret, config_bad_fn *bad, void *arg)
{
	struct given given;

	read_environment(&given);
	settle(ret, &given, bad, arg);
	log_open(ret);
	settle_program(ret, &given);
	if (!ret->follow)
		mark_not_followed();
	cap_cpu_rate(ret);
	look_at_toggle(ret);
}

bool config_check(
	const char *name, const char *value, config_bad_fn *bad, void *arg)
{
	const struct config_variable *v = find(name);
	struct complaints complaints = { .bad = bad, .arg = arg };
	struct config_why why = { "" };
	struct settings scratch = { 0 };
	char sentence[160];

	if (!v) {
		(void)fmt(sentence, sizeof(sentence), "there is no variable %s",
			name);
		bad(sentence, arg);
		return false;
	}
	if (!*value || v->parse(v, value, &scratch, &why))
		return true;
	complain(&complaints, v, value, &why, false);
	return false;
}
