/*
 * output.c - see output.h. Context: PP_ANY.
 *
 * A file is written under PATH.tmp, created with O_EXCL, and gets its name by
 * link(2), which refuses to replace anything. Whatever goes wrong before that,
 * the temporary file is removed.
 */
#include "pp.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdatomic.h>
#include <string.h>

#include "fmt.h"
#include "output.h"
#include "quiet_write.h"
#include "sys.h"

#define ENDING ".pb.gz"
#define NAMES_MAX 10000u /* -2 ... tried before giving up */
#define TMP_MAX 100u	 /* left behind by processes that were killed */

/* --- names --------------------------------------------------------------- */

struct text {
	char *buf;
	size_t size, len; /* len >= size: it was cut */
};

static void put(struct text *t, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++, t->len++) {
		if (t->len + 1 < t->size)
			t->buf[t->len] = s[i];
	}
}

static void put_number(struct text *t, uint64_t v)
{
	char digits[24];

	put(t, digits,
		fmt(digits, sizeof(digits), "%llu", (unsigned long long)v));
}

/* A value within one path component. */
static void put_name(struct text *t, const char *s)
{
	for (; *s; s++)
		put(t, *s == '/' ? "_" : s, 1);
}

static void put_field(
	struct text *t, char field, const struct output_name *name)
{
	switch (field) {
	case 'e':
		put_name(t, name->settings->program);
		break;
	case 'h':
		put_name(t, name->settings->host);
		break;
	case 'k':
		put_name(t, profile_kind_names[name->kind]);
		break;
	case 'p':
		put_number(t, name->pid);
		break;
	case 'n':
		put_number(t, name->number);
		break;
	case 't':
		put_number(t, name->start_s);
		break;
	case '%':
		put(t, "%", 1);
		break;
	default: /* config.c refuses these; keep what the user wrote */
		put(t, (char[]){ '%', field }, 2);
	}
}

static bool uses(const char *template, char field)
{
	for (const char *p = template; *p; p++) {
		if (p[0] != '%' || !p[1])
			continue;
		if (p[1] == field)
			return true;
		p++;
	}
	return false;
}

/* What must be in the name although the template does not ask for it. */
static void put_extras(struct text *t, const struct output_name *name)
{
	const struct settings *set = name->settings;

	if (set->forked && !uses(set->output, 'p')) {
		put(t, ".", 1);
		put_number(t, name->pid);
	}
	if ((set->profiles & (set->profiles - 1)) && !uses(set->output, 'k')) {
		put(t, ".", 1);
		put_name(t, profile_kind_names[name->kind]);
	}
	if (name->number && !uses(set->output, 'n')) {
		put(t, ".", 1);
		put_number(t, name->number);
	}
}

/* The length of the name without .pb.gz; the whole, if it ends otherwise. */
static size_t stem_length(const char *path)
{
	size_t len = str_len(path), tail = sizeof(ENDING) - 1;

	if (len > tail && memcmp(path + len - tail, ENDING, tail) == 0)
		return len - tail;
	return len;
}

int output_expand(const struct output_name *name, char *buf, size_t size)
{
	const char *template = name->settings->output;
	size_t stem = stem_length(template);
	struct text t = { buf, size, 0 };

	for (size_t i = 0; i < stem; i++) {
		if (template[i] == '%' && i + 1 < stem)
			put_field(&t, template[++i], name);
		else
			put(&t, &template[i], 1);
	}
	put_extras(&t, name);
	put(&t, template + stem, str_len(template + stem));
	if (t.len >= size)
		return -ENAMETOOLONG;
	buf[t.len] = '\0';
	return 0;
}

/* PATH with -SUFFIX before .pb.gz. */
static int add_suffix(const char *path, unsigned suffix, char *buf, size_t size)
{
	size_t stem = stem_length(path);
	struct text t = { buf, size, 0 };

	put(&t, path, stem);
	put(&t, "-", 1);
	put_number(&t, suffix);
	put(&t, path + stem, str_len(path + stem));
	if (t.len >= size)
		return -ENAMETOOLONG;
	buf[t.len] = '\0';
	return 0;
}

/* --- numbers that are not what they seem --------------------------------- */

/* Numbered files of this process that got a suffix, or none at all: the plain
 * name with that number is somebody else's file and must not be deleted. If
 * there ever are more of them than fit, nothing is deleted any more. */
struct exception {
	_Atomic uint32_t ready;
	uint32_t pid, kind, number, suffix; /* 0 = not written */
};

static PP_BIG struct exception exceptions[128];
static _Atomic uint32_t exception_count;

static void note_exception(const struct output *o, uint32_t suffix)
{
	uint32_t i;

	if (!o->number)
		return;
	i = atomic_fetch_add(&exception_count, 1);
	if (i >= PP_ARRAY_LEN(exceptions)) {
		/* Stay there: the count must not come around. */
		atomic_store(&exception_count, PP_ARRAY_LEN(exceptions) + 1);
		return;
	}
	exceptions[i].pid = o->pid;
	exceptions[i].kind = o->kind;
	exceptions[i].number = o->number;
	exceptions[i].suffix = suffix;
	atomic_store_explicit(&exceptions[i].ready, 1, memory_order_release);
}

