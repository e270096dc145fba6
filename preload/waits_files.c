/*
 * waits_files.c - waits for descriptors to become ready, and in reads of
 * sockets, pipes and terminals. Only where PPROFC_BLOCK asks for poll or io.
 *
 * Context: application threads at any moment, and its signal handlers.
 */
#include "pp.h"

#include "patient.h"
#include "sys.h"
#include "wait_hooks.h"
#include "waits.h"

/* With a timeout of 0 nothing is waited for; there are programs that ask so
 * all the time. One that is in memory is left for the kernel to read. */
#define MAY_WAIT(timeout) \
	_Generic((timeout), int : (timeout) != 0, default : true)

#define WAIT_IF_TIMEOUT(result, name, params, args)               \
	static PP_NOINLINE result name##_waiting params           \
	{                                                         \
		RECORDED(WAIT_POLL, result, patient_##name args); \
	}                                                         \
	result wait_##name params                                 \
	{                                                         \
		return MAY_WAIT(timeout) ? name##_waiting args    \
					 : real.name args;        \
	}
WAITS_POLL(WAIT_IF_TIMEOUT)
WAITS_MASKED(WAIT_IF_TIMEOUT)

/* Files are always ready, as far as this goes. */
static bool is_file(int fd)
{
	struct stat st;

	return sys_fstat(fd, &st) != 0 || S_ISREG(st.st_mode) ||
	       S_ISBLK(st.st_mode) || S_ISDIR(st.st_mode);
}

#define WAIT_IN(result_type, name, params, args) \
	result_type wait_##name params           \
	{                                        \
		struct wait w;                   \
		result_type result;              \
                                                 \
		wait_begin(&w, WAIT_IO, NULL);   \
		result = real.name args;         \
		if (w.began && !is_file(fd))     \
			wait_end(&w, true);      \
		return result;                   \
	}
WAITS_IO(WAIT_IN)
