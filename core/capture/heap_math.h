/*
 * heap_math.h - the mathematics of heap sampling, without libm (the library
 * may need libc only).
 *
 * An allocation of s bytes is recorded with probability P = 1 - exp(-s/R): the
 * gaps between samples are exponential with mean R bytes, so the process has
 * no memory, and after a sample (or one suppressed) a fresh gap is as good as
 * the rest of the old one. A sample then stands for 1/P allocations.
 *
 * Why whole bytes lose nothing: with E exponential, the countdown starts at
 * floor(E) and an allocation is due when s > floor(E), which for a whole s is
 * the same as s > E. Context: PP_ANY.
 */
#ifndef HEAP_MATH_H
#define HEAP_MATH_H

#include "pp.h"

/* Larger means are taken for this one: beyond it the weight of a small object
 * would leave too few bits for the sum of all (ROW_FRACTION_BITS). */
#define HEAP_RATE_MAX (UINT64_C(1) << 40)

/* -ln(1 - (random + 1/2) / 2^64): exponential with mean 1, growing with
 * `random`. Relative error below 1e-12. */
double heap_exponential(uint64_t random) PP_ANY;

/* 1 / (1 - exp(-x)) for x > 0. Relative error below 1e-12. */
double heap_inverse_chance(double x) PP_ANY;

/* Bytes until the next sample, mean `rate`; 0 when rate is 1, so that every
 * allocation is one. */
uint64_t heap_gap(uint64_t random, uint64_t rate) PP_ANY;

/* How many allocations a recorded one stands for, in 1/ROW_ONE; exactly
 * ROW_ONE when rate is 1. `s` are the bytes it took off the countdown, > 0.
 * Rounded to the nearest: off by 2^-17 of the weight at most. */
uint64_t heap_weight(uint64_t s, uint64_t rate) PP_ANY;

#endif
