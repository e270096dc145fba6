/*
 * unwind_libunwind.c - see unwind_libunwind.h. Context: PP_ANY, hooks only.
 *
 * libunwind works here as on a foreign process ("remote"): every word it looks
 * at comes through access_mem, every table through find_proc_info. What it
 * does where it finds no table (trying rbp) is a guess, and ends the stack.
 */
#include "pp.h"

#include <errno.h>
#include <libunwind.h>

#include "cfi_priv.h"
#include "find_module.h"
#include "process.h"
#include "safe_read.h"
#include "sys.h"
#include "unwind_libunwind.h"
#include "unwind_x86_64.h"

/* In libunwind's library, but in none of its headers. */
int _Ux86_64_dwarf_search_unwind_table(unw_addr_space_t as, unw_word_t ip,
	unw_dyn_info_t *di, unw_proc_info_t *pi, int need_unwind_info,
	void *arg);

/* Numbering is DWARF's in both. */
_Static_assert((int)UNW_X86_64_RBX == (int)ARCH_REG_RBX, "register numbers");
_Static_assert((int)UNW_X86_64_RSP == (int)ARCH_REG_RSP, "register numbers");
_Static_assert((int)UNW_X86_64_RIP == (int)ARCH_REG_PC, "register numbers");

struct walk {
	const struct arch_regs *regs;
	struct safe_reader mem;
	uint64_t lo, hi; /* the object whose tables are being read */
	bool found;	 /* the last frame had unwind information */
};

/*
 * One walk at a time. libunwind has locks inside, which a forked child would
 * find taken for ever if the fork came in the middle of another thread's walk:
 * so whoever forks holds `busy` meanwhile, and where it did not get it, the
 * child finds it taken and keeps to our own unwinder.
 */
static unw_addr_space_t space;
static _Atomic int busy;

/* --- Accessors -------------------------------------------------------------
 */

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value,
	int write, void *arg)
{
	struct walk *w = arg;
	uint64_t word;

	(void)as;
	if (write)
		return -UNW_EINVAL;
	if (addr >= w->lo && addr <= w->hi - sizeof(word)) {
		__builtin_memcpy(value, (const void *)addr, sizeof(word));
		return 0;
	}
	if (addr >= SAFE_READ_LIMIT || addr % 8 ||
		!safe_read(&w->mem, addr, &word))
		return -UNW_EINVAL;
	*value = word;
	return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value,
	int write, void *arg)
{
	const struct walk *w = arg;

	(void)as;
	if (write || reg < 0 || reg >= ARCH_REGS)
		return -UNW_EBADREG;
	*value = w->regs->r[reg];
	return 0;
}

static int access_fpreg(unw_addr_space_t as, unw_regnum_t reg,
	unw_fpreg_t *value, int write, void *arg)
{
	(void)as;
	(void)reg;
	(void)value;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip,
	unw_proc_info_t *info, int need, void *arg)
{
	struct walk *w = arg;
	unw_dyn_info_t table = { .format = UNW_INFO_FORMAT_REMOTE_TABLE };
	struct cfi_source source;
	struct segment seg;
	uint64_t count;
	int err;

	w->found = false;
	if (!find_segment(ip, true, &seg))
		return -UNW_ENOINFO;
	find_cfi_source(&seg.object, &source);
	table.u.rti.table_data = cfi_search_table(&source, &count);
	if (!table.u.rti.table_data)
		return -UNW_ENOINFO;
	table.start_ip = seg.object.lo;
	table.end_ip = seg.object.hi;
	table.u.rti.segbase = source.eh_frame_hdr;
	table.u.rti.table_len = count; /* in words, as an entry is one */
	w->lo = source.lo;
	w->hi = source.hi;
	err = _Ux86_64_dwarf_search_unwind_table(
		as, ip, &table, info, need, arg);
	w->found = err == 0;
	return err;
}

static void put_unwind_info(
	unw_addr_space_t as, unw_proc_info_t *info, void *arg)
{
	(void)as;
	(void)info;
	(void)arg;
}

static int no_dyn_info(unw_addr_space_t as, unw_word_t *value, void *arg)
{
	(void)as;
	(void)value;
	(void)arg;
	return -UNW_ENOINFO;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	(void)as;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t addr, char *buf, size_t len,
	unw_word_t *offset, void *arg)
{
	(void)as;
	(void)addr;
	(void)buf;
	(void)len;
	(void)offset;
	(void)arg;
	return -UNW_ENOINFO;
}

void unwind_libunwind_start(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_dyn_info,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = no_resume,
		.get_proc_name = no_name,
	};

	space = unw_create_addr_space(&accessors, 0);
	/* Its cache does not notice dlclose. */
	if (space)
		(void)unw_set_caching_policy(space, UNW_CACHE_NONE);
}

/* --- The walk --------------------------------------------------------------
 */

static bool is_signal_frame(struct walk *w, uint64_t pc)
{
	uint64_t first, second;

	return safe_read_unaligned(&w->mem, pc, &first) &&
	       safe_read_unaligned(&w->mem, pc + 8, &second) &&
	       is_sigreturn(first, second);
}

static bool in_code(uint64_t pc)
{
	struct segment seg;

	return find_segment(pc, true, &seg);
}

static unsigned walk(struct session *s, struct walk *w, unw_cursor_t *cursor,
	frame_t *frames, unsigned most, enum unwind_end *ret_end)
{
	unw_word_t pc = w->regs->r[ARCH_REG_PC];
	bool exact = false;
	unsigned n = 0;
	int more;

	*ret_end = UNWIND_TRUNCATED;
	for (;;) {
		frames[n++] = unwind_frame_of(s, pc, exact);
		exact = is_signal_frame(w, pc);
		more = unw_step(cursor);
		if (more < 0 || !w->found)
			return n;
		if (more == 0 || unw_get_reg(cursor, UNW_REG_IP, &pc) < 0 ||
			pc == 0) {
			*ret_end = UNWIND_COMPLETE;
			return n;
		}
		if (!in_code(pc - !exact))
			return n;
		if (n == most) {
			*ret_end = UNWIND_DEPTH;
			return n;
		}
	}
}

bool unwind_libunwind_try_hold(void)
{
	int nobody = 0;

	return atomic_compare_exchange_strong(&busy, &nobody, 1);
}

void unwind_libunwind_release(void)
{
	atomic_store(&busy, 0);
}

unsigned unwind_libunwind(struct session *s, const struct arch_regs *regs,
	struct unwind_bounds bounds, frame_t *frames, unsigned most,
	enum unwind_end *ret_end)
{
	struct walk w = { .regs = regs };
	uint64_t sp = regs->r[ARCH_REG_SP] & ~UINT64_C(7);
	unw_cursor_t cursor;
	unsigned n = 0;
	int saved_errno = errno; /* libunwind knows errno */

	/* Whoever forks must not wait for walk after walk. */
	if (space && !atomic_load(&process.gate_closed) &&
		unwind_libunwind_try_hold()) {
		safe_read_init(&w.mem);
		if (sp >= bounds.lo && sp < bounds.hi) {
			w.mem.lo = sp;
			w.mem.span = (bounds.hi & ~UINT64_C(7)) - sp;
		}
		if (unw_init_remote(&cursor, space, &w) == 0)
			n = walk(s, &w, &cursor, frames, most, ret_end);
		if (w.mem.probes)
			session_count(s, STAT_PROBES, w.mem.probes);
		unwind_libunwind_release();
		errno = saved_errno;
	}
	return n ? n : unwind(s, regs, false, bounds, frames, most, ret_end);
}
