/*
 * cxx_host.c - loads plugins, calls them, and prints what they answer.
 * tests/e2e/test_cxx_new.py builds it as a C program and as others.
 *
 * cxx_host lazy|now PLUGIN...
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef const char *answer_fn(void);

static int call(const char *path, int mode)
{
	void *handle = dlopen(path, mode | RTLD_LOCAL);
	answer_fn *answer;
	const char *slash = strrchr(path, '/');

	if (!handle) {
		printf("%s\n", dlerror());
		return 1;
	}
	answer = (answer_fn *)dlsym(handle, "answer");
	printf("%s: %s\n", slash ? slash + 1 : path, answer());
	return dlclose(handle);
}

int main(int argc, char **argv)
{
	int failed = 0;

	for (int round = 0; round < 3; round++)
		for (int i = 2; i < argc; i++)
			failed += call(argv[i],
				strcmp(argv[1], "now") ? RTLD_LAZY : RTLD_NOW);
	return failed;
}
