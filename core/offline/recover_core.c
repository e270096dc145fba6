/*
 * recover_core.c - see recover_core.h.
 *
 * A core has the process's memory in PT_LOAD segments, those of a session's
 * pages among them if coredump_filter says so: bit 3 for a session in a file,
 * bit 1 if its name is gone, bit 0 if it is without a file. A session tells
 * itself by its first bytes; the notes tell who dumped, by what signal, and
 * which files were mapped where.
 *
 * The file is not trusted: every offset is checked by pread(), every note
 * against the note segment.
 */
#include "pp.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recover_core.h"
#include "recover_find.h"
#include "recover_write.h"
#include "say.h"
#include "session_open.h"

#define NOTES_MAX (64u << 20)

struct core {
	const char *path;
	int fd;
	uint64_t size;
	uint64_t phoff;
	uint32_t phnum;
	uint32_t pid;		/* 0 = not known */
	int signal;		/* 0 = none, as of gcore */
	char session[PATH_MAX]; /* mapped there according to the notes */
	unsigned found, left_out, failed;
	const char *exe, *output;
	FILE *log;
};

static bool read_at(const struct core *c, uint64_t off, void *buf, size_t n)
{
	char *to = buf;

	while (n && off <= INT64_MAX) {
		ssize_t got = pread(c->fd, to, n, (off_t)off);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		to += got;
		off += (uint64_t)got;
		n -= (size_t)got;
	}
	return n == 0;
}

