/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of a catalogue: finding one by its id, walking over all, choosing some by filters.
 */
#ifndef CONFORMANCE_SELECTION_H
#define CONFORMANCE_SELECTION_H

#include <stddef.h>

#include "base/cip-error.h"
#include "conformance/catalogue.h"
#include "conformance/nearest.h"

/* Every check, in the order of the table: *@ret is an array for the caller to free. Returns 0 or -ENOMEM. */
int selection_all(const struct catalogue *catalogue, const struct check **ret[], size_t *ret_n);

/* The check with this id, or NULL. */
const struct check *selection_find(const struct catalogue *catalogue, const char *id);

/* Offers every id to a search for the nearest. */
void selection_offer(const struct catalogue *catalogue, struct nearest *nearest);

/*
 * The checks that one of @n_filters filters fits, in the order of the table; all, where there is no filter. A
 * filter is a glob over ids, or a group's name. One that fits nothing is -EINVAL with @error, which names the
 * nearest. *@ret is an array for the caller to free.
 */
int selection_filter(const struct catalogue *catalogue, const char *const *filters, size_t n_filters,
                     const struct check **ret[], size_t *ret_n, struct cip_error *error);

/* The group that a check is of. */
const struct check_group *selection_group(const struct catalogue *catalogue, const struct check *check);

/* "MUST", "SHOULD", "INFO". */
const char *check_level_name(enum check_level level);

#endif
