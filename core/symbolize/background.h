/*
 * background.h - what the library has started must not be felt.
 */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include "pp.h"

/* The lower priority, and a turn: a program of many short processes would
 * otherwise have more helpers at work than processors. Returns false if there
 * was none in several minutes: then nothing is to be done. */
bool background_enter(void) PP_NORMAL;

#endif
