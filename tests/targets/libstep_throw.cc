/*
 * libstep_throw.cc - C++ for the single-step test: an exception through frames
 * with destructors, caught, changed and thrown again.
 */
#include <stdexcept>
#include <string>
#include <vector>

extern "C" int step_throw(int depth);

static volatile int destroyed;

struct Guard {
	std::string text;
	explicit Guard(int n) : text(20, static_cast<char>('a' + n % 20))
	{
	}
	~Guard()
	{
		destroyed = destroyed + static_cast<int>(text.size());
	}
};

__attribute__((noinline)) static int dive(int n)
{
	Guard guard(n);
	std::vector<int> v(static_cast<size_t>(n) + 1, n);

	if (n == 0)
		throw std::runtime_error("bottom");
	try {
		return dive(n - 1) + v.back();
	} catch (const std::runtime_error &e) {
		if (n % 2)
			throw;
		throw std::runtime_error(std::string(e.what()) + "!");
	}
}

int step_throw(int depth)
{
	try {
		return dive(depth);
	} catch (const std::exception &e) {
		return static_cast<int>(std::string(e.what()).size());
	}
}
