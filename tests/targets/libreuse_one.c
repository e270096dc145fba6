/*
 * libreuse_one.c - with libreuse_two.c: two libraries of one layout, so that
 * one comes to lie where the other lay, with frames of different size.
 * BUILD: -Wl,--build-id
 */
typedef void reuse_fn(void);

int reuse(reuse_fn *callback);

int reuse(reuse_fn *callback)
{
	volatile char room[40];

	room[0] = 1;
	callback();
	return room[0];
}
