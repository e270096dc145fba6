/*
 * settings.h - the effective settings of one process, as plain data.
 *
 * Filled once by core/control/config.c from the environment (config_table.c
 * is the only list of names, defaults and ranges) and copied into the session
 * so that another process can write the report. No pointers.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "pp.h"

enum profile_kind {
	PROFILE_CPU,
	PROFILE_HEAP,
	PROFILE_ALLOCS,
	PROFILE_HEAP_PEAK,
	PROFILE_MUTEX,
	PROFILE_BLOCK,
	PROFILE_GOROUTINE,    /* all threads at one moment */
	PROFILE_THREADCREATE, /* where threads were made */
	PROFILE_KINDS,
};

#define PROFILE_BIT(kind) (1u << (kind))
#define PROFILE_HEAP_FAMILY                                        \
	(PROFILE_BIT(PROFILE_HEAP) | PROFILE_BIT(PROFILE_ALLOCS) | \
		PROFILE_BIT(PROFILE_HEAP_PEAK))
#define PROFILE_WAIT_FAMILY \
	(PROFILE_BIT(PROFILE_MUTEX) | PROFILE_BIT(PROFILE_BLOCK))
/* What the dump signal asks for. */
#define PROFILE_DUMPED                               \
	(PROFILE_HEAP_FAMILY | PROFILE_WAIT_FAMILY | \
		PROFILE_BIT(PROFILE_GOROUTINE) |     \
		PROFILE_BIT(PROFILE_THREADCREATE))

/* What a thread waits for: the label `wait` of the block profile. */
enum wait_class {
	WAIT_MUTEX,
	WAIT_RWLOCK,
	WAIT_COND,
	WAIT_SEM,
	WAIT_BARRIER,
	WAIT_JOIN,
	WAIT_ONCE,
	WAIT_SLEEP,
	WAIT_POLL,
	WAIT_IO,
	WAIT_CLASSES,
};

#define WAIT_BIT(class) (1u << (class))

/* "mutex", "rwlock" and so on. */
extern const char *const wait_class_names[WAIT_CLASSES]
	__attribute__((visibility("hidden")));

/* "cpu", "heap" and so on: in file names and PPROFC_PROFILES. */
extern const char *const profile_kind_names[PROFILE_KINDS]
	__attribute__((visibility("hidden")));

enum session_place { SESSION_AUTO, SESSION_ANONYMOUS, SESSION_DIR };
enum log_place { LOG_NONE, LOG_STDERR, LOG_FILE };
enum symbols_mode { SYMBOLS_NAMES, SYMBOLS_NONE, SYMBOLS_LINES };
enum unwinder_choice { UNWINDER_OWN, UNWINDER_LIBUNWIND };

#define SETTINGS_PATH_MAX 1024 /* longer paths are refused when read */

struct settings {
	uint32_t profiles;    /* PROFILE_BIT mask; 0 = dormant */
	uint32_t cpu_hz;      /* after capping at the tick rate */
	uint32_t block_waits; /* WAIT_BIT mask: classes in the block profile */
	uint32_t
		mutex_fraction; /* 1 of so many releases is recorded; 0 = off */
	uint32_t block_rate;	/* ns: shorter waits are sampled; 0 = off */
	uint32_t lock_events;	/* waits and releases recorded a second */
	uint64_t heap_rate; /* mean bytes between samples; 1 = all, 0 = off */
	uint64_t memory_bytes;	   /* cap of the session */
	uint32_t max_depth;	   /* frames kept of one stack, 2..1024 */
	uint32_t interval_s;	   /* 0 = none */
	uint32_t keep;		   /* newest files kept per kind, 0 = all */
	int32_t dump_signal;	   /* 0 = none */
	int32_t toggle_signal;	   /* 0 = none */
	uint32_t symbols_wait_s;   /* the end waits for source lines */
	uint8_t dump_signal_named; /* set in the environment, not by default */
	uint8_t tid;		   /* tid label on CPU samples */
	uint8_t heap_labels;	   /* the program's, on heap samples, too */
	uint8_t follow;		   /* leave LD_PRELOAD to exec'd programs */
	uint8_t symbols;	   /* enum symbols_mode */
	uint8_t session_place;	   /* enum session_place */
	uint8_t log_place;	   /* enum log_place */
	uint8_t forked;		   /* child by fork: file names carry the pid */
	uint8_t unwinder;	   /* enum unwinder_choice, for hooks */
	uint8_t heap_foreign;	   /* heap asked for, but malloc is the host's
				      own: nothing is recorded */
	char output[SETTINGS_PATH_MAX];	     /* template, made absolute */
	char session_dir[SETTINGS_PATH_MAX]; /* for SESSION_DIR */
	char log_path[SETTINGS_PATH_MAX];    /* for LOG_FILE, absolute */
	char status_path[SETTINGS_PATH_MAX]; /* PPROFC_STATUS: see log.h; "" */
	/* Filled in when the session is made. */
	char program[64]; /* basename of the executable */
	char host[65];	  /* for %h */
};

#endif
