/*
 * thread_list.c - see thread_list.h.
 */
#include "pp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "frame_offsets.h"
#include "profile.pb-c.h"
#include "say.h"
#include "thread_list.h"

typedef Pprof__Profile profile_t;
typedef Pprof__Location location_t;
typedef Pprof__Function function_t;

#define FILE_MAX (64u << 20) /* of one moment; ten thousand threads fit */

static uint8_t *read_file(const char *path, size_t *ret_len)
{
	uint8_t *data = malloc(FILE_MAX);
	gzFile f = data ? gzopen(path, "re") : NULL;
	int n = f ? gzread(f, data, FILE_MAX) : -1;

	if (f)
		(void)gzclose(f);
	if (n > 0) {
		*ret_len = (size_t)n;
		return data;
	}
	say("%s: %s", path, f ? "cannot be read" : strerror(errno));
	free(data);
	return NULL;
}

const char *thread_list_text(const profile_t *p, int64_t i)
{
	return i > 0 && (uint64_t)i < p->n_string_table
		       ? (const char *)p->string_table[i]
		       : "";
}

#define text thread_list_text

/* A thread gives itself its name, which may hold what a terminal obeys. */
static const char *printable(char *name)
{
	for (char *c = name; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return name;
}

/* Ids are mostly numbers from 1 on. */
#define FIND_BY_ID(name, type, list)                                   \
	static const type *name(const profile_t *p, uint64_t id)       \
	{                                                              \
		if (id - 1 < p->n_##list && p->list[id - 1]->id == id) \
			return p->list[id - 1];                        \
		for (size_t i = 0; i < p->n_##list; i++) {             \
			if (p->list[i]->id == id)                      \
				return p->list[i];                     \
		}                                                      \
		return NULL;                                           \
	}
FIND_BY_ID(find_location, location_t, location)
FIND_BY_ID(find_function, function_t, function)

static size_t frames_of(
	const profile_t *p, const location_t *l, struct thread_frame *to)
{
	size_t n = l->n_line ? l->n_line : 1;

	for (size_t i = 0; to && i < n; i++) {
		const function_t *f = l->n_line
					      ? find_function(p,
							l->line[i]->function_id)
					      : NULL;

		to[i] = (struct thread_frame){ .address = l->address,
			.function = f ? text(p, f->name) : "",
			.file = f ? text(p, f->filename) : "",
			.line = l->n_line ? l->line[i]->line : 0,
			.inlined = i + 1 < n };
	}
	return n;
}

static bool add_frames(
	const profile_t *p, const Pprof__Sample *s, struct listed_thread *t)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_location_id; i++) {
		const location_t *l = find_location(p, s->location_id[i]);

		n += l ? frames_of(p, l, NULL) : 0;
	}
	t->frames = calloc(n + 1, sizeof(*t->frames));
	if (!t->frames)
		return false;
	for (size_t i = 0; i < s->n_location_id; i++) {
		const location_t *l = find_location(p, s->location_id[i]);

		if (l)
			t->frame_count += frames_of(
				p, l, t->frames + t->frame_count);
	}
	return true;
}

static void add_label(
	const profile_t *p, const Pprof__Label *l, struct listed_thread *t)
{
	const char *key = text(p, l->key);

	if (strcmp(key, "tid") == 0)
		t->tid = l->num;
	else if (strcmp(key, "owner_tid") == 0)
		t->owner_tid = l->num;
	else if (strcmp(key, "wait_ns") == 0)
		t->wait_ns = l->num;
	else if (strcmp(key, "thread") == 0)
		t->name = printable((char *)(uintptr_t)text(p, l->str));
	else if (strcmp(key, "state") == 0)
		t->state = text(p, l->str);
	else if (strcmp(key, "wait") == 0)
		t->wait = text(p, l->str);
	else if (strcmp(key, "lock") == 0)
		t->lock = text(p, l->str);
}

static bool is_goroutine(const profile_t *p)
{
	return p->n_sample_type == 1 &&
	       strcmp(text(p, p->sample_type[0]->type), "goroutine") == 0;
}

static bool add_threads(const profile_t *p, struct thread_list *l)
{
	l->list = calloc(p->n_sample + 1, sizeof(*l->list));
	if (!l->list)
		return false;
	for (size_t i = 0; i < p->n_sample; i++) {
		struct listed_thread *t = &l->list[l->count++];

		*t = (struct listed_thread){ .name = "", .state = "unknown" };
		for (size_t k = 0; k < p->sample[i]->n_label; k++)
			add_label(p, p->sample[i]->label[k], t);
		if (!add_frames(p, p->sample[i], t))
			return false;
	}
	return true;
}

bool thread_list_read(const char *path, struct thread_list *ret)
{
	size_t len;
	uint8_t *data = read_file(path, &len);
	profile_t *p = data ? pprof__profile__unpack(NULL, len, data) : NULL;

	*ret = (struct thread_list){ .profile = p };
	free(data);
	if (!data)
		return false;
	if (!p || !is_goroutine(p))
		say("%s: no goroutine profile", path);
	else if (!add_threads(p, ret))
		say("%s: out of memory", path);
	else {
		frame_offsets_find(ret);
		return true;
	}
	thread_list_free(ret);
	return false;
}

void thread_list_free(struct thread_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->list[i].frames);
	free(l->list);
	if (l->profile)
		pprof__profile__free_unpacked(l->profile, NULL);
	*l = (struct thread_list){ 0 };
}

const struct listed_thread *thread_list_find(
	const struct thread_list *l, int64_t tid)
{
	for (size_t i = 0; tid && i < l->count; i++) {
		if (l->list[i].tid == tid)
			return &l->list[i];
	}
	return NULL;
}
