/*
 * fuzz_object.c - the headers of a loaded object, as they are in memory, with
 * holes between its segments (core/capture/object.c, find_cfi_source()).
 *
 * The input is the first page. Of the object's mapping only what is inside a
 * readable segment may be looked at: the rest is not there.
 */
#include "pp.h"

#include <string.h>
#include <sys/mman.h>

#include "cfi.h"
#include "object.h"
#include "rules.h"

#include "fuzz.h"

#define IMAGE_AT UINT64_C(0x230000000000)
#define IMAGE_PAGES 16u

static uint8_t *image;

static void begin(void)
{
	if (image)
		return;
	image = mmap((void *)IMAGE_AT, IMAGE_PAGES * PP_PAGE,
		PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	MUST((uint64_t)(uintptr_t)image == IMAGE_AT);
}

/* As the kernel and the loader would map it; those refuse what does not fit. */
static bool map_segments(const struct object *o)
{
	MUST(mprotect(image + PP_PAGE, (IMAGE_PAGES - 1) * PP_PAGE,
		     PROT_NONE) == 0);
	for (unsigned i = 0; i < o->phnum; i++) {
		const ElfW(Phdr) *p = &o->phdr[i];
		uint64_t lo = p->p_vaddr & ~(PP_PAGE - 1ul);
		uint64_t hi = p->p_vaddr + p->p_memsz;

		if (p->p_type != PT_LOAD)
			continue;
		if (hi < lo || hi > IMAGE_PAGES * PP_PAGE)
			return false;
		if (p->p_flags & PF_R)
			MUST(mprotect(image + lo, pp_round_up(hi - lo, PP_PAGE),
				     PROT_READ | PROT_WRITE) == 0);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct object o = { .lo = IMAGE_AT, .bias = IMAGE_AT };
	struct cfi_source source;
	volatile uint8_t sum = 0; /* it can be read */
	const uint8_t *id = NULL;
	unsigned n;

	begin();
	MUST(mprotect(image, IMAGE_PAGES * PP_PAGE, PROT_READ | PROT_WRITE) ==
		0);
	memset(image, 0, IMAGE_PAGES * PP_PAGE);
	memcpy(image, data, PP_MIN(size, IMAGE_PAGES * PP_PAGE));
	if (!object_read_header(&o) || !map_segments(&o))
		return 0;
	object_bounds(&o);
	(void)object_phdr(&o, PT_DYNAMIC);
	n = object_build_id(&o, &id);
	MUST(n <= MODULE_BUILD_ID_MAX);
	for (unsigned i = 0; i < n; i++)
		sum = (uint8_t)(sum + id[i]);
	find_cfi_source(&o, &source);
	for (unsigned i = 0; i < 256; i++)
		(void)cfi_rule(&source, IMAGE_AT + i * 17u);
	return 0;
}
