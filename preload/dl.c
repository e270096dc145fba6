/*
 * dl.c - code comes and goes: what the unwinder has learned is void.
 *
 * dlopen and dlmopen must be *jumps* to the real ones: glibc takes the return
 * address for the caller, whose RUNPATH and namespace count. One step of the
 * generation before the call is enough there: no code runs from the new pages
 * before the loader knows them.
 *
 * dlclose does not care who calls. The step before it is for what is learned
 * while destructors run; the one after it for what they left behind: libc's own
 * dlopen (iconv, NSS) is not hooked and may reuse the addresses at once.
 *
 * While a library may go, the unwinder does not guess: code_gate.h.
 *
 * Context: PP_ANY as far as we are concerned.
 */
#include "pp.h"

#include <dlfcn.h>

#include "code_gate.h"
#include "process.h"
#include "real.h"
#include "unwind.h"

PP_EXPORT void *dlopen(const char *path, int mode)
{
	unwind_invalidate();
	return real.dlopen(path, mode);
}

PP_EXPORT void *dlmopen(Lmid_t space, const char *path, int mode)
{
	unwind_invalidate();
	return real.dlmopen(space, path, mode);
}

PP_EXPORT PP_ENTER_NORMAL int dlclose(void *handle)
{
	/* A detached process walks nothing, and may have given up the system
	 * calls that the gate makes. */
	bool walks = process_generation() != 0;
	int ret;

	unwind_invalidate();
	if (walks)
		code_gate_close();
	ret = real.dlclose(handle);
	if (walks)
		code_gate_open();
	unwind_invalidate();
	return ret;
}
