/*
 * load.c - see load.h. Several gzip members after each other are one stream,
 * as for other readers.
 */
#include "pp.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ZLIB_CONST
#include <zlib.h>

#include "load.h"

#define GZIP_WINDOW (15 + 16) /* gzip framing only */

static bool is_gzip(const uint8_t *data, size_t len)
{
	return len >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

static int more_room(struct load *l, size_t *room)
{
	size_t bigger = *room * 2;
	uint8_t *data;

	if (bigger > LOAD_MAX)
		return -EFBIG;
	data = realloc(l->data, bigger);
	if (!data)
		return -ENOMEM;
	l->data = data;
	*room = bigger;
	return 0;
}

static int zlib_error(int ret)
{
	if (ret == Z_MEM_ERROR)
		return -ENOMEM;
	return ret == Z_BUF_ERROR ? -EPIPE : -EILSEQ;
}

/* One step of inflate; *ret_end when all input is used up at a member's end. */
static int step(z_stream *z, bool *ret_end)
{
	int ret = inflate(z, Z_NO_FLUSH);

	if (ret == Z_STREAM_END) {
		*ret_end = z->avail_in == 0;
		return *ret_end ? 0 : zlib_error(inflateReset(z));
	}
	if (ret == Z_OK && !z->avail_in && z->avail_out)
		return -EPIPE;
	return ret == Z_OK || (ret == Z_BUF_ERROR && z->avail_in)
		       ? 0
		       : zlib_error(ret);
}

static int gunzip(const uint8_t *data, size_t len, struct load *l)
{
	size_t room = PP_MAX(4 * len, (size_t)64 * 1024);
	z_stream z = { .next_in = data, .avail_in = (uInt)len };
	bool end = false;
	int err = 0;

	room = PP_MIN(room, (size_t)LOAD_MAX);
	l->data = malloc(room);
	if (!l->data || inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	while (!end && !err) {
		if (l->len == room)
			err = more_room(l, &room);
		if (err)
			break;
		z.next_out = l->data + l->len;
		z.avail_out = (uInt)PP_MIN(room - l->len, (size_t)UINT_MAX);
		err = step(&z, &end);
		l->len = (size_t)(z.next_out - l->data);
	}
	(void)inflateEnd(&z);
	return err;
}

int load_bytes(const uint8_t *data, size_t len, struct load *ret)
{
	int err = 0;

	*ret = (struct load){ .was_gzip = is_gzip(data, len) };
	if (len > LOAD_MAX)
		return -EFBIG;
	if (ret->was_gzip) {
		err = gunzip(data, len, ret);
	} else {
		ret->data = malloc(len + 1);
		if (!ret->data)
			return -ENOMEM;
		memcpy(ret->data, data, len);
		ret->len = len;
	}
	if (err)
		load_free(ret);
	return err;
}

static int read_all(int fd, uint8_t *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = read(fd, data + at, len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		at += (size_t)n;
	}
	return 0;
}

static int load_open(int fd, struct load *ret)
{
	struct stat st;
	uint8_t *data;
	int err;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if ((uint64_t)st.st_size > LOAD_MAX)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	err = read_all(fd, data, (size_t)st.st_size);
	if (!err)
		err = load_bytes(data, (size_t)st.st_size, ret);
	if (!err)
		ret->file = st;
	free(data);
	return err;
}

int load_file(const char *path, struct load *ret)
{
	/* A FIFO would hold us up for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err;

	*ret = (struct load){ 0 };
	if (fd < 0)
		return -errno;
	err = load_open(fd, ret);
	(void)close(fd);
	return err;
}

void load_free(struct load *l)
{
	free(l->data);
	*l = (struct load){ 0 };
}

const char *load_error(int err)
{
	switch (-err) {
	case ENODATA:
		return "is empty";
	case EBADMSG:
		return "is no pprof profile, or not a whole one";
	case EPIPE:
		return "is not complete: it ends too early";
	case EILSEQ:
		return "is damaged: its gzip data cannot be read";
	case EFBIG:
		return "is too large";
	case EINVAL:
		return "is not a file";
	default:
		return strerror(-err);
	}
}
