/*
 * bound.c - see bound.h. Context: PP_NORMAL: asks the loader.
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

	return dladdr1(p, &info, &symbol, RTLD_DL_SYMENT) && symbol &&
	       ((const ElfW(Sym) *)symbol)->st_shndx == SHN_UNDEF;
}

/* Whether this object itself, not one that it needs, defines the name. */
static bool defines(const struct link_map *object, const char *name)
{
	void *handle = real.dlopen(object->l_name, RTLD_LAZY | RTLD_NOLOAD);
	void *p = handle ? dlsym(handle, name) : NULL, *of = NULL;
	Dl_info info;
	bool found;

	found = p && dladdr1(p, &info, &of, RTLD_DL_LINKMAP) && of == object;
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

bool bound_here(const char *name)
{
	void *bound = dlsym(RTLD_DEFAULT, name);

	if (is_own((uint64_t)(uintptr_t)bound))
		return true;
	return bound && is_plt_entry(bound) && first_is_here(name);
}
