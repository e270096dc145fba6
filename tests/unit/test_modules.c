/*
 * test_modules.c - one instance per segment and build id: in the table alone,
 * and for libraries that come and go at one address.
 */
#include "pp.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "find_module.h"
#include "fmt.h"
#include "frame.h"
#include "modules.h"
#include "test.h"
#include "unwind.h"

static const uint8_t id_one[20] = { 1, 2, 3 }, id_two[20] = { 1, 2, 4 };

static struct session *make_session(uint64_t bytes)
{
	static struct settings settings;
	struct session *s = NULL;

	settings.memory_bytes = bytes;
	settings.session_place = SESSION_ANONYMOUS;
	settings.max_depth = 128;
	CHECK_EQ(session_create(&settings, &s), 0);
	return s;
}

static struct module_info info_at(
	uint64_t start, const uint8_t *id, const char *path)
{
	return (struct module_info){
		.start = start,
		.limit = start + 0x1000,
		.file_offset = 0x2000,
		.bias = start - 0x2000,
		.kind = MODULE_FILE,
		.build_id = id,
		.build_id_len = id ? 20 : 0,
		.path = path,
	};
}

TEST(a_module_keeps_its_instance_and_its_facts)
{
	struct session *s = make_session(4 << 20);
	struct module_info a = info_at(0x10000, id_one, "/lib/a.so");
	unsigned first = modules_intern(s, &a);
	const struct module *m = modules_get(s, first);

	CHECK(first >= 1 && first <= MODULES_MAX);
	CHECK_EQ(modules_intern(s, &a), first);
	CHECK_EQ(modules_find(s, &a), first);
	CHECK(m && m->start == 0x10000 && m->limit == 0x11000);
	CHECK(m && m->file_offset == 0x2000 && m->bias == 0xe000);
	CHECK(m && m->build_id_len == 20 && !memcmp(m->build_id, id_one, 20));
	CHECK(m && !strcmp(module_path(s, m), "/lib/a.so"));
	CHECK(!modules_get(s, 0));
	CHECK(!modules_get(s, first + 1));
	CHECK(!modules_get(s, FRAME_SYNTHETIC));
	session_close(s);
}

TEST(another_object_at_the_address_is_another_instance)
{
	struct session *s = make_session(4 << 20);
	struct module_info a = info_at(0x10000, id_one, "/lib/a.so");
	struct module_info b = info_at(0x10000, id_two, "/lib/a.so");
	struct module_info c = info_at(0x20000, id_one, "/lib/a.so");
	unsigned ia = modules_intern(s, &a), ib = modules_intern(s, &b);
	unsigned ic = modules_intern(s, &c);

	CHECK(ia != ib && ia != ic && ib != ic);
	CHECK_EQ(modules_intern(s, &a), ia);
	CHECK_EQ(modules_intern(s, &b), ib);
	session_close(s);
}

TEST(without_build_id_the_path_tells_objects_apart)
{
	struct session *s = make_session(4 << 20);
	struct module_info a = info_at(0x10000, NULL, "/lib/a.so");
	struct module_info b = info_at(0x10000, NULL, "/lib/b.so");
	unsigned ia = modules_intern(s, &a);

	CHECK(modules_intern(s, &b) != ia);
	CHECK_EQ(modules_intern(s, &a), ia);
	a.path = NULL;
	CHECK(modules_intern(s, &a) != ia);
	session_close(s);
}

TEST(a_full_session_gives_none)
{
	struct session *s = make_session(1 << 20);
	unsigned n = 0, last = 1;

	while (last && n < MODULES_MAX) {
		char path[64];
		struct module_info a;

		(void)fmt(path, sizeof(path), "/some/where/lib%u.so", n);
		a = info_at(0x10000 + 0x1000 * (uint64_t)n, id_one, path);
		last = modules_intern(s, &a);
		n++;
	}
	CHECK_EQ(last, 0);
	CHECK(n > 100);
	for (unsigned i = 1; i < n; i++) {
		const struct module *m = modules_get(s, i);

		CHECK(m && m->start == 0x10000 + 0x1000 * (uint64_t)(i - 1));
	}
	session_close(s);
}

#define THREADS 4
#define EACH 300

static struct session *shared;

