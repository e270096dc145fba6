/* arch.h - picks the one file that knows this CPU. */
#ifndef ARCH_H
#define ARCH_H

#if defined(__x86_64__)
#include "arch_x86_64.h"
#else
#error "pprofc has no arch_<cpu>.h for this CPU yet"
#endif

#endif
