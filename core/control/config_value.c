/*
 * config_value.c - see config_value.h. Context: PP_NORMAL.
 *
 * Values come from outside: every length is checked before anything is stored,
 * and what is refused leaves the settings alone.
 */
#include "pp.h"

#include <errno.h>
#include <signal.h>

#include "config_value.h"
#include "fmt.h"
#include "sys.h"

#define REFUSE(why, ...) \
	((void)fmt((why)->text, sizeof((why)->text), __VA_ARGS__), false)

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

static bool is_directory(const char *path)
{
	struct stat st;

	return sys_stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where we are, with % doubled if `template`. A relative path that cannot be
 * made absolute (directory removed, name too long) stays relative: then "." */
static void start_directory(char *buf, size_t size, bool template)
{
	char cwd[SETTINGS_PATH_MAX];
	long n = sys_call2(SYS_getcwd, cwd, sizeof(cwd));
	size_t len = 0;

	(void)str_copy(buf, size, ".");
	if (n <= 0 || cwd[0] != '/') /* "(unreachable)..." is no path */
		return;
	for (const char *s = cwd; *s; s++) {
		if (len + 3 > size) {
			(void)str_copy(buf, size, ".");
			return;
		}
		if (*s == '%' && template)
			buf[len++] = '%';
		buf[len++] = *s;
	}
	buf[len] = '\0';
}

/* value, seen from where we are, into buf[SETTINGS_PATH_MAX]. */
static bool absolute(
	char *buf, const char *value, bool template, struct config_why *ret_why)
{
	char cwd[SETTINGS_PATH_MAX];
	size_t len;

	if (value[0] == '/') {
		len = fmt(buf, SETTINGS_PATH_MAX, "%s", value);
	} else {
		start_directory(cwd, sizeof(cwd), template);
		len = fmt(buf, SETTINGS_PATH_MAX, "%s/%s",
			str_eq(cwd, "/") ? "" : cwd, value);
	}
	if (len < SETTINGS_PATH_MAX)
		return true;
	return REFUSE(ret_why, "the path is longer than %u bytes",
		SETTINGS_PATH_MAX - 1);
}

/* Refuse what output_expand() would not know. *ret_plain: there is no
 * conversion but %%. */
static bool check_template(
	const char *value, bool *ret_plain, struct config_why *ret_why)
{
	bool plain = true;

	for (const char *s = value; *s; s++) {
		if (*s != '%')
			continue;
		s++;
		if (!*s)
			return REFUSE(ret_why, "it ends in a single %%");
		if (!__builtin_strchr("epknth%", *s))
			return REFUSE(ret_why,
				"%%%c means nothing (%% is "
				"written %%%%)",
				*s);
		plain = plain && *s == '%';
	}
	*ret_plain = plain;
	return true;
}

/* Does the template without conversions name a directory that exists? */
static bool names_directory(const char *template)
{
	char path[SETTINGS_PATH_MAX];
	size_t len = 0;

	for (const char *s = template; *s; s++) {
		if (s[0] == '%' && s[1] == '%')
			s++;
		path[len++] = *s; /* never longer than the template */
	}
	path[len] = '\0';
	return is_directory(path);
}

bool value_output(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	char path[SETTINGS_PATH_MAX], whole[SETTINGS_PATH_MAX];
	bool plain;
	size_t len;

	if (!check_template(value, &plain, ret_why) ||
		!absolute(path, value, true, ret_why))
		return false;
	len = str_len(path);
	if (path[len - 1] == '/')
		len = fmt(whole, sizeof(whole), "%s%s", path, v->fallback);
	else if (plain && names_directory(path))
		len = fmt(whole, sizeof(whole), "%s/%s", path, v->fallback);
	else
		len = fmt(whole, sizeof(whole), "%s", path);
	if (len >= sizeof(whole))
		return REFUSE(ret_why, "the path is longer than %u bytes",
			SETTINGS_PATH_MAX - 1);
	(void)str_copy(to->output, sizeof(to->output), whole);
	return true;
}

bool value_session(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	char path[SETTINGS_PATH_MAX];

	if (value_word(v, value, to, ret_why))
		return true;
	if (!absolute(path, value, false, ret_why))
		return false;
	if (!is_directory(path))
		return REFUSE(ret_why, "there is no such directory");
	to->session_place = SESSION_DIR;
	(void)str_copy(to->session_dir, sizeof(to->session_dir), path);
	return true;
}

/* A file that is there, or one to be made: nothing is opened yet. */
static bool can_append(const char *path)
{
	char dir[SETTINGS_PATH_MAX];
	char *slash;
	long err = sys_call2(SYS_access, path, W_OK);

	if (err != -ENOENT || !str_copy(dir, sizeof(dir), path))
		return err == 0;
	slash = __builtin_strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	return sys_call2(SYS_access, slash ? dir : ".", W_OK | X_OK) == 0;
}

bool value_log(const struct config_variable *v, const char *value,
	struct settings *to, struct config_why *ret_why)
{
	char path[SETTINGS_PATH_MAX];

	if (value_word(v, value, to, ret_why))
		return true;
	if (!absolute(path, value, false, ret_why))
		return false;
	if (is_directory(path) || path[str_len(path) - 1] == '/')
		return REFUSE(ret_why, "it is a directory");
	if (!can_append(path))
		return REFUSE(ret_why, "it cannot be opened for appending");
	to->log_place = LOG_FILE;
	(void)str_copy(to->log_path, sizeof(to->log_path), path);
	return true;
}
