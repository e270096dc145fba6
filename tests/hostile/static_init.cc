/*
 * static_init.cc - allocation and CPU time before main and after it, in C++.
 * BUILD: -pthread
 */
#include <string>
#include <thread>
#include <vector>
#include "hostile.h"

namespace
{

struct Early {
	std::vector<std::string> words;
	std::thread helper;

	Early()
	{
		for (int i = 0; i < 200; i++)
			words.emplace_back(static_cast<size_t>(i) + 20, 'x');
		helper = std::thread([] { churn(500); });
		burn(20);
		dump();
	}

	~Early()
	{
		helper.join();
		words.emplace_back("after main");
		churn(500);
		burn(10);
		dump();
	}
};

Early early;
thread_local std::vector<std::string> late(10, std::string(100, 'y'));

const Early &lazily()
{
	static Early one;

	dump();
	return one;
}

} // namespace

int main()
{
	std::thread t([] { late.emplace_back(1000, 'z'); });

	hold();
	t.join();
	late.clear();
	MUST(lazily().words.size() == early.words.size());
	printf("fine\n");
	return 0;
}
