/*
 * object.c - see object.h.
 *
 * Files are mapped: of debug information larger than memory only what is
 * looked at is read. That one shrinks meanwhile is SIGBUS, which ends the
 * symbolizer (guard.c); the profile stays as it was.
 */
#include "pp.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object.h"

static int open_regular(const char *path, struct object *o)
{
	struct stat st;

	/* Not even opened, if it is a device. */
	if (stat(path, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	o->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (o->fd < 0)
		return -errno;
	o->modified_ns = st.st_mtim.tv_sec * INT64_C(1000000000) +
			 st.st_mtim.tv_nsec;
	return 0;
}

static void read_build_id(struct object *o)
{
	const void *bytes = NULL;
	ssize_t len = dwelf_elf_gnu_build_id(o->elf, &bytes);

	if (len <= 0 || (size_t)len > BUILD_ID_MAX)
		return;
	memcpy(o->id.bytes, bytes, (size_t)len);
	o->id.len = (size_t)len;
}

int object_open(const char *path, struct object *ret)
{
	struct object o = { .fd = -1 };
	int err;

	if (strlen(path) >= sizeof(o.path))
		return -ENAMETOOLONG;
	err = open_regular(path, &o);
	if (err)
		return err;
	(void)elf_version(EV_CURRENT);
	o.elf = elf_begin(o.fd, ELF_C_READ_MMAP, NULL);
	if (!o.elf || elf_kind(o.elf) != ELF_K_ELF) {
		object_close(&o);
		return -ENOEXEC;
	}
	memcpy(o.path, path, strlen(path) + 1);
	read_build_id(&o);
	*ret = o;
	return 0;
}

void object_close(struct object *o)
{
	if (o->elf)
		(void)elf_end(o->elf);
	if (o->fd >= 0)
		(void)close(o->fd);
	*o = (struct object){ .fd = -1 };
}

bool object_has_section(const struct object *o, const char *name)
{
	Elf_Scn *s = NULL;
	size_t names;
	GElf_Shdr h;

	if (!o->elf || elf_getshdrstrndx(o->elf, &names) != 0)
		return false;
	while ((s = elf_nextscn(o->elf, s))) {
		const char *n;

		if (!gelf_getshdr(s, &h) || h.sh_type == SHT_NOBITS)
			continue;
		n = elf_strptr(o->elf, names, h.sh_name);
		if (n && strcmp(n, name) == 0)
			return true;
	}
	return false;
}

bool build_id_equal(const struct build_id *a, const struct build_id *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

struct build_id build_id_parse(const uint8_t *hex, size_t len)
{
	struct build_id id = { .len = len / 2 };

	if (len % 2 || len / 2 > BUILD_ID_MAX)
		return (struct build_id){ 0 };
	for (size_t i = 0; i < len; i += 2) {
		int high = digit(hex[i]), low = digit(hex[i + 1]);

		if (high < 0 || low < 0)
			return (struct build_id){ 0 };
		id.bytes[i / 2] = (uint8_t)(high << 4 | low);
	}
	return id;
}

void build_id_path(const struct build_id *id, char ret[2 * BUILD_ID_MAX + 16])
{
	int at = sprintf(ret, "/%02x/", id->bytes[0]);

	for (size_t i = 1; i < id->len; i++)
		at += sprintf(ret + at, "%02x", id->bytes[i]);
	(void)sprintf(ret + at, ".debug");
}
