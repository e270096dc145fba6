/*
 * heap_fork.c - a child frees and resizes its parent's objects and makes its
 * own. BUILD: -fno-builtin -pthread
 *
 * heap_fork fork|_Fork|clone
 *   The parent keeps 20 of the 30 objects of 1000 bytes it made in
 *   by_parent(), the child (after freeing 10 of them and resizing 10 to 3000
 *   bytes in by_child_resize()) 7 of 500 bytes made in by_child(). With _Fork
 *   and clone the child is none of pthread_atfork's and leaves by _exit.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *made[30], *own[7];

__attribute__((noinline)) static void by_parent(void)
{
	for (int i = 0; i < 30; i++)
		made[i] = malloc(1000);
}

__attribute__((noinline)) static void by_child(void)
{
	for (int i = 0; i < 7; i++)
		own[i] = malloc(500);
}

__attribute__((noinline)) static void by_child_resize(void)
{
	for (int i = 10; i < 20; i++)
		made[i] = realloc(made[i], 3000);
}

static void work_in_child(void)
{
	for (int i = 0; i < 10; i++)
		free(made[i]);
	by_child_resize();
	by_child();
}

static pid_t new_process(const char *how)
{
	if (strcmp(how, "fork") == 0)
		return fork();
	if (strcmp(how, "_Fork") == 0)
		return _Fork();
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

int main(int argc, char **argv)
{
	int status = -1;
	pid_t child;

	by_parent();
	child = new_process(argc > 1 ? argv[1] : "fork");
	if (child < 0)
		return 1;
	if (child == 0) {
		work_in_child();
		if (argc > 1 && strcmp(argv[1], "fork") != 0)
			_exit(made[19] == NULL);
		return made[19] == NULL;
	}
	if (waitpid(child, &status, 0) != child)
		return 1;
	for (int i = 20; i < 30; i++)
		free(made[i]);
	printf("child %d\n", status);
	return 0;
}
