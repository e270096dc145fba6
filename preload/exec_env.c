/*
 * exec_env.c - see exec_env.h.
 */
#include "pp.h"

#include <dlfcn.h>
#include <string.h>

#include "exec_env.h"
#include "fmt.h"
#include "real.h"

static char our_name[256]; /* without directories; "" = follow */

#define VARIABLE "LD_PRELOAD="
#define VARIABLE_LEN (sizeof(VARIABLE) - 1)

static const char *base_name(const char *path, size_t len)
{
	for (size_t i = len; i > 0; i--) {
		if (path[i - 1] == '/')
			return path + i;
	}
	return path;
}

void exec_env_start(void)
{
	Dl_info info;

	if (real.dladdr(our_name, &info) == 0 || !info.dli_fname)
		return;
	(void)str_copy(our_name, sizeof(our_name),
		base_name(info.dli_fname, strlen(info.dli_fname)));
}

void exec_env_stop(void)
{
	our_name[0] = '\0';
}

static bool is_separator(char c)
{
	return c == ' ' || c == ':';
}

/* The next entry of a list: its start; *ret_len is 0 at the end. */
static const char *next_entry(const char *s, size_t *ret_len)
{
	size_t n = 0;

	while (is_separator(*s))
		s++;
	while (s[n] && !is_separator(s[n]))
		n++;
	*ret_len = n;
	return s;
}

static bool is_us(const char *entry, size_t len)
{
	const char *base = base_name(entry, len);
	size_t base_len = len - (size_t)(base - entry);

	return base_len == strlen(our_name) &&
	       memcmp(base, our_name, base_len) == 0;
}

static bool names_us(const char *list)
{
	size_t len;

	for (const char *e = next_entry(list, &len); len;
		e = next_entry(e + len, &len)) {
		if (is_us(e, len))
			return true;
	}
	return false;
}

/* The variable without our entry in `to`; false when nothing is left. */
static bool copy_others(char *to, const char *list)
{
	char *at = to + VARIABLE_LEN;
	size_t len;

	memcpy(to, VARIABLE, VARIABLE_LEN);
	for (const char *e = next_entry(list, &len); len;
		e = next_entry(e + len, &len)) {
		if (is_us(e, len))
			continue;
		if (at != to + VARIABLE_LEN)
			*at++ = ':';
		memcpy(at, e, len);
		at += len;
	}
	*at = '\0';
	return at != to + VARIABLE_LEN;
}

static bool is_preload(const char *variable)
{
	return strncmp(variable, VARIABLE, VARIABLE_LEN) == 0;
}

size_t exec_env_bytes(char *const envp[])
{
	size_t strings = 0, n = 0;

	if (!our_name[0] || !envp)
		return 0;
	for (; envp[n]; n++) {
		if (is_preload(envp[n]) && names_us(envp[n] + VARIABLE_LEN))
			strings += strlen(envp[n]) + 1;
	}
	return strings ? (n + 1) * sizeof(char *) + strings : 0;
}

char *const *exec_env_copy(void *buf, char *const envp[])
{
	char **to = buf;
	char *strings;
	size_t n = 0;

	while (envp[n])
		n++;
	strings = (char *)(to + n + 1);
	for (size_t i = 0; i < n; i++) {
		char *kept = envp[i];

		if (is_preload(kept) && names_us(kept + VARIABLE_LEN)) {
			if (!copy_others(strings, kept + VARIABLE_LEN))
				continue;
			kept = strings;
			strings += strlen(strings) + 1;
		}
		*to++ = kept;
	}
	*to = NULL;
	return buf;
}
