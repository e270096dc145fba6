/*
 * recover_list.c - see recover_list.h.
 */
#include "pp.h"

#include <stdio.h>
#include <unistd.h>

#include "recover_find.h"
#include "recover_list.h"
#include "recover_write.h"
#include "session_open.h"

#define COLUMNS "%-16s %8s %-20s %9s %9s %-8s %s\n"
#define TABS "%s\t%s\t%s\t%s\t%s\t%s\t%s\n"

static const char *state_of(const struct finding *f)
{
	switch (f->error) {
	case 0:
		if (atomic_load(&f->head.state) == SESSION_FINAL)
			return "written";
		return fate_name(f->fate);
	case SESSION_UNFINISHED:
		return "empty";
	case SESSION_OTHER_VERSION:
		return "version";
	case SESSION_CUT:
		return "cut";
	default:
		return "damaged";
	}
}

/* What a file name may hold must not look like a field or another line. */
static void clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

static uint64_t samples_of(const struct session *s)
{
	return session_stat(s, STAT_CPU_SAMPLES) +
	       session_stat(s, STAT_HEAP_SAMPLES);
}

static void print(const struct finding *f, void *arg)
{
	const bool *columns = arg;
	char pid[16] = "-", start[RECOVER_TIME_MAX] = "-", bytes[24];
	char samples[24] = "-", program[sizeof(f->head.settings.program)] = "-";
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", f->path);
	(void)snprintf(
		bytes, sizeof(bytes), "%llu", (unsigned long long)f->bytes);
	if (!f->error) {
		(void)snprintf(pid, sizeof(pid), "%u", f->head.identity.pid);
		recover_time(f->head.start_wall_ns, start);
		(void)snprintf(samples, sizeof(samples), "%llu",
			(unsigned long long)samples_of(&f->head));
		(void)snprintf(program, sizeof(program), "%s",
			f->head.settings.program);
	}
	clean(path);
	clean(program);
	(void)printf(*columns ? COLUMNS : TABS, program, pid, start, bytes,
		samples, state_of(f), path);
}

unsigned recover_list(char *const *names)
{
	bool columns = isatty(STDOUT_FILENO);

	if (columns)
		(void)printf(COLUMNS, "PROGRAM", "PID", "START", "BYTES",
			"SAMPLES", "STATE", "FILE");
	return find_sessions(names, print, &columns);
}
