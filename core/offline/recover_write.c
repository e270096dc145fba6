/*
 * recover_write.c - see recover_write.h.
 */
#include "pp.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "fmt.h"
#include "known_names.h"
#include "recover_write.h"
#include "report.h"

void recover_time(uint64_t wall_ns, char ret[RECOVER_TIME_MAX])
{
	time_t t = (time_t)(wall_ns / 1000000000u);
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
		!strftime(ret, RECOVER_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)str_copy(ret, RECOVER_TIME_MAX, "?");
}

uint64_t recover_reach_ns(const struct session *s)
{
	uint64_t seen = atomic_load(&s->seen_mono_ns);

	return s->start_wall_ns +
	       (seen > s->start_mono_ns ? seen - s->start_mono_ns : 0);
}

static void log_for(const struct session *s, FILE *log, const char *format, ...)
	PP_PRINTF(3, 4);

static void log_for(const struct session *s, FILE *log, const char *format, ...)
{
	va_list ap;

	(void)fprintf(log, "pprofc[%u]: ", s->identity.pid);
	va_start(ap, format);
	(void)vfprintf(log, format, ap);
	va_end(ap);
	(void)fputc('\n', log);
}

static void log_losses(const struct session *s, FILE *log)
{
	for (unsigned i = 0; i < STAT_COUNT; i++) {
		uint64_t n = session_stat(s, (enum stat_id)i);

		if (n && session_stat_is_loss((enum stat_id)i))
			log_for(s, log, "%llu %s", (unsigned long long)n,
				session_stat_names[i]);
	}
}

/* CPU profiles by windows: the one that was open. */
static enum report_occasion occasion_of(
	const struct session *s, enum profile_kind kind)
{
	return kind == PROFILE_CPU && s->settings.toggle_signal ? REPORT_WINDOW
								: REPORT_EXIT;
}

static bool is_missing(const struct session *s, const struct recovery *how,
	enum profile_kind kind)
{
	if (!(s->settings.profiles & PROFILE_BIT(kind)))
		return false;
	if (occasion_of(s, kind) == REPORT_WINDOW && !s->cpu_window_start_ns)
		return false;
	return how->all ||
	       !(atomic_load(&s->written_kinds) & PROFILE_BIT(kind));
}

static void write_kind(struct session *s, enum profile_kind kind,
	const char *const *notes, struct known_names *names, FILE *log,
	struct recovered *ret)
{
	char path[SETTINGS_PATH_MAX + 64];
	uint64_t samples = 0;
	struct report_request request = {
		.kind = kind,
		.occasion = occasion_of(s, kind),
		.notes = notes,
		.names = names,
		.ret_samples = &samples,
	};
	int err = report_write(s, &request, path, sizeof(path));

	if (err == -ENODATA)
		return;
	if (err) {
		ret->failed++;
		log_for(s, log, "no %s profile written: error %d",
			profile_kind_names[kind], -err);
		return;
	}
	ret->written++;
	log_for(s, log, "wrote %s (%s, %llu sample%s)", path,
		profile_kind_names[kind], (unsigned long long)samples,
		samples == 1 ? "" : "s");
}

struct recovered recover_write(
	struct session *copy, const struct recovery *how, FILE *log)
{
	struct recovered ret = { 0, 0 };
	char time[RECOVER_TIME_MAX], ended[256], reach[64];
	const char *const notes[] = { ended, reach, NULL };
	struct known_names names;

	recover_time(recover_reach_ns(copy), time);
	(void)snprintf(ended, sizeof(ended), "recovered: process %u %s",
		copy->identity.pid, how->ended);
	(void)snprintf(reach, sizeof(reach), "data until: %s", time);
	if (how->output)
		(void)str_copy(copy->settings.output,
			sizeof(copy->settings.output), how->output);
	known_names_init(&names, copy, false);
	for (unsigned kind = 0; kind < PROFILE_KINDS; kind++) {
		if (is_missing(copy, how, (enum profile_kind)kind))
			write_kind(copy, (enum profile_kind)kind, notes, &names,
				log, &ret);
	}
	known_names_free(&names);
	if (ret.written) {
		log_for(copy, log, "%s; recovered, with data until %s",
			how->ended, time);
		log_losses(copy, log);
	}
	return ret;
}

void recover_log_kept(const struct session *copy, const char *path, FILE *log)
{
	log_for(copy, log,
		"not all was written to %s; the session stays, and `pprofc "
		"recover -o PLACE %s` writes elsewhere",
		copy->settings.output, path);
}
