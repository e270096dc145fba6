/*
 * replay.c - runs a fuzz target over the saved inputs of a directory: the main
 * of `make check`, without a fuzzer.
 *
 *   replay DIR   "ok - NAME: N inputs", NAME being the directory's
 *
 * An input that crashes or takes longer than LIMIT_S is named.
 */
#include "pp.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define LIMIT_S 20u

static char current[4096];

static void say_which(int sig)
{
	static const char head[] = "# input: ";

	(void)!write(1, head, sizeof(head) - 1);
	(void)!write(1, current, strlen(current));
	(void)!write(1, "\n", 1);
	(void)signal(sig, SIG_DFL);
	(void)raise(sig);
}

static void watch(void)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
		SIGALRM };

	for (unsigned i = 0; i < PP_ARRAY_LEN(fatal); i++)
		(void)signal(fatal[i], say_which);
}

/* In memory of just its size: valgrind and the sanitizers see the end. */
static void run_file(const char *path)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *bytes;
	long size;

	MUST(f && fseek(f, 0, SEEK_END) == 0);
	size = ftell(f);
	MUST(size >= 0 && fseek(f, 0, SEEK_SET) == 0);
	bytes = malloc((size_t)size + !size);
	MUST(bytes && fread(bytes, 1, (size_t)size, f) == (size_t)size);
	(void)fclose(f);
	(void)alarm(LIMIT_S);
	(void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
	(void)alarm(0);
	free(bytes);
}

static int is_input(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int run_all(const char *dir)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_input, alphasort);

	for (int i = 0; i < n; i++) {
		(void)snprintf(current, sizeof(current), "%s/%s", dir,
			names[i]->d_name);
		run_file(current);
		free(names[i]);
	}
	free(names);
	return n;
}

int main(int argc, char **argv)
{
	const char *name = argc == 2 ? strrchr(argv[1], '/') : NULL;
	int n;

	if (!name)
		return 2;
	watch();
	n = run_all(argv[1]);
	if (n > 0)
		printf("ok - %s: %d inputs\n", name + 1, n);
	else
		printf("not ok - %s: no inputs in %s\n", name + 1, argv[1]);
	return n <= 0;
}
