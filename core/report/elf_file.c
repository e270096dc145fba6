/*
 * elf_file.c - see elf_file.h. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>
#include <string.h>

#include "elf_file.h"
#include "safe_read.h"
#include "sys.h"

#define SECTIONS_MAX 65536u /* more are ignored */
#define NOTE_BYTES_MAX 4096u
#define NOTES_MAX 64u /* note sections and segments looked at */

static long read_memory(uint64_t address, void *buf, size_t len)
{
	struct safe_reader r;
	size_t done = 0;

	safe_read_init(&r);
	while (done < len) {
		unsigned skip = (address + done) % 8;
		size_t n = PP_MIN(8u - skip, len - done);
		uint64_t word;

		if (!safe_read(&r, address + done - skip, &word))
			break;
		memcpy((char *)buf + done, (const char *)&word + skip, n);
		done += n;
	}
	return done ? (long)done : -EFAULT;
}

long elf_read_some(const struct elf *e, uint64_t off, void *buf, size_t len)
{
	size_t done = 0;

	if (off >= e->size)
		return 0;
	len = PP_MIN(len, e->size - off);
	while (done < len) {
		char *to = (char *)buf + done;
		long n = e->file.fd >= 0 ? sys_pread(e->file.fd, to, len - done,
						   off + done)
					 : read_memory(e->memory + off + done,
						   to, len - done);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (long)done;
}

int elf_read(const struct elf *e, uint64_t off, void *buf, size_t len)
{
	long n = elf_read_some(e, off, buf, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : -ENOEXEC;
}

static bool table_fits(
	const struct elf *e, uint64_t off, uint64_t count, uint64_t entry)
{
	return off <= e->size && count * entry <= e->size - off;
}

/* More than 65279 sections: the count is in the first header. */
static uint32_t section_count(const struct elf *e, const Elf64_Ehdr *h)
{
	Elf64_Shdr first;

	if (h->e_shnum || !h->e_shoff)
		return h->e_shnum;
	if (elf_read(e, h->e_shoff, &first, sizeof(first)) != 0)
		return 0;
	return (uint32_t)PP_MIN(first.sh_size, SECTIONS_MAX);
}

static int read_header(struct elf *e)
{
	Elf64_Ehdr h;
	int err = elf_read(e, 0, &h, sizeof(h));

	if (err)
		return err;
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) != 0 ||
		h.e_ident[EI_CLASS] != ELFCLASS64 ||
		h.e_ident[EI_DATA] != (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
						      ? ELFDATA2LSB
						      : ELFDATA2MSB))
		return -ENOEXEC;
	e->machine = h.e_machine;
	e->phoff = h.e_phoff;
	e->shoff = h.e_shoff;
	e->shnum = section_count(e, &h);
	e->phnum = h.e_phnum;
	/* Tables that are not there, or of entries unknown to us. */
	if (h.e_phentsize != sizeof(Elf64_Phdr) ||
		!table_fits(e, e->phoff, e->phnum, sizeof(Elf64_Phdr)))
		e->phnum = 0;
	if (h.e_shentsize != sizeof(Elf64_Shdr) ||
		!table_fits(e, e->shoff, e->shnum, sizeof(Elf64_Shdr)))
		e->shnum = 0;
	return 0;
}

int elf_open(struct elf *e, const char *path)
{
	int err;

	*e = (struct elf){ .size = 0 };
	err = own_fd_open(&e->file, path, O_RDONLY, 0);
	if (err)
		return err;
	e->size = PP_MIN(e->file.size, ELF_FILE_MAX);
	err = read_header(e);
	if (err)
		elf_close(e);
	return err;
}

int elf_open_memory(struct elf *e, uint64_t address, uint64_t size)
{
	*e = (struct elf){ .memory = address, .size = size };
	own_fd_none(&e->file);
	return read_header(e);
}

