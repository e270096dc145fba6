/*
 * names.c - see names.h. C++ and Rust; the demangler is that of binutils.
 */
#include "pp.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* libiberty.h asks for what only its own configure script knows. */
#define HAVE_DECL_BASENAME 1
#include <libiberty/demangle.h>

#include "names.h"

#define MANGLED_MAX (64u * 1024)
#define READABLE_MAX (64u * 1024)

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

/* A few hundred bytes can stand for gigabytes: each part may be named again,
 * and that as part of others. So the text is taken in pieces, and left when it
 * is long enough. What is jumped over keeps nothing but its stack. */
struct readable {
	jmp_buf too_long;
	size_t len;
	char text[READABLE_MAX];
};

static void append(const char *piece, size_t len, void *arg)
{
	struct readable *r = arg;

	if (len >= sizeof(r->text) - r->len)
		longjmp(r->too_long, 1);
	memcpy(r->text + r->len, piece, len);
	r->len += len;
}

static char *demangle(const char *mangled, int options, bool rust)
{
	static struct readable r;
	int good;

	r.len = 0;
	if (setjmp(r.too_long) != 0)
		return NULL;
	good = rust ? rust_demangle_callback(mangled, options, append, &r)
		    : cplus_demangle_v3_callback(mangled, options, append, &r);
	return good ? strndup(r.text, r.len) : NULL;
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
	name = demangle(mangled, options, rust);
	if (name && style == NAMES_SIMPLE && !rust)
		simplify(name);
	return name;
}
