/*
 * runpath.c - opens the library it is told to. What it finds depends on the
 * RUNPATH of this program: dlopen asks who calls. BUILD: -ldl
 *
 * runpath NAME
 */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	void *handle = dlopen(argc > 1 ? argv[1] : NULL, RTLD_NOW);
	int (*answer)(void);

	if (!handle) {
		printf("dlopen failed\n");
		return 1;
	}
	answer = (int (*)(void))dlsym(handle, "answer");
	printf("answer %d\n", answer ? answer() : 0);
	return dlclose(handle);
}
