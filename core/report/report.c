/*
 * report.c - see report.h: snapshot, profile, gzip, file. Context: PP_ANY.
 */
#include "pp.h"

#include <errno.h>

#include "arena.h"
#include "fmt.h"
#include "gzip.h"
#include "log.h"
#include "output.h"
#include "profile.h"
#include "report.h"
#include "snapshot.h"

#define GZIP_LEVEL 1 /* as Go: half the time for a tenth of the size */
/* Where it will be written again: not what is large, or a disk that has room
 * for the profiles might have none for these. */
#define GZIP_STORED 0
#define STORED_ROWS_MOST 4096u

static int to_file(void *output, const void *data, size_t len)
{
	return output_write(output, data, len);
}

static int write_profile(const struct snapshot *snap,
	const struct report_request *request, struct arena *arena,
	struct output *out, int level)
{
	struct gzip *gzip;
	int err = gzip_begin(arena, level, to_file, out, &gzip);

	if (!err)
		err = profile_write(snap, request, arena, gzip_write, gzip);
	return err ? err : gzip_finish(gzip);
}

/* The number of this file; 0 for the one written at exit. */
static uint32_t next_number(
	struct session *s, const struct report_request *request)
{
	if (request->occasion == REPORT_EXIT)
		return 0;
	return atomic_fetch_add(&s->sequence[request->kind], 1) + 1;
}

static int write_named(const struct output_name *name,
	const struct snapshot *snap, const struct report_request *request,
	struct arena *arena, struct output *out, int level)
{
	int err = output_begin(out, name);

	if (err)
		return err;
	err = write_profile(snap, request, arena, out, level);
	if (err) {
		output_abort(out);
		return err;
	}
	return output_commit(out);
}

static int write_file(struct session *s, const struct snapshot *snap,
	const struct report_request *request, struct arena *arena,
	struct output *out)
{
	struct output_name name = {
		.settings = &s->settings,
		.kind = request->kind,
		.pid = s->identity.pid,
		.number = next_number(s, request),
		.start_s = s->start_wall_ns / 1000000000u,
	};
	bool stored = request->is_rewritten &&
		      snap->count <= STORED_ROWS_MOST &&
		      request->is_rewritten();
	int err = write_named(&name, snap, request, arena, out,
		stored ? GZIP_STORED : GZIP_LEVEL);

	/* There may be no room for that. */
	if (err && stored)
		err = write_named(&name, snap, request, arena, out, GZIP_LEVEL);
	if (!err && name.number)
		output_keep(&name, s->settings.keep);
	return err;
}

static int report(struct session *s, const struct report_request *request,
	struct arena *arena, char *ret_path, size_t path_size)
{
	struct output *out = arena_alloc(arena, sizeof(*out));
	struct snapshot snap;
	int err;

	if (!out)
		return -ENOMEM;
	err = snapshot_take(s, request, arena, &snap);
	if (err)
		return err;
	if (snap.count == 0)
		return -ENODATA;
	err = write_file(s, &snap, request, arena, out);
	if (err)
		return err;
	log_line("wrote %s (%s, %llu sample%s)", out->path,
		profile_kind_names[request->kind],
		(unsigned long long)snap.samples, snap.samples == 1 ? "" : "s");
	if (request->ret_samples)
		*request->ret_samples = snap.samples;
	if (ret_path && path_size)
		(void)str_copy(ret_path, path_size, out->path);
	return 0;
}

int report_write(struct session *s, const struct report_request *request,
	char *ret_path, size_t path_size)
{
	struct arena arena;
	int err;

	arena_init(&arena);
	err = report(s, request, &arena, ret_path, path_size);
	arena_free(&arena);
	/* Should the process be killed now, it is not written once more. */
	if (request->occasion == REPORT_EXIT && (!err || err == -ENODATA))
		(void)atomic_fetch_or(
			&s->written_kinds, PROFILE_BIT(request->kind));
	if (err == -ENODATA)
		return err;
	if (err)
		log_line("no %s profile written: error %d",
			profile_kind_names[request->kind], -err);
	session_count(s, err ? STAT_REPORTS_FAILED : STAT_REPORTS, 1);
	return err;
}
