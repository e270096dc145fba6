/*
 * pprofc.h - what a program may tell pprofc while it is profiled.
 *
 * No program has to be changed, or even compiled again, to be profiled:
 * `pprofc run PROGRAM` is enough. See pprofc(1) and pprofc(7). With this header
 * a program can say what its threads are working on: labels, by which profiles
 * can be divided later (go tool pprof -tags, -tagfocus request=checkout).
 *
 * Nothing has to be linked: all that is here does nothing where the library is
 * not loaded, also in a program that is linked statically. C99, C++11.
 *
 * A thread has at most 8 labels at a time, of 255 bytes each for key and value;
 * what is longer is cut. What is refused or cut is counted in the profile. A
 * thread starts with the labels of the thread that makes it. No function here
 * calls malloc or changes errno. pprofc_label_get() may be called in a signal
 * handler; the others refuse there what would come in the middle of a change.
 */
#ifndef PPROFC_H
#define PPROFC_H

#include <stddef.h>

#define PPROFC_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

/* What the library has for the functions below. */
struct pprofc_v1 {
	int (*label_set)(const char *key, const char *value);
	unsigned long (*label_push)(const char *key, const char *value);
	void (*label_pop)(unsigned long token);
	size_t (*label_get)(const char *key, char *value, size_t size);
};

/* NULL without the library. Only by way of the global offset table: another
 * reference to what is not there would be settled when a program is linked that
 * is not position independent. */
static inline const struct pprofc_v1 *pprofc_find(void)
{
#if defined(__x86_64__) && defined(__LP64__)
	const struct pprofc_v1 *found;

	__asm__(".weak pprofc_v1\n\t"
		"mov{q}\t{pprofc_v1@GOTPCREL(%%rip), %0|"
		"%0, QWORD PTR pprofc_v1@GOTPCREL[rip]}"
		: "=r"(found));
	return found;
#else
	extern const struct pprofc_v1 pprofc_v1
		__attribute__((__weak__, __visibility__("default")));

	return &pprofc_v1;
#endif
}

/* Label the calling thread from now on; value NULL removes the label, also what
 * pushes of the same key have hidden. 0, or a negative errno when refused. */
static inline int pprofc_label_set(const char *key, const char *value)
{
	const struct pprofc_v1 *p = pprofc_find();

	return p ? p->label_set(key, value) : 0;
}

/* Label the calling thread until pprofc_label_pop(token), which brings back the
 * value that the label had before. 0 when refused. */
static inline unsigned long pprofc_label_push(
	const char *key, const char *value)
{
	const struct pprofc_v1 *p = pprofc_find();

	return p ? p->label_push(key, value) : 0;
}

/* In the thread of the push. A token of 0 is nothing to pop. */
static inline void pprofc_label_pop(unsigned long token)
{
	const struct pprofc_v1 *p = pprofc_find();

	if (p)
		p->label_pop(token);
}

/* The calling thread's value, cut to fit and terminated. Returns its length, 0
 * when there is no such label or no library. */
static inline size_t pprofc_label_get(const char *key, char *value, size_t size)
{
	const struct pprofc_v1 *p = pprofc_find();

	if (p)
		return p->label_get(key, value, size);
	if (size)
		value[0] = '\0';
	return 0;
}

#ifdef __cplusplus
}

namespace pprofc
{

/* pprofc::label scope("request", "checkout"); */
class label
{
      public:
	label(const char *key, const char *value)
	    : token_(pprofc_label_push(key, value))
	{
	}
	~label()
	{
		pprofc_label_pop(token_);
	}
	label(const label &) = delete;
	label &operator=(const label &) = delete;

      private:
	unsigned long token_;
};

} // namespace pprofc
#endif

#endif
