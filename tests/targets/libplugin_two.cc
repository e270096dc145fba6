/*
 * libplugin_two.cc - a plugin that throws and catches its own exceptions.
 */
#include <cstdint>
#include <string>

namespace two
{

struct signal {
	std::string what;
	std::uint64_t value;
};

[[gnu::noinline]] void toss(std::uint64_t x)
{
	throw signal{ "a string that is longer than what fits inside", x };
}

[[gnu::noinline]] std::uint64_t juggle(std::uint64_t seed, int balls)
{
	std::uint64_t sum = seed;

	for (int i = 0; i < balls; i++) {
		try {
			toss(sum + i);
		} catch (const signal &s) {
			sum = sum * 31 + s.value + s.what.size();
		}
	}
	return sum;
}

} // namespace two

extern "C" std::uint64_t plugin_two_run(
	std::uint64_t seed, void (*each)(std::uint64_t))
{
	std::uint64_t x = two::juggle(seed, 150) % 100000;

	each(x);
	return x;
}
