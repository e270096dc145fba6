/*
 * lines_cxx.cc - the same as lines.c with what C++ adds: namespaces, templates,
 * methods, lambdas, a function that is in two classes.
 */
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace shapes {

static volatile uint64_t sink;

template <typename T> struct Mixer {
	T state;

	__attribute__((always_inline)) inline T innermost(T x)
	{
		for (int i = 0; i < 200; i++)
			x = x * 31 + (x >> 7); // HOT
		return x + state;
	}
};

class Base {
public:
	virtual ~Base() {}
	virtual uint64_t step(uint64_t x) = 0;
};

class Circle : public Base {
	Mixer<uint64_t> mixer{ 3 };

public:
	__attribute__((noinline)) uint64_t step(uint64_t x) override
	{
		auto twice = [this](uint64_t y) __attribute__((always_inline))
		{
			return mixer.innermost(y) * 2; // CALL
		};
		return twice(x);
	}
};

namespace {
__attribute__((noinline)) void run(Base &b, long n)
{
	for (long i = 0; i < n; i++)
		sink += b.step((uint64_t)i);
}
}

void sort(long n)
{
	std::vector<uint64_t> list;
	Mixer<uint64_t> m{ 1 };

	for (long i = 0; i < n; i++)
		list.push_back(m.innermost((uint64_t)i));
	std::sort(list.begin(), list.end(),
		[](uint64_t a, uint64_t b) { return a % 1000 < b % 1000; });
	sink += list[0];
}

}

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000000;
	shapes::Circle circle;

	shapes::run(circle, n);
	shapes::sort(n / 3);
	printf("%d\n", shapes::sink != 0);
	return 0;
}
