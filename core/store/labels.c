/*
 * labels.c - see labels.h. Context: PP_ANY.
 */
#include "pp.h"

#include "chunk.h"
#include "fmt.h"
#include "index.h"
#include "labels.h"

#define CHUNK_BYTES PP_PAGE

enum blob_kind { BLOB_TEXT = 1, BLOB_SET };

struct blob {
	uint32_t hash;
	uint16_t bytes;
	uint16_t kind; /* enum blob_kind */
	char data[];
};

struct blob_query {
	const void *data;
	uint16_t bytes;
	uint16_t kind;
};

static uint64_t hash_bytes(const struct blob_query *q)
{
	const char *at = q->data;
	uint64_t h = (uint64_t)q->kind << 32 | q->bytes, w;

	for (unsigned left = q->bytes; left; left -= PP_MIN(left, 8u)) {
		w = 0;
		__builtin_memcpy(&w, at, PP_MIN(left, 8u));
		h = pp_mix(h ^ w);
		at += 8;
	}
	return pp_mix(h);
}

static const struct blob *blob_get(
	const struct session *s, uint32_t id, uint16_t kind)
{
	uint64_t off = (uint64_t)id * 8, used = atomic_load(&s->used);
	const struct blob *b;

	if (!id || off < s->header_bytes || off + sizeof(*b) > used)
		return NULL;
	b = session_at(s, off);
	return b->kind == kind && off + sizeof(*b) + b->bytes <= used ? b
								      : NULL;
}

static bool equal(const struct session *s, uint32_t id, const void *key)
{
	const struct blob_query *q = key;
	const struct blob *b = blob_get(s, id, q->kind);

	return b && b->bytes == q->bytes &&
	       __builtin_memcmp(b->data, q->data, q->bytes) == 0;
}

static uint32_t make(struct session *s, const void *key, uint64_t hash)
{
	const struct blob_query *q = key;
	uint64_t off = chunk_take(s, &s->label_chunk, CHUNK_BYTES,
		pp_round_up(sizeof(struct blob) + q->bytes, 8));
	struct blob *b;

	if (!off)
		return 0;
	b = session_at(s, off);
	b->hash = (uint32_t)hash;
	b->bytes = q->bytes;
	b->kind = q->kind;
	__builtin_memcpy(b->data, q->data, q->bytes);
	return (uint32_t)(off / 8);
}

static uint32_t intern(struct session *s, const struct blob_query *q)
{
	return index_intern(s, &s->label_index, hash_bytes(q), q, equal, make);
}

uint32_t labels_text(struct session *s, const char *text)
{
	char cut[LABEL_TEXT_MAX + 1];

	(void)str_copy(cut, sizeof(cut), text);
	return intern(s, &(struct blob_query){ cut,
				 (uint16_t)(str_len(cut) + 1), BLOB_TEXT });
}

uint32_t labels_intern(struct session *s, const struct label *list, unsigned n)
{
	n = PP_MIN(n, LABELS_MAX);
	if (n == 0)
		return 0;
	return intern(s, &(struct blob_query){ list,
				 (uint16_t)(n * sizeof(*list)), BLOB_SET });
}

const char *labels_text_get(const struct session *s, uint32_t id)
{
	const struct blob *b = blob_get(s, id, BLOB_TEXT);

	return b && b->bytes && b->data[b->bytes - 1] == '\0' ? b->data : NULL;
}

const struct label *labels_get(
	const struct session *s, uint32_t id, unsigned *ret_n)
{
	const struct blob *b = blob_get(s, id, BLOB_SET);

	*ret_n = b ? PP_MIN(b->bytes / (unsigned)sizeof(struct label),
			     LABELS_MAX)
		   : 0;
	return b ? (const struct label *)(const void *)b->data : NULL;
}

uint32_t labels_merge(struct session *s, uint32_t a, uint32_t b)
{
	struct label both[LABELS_MAX];
	unsigned n, more;
	const struct label *first = labels_get(s, a, &n);
	const struct label *then = labels_get(s, b, &more);

	if (n == 0 || more == 0)
		return n ? a : b;
	more = PP_MIN(more, LABELS_MAX - n);
	__builtin_memcpy(both, first, n * sizeof(*both));
	__builtin_memcpy(both + n, then, more * sizeof(*both));
	return labels_intern(s, both, n + more);
}
