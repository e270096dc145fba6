/*
 * config_value.c - see config_value.h. Context: PP_NORMAL.
 *
 * Values come from outside: every length is checked before anything is stored,
 * and what is refused leaves the settings alone.
 */
#include "pp.h"

#include <signal.h>

#include "config_value.h"
#include "fmt.h"

static void *field_of(struct settings *to, const struct config_variable *v)
{
	return (char *)to + v->field;
}

static char upper(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	return c;
}

/* ASCII only: strcasecmp follows the host's locale. */
static bool same_word(const char *a, const char *b)
{
	while (*a && upper(*a) == upper(*b)) {
		a++;
		b++;
	}
	return upper(*a) == upper(*b);
}

/* Digits only: no sign, no blank, no 0x. Returns what follows, or NULL if there
 * is no digit or the number does not fit. */
static const char *read_digits(const char *s, uint64_t *ret)
{
	uint64_t n = 0;

	if (*s < '0' || *s > '9')
		return NULL;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(n, 10u, &n) ||
			__builtin_add_overflow(n, (uint64_t)(*s - '0'), &n))
			return NULL;
	}
	*ret = n;
	return s;
}

bool value_count(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	uint64_t n;
	const char *end = read_digits(value, &n);

	(void)ret_why; /* the range says it all */
	if (!end || *end || n < v->min || n > v->max)
		return false;
	*(uint32_t *)field_of(to, v) = (uint32_t)n;
	return true;
}

static unsigned suffix_shift(char c)
{
	switch (upper(c)) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return 0;
	}
}

bool value_size(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	uint64_t n;
	const char *end = read_digits(value, &n);
	unsigned shift = end ? suffix_shift(*end) : 0;

	(void)ret_why;
	if (!end || n > v->max >> shift || n << shift < v->min)
		return false;
	if (end[shift != 0])
		return false;
	*(uint64_t *)field_of(to, v) = n << shift;
	return true;
}

bool value_word(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	(void)ret_why;
	for (unsigned i = 0; v->words[i]; i++) {
		if (str_eq(v->words[i], value)) {
			*(uint8_t *)field_of(to, v) = (uint8_t)i;
			return true;
		}
	}
	return false;
}

