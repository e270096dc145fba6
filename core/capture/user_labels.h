/*
 * user_labels.h - labels that the program itself gives to its threads, with the
 * functions of preload/pprofc.h.
 *
 * A thread's labels are texts in a block of its own, which it gets when it sets
 * its first one: not from malloc, and not in its TLS, which would make all
 * stacks smaller. They belong to no session. A sample interns them in the
 * session of its time and keeps the id until something changes.
 *
 * Owner: the thread. Setting and removing are not to be called in signal
 * handlers (if they are, in the middle of another, they are refused); a handler
 * may jump out of them; reading is safe anywhere. Context: PP_ANY; errno is
 * left alone.
 */
#ifndef USER_LABELS_H
#define USER_LABELS_H

#include "pp.h"

#include "labels.h"
#include "session.h"
#include "thread_state.h"

#define USER_LABELS_MAX 8u /* of one thread at a time */

struct user_labels;

/* --- for the program ------------------------------------------------------ */

/* value NULL removes the label, with what it hides. 0, -EINVAL, -E2BIG when
 * there is no room for one more, -EBUSY in a handler, -ENOMEM. */
int user_labels_set(const char *key, const char *value) PP_ANY;

/* Until user_labels_pop(), which brings back what was there before. Returns a
 * token, 0 when refused. */
unsigned long user_labels_push(const char *key, const char *value) PP_ANY;
void user_labels_pop(unsigned long token) PP_ANY;

/* The value, cut to `size` with its terminator. Returns its length; 0 = there
 * is no such label. */
size_t user_labels_read(const char *key, char *to, size_t size) PP_ANY;

/* The calling thread jumps to a frame with this stack pointer. */
void user_labels_jumps(uint64_t sp) PP_ANY;

/* --- for samples ---------------------------------------------------------- */

/* The set of a thread, as an id of labels.h; 0 = none. t is the caller's. */
uint32_t user_labels_here(struct session *s, struct thread_state *t) PP_ANY;

/* The same of any thread of this process. */
uint32_t user_labels_of(struct session *s, uint32_t tid) PP_ANY;

/* --- threads and processes ------------------------------------------------ */

/* A copy of the caller's, for a thread that it makes; NULL = none. */
struct user_labels *user_labels_copy(void) PP_ANY;
void user_labels_drop(struct user_labels *l) PP_ANY;
/* The calling thread is that one. */
void user_labels_adopt(struct user_labels *l) PP_ANY;
void user_labels_thread_end(void) PP_ANY;

/* A fork's child has one thread. */
void user_labels_forked(void) PP_ANY;

#endif
