/*
 * elf_file.h - a reader of ELF files that trusts nothing it reads.
 *
 * Files are read with pread, never mapped: one that shrinks meanwhile gives an
 * error here instead of SIGBUS. Every offset and count is checked against the
 * size seen at opening. The vdso is read out of our own memory, each page after
 * a probe (safe_read.h). 64-bit, this machine's byte order.
 *
 * Owner: elf_close() gives the descriptor back. Context: PP_ANY.
 */
#ifndef ELF_FILE_H
#define ELF_FILE_H

#include <elf.h>

#include "pp.h"

#include "own_fd.h"

#define ELF_FILE_MAX (UINT64_C(16) << 30)
#define ELF_BUILD_ID_MAX 32u

struct elf {
	struct own_fd file; /* fd -1: memory */
	uint64_t memory;    /* address of the image */
	uint64_t size;
	uint64_t phoff, shoff;
	uint32_t phnum, shnum;
	uint16_t machine;
};

/* Open a file. -ENOEXEC if it is no ELF file we can read, -errno otherwise
 * (-EINVAL when it is not a regular file: a FIFO would hang us). */
int elf_open(struct elf *e, const char *path) PP_ANY;

/* The image that lies in this process's memory from `address`; at most `size`
 * bytes of it are looked at. */
int elf_open_memory(struct elf *e, uint64_t address, uint64_t size) PP_ANY;

void elf_close(struct elf *e) PP_ANY;

/* Exactly len bytes from off; 0, -ENOEXEC beyond the end, or -errno. */
int elf_read(const struct elf *e, uint64_t off, void *buf, size_t len) PP_ANY;

/* As much as there is of len bytes; the number, or -errno. */
long elf_read_some(
	const struct elf *e, uint64_t off, void *buf, size_t len) PP_ANY;

int elf_section(const struct elf *e, uint32_t i, Elf64_Shdr *ret) PP_ANY;
int elf_segment(const struct elf *e, uint32_t i, Elf64_Phdr *ret) PP_ANY;

/* The first section of this type; -ENOENT if there is none. */
int elf_find_section(
	const struct elf *e, uint32_t type, Elf64_Shdr *ret) PP_ANY;

/* The GNU build id, raw; 0 bytes if there is none. */
unsigned elf_build_id(const struct elf *e, uint8_t id[ELF_BUILD_ID_MAX]) PP_ANY;

#endif
