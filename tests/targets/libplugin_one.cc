/*
 * libplugin_one.cc - a plugin that computes; two thirds of plugin_host's time.
 */
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace one
{

[[gnu::noinline]] std::uint64_t grind(std::uint64_t seed, int rounds)
{
	std::uint64_t x = seed | 1;

	for (int i = 0; i < rounds; i++)
		x = x * 6364136223846793005u + 1442695040888963407u + (x >> 33);
	return x;
}

struct odd : std::logic_error {
	using std::logic_error::logic_error;
};

[[gnu::noinline]] std::uint64_t descend(std::uint64_t seed, int depth)
{
	std::vector<std::uint64_t> level(16, seed);

	if (depth == 0 && seed % 7 == 3)
		throw odd("one " + std::to_string(seed % 70));
	if (depth == 0)
		return grind(seed, 400000);
	return descend(level[depth % 16], depth - 1) + 1;
}

} // namespace one

extern "C" std::uint64_t plugin_one_run(
	std::uint64_t seed, void (*each)(std::uint64_t))
{
	std::uint64_t x = one::descend(seed, 12) % 100000;

	each(x);
	return x;
}
