/*
 * config_value_paths.c - see config_value.h: values that are file names. What
 * is relative is meant from where the program started. Context: PP_NORMAL.
 */
#include "pp.h"

#include <errno.h>

#include "config_value.h"
#include "fmt.h"
#include "sys.h"

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
