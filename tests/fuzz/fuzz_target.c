/*
 * fuzz_target.c - a hostile program file, ELF or script, as `pprofc run` looks
 * at it (core/offline/target.c).
 */
#include "pp.h"

#include <string.h>
#include <sys/stat.h>

#include "target.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	char why[200];

	MUST(fchmod(fuzz_fd(), 0755) == 0);
	memset(why, 0, sizeof(why));
	if (target_is_out_of_reach(path, why, sizeof(why)))
		MUST(*why && memchr(why, 0, sizeof(why)));
	return 0;
}
