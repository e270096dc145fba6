/*
 * comments.h - what a profile says about itself, one fact per comment as
 * "name: number" where it is a number. Context: PP_ANY.
 */
#ifndef COMMENTS_H
#define COMMENTS_H

#include "pp.h"

#include "locations.h"
#include "snapshot.h"
#include "strings.h"

#define COMMENTS_NOTES 8u /* of the request, at most */
#define COMMENTS_MAX (STAT_COUNT + 24u + COMMENTS_NOTES)

struct comments {
	int64_t list[COMMENTS_MAX]; /* indexes of strings */
	unsigned count;
};

void comments_make(struct comments *c, const struct snapshot *snap,
	enum profile_kind kind, const struct locations *l) PP_ANY;

#endif
