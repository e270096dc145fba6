/*
 * own_names.c - a program that exports names our library has inside.
 * BUILD: -rdynamic
 */
#include "hostile.h"

#define MINE(name)         \
	void name(void);   \
	void name(void)    \
	{                  \
		_exit(99); \
	}

MINE(deflate)
MINE(deflateInit2_)
MINE(deflateEnd)
MINE(crc32)
MINE(adler32)
MINE(unw_backtrace)
MINE(unw_init_local)
MINE(unw_step)
MINE(_Ux86_64_step)
MINE(_ULx86_64_step)
MINE(_Unwind_Backtrace)
MINE(protobuf_c_message_pack)
MINE(protobuf_c_message_pack_to_buffer)
MINE(process)
MINE(fmt)
MINE(ring_init)

int main(void)
{
	hold();
	dump();
	burn(40);
	printf("fine\n");
	return 0;
}
