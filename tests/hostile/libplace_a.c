/*
 * libplace_a.c - see place.h. BUILD: -Wl,--build-id -fno-builtin-malloc
 */
#include "place.h"

PLACE(a)
