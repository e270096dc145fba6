/*
 * thread_list.h - the threads of a goroutine profile, read back from its file.
 */
#ifndef THREAD_LIST_H
#define THREAD_LIST_H

#include "pp.h"

struct Pprof__Profile;

struct thread_frame {
	uint64_t address; /* as in the profile */
	const char *function, *file;
	int64_t line;
	uint64_t offset; /* from where the function starts */
	bool has_offset; /* that is known */
	bool inlined;	 /* into the next frame */
};

struct listed_thread {
	int64_t tid, owner_tid, wait_ns; /* 0 = not known */
	const char *name, *state;
	const char *wait, *lock;     /* NULL = none */
	struct thread_frame *frames; /* leaf first */
	size_t frame_count;
};

struct thread_list {
	struct listed_thread *list;
	size_t count;
	struct Pprof__Profile *profile; /* owner of the texts */
};

/* False after saying why not. */
bool thread_list_read(const char *path, struct thread_list *ret) PP_NORMAL;
void thread_list_free(struct thread_list *l);

/* A string of the profile's; "" if there is none. */
const char *thread_list_text(const struct Pprof__Profile *p, int64_t index);

/* The thread with this tid; NULL. */
const struct listed_thread *thread_list_find(
	const struct thread_list *l, int64_t tid);

#endif