static bool read_head(struct core *c)
{
	Elf64_Ehdr h;
	Elf64_Shdr first;

	if (!read_at(c, 0, &h, sizeof(h)) ||
		memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
		h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_type != ET_CORE ||
		h.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	c->phoff = h.e_phoff;
	c->phnum = h.e_phnum;
	if (h.e_phnum == PN_XNUM) { /* more than fit */
		if (!read_at(c, h.e_shoff, &first, sizeof(first)))
			return false;
		c->phnum = first.sh_info;
	}
	return true;
}

static bool read_segment(const struct core *c, uint32_t i, Elf64_Phdr *ret)
{
	return read_at(
		c, c->phoff + (uint64_t)i * sizeof(*ret), ret, sizeof(*ret));
}

/* --- notes ---------------------------------------------------------------- */

static bool is_session(const char *path)
{
	const char *base = strrchr(path, '/');

	return base && strncmp(base, "/pprofc.", 8) == 0 &&
	       strstr(base, ".session");
}

/* NT_FILE: count, page size, count x {start, end, offset}, count names. */
static void read_files(struct core *c, const char *d, size_t n)
{
	uint64_t count;
	const char *name, *end = d + n;

	if (n < 16)
		return;
	memcpy(&count, d, sizeof(count));
	if (count > (n - 16) / 24)
		return;
	name = d + 16 + count * 24;
	for (uint64_t i = 0; i < count && name < end; i++) {
		size_t len = strnlen(name, (size_t)(end - name));

		if (name + len == end)
			return; /* not terminated */
		if (len < sizeof(c->session) && is_session(name))
			(void)snprintf(
				c->session, sizeof(c->session), "%s", name);
		name += len + 1;
	}
}

static void read_note(struct core *c, uint32_t type, const char *d, size_t n)
{
	if (type == NT_PRPSINFO && n >= sizeof(struct elf_prpsinfo)) {
		struct elf_prpsinfo info;

		memcpy(&info, d, sizeof(info));
		c->pid = (uint32_t)info.pr_pid;
	} else if (type == NT_PRSTATUS && !c->signal &&
		   n >= sizeof(struct elf_prstatus)) {
		struct elf_prstatus status;

		memcpy(&status, d, sizeof(status));
		c->signal = status.pr_cursig;
	} else if (type == NT_FILE) {
		read_files(c, d, n);
	}
}

static void walk_notes(struct core *c, const char *d, size_t n)
{
	size_t at = 0;

	while (n - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		size_t name, desc;

		memcpy(&h, d + at, sizeof(h));
		at += sizeof(h);
		name = pp_round_up(h.n_namesz, 4);
		desc = pp_round_up(h.n_descsz, 4);
		if (name > n - at || h.n_descsz > n - at - name)
			return;
		read_note(c, h.n_type, d + at + name, h.n_descsz);
		if (desc > n - at - name)
			return;
		at += name + desc;
	}
}

static void read_notes(struct core *c, const Elf64_Phdr *p)
{
	size_t n = PP_MIN(p->p_filesz, (uint64_t)NOTES_MAX);
	char *notes = malloc(PP_MAX(n, (size_t)1));

	if (notes && read_at(c, p->p_offset, notes, n))
		walk_notes(c, notes, n);
	free(notes);
}

/* --- sessions ------------------------------------------------------------- */

static void say_error(struct core *c, int err, uint32_t version)
{
	char why[FIND_WHY_MAX];

	finding_why(err, version, why);
	say("%s: %s", c->path, why);
	c->failed++;
}

static const char *how_it_ended(const struct core *c, char *buf, size_t size)
{
	if (c->signal <= 0)
		return "was running when its core file was made";
	(void)snprintf(buf, size, "was ended by signal %d (%s)", c->signal,
		strsignal(c->signal));
	return buf;
}

static void write_profiles(struct core *c, struct session *copy)
{
	char ended[128];
	const struct recovery how = {
		.ended = how_it_ended(c, ended, sizeof(ended)),
		.output = c->output,
		.all = true,
	};

	if (c->exe && !session_replace_exe(copy, c->exe))
		say("%s: the path is too long", c->exe);
	c->failed += recover_write(copy, &how, c->log).failed;
}

static void try_segment(struct core *c, const Elf64_Phdr *p)
{
	struct session_source from = { c->fd, p->p_offset, p->p_filesz };
	struct session *head, *copy;
	int err;

	head = calloc(1, sizeof(*head));
	if (!head)
		return;
	err = session_read_header(&from, head);
	if (err == SESSION_NONE || err == SESSION_UNFINISHED) {
		/* memory of the program */
	} else if (!err && c->pid && head->identity.pid != c->pid) {
		c->left_out++; /* of its parent */
	} else {
		c->found++;
		if (!err)
			err = session_read(&from, &copy);
		if (err)
			say_error(c, err, head->version);
		else
			write_profiles(c, copy);
		if (!err)
			session_close(copy);
	}
	free(head);
}

/* Worth reading: writable memory that begins where a mapping does. */
static bool may_be_session(const struct core *c, const Elf64_Phdr *p)
{
	uint64_t magic;

	return p->p_type == PT_LOAD && (p->p_flags & PF_W) &&
	       p->p_filesz >= PP_PAGE &&
	       read_at(c, p->p_offset, &magic, sizeof(magic)) &&
	       magic == SESSION_MAGIC;
}

static void say_nothing_found(struct core *c)
{
	c->failed++;
	if (c->session[0])
		say("%s: the process had its session in %s, but its pages are "
		    "not in the core. If that file is there still, `pprofc "
		    "recover %s` reads it. For the next time: add bit 3 to the "
		    "core's contents before the program starts (echo 0x3b "
		    ">/proc/self/coredump_filter), or keep the session in "
		    "memory (PPROFC_SESSION=anonymous)",
			c->path, c->session, c->session);
	else if (c->left_out)
		say("%s: the only session in it is another process's (it was "
		    "forked, and had taken no sample of its own)",
			c->path);
	else
		say("%s: no session of pprofc in it: the program was not "
		    "profiled, had taken no sample, or the core was cut off "
		    "(ulimit -c)",
			c->path);
}

static void look_through(struct core *c)
{
	Elf64_Phdr p;

	for (uint32_t i = 0; i < c->phnum; i++) {
		if (!read_segment(c, i, &p))
			break;
		if (p.p_type == PT_NOTE)
			read_notes(c, &p);
	}
	for (uint32_t i = 0; i < c->phnum; i++) {
		if (!read_segment(c, i, &p))
			break;
		if (may_be_session(c, &p))
			try_segment(c, &p);
	}
	if (!c->found)
		say_nothing_found(c);
}

unsigned recover_core(
	const char *path, const char *exe, const char *output, FILE *log)
{
	struct core *c = calloc(1, sizeof(*c));
	unsigned failed = 1;

	if (!c) {
		say("no memory");
		return failed;
	}
	*c = (struct core){ .path = path,
		.exe = exe,
		.output = output,
		.log = log,
		.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
	if (c->fd < 0) {
		say("%s: %s", path, strerror(errno));
	} else if (!read_head(c)) {
		say("%s: this is no core file (of a 64-bit program, and not "
		    "compressed)",
			path);
	} else {
		look_through(c);
		failed = c->failed;
	}
	if (c->fd >= 0)
		(void)close(c->fd);
	free(c);
	return failed;
}
