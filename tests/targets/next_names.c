/*
 * next_names.c - compares what the preloaded library found behind its hooks
 * with what dlsym(RTLD_NEXT) answers, called inside it.
 *
 * next_names REAL REAL_SIZE REAL_NAMES REAL_HASHES REAL_FIND REAL_NEXT
 *   Where these symbols are in libpprofc.so. One line for each name that is
 *   not as it should be; at last the numbers of names and of stubs.
 */
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct found {
	uintptr_t base, end;
};

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *slash = strrchr(info->dlpi_name, '/');
	struct found *found = arg;

	(void)size;
	if (!slash || strcmp(slash, "/libpprofc.so") != 0)
		return 0;
	found->base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_LOAD && p->p_flags & PF_X)
			found->end = found->base + p->p_vaddr + p->p_memsz;
	}
	return 1;
}

static uint32_t hash_of(const char *name)
{
	uint32_t h = 5381;

	while (*name)
		h = h * 33 + (unsigned char)*name++;
	return h;
}

static const void *at(const struct found *library, const char *offset)
{
	return (const void *)(library->base + strtoul(offset, NULL, 16));
}

int main(int argc, char **argv)
{
	struct found library = { 0, 0 };
	size_t n = argc == 7 ? strtoul(argv[2], NULL, 16) / 8 : 0, stubs = 0;

	if (dl_iterate_phdr(visit, &library) != 1 || n == 0)
		return 2;
	void *const *real = at(&library, argv[1]);
	const char *name = at(&library, argv[3]);
	const uint32_t *hashes = at(&library, argv[4]);
	void *(*find)(const char *, uint32_t) = at(&library, argv[5]);
	void *(*next)(const char *) = at(&library, argv[6]);

	for (size_t i = 0; i < n; i++, name += strlen(name) + 1) {
		void *p = real[i];

		if (hashes[i] != hash_of(name))
			printf("%s: hash is wrong\n", name);
		if ((uintptr_t)p - library.base < library.end - library.base) {
			stubs++;
			p = find(name, hashes[i]);
		}
		if (p != next(name))
			printf("%s: %p is not %p\n", name, p, next(name));
	}
	printf("%zu names, %zu stubs\n", n, stubs);
	return 0;
}
