/* BUILD: -pthread
 *
 * cxx_locks.cc - std::mutex, std::shared_mutex and std::condition_variable,
 * contended, in functions of known names.
 */
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

std::mutex cache_mutex;
std::shared_mutex table_mutex;
static std::condition_variable all_done;
static bool done;
static long total;

static void pause_a_little()
{
	std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

__attribute__((noinline)) static void fill_cache()
{
	for (int i = 0; i < 20; i++) {
		std::lock_guard<std::mutex> hold(cache_mutex);

		pause_a_little();
		total++;
	}
}

__attribute__((noinline)) static void write_table()
{
	for (int i = 0; i < 20; i++) {
		std::unique_lock<std::shared_mutex> hold(table_mutex);

		pause_a_little();
	}
}

__attribute__((noinline)) static void wait_for_all()
{
	std::unique_lock<std::mutex> hold(cache_mutex);

	all_done.wait(hold, [] { return done; });
}

int main()
{
	std::vector<std::thread> threads;
	std::thread last(wait_for_all);

	for (int i = 0; i < 4; i++)
		threads.emplace_back(fill_cache);
	for (int i = 0; i < 2; i++)
		threads.emplace_back(write_table);
	for (auto &t : threads)
		t.join();
	{
		std::lock_guard<std::mutex> hold(cache_mutex);

		done = true;
	}
	all_done.notify_all();
	last.join();
	std::printf("%ld\n", total);
	return 0;
}
