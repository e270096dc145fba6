/*
 * session_peek.c - a foreign reader of a session file: knows the headers of
 * core/store and nothing else, maps the file read-only at an address of its
 * own, and prints what it finds as "name value" lines.
 *
 * session_peek FILE SIZE: also looks at the live objects of SIZE bytes and at
 * the rows that made them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live.h"
#include "modules.h"
#include "ring.h"
#include "rows.h"
#include "session.h"
#include "stacks.h"

#define RING_STATE_FULL 2 /* the low four bits of a slot's word: ring.c */

static const char *base;
static size_t length;

static void die(const char *what)
{
	fprintf(stderr, "session_peek: %s\n", what);
	exit(1);
}

static const void *at(uint64_t off, uint64_t bytes)
{
	if (off > length || bytes > length - off)
		die("an offset lies outside the file");
	return base + off;
}

static const void *element(const struct seglist *l, uint32_t i)
{
	for (unsigned k = 0; k < SESSION_SEGMENTS; k++) {
		uint64_t n = UINT64_C(1) << (l->first_bits + k);

		if (i < n)
			return l->seg[k]
				       ? at(l->seg[k] + (uint64_t)i *
								 l->elem_bytes,
						 l->elem_bytes)
				       : NULL;
		i -= (uint32_t)n;
	}
	return NULL;
}

static const struct session *open_session(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	const struct session *s;

	if (fd < 0 || fstat(fd, &st) != 0)
		die("cannot open the file");
	length = (size_t)st.st_size;
	base = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED || length < sizeof(*s))
		die("cannot map the file");
	close(fd);
	s = (const struct session *)(const void *)base;
	if (s->magic != SESSION_MAGIC || s->version != SESSION_VERSION)
		die("magic or version differ");
	return s;
}

static void print_header(const struct session *s)
{
	printf("state %u\npid %u\nuid %u\nstart_ticks %llu\npidns %llu\n",
		s->state, s->identity.pid, s->identity.uid,
		(unsigned long long)s->identity.start_ticks,
		(unsigned long long)s->identity.pidns_inode);
	printf("boot_id ");
	for (unsigned i = 0; i < sizeof(s->identity.boot_id); i++)
		printf("%02x", s->identity.boot_id[i]);
	printf("\nexe %s\nfile %s\nanonymous %u\nfull %u\n", s->exe_path,
		s->file_path, s->anonymous, s->full);
#define PRINT_STAT(symbol, text, loss) \
	printf(#symbol " %llu\n", (unsigned long long)s->stats[symbol]);
	STATS_LIST(PRINT_STAT)
}

/* Every row's stack must be whole, every frame's module must be ready. */
static void check_stack(const struct session *s, uint32_t id)
{
	const struct stack *k = at((uint64_t)id * 8, sizeof(*k));

	if (k->depth == 0 || k->depth > STACK_MAX_DEPTH + 2)
		die("a stack's depth is impossible");
	(void)at((uint64_t)id * 8, sizeof(*k) + k->depth * sizeof(frame_t));
	for (unsigned i = 0; i < k->depth; i++) {
		unsigned m = frame_module(k->frames[i]);
		const struct module *module;

		if (m == 0 || m == FRAME_SYNTHETIC)
			continue;
		module = element(&s->modules, m);
		if (m > s->module_count || !module || module->state != 2)
			die("a frame names a module that is not there");
		if (frame_pc(k->frames[i]) < module->start ||
			frame_address(k->frames[i]) >= module->limit)
			die("a frame lies outside its module");
		(void)at(module->path_off, module->path_len);
	}
}

/* What of a kind is in the ring still, in all (row 0) or for one row. */
static uint64_t pending(
	const struct session *s, enum record_kind kind, uint32_t row)
{
	const struct ring_slot *slots = at(
		s->ring_off, (uint64_t)s->ring_slots * sizeof(*slots));
	uint64_t count = 0;

	for (uint32_t i = 0; i < s->ring_slots; i++) {
		const struct record *r = &slots[i].record;

		if ((slots[i].word & 15) == RING_STATE_FULL &&
			r->kind == kind && (row == 0 || r->row == row))
			count += kind == RECORD_CPU ? r->count : 1;
	}
	return count;
}

static void print_cpu(const struct session *s)
{
	uint64_t samples = pending(s, RECORD_CPU, 0);
	uint32_t rows = 0;

	for (uint32_t id = 1; id <= s->row_count; id++) {
		const struct row *row = element(&s->rows, id);

		if (!row || row->key.stack == 0)
			continue;
		rows++;
		check_stack(s, row->key.stack);
		if (row->key.kind == ROW_CPU)
			samples += row->cpu.samples;
	}
	printf("rows %u\ncpu %llu\n", rows, (unsigned long long)samples);
}

static void print_objects(const struct session *s, uint64_t size)
{
	uint64_t live = 0, made = 0;
	uint32_t last = 0;

	for (uint32_t i = 0;; i++) {
		const _Atomic uint64_t *key = element(&s->live_keys, i);
		const struct live_value *v = element(&s->live_values, i);

		if (!key || !v)
			break;
		if (*key <= 1 || v->size != size)
			continue;
		live++;
		if (v->row != last) {
			const struct row *row = element(&s->rows, v->row);

			last = v->row;
			made += rows_made(row).raw_objects +
				pending(s, RECORD_ALLOC, v->row);
		}
	}
	printf("live %llu\nmade %llu\n", (unsigned long long)live,
		(unsigned long long)made);
}

int main(int argc, char **argv)
{
	const struct session *s;

	if (argc < 3)
		die("usage: session_peek FILE SIZE");
	s = open_session(argv[1]);
	print_header(s);
	print_cpu(s);
	print_objects(s, strtoull(argv[2], NULL, 10));
	return 0;
}
