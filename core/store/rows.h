/*
 * rows.h - one row per (kind, stack, thread name, tid, labels, size class):
 * where samples are added up.
 *
 * A row is found or made by the hook or handler (lock-free). Its counters only
 * take additions. Those of all rows but the heap's are atomic and may be made
 * by anyone, in any order; those of a heap row are made by the holder of the
 * baton, in ring order (rows_apply()), or wait in its `late` part
 * (rows_apply_late()). Context: PP_ANY.
 */
#ifndef ROWS_H
#define ROWS_H

#include "pp.h"

#include "session.h"

enum row_kind {
	ROW_CPU,
	ROW_HEAP,
	ROW_BLOCK,
	ROW_MUTEX,
	ROW_THREADCREATE, /* `wait` without a delay */
	ROW_KINDS,
};

/* Weighted object counts are fixed point: units of 1/ROW_ONE object. */
#define ROW_FRACTION_BITS 16
#define ROW_ONE (UINT64_C(1) << ROW_FRACTION_BITS)

struct row_key {
	uint32_t stack;	     /* stacks.h */
	uint32_t tid;	     /* with PPROFC_TID=yes, else 0 */
	uint32_t labels;     /* labels.h; 0 = none */
	uint16_t size_class; /* ROW_HEAP: size_class.h; else 0 */
	uint16_t kind;	     /* enum row_kind */
	char thread[16];     /* thread name, zero padded; ROW_HEAP: empty */
};

/* Additions made past a full ring. Those to what is live are folded in by the
 * next baton holder, for the peak; the others stay here and count from here:
 * nothing is under way in between when the process is killed. */
struct row_late {
	_Atomic uint64_t raw_objects, raw_bytes, objects, bytes;
	_Atomic int64_t live_objects, live_bytes;
};

/* Counters of ROW_HEAP but `late` are stored by the baton holder alone (plain
 * loads and stores, no locked instruction); others may read them. */
struct row {
	struct row_key key;
	_Atomic uint32_t seen_epoch; /* heap: see rows_apply() */
	uint32_t unused;
	union {
		struct {
			_Atomic uint64_t samples; /* weight 1 + overrun */
			_Atomic uint64_t ns;	  /* samples * period */
			uint64_t base_samples; /* at the last window's end: */
			uint64_t base_ns;      /* baton holder only */
		} cpu;
		struct {
			_Atomic uint64_t raw;	/* records, unweighted */
			_Atomic uint64_t count; /* weighted, 1/ROW_ONE */
			_Atomic uint64_t ns;	/* weighted delay */
		} wait;
		struct {
			_Atomic uint64_t raw_objects; /* unweighted samples */
			_Atomic uint64_t raw_bytes;
			_Atomic uint64_t objects;     /* weighted, 1/ROW_ONE */
			_Atomic uint64_t bytes;	      /* weighted */
			_Atomic int64_t live_objects; /* for the peak; in-use */
			_Atomic int64_t live_bytes;   /* comes from live.h */
			_Atomic int64_t peak_objects;
			_Atomic int64_t peak_bytes;
			struct row_late late;
		} heap;
	};
};

/* One addition to one row, as it travels through the ring. */
enum record_kind {
	RECORD_NONE,
	RECORD_CPU,
	RECORD_ALLOC,
	RECORD_FREE,
	RECORD_WAIT,	  /* of a row that has `wait` */
	RECORD_UNTRACKED, /* an allocation that is not in the live table */
	RECORD_KINDS,
};

struct record {
	uint32_t row;
	uint16_t kind;	  /* enum record_kind */
	uint16_t thread;  /* thread slot (low bits), for traces */
	uint64_t time_ns; /* CLOCK_MONOTONIC, or 0 where no clock may be read */
	uint64_t count;	  /* CPU: samples; else weighted, 1/ROW_ONE */
	uint64_t amount;  /* CPU: ns; heap: weighted bytes; wait: weighted ns */
	uint64_t size;	  /* heap: true size of the one object; wait: 1, or 0
			     if it adds to what was counted before */
	uint64_t unused[2];
};

/* The row's id, made if needed. When the session is full: the [overflow] row
 * of the kind (counted in STAT_OVERFLOW); never 0. */
uint32_t rows_intern(struct session *s, const struct row_key *key) PP_ANY;

/* NULL if there is none. */
static inline struct row *rows_get(const struct session *s, uint32_t id)
{
	return id ? seglist_at(s, &s->rows, id) : NULL;
}

/* Add a record to its row: baton holder, ring order. The in-use and peak
 * columns are exact because the order is. */
void rows_apply(struct session *s, const struct record *r) PP_ANY;

/* The same past a full ring, by anyone, without order: totals stay exact; the
 * peak may miss this record's moment. */
void rows_apply_late(struct session *s, const struct record *r) PP_ANY;

/* What a heap row has added up in all. */
struct row_made {
	uint64_t raw_objects, raw_bytes, objects, bytes;
};

static inline struct row_made rows_made(const struct row *row)
{
	const struct row_late *late = &row->heap.late;

	return (struct row_made){ row->heap.raw_objects + late->raw_objects,
		row->heap.raw_bytes + late->raw_bytes,
		row->heap.objects + late->objects,
		row->heap.bytes + late->bytes };
}

/* Fold what rows_apply_late() added into the rows. Baton holder; ring_drain()
 * calls it, so after a drain the rows are complete. */
void rows_fold(struct session *s) PP_ANY;

/* In-use objects (1/ROW_ONE) and bytes of a row at the peak. Baton holder. */
void rows_peak(const struct session *s, const struct row *row,
	int64_t *ret_objects, int64_t *ret_bytes) PP_ANY;

/* Create the [overflow] rows; called once by session_create(). */
int rows_prepare(struct session *s) PP_ANY;

#endif
