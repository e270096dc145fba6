/*
 * background.c - see background.h.
 */
#include "pp.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "background.h"

#define LOWER_PRIORITY 10
#define PATIENCE_S 300
#define LOOKS_PER_S 20
#define SLOTS_MAX 64

/* Here and not before the exec, as it is done where the program waits for
 * that: it would wait for whoever has the processor instead. */
static void step_back(void)
{
	FILE *f;
	int now;

	errno = 0;
	now = getpriority(PRIO_PROCESS, 0);
	if (errno == 0 && now < LOWER_PRIORITY)
		(void)setpriority(PRIO_PROCESS, 0, LOWER_PRIORITY);
	/* Sessions are groups of their own to the scheduler. */
	f = fopen("/proc/self/autogroup", "we");
	if (!f)
		return;
	(void)fprintf(f, "%d", LOWER_PRIORITY);
	(void)fclose(f);
}

/* An address that no file stands for, and that is free again when whoever has
 * it ends, in whatever way. */
static bool take_slot(int fd, long slot)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1,
		"pprofc-symbolize.%u.%ld", (unsigned)getuid(), slot);

	return bind(fd, (const struct sockaddr *)&at,
		       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   (size_t)n)) == 0 ||
	       errno != EADDRINUSE;
}

static bool await_turn(void)
{
	const struct timespec pause = { 0, 1000000000 / LOOKS_PER_S };
	long slots = sysconf(_SC_NPROCESSORS_ONLN);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return true;
	slots = PP_MIN(PP_MAX(slots, 1), SLOTS_MAX);
	for (int i = 0; i < PATIENCE_S * LOOKS_PER_S; i++) {
		for (long slot = 0; slot < slots; slot++) {
			if (take_slot(fd, slot))
				return true; /* held until the end */
		}
		(void)nanosleep(&pause, NULL);
	}
	(void)close(fd);
	return false;
}

bool background_enter(void)
{
	step_back();
	return await_turn();
}