/* The suffix the file was written with; 1 = none, 0 = do not touch. */
static uint32_t suffix_of(const struct output_name *name)
{
	uint32_t n = atomic_load(&exception_count);

	if (n > PP_ARRAY_LEN(exceptions))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct exception *x = &exceptions[i];

		if (!atomic_load_explicit(&x->ready, memory_order_acquire))
			return 0;
		if (x->pid == name->pid && x->kind == name->kind &&
			x->number == name->number)
			return x->suffix;
	}
	return 1;
}

/* --- writing ------------------------------------------------------------- */

static int make_parents(char *path)
{
	for (char *p = path + 1; *p; p++) {
		int err;

		if (*p != '/')
			continue;
		*p = '\0';
		err = sys_mkdir(path, 0777);
		*p = '/';
		/* EEXIST and the like: opening the file will tell. */
		if (err == -ENOSPC || err == -EDQUOT)
			return err;
	}
	return 0;
}

static int create_tmp(struct output *o)
{
	int err = -EEXIST;

	for (unsigned i = 1; i <= TMP_MAX && err == -EEXIST; i++) {
		size_t n = i == 1 ? fmt(o->tmp, sizeof(o->tmp), "%s.tmp",
					    o->path)
				  : fmt(o->tmp, sizeof(o->tmp), "%s.tmp-%u",
					    o->path, i);

		if (n >= sizeof(o->tmp))
			return -ENAMETOOLONG;
		err = own_fd_open(&o->file, o->tmp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
	}
	return err;
}

int output_begin(struct output *o, const struct output_name *name)
{
	int err;

	own_fd_none(&o->file);
	o->pid = name->pid;
	o->kind = name->kind;
	o->number = name->number;
	o->room = quiet_write_room();
	o->tmp[0] = '\0';
	err = output_expand(name, o->path, sizeof(o->path));
	if (!err)
		err = create_tmp(o);
	if (err == -ENOENT) {
		err = make_parents(o->path);
		if (!err)
			err = create_tmp(o);
	}
	if (err) {
		o->tmp[0] = '\0'; /* not ours */
		output_abort(o);
	}
	return err;
}

int output_write(struct output *o, const void *data, size_t len)
{
	const char *p = data;

	if (len > o->room)
		return -EFBIG;
	o->room -= len;
	while (len) {
		long n = own_fd_is_ours(&o->file)
				 ? quiet_write(o->file.fd, p, len)
				 : -EBADF;

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* For file systems without hard links. Without RENAME_NOREPLACE, too, the
 * check and the rename are two steps; nothing better exists there. */
static int rename_new(const char *from, const char *to)
{
	struct stat st;
	int err = (int)sys_call6(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to,
		RENAME_NOREPLACE, 0);

	if (err != -EINVAL && err != -ENOSYS)
		return err;
	if (sys_call4(SYS_newfstatat, AT_FDCWD, to, &st, AT_SYMLINK_NOFOLLOW) !=
		-ENOENT)
		return -EEXIST;
	return sys_rename(from, to);
}

/* Give the temporary file the name, unless it exists. */
static int take_name(const char *tmp, const char *path)
{
	int err = sys_link(tmp, path);

	if (err == 0) {
		(void)sys_unlink(tmp);
		return 0;
	}
	return err == -EEXIST ? err : rename_new(tmp, path);
}

/* Try o->path, then PATH-2, PATH-3 ...; *ret_suffix is 1 for the first. */
static int take_free_name(struct output *o, unsigned *ret_suffix)
{
	char path[sizeof(o->path)];
	int err = take_name(o->tmp, o->path);

	*ret_suffix = 1;
	for (unsigned i = 2; err == -EEXIST && i <= NAMES_MAX; i++) {
		err = add_suffix(o->path, i, path, sizeof(path));
		if (err)
			return err;
		err = take_name(o->tmp, path);
		*ret_suffix = i;
	}
	if (!err && *ret_suffix > 1)
		(void)str_copy(o->path, sizeof(o->path), path);
	return err;
}

int output_commit(struct output *o)
{
	unsigned suffix = 1;
	int err = own_fd_close(&o->file);

	/* A full quota or server may show only now. EINTR: closed anyway. */
	if (!err || err == -EINTR)
		err = take_free_name(o, &suffix);
	if (err) {
		output_abort(o);
		return err;
	}
	o->tmp[0] = '\0';
	if (suffix > 1)
		note_exception(o, suffix);
	return 0;
}

void output_abort(struct output *o)
{
	(void)own_fd_close(&o->file);
	if (o->tmp[0])
		(void)sys_unlink(o->tmp);
	o->tmp[0] = '\0';
	note_exception(o, 0);
}

void output_keep(const struct output_name *name, uint32_t keep)
{
	char path[SETTINGS_PATH_MAX + 64], other[SETTINGS_PATH_MAX + 64];
	struct output_name old = *name;
	uint32_t suffix;

	if (!keep || name->number <= keep)
		return;
	old.number = name->number - keep;
	suffix = suffix_of(&old);
	if (suffix == 0 || output_expand(&old, path, sizeof(path)) != 0)
		return;
	if (suffix == 1)
		(void)sys_unlink(path);
	else if (add_suffix(path, suffix, other, sizeof(other)) == 0)
		(void)sys_unlink(other);
}
