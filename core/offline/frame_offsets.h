/*
 * frame_offsets.h - how far into its function each frame is. Profiles do not
 * say where functions start; the files that were mapped do.
 */
#ifndef FRAME_OFFSETS_H
#define FRAME_OFFSETS_H

#include "pp.h"

struct thread_list;

/* Sets `offset` and `has_offset` of the frames whose files are still there and
 * have symbols. */
void frame_offsets_find(struct thread_list *l) PP_NORMAL;

#endif
