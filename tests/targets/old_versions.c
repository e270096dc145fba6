/* BUILD: -pthread
 *
 * old_versions.c - a program linked when glibc had the first versions of these
 * functions only: a ball goes to and fro between two threads by conditions of
 * before 2.3.2, a wait ends by time, and posix_spawn gives what is no program
 * to the shell. Prints what happened. The argument: a file to spawn.
 */
#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>

#include "waiting.h"

#define OLD(name) __asm__(".symver " #name ", " #name "@GLIBC_2.2.5")
OLD(pthread_cond_init);
OLD(pthread_cond_destroy);
OLD(pthread_cond_signal);
OLD(pthread_cond_broadcast);
OLD(pthread_cond_wait);
OLD(pthread_cond_timedwait);
OLD(posix_spawn);
OLD(posix_spawnp);

#define ROUNDS 500

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static int turn;

static TARGET_NOINLINE void old_waiter(int me)
{
	while (turn != me) {
		WAITED(old_waiter,
			EXPECT(pthread_cond_wait(&turned, &mutex) == 0));
	}
}

static void *play(void *arg)
{
	int me = arg != NULL;

	for (int i = 0; i < ROUNDS; i++) {
		EXPECT(pthread_mutex_lock(&mutex) == 0);
		old_waiter(me);
		pause_ms(i % 100 == 0);
		turn = !me;
		EXPECT(pthread_cond_signal(&turned) == 0);
		EXPECT(pthread_mutex_unlock(&mutex) == 0);
	}
	return NULL;
}

static void wait_in_vain(void)
{
	struct timespec until = after_ms(CLOCK_REALTIME, 20);
	pthread_cond_t never;

	EXPECT(pthread_cond_init(&never, NULL) == 0);
	EXPECT(pthread_mutex_lock(&mutex) == 0);
	EXPECT(pthread_cond_timedwait(&never, &mutex, &until) == ETIMEDOUT);
	EXPECT(pthread_cond_broadcast(&never) == 0);
	EXPECT(pthread_mutex_unlock(&mutex) == 0);
	EXPECT(pthread_cond_destroy(&never) == 0);
}

typedef int spawn_fn(pid_t *pid, const char *path,
	const posix_spawn_file_actions_t *actions,
	const posix_spawnattr_t *attr, char *const argv[], char *const envp[]);

static void run_script(spawn_fn *spawn, char **argv)
{
	char *const envp[] = { NULL };
	int status;
	pid_t pid;

	EXPECT(spawn(&pid, argv[1], NULL, NULL, argv, envp) == 0);
	EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	printf("script %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv)
{
	pthread_t t;

	EXPECT(argc == 2);
	EXPECT(pthread_create(&t, NULL, play, &mutex) == 0);
	play(NULL);
	EXPECT(pthread_join(t, NULL) == 0);
	wait_in_vain();
	run_script(posix_spawn, argv);
	run_script(posix_spawnp, argv);
	print_waited();
	return 0;
}
