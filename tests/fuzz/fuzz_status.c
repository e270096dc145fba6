/*
 * fuzz_status.c - the status file, to which any process of a run may write
 * anything (core/offline/status.c).
 */
#include "pp.h"

#include <string.h>

#include "status.h"

#include "fuzz.h"
#include "said.h"

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