/* Not pointers: the loader would have to fill them in, in every program. */
static const char signal_names[][8] = {
	[SIGHUP] = "HUP",
	[SIGINT] = "INT",
	[SIGQUIT] = "QUIT",
	[SIGILL] = "ILL",
	[SIGTRAP] = "TRAP",
	[SIGABRT] = "ABRT",
	[SIGBUS] = "BUS",
	[SIGFPE] = "FPE",
	[SIGKILL] = "KILL",
	[SIGUSR1] = "USR1",
	[SIGSEGV] = "SEGV",
	[SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE",
	[SIGALRM] = "ALRM",
	[SIGTERM] = "TERM",
	[SIGSTKFLT] = "STKFLT",
	[SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT",
	[SIGSTOP] = "STOP",
	[SIGTSTP] = "TSTP",
	[SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU",
	[SIGURG] = "URG",
	[SIGXCPU] = "XCPU",
	[SIGXFSZ] = "XFSZ",
	[SIGVTALRM] = "VTALRM",
	[SIGPROF] = "PROF",
	[SIGWINCH] = "WINCH",
	[SIGIO] = "IO",
	[SIGPWR] = "PWR",
	[SIGSYS] = "SYS",
};

static int named_signal(const char *name)
{
	for (unsigned i = 1; i < PP_ARRAY_LEN(signal_names); i++) {
		if (same_word(name, signal_names[i]))
			return (int)i;
	}
	return -1;
}

/* RTMIN, RTMIN+n. SIGRTMIN is a call: libc and libraries reserve some. */
static int realtime_signal(const char *name)
{
	static const char prefix[] = "RTMIN";
	uint64_t n = 0;
	const char *end;

	for (unsigned i = 0; prefix[i]; i++) {
		if (upper(name[i]) != prefix[i])
			return -1;
	}
	name += sizeof(prefix) - 1;
	if (!*name)
		return SIGRTMIN;
	end = *name == '+' ? read_digits(name + 1, &n) : NULL;
	return end && !*end && n < 64 ? SIGRTMIN + (int)n : -1;
}

/* The number of a signal, or -1. */
static int read_signal(const char *value)
{
	uint64_t n;
	const char *end = read_digits(value, &n);
	int sig;

	if (end)
		return !*end && n >= 1 && n <= 64 ? (int)n : -1;
	if (upper(value[0]) == 'S' && upper(value[1]) == 'I' &&
		upper(value[2]) == 'G')
		value += 3;
	sig = named_signal(value);
	return sig > 0 ? sig : realtime_signal(value);
}

/* NULL, or why this signal cannot ask for anything. */
static const char *unfit_signal(int sig)
{
	switch (sig) {
	case SIGKILL:
	case SIGSTOP:
		return "no process can catch it";
	case SIGSEGV:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGSYS:
		return "it reports a fault of the program";
	default:
		break;
	}
	if (sig == 64)
		return "pprofc's own timers use it";
	if (sig >= 32 && sig < SIGRTMIN)
		return "the C library uses it";
	return sig > 64 ? "there is no such signal" : NULL;
}

bool value_signal(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	int sig = str_eq(value, "none") ? 0 : read_signal(value);
	const char *unfit = sig > 0 ? unfit_signal(sig) : NULL;

	if (sig < 0)
		return REFUSE(ret_why, "there is no such signal");
	if (unfit)
		return REFUSE(ret_why, "%s", unfit);
	*(int32_t *)field_of(to, v) = sig;
	return true;
}

/* Up to the next comma or the end. */
static size_t word_length(const char *s)
{
	size_t len = 0;

	while (s[len] && s[len] != ',')
		len++;
	return len;
}

struct names {
	const char *const *list;
	int count;
	const char *what; /* they are names of */
};

static int index_of(const struct names *names, const char *word, size_t len)
{
	if (names->list == profile_kind_names && len == 7 &&
		__builtin_memcmp(word, "threads", 7) == 0)
		return PROFILE_GOROUTINE; /* what it is here */
	for (int i = 0; i < names->count; i++) {
		const char *name = names->list[i];
		size_t same = 0;

		while (same < len && name[same] == word[same])
			same++;
		if (same == len && !name[len])
			return i;
	}
	return -1;
}

/* A list of names, as a mask. */
static bool read_names(const struct names *names, const char *value,
	uint32_t *ret, struct config_why *ret_why)
{
	uint32_t mask = 0;

	for (const char *s = value;; s++) {
		size_t len = word_length(s);
		int i = index_of(names, s, len);
		char name[32];

		if (i < 0) {
			(void)str_copy(name, PP_MIN(sizeof(name), len + 1), s);
			return REFUSE(ret_why, "there is no %s \"%s\"",
				names->what, name);
		}
		mask |= 1u << i;
		s += len;
		if (!*s)
			break;
	}
	*ret = mask;
	return true;
}

bool value_profiles(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	const struct names kinds = { profile_kind_names, PROFILE_KINDS,
		"profile" };
	uint32_t *mask = field_of(to, v);

	if (str_eq(value, "none")) {
		*mask = 0;
		return true;
	}
	return read_names(&kinds, value, mask, ret_why);
}

bool value_waits(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	const struct names classes = { wait_class_names, WAIT_CLASSES, "wait" };
	uint32_t *mask = field_of(to, v);

	if (str_eq(value, "all")) {
		*mask = WAIT_BIT(WAIT_CLASSES) - 1;
		return true;
	}
	return read_names(&classes, value, mask, ret_why);
}

bool value_glob(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	(void)v;
	(void)value;
	(void)to;
	(void)ret_why;
	return true;
}
