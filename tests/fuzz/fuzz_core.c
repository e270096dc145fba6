/*
 * fuzz_core.c - a hostile core file through `pprofc recover --core`
 * (core/offline/recover_core.c).
 *
 * The input is how the file begins: headers, segments, notes. A good session
 * follows at SESSION_AT, for segments to point at.
 */
#include "pp.h"

#include <string.h>
#include <unistd.h>

#include "recover_core.h"
#include "recover_write.h"
#include "session.h"

#include "fuzz.h"
#include "good_session.h"
#include "said.h"

#define SESSION_AT (32u << 10)

static unsigned recovered;

/* In place of core/offline/recover_write.c, which would write files. */
struct recovered recover_write(
	struct session *copy, const struct recovery *how, FILE *log)
{
	(void)log;
	MUST(strlen(how->ended) > 0 && how->all);
	good_session_report(copy);
	recovered++;
	return (struct recovered){ .written = 1 };
}

static void put_session(void)
{
	static uint8_t *bytes;
	static size_t n;

	if (!bytes) {
		struct session *s = good_session();

		n = atomic_load(&s->used);
		bytes = malloc(n);
		MUST(bytes);
		memcpy(bytes, s, n);
		session_close(s);
	}
	MUST(pwrite(fuzz_fd(), bytes, n, SESSION_AT) == (ssize_t)n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, PP_MIN(size, (size_t)SESSION_AT));
	unsigned failed;

	put_session();
	said = recovered = 0;
	failed = recover_core(path, "/nowhere/another", NULL, NULL);
	MUST(failed + recovered > 0);
	MUST(said >= failed);
	return 0;
}
