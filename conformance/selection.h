/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of the table: finding one by its id, walking over all, choosing some by filters.
 */
#ifndef CONFORMANCE_SELECTION_H
#define CONFORMANCE_SELECTION_H

#include <stddef.h>

#include "base/cip-error.h"
#include "conformance/check.h"
#include "conformance/nearest.h"

/* Every check, in the order of the table: *@ret is an array for the caller to free. Returns 0 or -ENOMEM. */
int selection_all(const struct check **ret[], size_t *ret_n);

/* The check with this id, or NULL. */
const struct check *selection_find(const char *id);

/* Offers every id to a search for the nearest. */
void selection_offer(struct nearest *nearest);

/*
 * The checks that one of @n_filters filters fits, in the order of the table; all, where there is no filter. A
 * filter is a glob over ids, or a group's name. One that fits nothing is -EINVAL with @error, which names the
 * nearest. *@ret is an array for the caller to free.
 */
int selection_filter(const char *const *filters, size_t n_filters, const struct check **ret[], size_t *ret_n,
                     struct cip_error *error);

/* The group that a check is of. */
const struct check_group *selection_group(const struct check *check);

/* "MUST", "SHOULD", "INFO". */
const char *check_level_name(enum check_level level);

#endif
