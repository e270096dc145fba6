/*
 * recover_fate.c - see recover_fate.h.
 *
 * A session names its process by boot id, PID namespace, process id and start
 * time. All of that stays when the process executes another program; but then
 * the session is no longer mapped there.
 */
#include "pp.h"

#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "recover_fate.h"
#include "session_place.h"

#define EXITING 0x4u		/* PF_EXITING in the flags of /proc/PID/stat */
#define DYING_PAUSES 400u	/* 2 s */
#define FIRST_PIDNS 0xEFFFFFFCu /* the inode of the outermost one */

const char *fate_name(enum fate fate)
{
	static const char *const names[] = {
		[FATE_ALIVE] = "alive",
		[FATE_DEAD] = "dead",
		[FATE_REPLACED] = "exec",
		[FATE_UNKNOWN] = "unknown",
	};

	return names[fate];
}

/* --- where we are --------------------------------------------------------- */

static bool read_line(const char *path, char *buf, int size)
{
	FILE *f = fopen(path, "re");
	bool good = f && fgets(buf, size, f);

	if (f)
		(void)fclose(f);
	if (good)
		buf[strcspn(buf, "\n")] = '\0';
	return good;
}

static bool is_this_boot(const struct session_identity *id)
{
	char text[64], own[33], theirs[33];
	size_t n = 0;

	if (!read_line("/proc/sys/kernel/random/boot_id", text, sizeof(text)))
		return false;
	for (const char *s = text; *s && n < 32; s++) {
		if (*s != '-')
			own[n++] = *s;
	}
	own[n] = '\0';
	for (unsigned i = 0; i < sizeof(id->boot_id); i++)
		(void)snprintf(
			theirs + (size_t)2 * i, 3, "%02x", id->boot_id[i]);
	return strcmp(own, theirs) == 0;
}

/* On a file system of several machines it may be another's. */
static bool is_on_this_machine(const char *path)
{
	static const uint32_t local[] = { TMPFS_MAGIC, EXT4_SUPER_MAGIC,
		XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC };
	struct statfs fs;

	if (statfs(path, &fs) != 0)
		return false;
	for (unsigned i = 0; i < PP_ARRAY_LEN(local); i++) {
		if ((uint32_t)fs.f_type == local[i])
			return true;
	}
	return false;
}

static uint64_t namespace_of(const char *pid)
{
	char path[300];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%s/ns/pid", pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* --- one process ---------------------------------------------------------- */

/* By field 3 of a thread's stat file. */
static bool has_ended(const char *path)
{
	char line[1024];
	const char *end;

	if (!read_line(path, line, sizeof(line)))
		return true;
	end = strrchr(line, ')');
	return !end || !end[1] || end[2] == 'Z' || end[2] == 'X';
}

/* A thread that has not ended; 0 = there is none, the process is over. (The
 * first one may have ended before the others.) */
static int living_thread(int pid)
{
	char path[300];
	struct dirent *e;
	DIR *d;
	int found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid,
			e->d_name);
		if (!has_ended(path))
			found = atoi(e->d_name);
	}
	if (d)
		(void)closedir(d);
	return found;
}

/* A number behind a word of /proc/PID/status, in hex. */
static uint64_t status_mask(int pid, const char *word)
{
	char path[64];
	char line[512];
	uint64_t mask = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, word, strlen(word)) == 0)
			mask = strtoull(line + strlen(word), NULL, 16);
	}
	if (f)
		(void)fclose(f);
	return mask;
}

/* It has been killed, or is on its way out; its memory goes first. */
static bool is_dying(int pid)
{
	uint64_t pending = status_mask(pid, "SigPnd:") |
			   status_mask(pid, "ShdPnd:");
	char path[64], line[1024];
	const char *end;
	unsigned flags = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	end = read_line(path, line, sizeof(line)) ? strrchr(line, ')') : NULL;
	if (end)
		(void)sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags);
	return (pending & UINT64_C(1) << (SIGKILL - 1)) || (flags & EXITING);
}

/* Somebody who kills a group need not wait for its end; we do, a little. */
static int living_thread_soon(int pid)
{
	const struct timespec pause = { 0, 5000000 };
	int tid = living_thread(pid);

	for (unsigned i = 0; tid && i < DYING_PAUSES && is_dying(pid); i++) {
		(void)nanosleep(&pause, NULL);
		tid = living_thread(pid);
	}
	return tid;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash : path;
}

/* Does a line of /proc/PID/maps show the file of this name? */
static bool names_file(const char *line, const char *path)
{
	const char *name = base_name(path);

	return *name && strstr(line, name) != NULL;
}

/* True also when we may not know. */
static bool is_mapped(
	int pid, int tid, const struct session *s, const char *path)
{
	char name[64];
	char *line = NULL;
	size_t size = 0;
	bool found = false;
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/%d/task/%d/maps", pid, tid);
	f = fopen(name, "re");
	if (!f)
		return true;
	while (!found && getline(&line, &size, f) > 0)
		found = names_file(line, path) ||
			names_file(line, s->file_path);
	found |= ferror(f) != 0;
	(void)fclose(f);
	free(line);
	return found;
}

static enum fate fate_of_pid(int pid, const struct session *s, const char *path)
{
	char name[64];
	uint64_t ticks;
	int tid;

	(void)snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	ticks = session_start_ticks(name);
	if (!ticks) /* perhaps /proc hides it */
		return kill(pid, 0) != 0 && errno == ESRCH ? FATE_DEAD
							   : FATE_ALIVE;
	if (s->identity.start_ticks && ticks != s->identity.start_ticks)
		return FATE_DEAD;
	tid = living_thread_soon(pid);
	if (!tid)
		return FATE_DEAD;
	return is_mapped(pid, tid, s, path) ? FATE_ALIVE : FATE_REPLACED;
}

/* --- another namespace ---------------------------------------------------- */

/* The last number of "NSpid:": what the process calls itself. */
static uint32_t own_pid_of(const char *pid)
{
	char path[300];
	char line[512];
	uint32_t own = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		const char *last;

		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		last = strrchr(line, '\t');
		own = last ? (uint32_t)strtoul(last, NULL, 10) : 0;
	}
	if (f)
		(void)fclose(f);
	return own;
}

/* A namespace below ours shows its processes here. If nobody is in it that we
 * can see, it is over only if we would see everybody. */
static enum fate fate_elsewhere(const struct session *s, const char *path)
{
	uint64_t there = s->identity.pidns_inode;
	DIR *d = opendir("/proc");
	bool inhabited = false;
	struct dirent *e;
	int pid = 0;

	while (d && there && !pid && (e = readdir(d))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9' ||
			namespace_of(e->d_name) != there)
			continue;
		inhabited = true;
		if (own_pid_of(e->d_name) == s->identity.pid)
			pid = atoi(e->d_name);
	}
	if (d)
		(void)closedir(d);
	if (pid)
		return fate_of_pid(pid, s, path);
	if (there && (inhabited || (geteuid() == 0 && namespace_of("self") ==
							      FIRST_PIDNS)))
		return FATE_DEAD;
	return FATE_UNKNOWN;
}

enum fate fate_of(const struct session *s, const char *path)
{
	if (!is_this_boot(&s->identity))
		return is_on_this_machine(path) ? FATE_DEAD : FATE_UNKNOWN;
	if (!s->identity.pidns_inode ||
		s->identity.pidns_inode != namespace_of("self"))
		return fate_elsewhere(s, path);
	return fate_of_pid((int)s->identity.pid, s, path);
}
