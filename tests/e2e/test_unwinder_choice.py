"""test_unwinder_choice.py - PPROFC_UNWINDER=libunwind gives the same heap
profile, path by path, and leaves the host alone."""

import collections

import lib

SOURCE = """
#include <pthread.h>
#include <stdlib.h>

static void *volatile kept[200000];
static int count;

__attribute__((noinline)) static void leaf(int n)
{
	for (int i = 0; i < n; i++)
		kept[__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED)] =
			malloc(100);
}

__attribute__((noinline)) static void down(int depth, int n)
{
	if (depth)
		down(depth - 1, n);
	else
		leaf(n);
	__asm__ volatile("");
}

static int compare(const void *a, const void *b)
{
	down(2, 10);
	return *(const int *)a - *(const int *)b;
}

static void *thread(void *arg)
{
	for (int i = 0; i < 1000; i++)
		down(i % 8, 3);
	return arg;
}

int main(void)
{
	int numbers[100];
	pthread_t t[4];

	for (int i = 0; i < 100; i++)
		numbers[i] = i * 37 % 100;
	qsort(numbers, 100, sizeof(int), compare);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread, NULL);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	return 0;
}
"""


def paths(unwinder, program, directory):
    """Allocated objects of each call path below the program's own functions."""
    result = lib.run([program], directory, env={
        "PPROFC_UNWINDER": unwinder, "PPROFC_HEAP_RATE": 1})
    lib.expect_equal(result.status, 0, f"status with {unwinder}")
    profile = lib.Profile(lib.profile_of(result, "heap"))
    column = profile.column("alloc_objects")
    found = collections.Counter()
    for sample in profile.samples:
        names = tuple(lib.name_of(location) for location in sample.stack)
        if "leaf" in names:
            found[names] += sample.values[column]
    return found


@lib.case
def libunwind_gives_the_same_paths_and_counts():
    with lib.Directory() as root:
        source = root / "program.c"
        source.write_text(SOURCE)
        program = lib.build(root, source, "program", "-pthread")
        found = {}
        for unwinder in ("own", "libunwind"):
            directory = root / unwinder
            directory.mkdir()
            found[unwinder] = paths(unwinder, program, directory)
    own, other = found["own"], found["libunwind"]
    lib.expect_equal(sum(own.values()),
                     sum(other.values()), "objects by libunwind")
    lib.expect(len(own) >= 9, f"only {len(own)} paths")
    lib.expect(own == other, f"paths differ: {dict(own - other)} against "
                             f"{dict(other - own)}")


if __name__ == "__main__":
    lib.main()
