/*
 * hot_names.cc - hot_paths.c with the names of C++: namespaces, templates,
 * methods, overloads, operator new.
 *
 * hot_names MS: milliseconds of CPU time; prints a checksum.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <vector>

namespace hot
{

static volatile std::uint32_t last;

static std::int64_t cpu_ms()
{
	std::timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

template <typename T> [[gnu::noinline]] T leaf(T x)
{
	for (int i = 0; i < 100000; i++)
		x = x * 1664525 + 1013904223 + (x >> 7);
	return x;
}

struct block {
	char bytes[1000];
};

class keeper
{
	std::vector<std::unique_ptr<block>> kept;

      public:
	[[gnu::noinline]] void keep(int n)
	{
		for (int i = 0; i < n; i++)
			kept.push_back(std::make_unique<block>());
	}
	[[gnu::noinline]] std::uint32_t burn(std::int64_t ms) const
	{
		std::uint32_t x = 1;

		while (cpu_ms() < ms)
			last = x = leaf<std::uint32_t>(x);
		return 0;
	}
};

} // namespace hot

int main(int argc, char **argv)
{
	auto &keeper = *new hot::keeper; // in use to the end

	keeper.keep(40);
	std::printf("%u\n", keeper.burn(argc > 1 ? std::atoi(argv[1]) : 0));
	return 0;
}
