/*
 * debuginfod.h - debug information from a server, if the user asked for it.
 *
 * The client library is loaded at the first question; nothing else of the
 * symbolizer uses a network. Context: PP_NORMAL.
 */
#ifndef DEBUGINFOD_H
#define DEBUGINFOD_H

#include <limits.h>

#include "pp.h"

#include "object.h"

/* The path of the debug file of this build, in the client's cache. The servers
 * are those of DEBUGINFOD_URLS. false when there is none, or after timeout_s.
 */
bool debuginfod_get(
	const struct build_id *id, unsigned timeout_s, char ret_path[PATH_MAX]);

#endif
