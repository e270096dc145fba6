/*
 * confiner.c - what starts a program under a filter, as service managers and
 * sandboxes do: static, so that no library sees it. BUILD: -static
 *
 * confiner WAY    puts on the filter and executes "inherits WAY"
 */
#include <libgen.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "filter.h"

/* Nobody calls these, nor do we. */
static const int foreign[] = { SYS_ptrace, SYS_mount, SYS_umount2, SYS_swapon,
	SYS_reboot, SYS_kexec_load, SYS_init_module, SYS_bpf,
	SYS_perf_event_open, SYS_getpgid };

/* The program does without these; the library does not. */
static const int timers[] = { SYS_timer_create, SYS_timer_settime,
	SYS_timer_delete };
static const int helpers[] = { SYS_unshare, SYS_close_range };
static const int files[] = { SYS_mkdir, SYS_link, SYS_rename, SYS_unlink,
	SYS_truncate };

static const struct kind {
	const char *way;
	const int *calls;
	int n;
	unsigned theirs;
} kinds[] = {
	{ "logged", foreign, 0, SECCOMP_RET_ALLOW },
	{ "foreign_kill", foreign, COUNT(foreign), SECCOMP_RET_KILL_PROCESS },
	{ "foreign_trap", foreign, COUNT(foreign), SECCOMP_RET_TRAP },
	{ "foreign_refused", foreign, COUNT(foreign), ANSWER(EPERM) },
	{ "timers_kill", timers, COUNT(timers), SECCOMP_RET_KILL_PROCESS },
	{ "timers_trap", timers, COUNT(timers), SECCOMP_RET_TRAP },
	{ "timers_refused", timers, COUNT(timers), ANSWER(EPERM) },
	{ "helpers_kill", helpers, COUNT(helpers), SECCOMP_RET_KILL_THREAD },
	{ "helpers_refused", helpers, COUNT(helpers), ANSWER(EPERM) },
	{ "files_kill", files, COUNT(files), SECCOMP_RET_KILL_PROCESS },
	{ "files_trap", files, COUNT(files), SECCOMP_RET_TRAP },
};

static void confine(const struct kind *kind)
{
	unsigned others = strcmp(kind->way, "logged") == 0 ? SECCOMP_RET_LOG
							   : SECCOMP_RET_ALLOW;
	struct filter f;

	filter_make(&f, kind->calls, kind->n, kind->theirs, others);
	MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &f.program) == 0);
}

int main(int argc, char **argv)
{
	char program[PATH_MAX], *directory = dirname(strdup(argv[0]));

	MUST(argc == 2);
	snprintf(program, sizeof(program), "%s/inherits", directory);
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (strcmp(kinds[i].way, argv[1]) == 0)
			confine(&kinds[i]);
	execl(program, "inherits", argv[1], (char *)NULL);
	MUST(!"exec failed");
}
