/*
 * target.h - can a program be profiled by preloading at all?
 */
#ifndef TARGET_H
#define TARGET_H

#include "pp.h"

/*
 * Look at the file that execvp(command) would start (through #! lines). Returns
 * true when the library would not be loaded into it, with a sentence that says
 * why in ret_why. False when nothing speaks against it, also when the file
 * cannot be found or read: then starting it will tell.
 */
bool target_is_out_of_reach(const char *command, char *ret_why, size_t size);

#endif
