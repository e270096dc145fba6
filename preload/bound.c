/*
 * bound.c - see bound.h. Context: PP_NORMAL: asks the loader.
 *
 * If no object in front of us has the names, they are ours. Else:
 *
 * dlsym(RTLD_DEFAULT) answers for all programs but one kind: one at a fixed
 * address that takes the address of the function. There the function's address
 * is, for everybody, the program's own PLT entry, which jumps to whatever the
 * loader bound. Then the objects in front of us are asked one by one.
 */
#include "pp.h"

#include <dlfcn.h>
#include <link.h>

#include "bound.h"
#include "lookup.h"
#include "process.h"
#include "real.h"

static bool is_own(uint64_t pc)
{
	return pc >= process.text_lo && pc < process.text_hi;
}

/* An undefined symbol with a value: the PLT entry of a program. */
static bool is_plt_entry(void *p)
{
	void *symbol = NULL;
	Dl_info info;

	return real.dladdr1(p, &info, &symbol, RTLD_DL_SYMENT) && symbol &&
	       ((const ElfW(Sym) *)symbol)->st_shndx == SHN_UNDEF;
}

/* Whether this object itself, not one that it needs, defines the name. */
static bool defines(const struct link_map *object, const char *name)
{
	void *handle = real.dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD);
	void *p = handle ? dlsym(handle, name) : NULL, *of = NULL;
	Dl_info info;
	bool found;

	found = p && real.dladdr1(p, &info, &of, RTLD_DL_LINKMAP) &&
		of == object;
	if (handle)
		(void)real.dlclose(handle);
	return found;
}

/* The first of the loader's list is the program, which only has the entry. */
static bool first_is_here(const char *name)
{
	const struct link_map *object = _r_debug.r_map;
	uint64_t own = (uint64_t)(uintptr_t)_DYNAMIC;

	while (object && (object = object->l_next)) {
		if ((uint64_t)(uintptr_t)object->l_ld == own)
			return true;
		if (object->l_name[0] && defines(object, name))
			return false;
	}
	return false;
}

static PP_NORMAL bool is_bound_here(const char *name)
{
	void *bound = dlsym(RTLD_DEFAULT, name);

	if (is_own((uint64_t)(uintptr_t)bound))
		return true;
	return bound && is_plt_entry(bound) && first_is_here(name);
}

static bool has_none(
	const struct link_map *map, const struct bound_name *names, size_t n)
{
	struct lookup_object object;
	void *unused;

	if (!lookup_open(&object, map))
		return false;
	for (size_t i = 0; i < n; i++)
		if (lookup_function(&object, names[i].text, names[i].hash,
			    &unused) != LOOKUP_NONE)
			return false;
	return true;
}

/* Nobody in front of us has any of them: what is nearly always so, quickly. */
static bool are_new(const struct bound_name *names, size_t n)
{
	const struct link_map *self = lookup_self(), *map = _r_debug.r_map;

	if (!self || lookup_is_altered())
		return false;
	for (; map != self; map = map->l_next)
		if (!has_none(map, names, n))
			return false;
	return true;
}

bool bound_here(const struct bound_name *names, size_t n)
{
	if (are_new(names, n))
		return true;
	for (size_t i = 0; i < n; i++)
		if (!is_bound_here(names[i].text))
			return false;
	return true;
}
