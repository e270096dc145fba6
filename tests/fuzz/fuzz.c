/* fuzz.c - see fuzz.h. */
#include "pp.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

int fuzz_fd(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(fd >= 0);
	return fd;
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
	static char path[64];

	MUST(ftruncate(fuzz_fd(), 0) == 0);
	MUST(pwrite(fuzz_fd(), data, size, 0) == (ssize_t)size);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fuzz_fd());
	return path;
}

uint8_t *fuzz_image(uint64_t at, size_t most, const uint8_t *data, size_t size)
{
	static uint8_t *map;
	uint8_t *first;

	most = pp_round_up(most, PP_PAGE);
	if (!map) {
		map = mmap((void *)at, most + PP_PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			0);
		MUST((uint64_t)(uintptr_t)map == at);
		MUST(mprotect(map + most, PP_PAGE, PROT_NONE) == 0);
	}
	size = PP_MIN(size, most);
	first = map + most - size;
	UNPOISON(map, most);
	memset(map, 0, most - size);
	if (size)
		memcpy(first, data, size);
	POISON(map, most - size);
	return first;
}

void fuzz_take(struct fuzz_input *in, void *to, size_t n)
{
	size_t here = PP_MIN(n, in->left);

	memset(to, 0, n);
	if (here)
		memcpy(to, in->p, here);
	in->p += here;
	in->left -= here;
}

uint8_t fuzz_u8(struct fuzz_input *in)
{
	uint8_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

uint16_t fuzz_u16(struct fuzz_input *in)
{
	uint16_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

uint32_t fuzz_u32(struct fuzz_input *in)
{
	uint32_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

uint64_t fuzz_u64(struct fuzz_input *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}
