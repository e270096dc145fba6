/*
 * find_module.c - see find_module.h.
 */
#include "pp.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "find_module.h"
#include "fmt.h"
#include "object.h"
#include "own_modules.h"
#include "program.h"
#include "rules.h"
#include "safe_read.h"
#include "sys.h"

/* As in <bits/dl_find_object.h> of glibc 2.35 on x86-64 and aarch64, which
 * older headers do not have. */
struct found_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};

typedef int find_object_fn(void *pc, struct found_object *ret);

/* What the loader offers: NULL before glibc 2.35. By a name of ours, as headers
 * may declare it otherwise. */
extern find_object_fn loader_finds __asm__("_dl_find_object")
	__attribute__((weak));

static find_object_fn *find_object; /* what we use; NULL = own table */
static struct object vdso;

static void start_vdso(void)
{
	const ElfW(Phdr) * p;

	vdso = (struct object){ .lo = getauxval(AT_SYSINFO_EHDR),
		.kind = MODULE_VDSO,
		.name = "[vdso]" };
	if (!vdso.lo || !object_read_header(&vdso)) {
		vdso.lo = 0;
		return;
	}
	p = object_phdr(&vdso, PT_LOAD);
	vdso.bias = p ? vdso.lo - p->p_vaddr : vdso.lo;
	object_bounds(&vdso);
}

void find_module_start(void)
{
	const char *own = secure_getenv("PPROFC_TEST_OWN_MODULES");

	own_modules_start();
	start_vdso();
	find_module_use_own(own && *own == '1');
}

void find_module_use_own(bool own)
{
	find_object = own ? NULL : loader_finds;
	find_module_invalidate();
}

void find_module_invalidate(void)
{
	own_modules_invalidate();
}

static bool readable(uint64_t addr)
{
	struct safe_reader r;
	uint64_t word;

	safe_read_init(&r);
	return safe_read(&r, addr, &word);
}

static bool ask_loader(uint64_t pc, bool doubtful, struct object *o)
{
	struct found_object found;

	if (find_object((void *)pc, &found) != 0)
		return false;
	*o = (struct object){
		.lo = (uint64_t)(uintptr_t)found.map_start,
		.hi = (uint64_t)(uintptr_t)found.map_end,
		.kind = MODULE_FILE,
	};
	if (doubtful && !readable(o->lo))
		return false;
	o->bias = found.link_map->l_addr;
	o->name = found.link_map->l_name;
	/* Only the program has headers that may lie elsewhere. */
	o->is_main = own_modules_phdr &&
		     (uint64_t)(uintptr_t)own_modules_phdr - o->lo <
			     o->hi - o->lo;
	if (o->is_main) {
		o->phdr = own_modules_phdr;
		o->phnum = own_modules_phnum;
		return true;
	}
	return object_read_header(o);
}

static bool find_any(uint64_t pc, bool doubtful, struct object *o)
{
	if (pc >= vdso.lo && pc < vdso.hi) {
		*o = vdso;
		return true;
	}
	return find_object ? ask_loader(pc, doubtful, o)
			   : own_modules_find(pc, o);
}

/* The executable segment of an object that pc lies in; the first one for any
 * pc. */
static bool take_segment(struct segment *ret, uint64_t pc, bool any)
{
	struct object *o = &ret->object;

	for (unsigned i = 0; i < o->phnum; i++) {
		const ElfW(Phdr) *p = &o->phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
			(!any && pc - (o->bias + p->p_vaddr) >= p->p_memsz))
			continue;
		ret->start = o->bias + p->p_vaddr;
		ret->limit = ret->start + p->p_memsz;
		ret->file_offset = p->p_offset;
		return true;
	}
	return false;
}

bool find_segment(uint64_t pc, bool doubtful, struct segment *ret)
{
	return find_any(pc, doubtful, &ret->object) &&
	       take_segment(ret, pc, false);
}

void find_cfi_source(const struct object *o, struct cfi_source *ret)
{
	const ElfW(Phdr) *p = object_phdr(o, PT_GNU_EH_FRAME);

	*ret = (struct cfi_source){ 0 };
	if (!p)
		return;
	ret->eh_frame_hdr = ret->lo = ret->hi = o->bias + p->p_vaddr;
	object_readable(o, &ret->lo, &ret->hi);
}

/* The path the kernel has for this segment: absolute also when the object was
 * loaded by a relative name and the directory has changed since. */
static const char *mapped_path(
	const struct segment *seg, char *buf, size_t size)
{
	uint64_t lo = seg->start & ~(uint64_t)(PP_PAGE - 1);
	uint64_t hi = pp_round_up(seg->limit, PP_PAGE);
	char link[80];

	(void)fmt(link, sizeof(link), "/proc/thread-self/map_files/%lx-%lx",
		(unsigned long)lo, (unsigned long)hi);
	if (program_read_link(link, buf, size) && buf[0] == '/')
		return buf;
	if (seg->object.is_main && program_path()[0])
		return program_path();
	return seg->object.name && seg->object.name[0] ? seg->object.name
						       : NULL;
}

static PP_NOINLINE unsigned intern(struct session *s, const struct segment *seg)
{
	struct module_info info = {
		.start = seg->start,
		.limit = seg->limit,
		.file_offset = seg->file_offset,
		.bias = seg->object.bias,
		.kind = seg->object.kind,
		.is_main = seg->object.is_main,
	};
	char path[512]; /* a longer path is given as the loader knows it */
	unsigned instance;

	info.build_id_len = object_build_id(&seg->object, &info.build_id);
	instance = info.build_id_len ? modules_find(s, &info) : 0;
	if (instance)
		return instance;
	info.path = info.kind == MODULE_FILE
			    ? mapped_path(seg, path, sizeof(path))
			    : seg->object.name;
	return modules_intern(s, &info);
}

unsigned find_instance(
	struct session *s, const struct segment *seg, uint32_t generation)
{
	unsigned instance = rules_module_get(seg->start, generation);

	if (instance || !s)
		return instance;
	instance = intern(s, seg);
	if (instance)
		rules_module_put(seg->start, generation, instance);
	return instance;
}

unsigned find_data_instance(
	struct session *s, uint64_t address, uint32_t generation)
{
	struct segment seg = { 0 };

	return find_any(address, false, &seg.object) &&
			       take_segment(&seg, address, true)
		       ? find_instance(s, &seg, generation)
		       : 0;
}

unsigned find_jit_instance(struct session *s, uint64_t pc, uint32_t generation)
{
	uint64_t start = pc & ~(JIT_GRAIN - 1);
	unsigned instance = rules_module_get(start, generation);
	/* The offset is unique, so that readers that merge mappings of equal
	 * size and offset keep the blocks apart. */
	struct module_info info = { .start = start,
		.limit = start + JIT_GRAIN,
		.file_offset = start,
		.kind = MODULE_JIT,
		.path = "[jit]" };

	if (instance || !s)
		return instance;
	instance = modules_intern(s, &info);
	if (instance)
		rules_module_put(start, generation, instance);
	return instance;
}
