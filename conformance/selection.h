/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of a catalogue: finding one by its id, walking over all, choosing some by filters.
 */
#ifndef CONFORMANCE_SELECTION_H
#define CONFORMANCE_SELECTION_H

#include <stdbool.h>
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
 * The checks that one of @n_filters filters chooses, in the order of the table; where there is no filter, all but
 * those of opt-in groups. A
 * filter is a glob over ids, or a group's name. One that fits nothing is -EINVAL with @error, which names the
 * nearest. *@ret is an array for the caller to free.
 */
int selection_filter(const struct catalogue *catalogue, const char *const *filters, size_t n_filters,
                     const struct check **ret[], size_t *ret_n, struct cip_error *error);

/* Whether a filter fits a check's id. */
bool selection_fits(const char *filter, const char *id);

/*
 * Whether a filter chooses a check that it fits: one of an opt-in group only where it begins with the group's name,
 * "load", "load/an-hour", "load/ten-*", and not for "*" or "*-hour".
 */
bool selection_chooses(const struct catalogue *catalogue, const char *filter, const struct check *check);

/* The group that a check is of. One that is not the catalogue's, from a saved report, goes by its id: maybe NULL. */
const struct check_group *selection_group(const struct catalogue *catalogue, const struct check *check);

/* "MUST", "SHOULD", "INFO". */
const char *check_level_name(enum check_level level);

#endif
