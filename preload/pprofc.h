/*
 * pprofc.h - what a program may know of pprofc when it is compiled.
 *
 * No program has to be changed, or even compiled again, to be profiled:
 * `pprofc run PROGRAM` is enough. See pprofc(1) and pprofc(7).
 */
#ifndef PPROFC_H
#define PPROFC_H

#define PPROFC_VERSION "0.1.0"

#endif
