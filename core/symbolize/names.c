/*
 * names.c - see names.h. C++ and Rust; the demangler is that of binutils.
 */
#include "pp.h"

#include <stdlib.h>
#include <string.h>

/* libiberty.h asks for what only its own configure script knows. */
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

#include "names.h"

#define MANGLED_MAX (64u * 1024)

/* Behind the arguments that open at s; NULL if they do not close. */
static const char *skip_arguments(const char *s)
{
	unsigned depth = 0;

	for (; *s; s++) {
		if (*s == '<')
			depth++;
		else if (*s == '>' && s[-1] != '-' && --depth == 0)
			return s + 1;
	}
	return NULL;
}

/* "operator<<" and its like: the length, with the brackets that are part of
 * the name. 0 if none stands here. */
static size_t operator_length(const char *s)
{
	static const char word[] = "operator";
	static const char *const signs[] = { "<=>", "<<=", ">>=", "->*", "<<",
		">>", "<=", ">=", "->", "<", ">" };
	size_t len = sizeof(word) - 1;

	if (strncmp(s, word, len) != 0)
		return 0;
	for (size_t i = 0; i < PP_ARRAY_LEN(signs); i++) {
		if (strncmp(s + len, signs[i], strlen(signs[i])) == 0)
			return len + strlen(signs[i]);
	}
	return len;
}

/* Take out template arguments, in place. */
static void simplify(char *name)
{
	const char *s = name;
	char *to = name;

	while (*s) {
		size_t keep = PP_MAX(operator_length(s), (size_t)1);
		const char *behind = *s == '<' ? skip_arguments(s) : NULL;

		if (behind) {
			/* operator< <int> */
			to -= to > name && to[-1] == ' ';
			s = behind;
			continue;
		}
		memmove(to, s, keep);
		to += keep;
		s += keep;
	}
	*to = '\0';
}

static bool is_rust(const char *mangled)
{
	size_t len = strlen(mangled);

	if (strncmp(mangled, "_R", 2) == 0)
		return true;
	/* _ZN ... 17h<16 hex digits>E */
	return len > 20 && strncmp(mangled, "_ZN", 3) == 0 &&
	       memcmp(mangled + len - 20, "17h", 3) == 0;
}

char *names_readable(const char *mangled, enum names_style style)
{
	bool rust = is_rust(mangled);
	int options = DMGL_ANSI;
	char *name;

	if (style == NAMES_NONE || strlen(mangled) > MANGLED_MAX ||
		(mangled[0] != '_' || !strchr("ZR", mangled[1])))
		return NULL;
	if (style == NAMES_FULL || rust)
		options |= DMGL_PARAMS;
	name = rust ? rust_demangle(mangled, options)
		    : cplus_demangle_v3(mangled, options);
	if (name && style == NAMES_SIMPLE && !rust)
		simplify(name);
	return name;
}
