/*
 * directory.c - see directory.h. Context: PP_ANY.
 */
#include "pp.h"

#include "directory.h"
#include "sys.h"

struct entry { /* as getdents64 gives it */
	uint64_t inode;
	int64_t off;
	uint16_t length;
	uint8_t type;
	char name[];
};

int directory_open(struct directory *d, const char *path)
{
	d->at = d->len = 0;
	return own_fd_open_any(&d->file, path, O_RDONLY | O_DIRECTORY, 0);
}

const char *directory_next(struct directory *d)
{
	const struct entry *e;

	if (d->at >= d->len) {
		d->at = 0;
		d->len = own_fd_is_ours(&d->file)
				 ? sys_call3(SYS_getdents64, d->file.fd, d->buf,
					   sizeof(d->buf))
				 : 0;
	}
	if (d->at >= d->len)
		return NULL;
	e = (const void *)(d->buf + d->at);
	d->at += e->length;
	return e->name;
}

void directory_close(struct directory *d)
{
	(void)own_fd_close(&d->file);
}
