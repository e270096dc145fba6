/*
 * place.h - libplace_a.c and libplace_b.c: two libraries of one layout, so that
 * one comes to lie where the other lay. Only the names differ.
 */
#pragma once

#include "hostile.h"

#define PLACE(x)                                               \
	void *x##_holds(size_t size);                          \
	void x##_burns(long ms);                               \
                                                               \
	__attribute__((noinline)) void *x##_holds(size_t size) \
	{                                                      \
		void *volatile p = malloc(size);               \
                                                               \
		return p;                                      \
	}                                                      \
                                                               \
	/* Not a tail call: this frame has to be there. */     \
	__attribute__((noinline)) void x##_burns(long ms)      \
	{                                                      \
		burn(ms);                                      \
		sink++;                                        \
	}
