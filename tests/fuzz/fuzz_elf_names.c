/*
 * fuzz_elf_names.c - hostile symbol tables through core/symbolize/elf_names.c.
 *
 * libdwfl is played here: what it would say of each symbol is the input, so
 * that anything comes that a file might make it say. (How the real one takes
 * whole files, fuzz_dwarf.c sees.) What is found is compared with a search of
 * the whole list.
 */
#include "pp.h"

#include <string.h>
#include <unistd.h>

#include "elf_names.h"

#include "fuzz.h"

#define SYMBOLS_MAX 900u /* fewer than elf_names_find() looks back at */
#define QUESTIONS 16u

static struct fuzz_input input;
static struct module module;
static void *user;

/* --- libdwfl -------------------------------------------------------------- */

Dwfl *dwfl_begin(const Dwfl_Callbacks *callbacks)
{
	MUST(callbacks->find_elf && callbacks->find_debuginfo);
	return (Dwfl *)(void *)&module;
}

void dwfl_end(Dwfl *dwfl)
{
	MUST((void *)dwfl == (void *)&module);
}

void dwfl_report_begin(Dwfl *dwfl)
{
	MUST(dwfl);
}

int dwfl_report_end(Dwfl *dwfl,
	int (*removed)(Dwfl_Module *, void *, const char *, Dwarf_Addr, void *),
	void *arg)
{
	MUST(dwfl && !removed && !arg);
	return 0;
}

Dwfl_Module *dwfl_report_elf(Dwfl *dwfl, const char *name,
	const char *file_name, int fd, GElf_Addr base, bool add_p_vaddr)
{
	MUST(dwfl && name && file_name && base == 0 && add_p_vaddr);
	MUST(close(fd) == 0); /* it is the module's now */
	return fuzz_u8(&input) == 0xff ? NULL : (Dwfl_Module *)(void *)&module;
}

const char *dwfl_module_info(Dwfl_Module *mod, void ***userdata,
	Dwarf_Addr *start, Dwarf_Addr *end, Dwarf_Addr *dwbias,
	Dwarf_Addr *symbias, const char **mainfile, const char **debugfile)
{
	MUST(mod && !start && !end && !dwbias && !symbias && !mainfile &&
		!debugfile);
	*userdata = &user;
	return "module";
}

int dwfl_module_getsymtab(Dwfl_Module *mod)
{
	MUST((void *)mod == (void *)&module && user == &module);
	return (int)(fuzz_u16(&input) % SYMBOLS_MAX) - 1;
}

/* Near each other, or anywhere. */
static uint64_t number(void)
{
	return fuzz_u8(&input) & 1 ? fuzz_u64(&input) : fuzz_u8(&input);
}

const char *dwfl_module_getsym_info(Dwfl_Module *mod, int i, GElf_Sym *sym,
	GElf_Addr *addr, GElf_Word *shndx, Elf **elf, Dwarf_Addr *bias)
{
	static const char *const names[] = { NULL, "", "a", "_a", "__a", "b",
		"________________________b", "\xff\n" };

	MUST(mod && i > 0 && !shndx && !elf && !bias);
	*sym = (GElf_Sym){ .st_info = fuzz_u8(&input),
		.st_shndx = fuzz_u8(&input),
		.st_size = number() };
	*addr = number();
	return names[fuzz_u8(&input) % PP_ARRAY_LEN(names)];
}

/* --- what is found -------------------------------------------------------- */

/* In that order: by start, the better name first. */
static void check_order(const struct elf_names *n)
{
	for (size_t i = 0; i + 1 < n->count; i++) {
		const struct elf_name *a = &n->list[i], *b = a + 1;

		MUST(a->start <= b->start);
		MUST(a->start < b->start || a->rank <= b->rank);
	}
	for (size_t i = 0; i < n->count; i++)
		MUST(n->list[i].name && *n->list[i].name);
}

/* Of those that contain the address the one that starts last; of several that
 * start there the first. */
static const char *search(const struct elf_names *n, uint64_t address)
{
	const struct elf_name *best = NULL;

	for (size_t i = 0; i < n->count; i++) {
		const struct elf_name *at = &n->list[i];

		if (at->start <= address && address < at->end &&
			(!best || at->start > best->start))
			best = at;
	}
	return best ? best->name : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_names names;

	input = (struct fuzz_input){ data, size };
	module.main.elf = (Elf *)(void *)&module; /* only asked whether it is */
	module.main.fd = fuzz_fd();
	user = NULL;
	elf_names_open(&names, &module);
	check_order(&names);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		uint64_t address = number();

		MUST(elf_names_find(&names, address) ==
			search(&names, address));
	}
	elf_names_free(&names);
	return 0;
}
