/*
 * recover_find.h - session files: where they are, and whose.
 */
#ifndef RECOVER_FIND_H
#define RECOVER_FIND_H

#include <limits.h>

#include "pp.h"

#include "recover_fate.h"
#include "session.h"

struct finding {
	char path[PATH_MAX];
	bool named;	/* by the user; else it was in a directory */
	bool of_others; /* the file belongs to another user */
	int error;	/* 0, or why it is none: session_open.h */
	uint64_t bytes; /* in use, not the size with its holes */
	uint64_t dev, ino;
	enum fate fate;	     /* the rest only without error */
	struct session head; /* its numbers, not its tables */
};

typedef void finding_fn(const struct finding *f, void *arg);

/* Visit what the names stand for, each file once: a file, or the sessions in a
 * directory. Returns how many files were visited. */
unsigned find_sessions(char *const *names, finding_fn *visit, void *arg);

/* Where sessions are unless told: /dev/shm, the current directory, and those of
 * PPROFC_SESSION and PPROFC_OUTPUT. */
#define FIND_PLACES 4
struct find_places {
	char paths[FIND_PLACES][SETTINGS_PATH_MAX];
	char *names[FIND_PLACES + 1];
};
void find_usual_places(
	const struct settings *settings, struct find_places *ret);

/* Why it cannot be read; ret_text has room for a sentence. */
#define FIND_WHY_MAX 160
void finding_why(int error, uint32_t version, char ret_text[FIND_WHY_MAX]);

/* A session that was never finished, by a process that is gone. */
bool finding_is_abandoned(const struct finding *f);

/* Nobody else who recovers reads it meanwhile: two would write its profiles
 * twice. *ret_fd >= 0 is to be closed after its removal. False: somebody is at
 * work on it, or was. */
bool finding_claim(const struct finding *f, int *ret_fd);

/* Remove the file, if it is that file still. False after saying why not. */
bool finding_remove(const struct finding *f);

#endif
