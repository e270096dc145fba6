/*
 * target.c - see target.h.
 *
 * Only hints for the user: whatever is found here, the command is run.
 */
#include "pp.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "target.h"

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#else
#error "name this machine's e_machine here"
#endif

#define SCRIPT_DEPTH 4 /* as the kernel */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(path, X_OK) == 0;
}

/* What execvp() would find. */
static bool find_program(const char *command, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");

	if (strchr(command, '/')) {
		(void)snprintf(path, PATH_MAX, "%s", command);
		return is_program(path);
	}
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *command; dirs++) {
		int len = (int)strcspn(dirs, ":");

		(void)snprintf(path, PATH_MAX, "%.*s%s%s", len, dirs,
			len ? "/" : "", command);
		if (is_program(path))
			return true;
		dirs += len;
		if (!*dirs)
			break;
	}
	return false;
}

/* Would the kernel start it in secure mode, where the loader ignores
 * LD_PRELOAD? (A nosuid mount is not seen; then the hint is wrong.) */
static const char *gains_rights(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "is set-user-id";
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
		st.st_gid != getgid())
		return "is set-group-id";
	if (geteuid() != 0 &&
		getxattr(path, "security.capability", NULL, 0) > 0)
		return "has file capabilities";
	return NULL;
}

/* The path in PT_INTERP. False if there is none: statically linked. */
static bool read_interpreter(
	int fd, const ElfW(Ehdr) * head, char *buf, size_t size)
{
	for (unsigned i = 0; i < head->e_phnum; i++) {
		ElfW(Phdr) p;
		off_t at = (off_t)(head->e_phoff + i * sizeof(p));
		ssize_t n;

		if (pread(fd, &p, sizeof(p), at) != (ssize_t)sizeof(p))
			break;
		if (p.p_type != PT_INTERP)
			continue;
		n = pread(fd, buf, PP_MIN(p.p_filesz, size - 1),
			(off_t)p.p_offset);
		buf[n > 0 ? n : 0] = '\0';
		return true;
	}
	buf[0] = '\0';
	return false;
}

static bool look_at_elf(int fd, const char *path, const ElfW(Ehdr) * head,
	char *ret_why, size_t size)
{
	const char *name = strrchr(path, '/');
	const char *rights = gains_rights(path);
	char interpreter[PATH_MAX];

	name = name ? name + 1 : path;
	if (head->e_ident[EI_CLASS] !=
			(sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
		head->e_machine != OWN_MACHINE) {
		(void)snprintf(ret_why, size,
			"%s is a program for another kind of processor, which "
			"libpprofc.so was not built for",
			path);
		return true;
	}
	if (rights) {
		(void)snprintf(ret_why, size,
			"%s %s, and for such programs "
			"the loader ignores LD_PRELOAD",
			path, rights);
		return true;
	}
	if (!read_interpreter(fd, head, interpreter, sizeof(interpreter))) {
		if (strncmp(name, "ld-linux", strlen("ld-linux")) == 0 ||
			strncmp(name, "ld.so", strlen("ld.so")) == 0)
			return false; /* the loader, started by hand */
		(void)snprintf(ret_why, size,
			"%s is statically linked: "
			"LD_PRELOAD has no effect on it",
			path);
		return true;
	}
	if (!strstr(interpreter, "ld-linux")) {
		(void)snprintf(ret_why, size,
			"%s is linked with another C "
			"library than glibc (%s)",
			path, interpreter);
		return true;
	}
	return false;
}

/* "#!/bin/interp arg" -> "/bin/interp" */
static bool script_interpreter(char *head, size_t n, char path[PATH_MAX])
{
	char *start;

	head[n] = '\0';
	if (strncmp(head, "#!", 2) != 0)
		return false;
	start = head + 2 + strspn(head + 2, " \t");
	start[strcspn(start, " \t\n")] = '\0';
	(void)snprintf(path, PATH_MAX, "%s", start);
	return *start != '\0';
}

/* A #! line may name anything: a FIFO must not be waited for. -1: no regular
 * file. */
static int open_program(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	(void)close(fd);
	return -1;
}

static bool look_at(char path[PATH_MAX], int depth, char *ret_why, size_t size)
{
	union {
		ElfW(Ehdr) elf;
		char text[256 + 1];
	} head;
	int fd = open_program(path);
	ssize_t n = fd < 0 ? 0 : pread(fd, &head, sizeof(head.text) - 1, 0);
	bool out_of_reach = false;

	if (n >= (ssize_t)sizeof(head.elf) &&
		memcmp(head.elf.e_ident, ELFMAG, SELFMAG) == 0)
		out_of_reach = look_at_elf(fd, path, &head.elf, ret_why, size);
	else if (n > 2 && depth < SCRIPT_DEPTH &&
		 script_interpreter(head.text, (size_t)n, path))
		out_of_reach = look_at(path, depth + 1, ret_why, size);
	if (fd >= 0)
		(void)close(fd);
	return out_of_reach;
}

bool target_is_out_of_reach(const char *command, char *ret_why, size_t size)
{
	char path[PATH_MAX];

	return find_program(command, path) && look_at(path, 0, ret_why, size);
}
