/*
 * fuzz_status.c - the status file, to which any process of a run may write
 * anything (core/offline/status.c).
 */
#include "pp.h"

#include <stdarg.h>
#include <string.h>

#include "say.h"
#include "status.h"

#include "fuzz.h"

/* In place of core/offline/say.c: what would be said is looked at. */
void say(const char *format, ...)
{
	char line[16384];
	va_list ap;

	va_start(ap, format);
	MUST(vsnprintf(line, sizeof(line), format, ap) > 0);
	va_end(ap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct status_file f = { .dir = "" }; /* reading removes it */
	struct status_counts counts;
	struct status_summary *summary;

	(void)snprintf(f.path, sizeof(f.path), "%s", fuzz_file(data, size));
	summary = status_read(&f);
	counts = status_say(summary);
	status_free(summary);
	MUST(counts.profiles <= size && counts.problems <= size);
	return 0;
}
