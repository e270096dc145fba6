/*
 * labels.c - what programs call through pprofc.h. Context: PP_ANY.
 */
#include "pp.h"

#include "pprofc.h"
#include "user_labels.h"

/* Members are only ever added, behind these: programs keep the header that they
 * were compiled with. */
extern const struct pprofc_v1 pprofc_v1;
PP_EXPORT const struct pprofc_v1 pprofc_v1 = {
	.label_set = user_labels_set,
	.label_push = user_labels_push,
	.label_pop = user_labels_pop,
	.label_get = user_labels_read,
};
