/*
 * recover_run.c - recover_after_run() of recover.h.
 */
#include "pp.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "recover.h"
#include "recover_find.h"
#include "recover_write.h"
#include "session_open.h"

struct run_work {
	const char *status_path;
	FILE *log;
	pid_t child;
	int wait_status;
};

static const char *how_it_ended(const struct run_work *w,
	const struct finding *f, char *buf, size_t size)
{
	bool child = f->head.identity.pid == (uint32_t)w->child;

	if (f->fate == FATE_REPLACED)
		return "executed another program without ending";
	if (child && WIFSIGNALED(w->wait_status))
		(void)snprintf(buf, size, "was ended by signal %d (%s)",
			WTERMSIG(w->wait_status),
			strsignal(WTERMSIG(w->wait_status)));
	else
		(void)snprintf(buf, size, "ended without writing its profiles");
	return buf;
}

static bool is_of_run(const struct run_work *w, const struct finding *f)
{
	return !f->of_others && !f->error &&
	       strcmp(f->head.settings.status_path, w->status_path) == 0 &&
	       (f->fate == FATE_DEAD || f->fate == FATE_REPLACED);
}

static void visit(const struct finding *f, void *arg)
{
	const struct run_work *w = arg;
	char ended[128];
	const struct recovery how = {
		.ended = how_it_ended(w, f, ended, sizeof(ended)),
	};
	struct recovered done;
	struct session *copy;
	int claim;

	if (!is_of_run(w, f) || !finding_claim(f, &claim))
		return;
	if (session_open(f->path, &copy) == 0) {
		done = recover_write(copy, &how, w->log);
		if (done.failed)
			recover_log_kept(copy, f->path, w->log);
		else
			(void)finding_remove(f);
		session_close(copy);
	}
	(void)close(claim);
}

static void ignore_bad(const char *sentence, void *arg)
{
	(void)sentence;
	(void)arg;
}

void recover_after_run(const char *status_path, pid_t child, int wait_status)
{
	static struct settings settings;
	static struct find_places places;
	struct run_work w = { status_path, fopen(status_path, "ae"), child,
		wait_status };

	if (!w.log)
		return;
	config_resolve(&settings, ignore_bad, NULL);
	find_usual_places(&settings, &places);
	(void)find_sessions(places.names, visit, &w);
	(void)fclose(w.log);
}
