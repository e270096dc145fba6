/*
 * guard.c - see guard.h.
 */
#include "pp.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guard.h"
#include "replace.h"
#include "tell.h"

#define ADDRESS_SPACE_MAX (UINT64_C(16) << 30)
#define CPU_MAX_S 600u

void guard_environment(void)
{
	static const char ours[] = "PPROFC_";
	char name[128];

	(void)unsetenv("LD_PRELOAD");
	(void)unsetenv("LD_AUDIT");
	for (char **e = environ; *e;) {
		size_t len = strcspn(*e, "=");

		if (strncmp(*e, ours, sizeof(ours) - 1) == 0 &&
			len < sizeof(name)) {
			memcpy(name, *e, len);
			name[len] = '\0';
			(void)unsetenv(name); /* moves the rest up */
		} else {
			e++;
		}
	}
	/* A parent may have closed them; files we open must not become one. */
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDWR);
	}
}

static void crashed(int sig)
{
	replace_abandon();
	tell_crash(sig);
	_exit(1);
}

static void limit(__rlimit_resource_t what, rlim_t max)
{
	struct rlimit r;

	if (getrlimit(what, &r) != 0)
		return;
	r.rlim_cur = PP_MIN(r.rlim_cur, max);
	(void)setrlimit(what, &r);
}

void guard_limits(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT,
		SIGXCPU, SIGTERM, SIGINT, SIGHUP };
	struct sigaction act = { .sa_handler = crashed,
		.sa_flags = (int)SA_RESETHAND };

	limit(RLIMIT_AS, ADDRESS_SPACE_MAX);
	limit(RLIMIT_CPU, CPU_MAX_S);
	limit(RLIMIT_CORE, 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < PP_ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &act, NULL);
}