void elf_close(struct elf *e)
{
	(void)own_fd_close(&e->file); /* was read only: nothing to lose */
	e->size = 0;
}

int elf_section(const struct elf *e, uint32_t i, Elf64_Shdr *ret)
{
	if (i >= e->shnum)
		return -ENOENT;
	return elf_read(
		e, e->shoff + (uint64_t)i * sizeof(*ret), ret, sizeof(*ret));
}

int elf_segment(const struct elf *e, uint32_t i, Elf64_Phdr *ret)
{
	if (i >= e->phnum)
		return -ENOENT;
	return elf_read(
		e, e->phoff + (uint64_t)i * sizeof(*ret), ret, sizeof(*ret));
}

/* The sections in their order, read a few at a time. */
struct section_walk {
	const struct elf *e;
	uint32_t next;
	Elf64_Shdr some[16];
};

/* 0; -ENOENT after the last; or -errno. */
static int next_section(struct section_walk *w, const Elf64_Shdr **ret)
{
	const struct elf *e = w->e;
	uint32_t at = w->next % PP_ARRAY_LEN(w->some);

	if (w->next >= e->shnum)
		return -ENOENT;
	if (at == 0) {
		uint32_t n = PP_MIN(
			e->shnum - w->next, (uint32_t)PP_ARRAY_LEN(w->some));
		int err = elf_read(e,
			e->shoff + (uint64_t)w->next * sizeof(**ret), w->some,
			n * sizeof(**ret));

		if (err)
			return err;
	}
	w->next++;
	*ret = &w->some[at];
	return 0;
}

int elf_find_section(const struct elf *e, uint32_t type, Elf64_Shdr *ret)
{
	struct section_walk w = { .e = e };
	const Elf64_Shdr *s;
	int err;

	while ((err = next_section(&w, &s)) == 0) {
		if (s->sh_type == type) {
			*ret = *s;
			return 0;
		}
	}
	return err;
}

/* Look for the build id among the notes in [off, off + size). */
static unsigned find_note(const struct elf *e, uint64_t off, uint64_t size,
	uint8_t id[ELF_BUILD_ID_MAX])
{
	Elf64_Nhdr n;
	uint64_t at = 0;
	char name[4];

	size = PP_MIN(size, (uint64_t)NOTE_BYTES_MAX);
	while (at + sizeof(n) <= size) {
		uint64_t desc;

		if (elf_read(e, off + at, &n, sizeof(n)) != 0)
			return 0;
		desc = at + sizeof(n) + pp_round_up(n.n_namesz, 4);
		if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 &&
			n.n_descsz > 0 && n.n_descsz <= ELF_BUILD_ID_MAX &&
			elf_read(e, off + at + sizeof(n), name, 4) == 0 &&
			memcmp(name, "GNU", 4) == 0)
			return elf_read(e, off + desc, id, n.n_descsz) == 0
				       ? n.n_descsz
				       : 0;
		at = desc + pp_round_up(n.n_descsz, 4);
	}
	return 0;
}

/* Sections first: in a file of separate debug information the segments still
 * say where the notes were in the original. */
unsigned elf_build_id(const struct elf *e, uint8_t id[ELF_BUILD_ID_MAX])
{
	struct section_walk w = { .e = e };
	const Elf64_Shdr *s;
	Elf64_Phdr p;
	unsigned n = 0, notes = 0;

	while (!n && notes < NOTES_MAX && next_section(&w, &s) == 0) {
		if (s->sh_type != SHT_NOTE)
			continue;
		n = find_note(e, s->sh_offset, s->sh_size, id);
		notes++;
	}
	for (uint32_t i = 0; i < e->phnum && !n && notes < NOTES_MAX; i++) {
		if (elf_segment(e, i, &p) != 0 || p.p_type != PT_NOTE)
			continue;
		n = find_note(e, p.p_offset, p.p_filesz, id);
		notes++;
	}
	return n;
}
