/*
 * gprof.c - a program built for gprof: libc profiles it by ITIMER_PROF, and
 * every function calls mcount. BUILD: -pg
 *
 * gprof           leaves gmon.out
 * gprof checked   has a look at it: samples and calls
 */
#include <sys/gmon_out.h>
#include "hostile.h"

static void work(void)
{
	hold();
	burn(200);
	for (int i = 0; i < 1000; i++)
		churn(5);
}

/* The number of samples in a histogram that comes next in the file. */
static long histogram(FILE *f)
{
	struct {
		char low[8], high[8];
		int size, rate;
		char dimension[15], short_name;
	} header;
	unsigned short count;
	long sum = 0;

	MUST(fread(&header, sizeof(header), 1, f) == 1);
	MUST(header.rate > 0);
	for (int i = 0; i < header.size; i++) {
		MUST(fread(&count, sizeof(count), 1, f) == 1);
		sum += count;
	}
	return sum;
}

static void checked(void)
{
	FILE *f = fopen("gmon.out", "r");
	char cookie[20];

	MUST(f && fread(cookie, sizeof(cookie), 1, f) == 1);
	MUST(memcmp(cookie, GMON_MAGIC, 4) == 0);
	MUST(fgetc(f) == GMON_TAG_TIME_HIST);
	MUST(histogram(f) >= 5);
	MUST(fgetc(f) == GMON_TAG_CG_ARC);
	fclose(f);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		checked();
	else
		work();
	printf("fine\n");
	return 0;
}
