/*
 * kinds.c - with a kind of profile off, nothing of it is there.
 *
 * kinds LIST   what PPROFC_PROFILES says, as this program sees itself
 */
#include "hostile.h"

static unsigned long caught_signals(void)
{
	char line[256];
	unsigned long set = 0;
	int found = 0;
	FILE *f = fopen("/proc/self/status", "r");

	MUST(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "SigCgt:", 7) == 0)
			found = sscanf(line + 7, "%lx", &set);
	}
	fclose(f);
	MUST(found == 1);
	return set;
}

static int has_timers(void)
{
	FILE *f = fopen("/proc/self/timers", "r");
	int c;

	MUST(f);
	c = fgetc(f);
	fclose(f);
	return c != EOF;
}

static int is(const char *list, const char *kind)
{
	return strcmp(list, kind) == 0;
}

int main(int argc, char **argv)
{
	unsigned long caught = caught_signals();

	MUST(argc == 2);
	hold();
	burn(30);
	churn(300);
	if (!getenv("PPROFC_OUTPUT")) {
		MUST(!caught && !has_timers());
	} else {
		MUST(has_timers() == is(argv[1], "cpu"));
		MUST((caught == 0) == is(argv[1], "none"));
		MUST(!(caught >> 33) == !is(argv[1], "cpu"));
		MUST(!(caught >> (SIGPROF - 1) & 1));
	}
	printf("fine\n");
	return 0;
}
