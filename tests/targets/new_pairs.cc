/*
 * new_pairs.cc - COUNT pairs of operator new and delete, bound before main.
 * BUILD: -Wl,-z,now
 *
 * new_pairs COUNT
 */
#include <cstdlib>
#include <new>

int main(int argc, char **argv)
{
	long count = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 1000;

	for (long i = 0; i < count; i++) {
		void *p = ::operator new(48);

		asm volatile("" : "+r"(p));
		::operator delete(p, std::size_t(48));
	}
	return 0;
}
