/*
 * snapshot.h - the numbers of one profile, copied out of a session.
 *
 * Under the baton: drain the ring, copy what the rows hold. Everything slow
 * happens afterwards on the copy; keys, stacks and modules never change once
 * published, so those are read in place.
 *
 * Owner: the arena's. Context: PP_ANY; all signals blocked.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include "pp.h"

#include "arena.h"
#include "kinds.h"
#include "labels.h"
#include "report.h"
#include "rows.h"
#include "session.h"

#define SNAPSHOT_COLUMNS KIND_COLUMNS /* kinds.h says which */

/* Labels that are not the session's: of a moment. */
struct snapshot_labels {
	const struct label *list;
	unsigned count;
};

struct snapshot_row {
	const struct row_key *key;
	const struct snapshot_labels *more; /* beside key->labels; NULL */
	int64_t values[SNAPSHOT_COLUMNS];
};

struct snapshot {
	const struct session *session;
	const char *const *notes;  /* of the request */
	struct snapshot_row *rows; /* those with a value that is not zero */
	uint32_t count;
	uint64_t samples; /* taken: CPU expiries, recorded allocations, waits */
	const struct thread_stacks *threads; /* of the request, if used */
	uint32_t undrained; /* records that could not be added yet */
	uint64_t wall_ns;   /* what Profile.time_nanos says */
	uint64_t duration_ns;
	uint64_t stats[STAT_COUNT];
};

/* The labels of a row, and their number. */
const struct label *snapshot_labels_of(const struct snapshot *snap,
	const struct row_key *key, const struct snapshot_labels *more,
	unsigned *ret_n) PP_ANY;

/* In-use sums by row id. */
struct live_sum {
	uint64_t objects; /* 1/ROW_ONE */
	uint64_t bytes;
};
struct live_copy {
	uint32_t count; /* sums[0 .. count - 1] */
	uint32_t unused;
	struct live_sum sums[];
};

/* 0, -ENOMEM, or -EBUSY when a toggle window cannot be closed because the
 * baton is not to be had. */
int snapshot_take(struct session *s, const struct report_request *request,
	struct arena *arena, struct snapshot *ret) PP_ANY;

#endif
