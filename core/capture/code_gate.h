/*
 * code_gate.h - a look at code that may just be going away.
 *
 * What a walk reads of the frames that are really there cannot be unmapped:
 * they are running. A guess reads code because a word on the stack points to
 * it, and that word may be old and the code in a library that another thread
 * is closing. So guesses hold the gate, and dlclose waits for them before it
 * unmaps. Without libc's own dlclose (iconv, NSS), which is not hooked.
 */
#ifndef CODE_GATE_H
#define CODE_GATE_H

#include "pp.h"

/* May code that is perhaps not in use be read now? Not while another thread
 * closes; in a handler that has interrupted the only dlclose there is, yes.
 * Then leave() afterwards. Never waits; nests. */
bool code_gate_enter(void) PP_ANY;
void code_gate_leave(void) PP_ANY;

/* From the dlclose hook, around the real one: no guesses. Waits for those under
 * way, 10 ms at most. */
void code_gate_close(void) PP_NORMAL;
void code_gate_open(void) PP_NORMAL;

/* In a forked child: the threads that held it are gone. */
void code_gate_reset(void) PP_ANY;

#endif