static void *intern_all(void *arg)
{
	unsigned *ids = arg;

	for (unsigned i = 0; i < EACH; i++) {
		char path[64];
		struct module_info a;

		(void)fmt(path, sizeof(path), "/lib/%u.so", i);
		a = info_at(0x1000 * (uint64_t)(i + 1), id_one, path);
		ids[i] = modules_intern(shared, &a);
	}
	return NULL;
}

TEST(threads_may_intern_at_once)
{
	static unsigned ids[THREADS][EACH];
	pthread_t t[THREADS];

	shared = make_session(8 << 20);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&t[i], NULL, intern_all, ids[i]), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_join(t[i], NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		for (unsigned k = 0; k < EACH; k++) {
			const struct module *m = modules_get(shared, ids[i][k]);
			char path[64];

			(void)fmt(path, sizeof(path), "/lib/%u.so", k);
			CHECK(m && m->start == 0x1000 * (uint64_t)(k + 1) &&
				!strcmp(module_path(shared, m), path));
		}
	}
	/* Duplicates only where two wrote the same at the same moment. */
	CHECK(atomic_load(&shared->module_count) <= THREADS * EACH / 2);
	session_close(shared);
}

/* --- Real libraries --- */

static struct session *session;
static frame_t frames[64];
static unsigned depth;
static enum unwind_end end;

static void walk_here(void)
{
	struct arch_regs regs;

	arch_regs_here(&regs);
	depth = unwind(session, &regs, false, (struct unwind_bounds){ 0, 0 },
		frames, 64, &end);
}

/* Open, call back, close; the instance of the library's frame. */
static PP_NOINLINE unsigned visit(const char *name, uint64_t *ret_address)
{
	const char *build = getenv("PPROFC_BUILD");
	int (*reuse)(void (*)(void));
	char path[512];
	void *handle;

	(void)fmt(path, sizeof(path), "%s/targets/%s",
		build ? build : PPROFC_BUILD, name);
	unwind_invalidate(); /* as the hooks of dlopen and dlclose do */
	handle = dlopen(path, RTLD_NOW);
	CHECK(handle != NULL);
	if (!handle)
		return 0;
	*(void **)&reuse = dlsym(handle, "reuse");
	*ret_address = (uint64_t)(uintptr_t)reuse;
	(void)reuse(walk_here);
	unwind_invalidate();
	dlclose(handle);
	CHECK_EQ(end, UNWIND_COMPLETE);
	CHECK(depth > 4);
	return frame_module(frames[1]);
}

static void visit_all(void)
{
	uint64_t at_one, at_two, again;
	unsigned one = visit("libreuse_one.so", &at_one);
	unsigned two = visit("libreuse_two.so", &at_two);
	const struct module *m1 = modules_get(session, one);
	const struct module *m2 = modules_get(session, two);

	CHECK_EQ(at_one, at_two); /* else this shows nothing */
	CHECK(one && two && one != two);
	CHECK(m1 && strstr(module_path(session, m1), "/libreuse_one.so"));
	CHECK(m2 && strstr(module_path(session, m2), "/libreuse_two.so"));
	CHECK(m1 && module_path(session, m1)[0] == '/');
	CHECK(m1 && m2 && memcmp(m1->build_id, m2->build_id, 20) != 0);
	CHECK_EQ(visit("libreuse_one.so", &again), one);
	CHECK_EQ(again, at_one);
}

TEST(code_at_a_reused_address_is_not_confused)
{
	session = make_session(4 << 20);
	visit_all();
	session_close(session);
}

/* What systems without _dl_find_object run. */
TEST(nor_with_our_own_table)
{
	session = make_session(4 << 20);
	find_module_use_own(true);
	visit_all();
	find_module_use_own(false);
	session_close(session);
}

int main(void)
{
	unwind_start();
	RUN(a_module_keeps_its_instance_and_its_facts);
	RUN(another_object_at_the_address_is_another_instance);
	RUN(without_build_id_the_path_tells_objects_apart);
	RUN(a_full_session_gives_none);
	RUN(threads_may_intern_at_once);
	RUN(code_at_a_reused_address_is_not_confused);
	RUN(nor_with_our_own_table);
	return test_done();
}
