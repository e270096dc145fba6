/*
 * plugin_host.cc - a C++ program whose work is done by plugins: dlopened with
 * RTLD_LOCAL, throwing through host frames, unloaded and loaded again.
 * BUILD: -ldl
 *
 * plugin_host ROUNDS: prints a checksum per round; the plugins are looked for
 * beside the program.
 */
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using plugin_fn = std::uint64_t (*)(
	std::uint64_t seed, void (*each)(std::uint64_t));

namespace host
{

struct unlucky : std::runtime_error {
	using std::runtime_error::runtime_error;
};

/* Called from inside a plugin: its exception passes plugin frames. */
[[gnu::noinline]] void each(std::uint64_t value)
{
	if (value % 97 == 0)
		throw unlucky("value " + std::to_string(value % 1000));
}

class plugin
{
	std::unique_ptr<void, int (*)(void *)> handle;
	plugin_fn run;

      public:
	plugin(const std::string &path, const char *entry)
	    : handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), dlclose)
	{
		if (!handle)
			throw std::runtime_error(dlerror());
		run = reinterpret_cast<plugin_fn>(dlsym(handle.get(), entry));
		if (!run)
			throw std::runtime_error(entry);
	}

	std::uint64_t operator()(std::uint64_t seed)
	{
		return run(seed, each);
	}
};

[[gnu::noinline]] std::string call(plugin &p, std::uint64_t seed)
{
	try {
		return "result " + std::to_string(p(seed));
	} catch (const unlucky &e) {
		return std::string("host caught ") + e.what();
	} catch (const std::exception &e) {
		return std::string("plugin threw ") + e.what();
	}
}

} // namespace host

int main(int argc, char **argv)
{
	std::string dir = argv[0];
	int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
	std::map<std::string, int> seen;

	dir.erase(dir.rfind('/') + 1);
	for (int round = 0; round < rounds; round++) {
		host::plugin one(dir + "libplugin_one.so", "plugin_one_run");
		host::plugin two(dir + "libplugin_two.so", "plugin_two_run");

		for (std::uint64_t seed = 0; seed < 40; seed++) {
			seen[host::call(one, seed + 40 * round)]++;
			seen[host::call(two, seed + 40 * round)]++;
		}
	}
	for (const auto &[what, times] : seen)
		std::printf("%s: %d\n", what.c_str(), times);
	try {
		host::plugin none(dir + "libplugin_none.so", "x");
	} catch (const std::exception &) {
		std::fprintf(stderr, "no such plugin\n");
		return 3;
	}
	return 0;
}
