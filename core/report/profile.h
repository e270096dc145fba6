/*
 * profile.h - one pprof profile made from a snapshot.
 *
 * Owner: everything is in the arena given. Context: PP_ANY.
 */
#ifndef PROFILE_H
#define PROFILE_H

#include "pp.h"

#include "arena.h"
#include "encode.h"
#include "report.h"
#include "snapshot.h"

/* Encode the profile to the sink. 0, -ENOMEM, or what the sink returned. */
int profile_write(const struct snapshot *snap,
	const struct report_request *request, struct arena *arena,
	encode_sink_fn *sink, void *arg) PP_ANY;

#endif
