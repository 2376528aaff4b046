/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a suite consists of: the server suite of checks, the client suite of scenarios. Filters, lists, baselines
 * and reports take a catalogue, so that they are the same for both: a scenario is a check whose `detail` it is.
 */
#ifndef CONFORMANCE_CATALOGUE_H
#define CONFORMANCE_CATALOGUE_H

#include <stddef.h>

#include "conformance/check.h"

struct catalogue {
        const char *noun;    /* "check", "scenario": what one entry is; a baseline's key too */
        const char *subject; /* "server", "client": who is judged; the command's name too */
        const char *list;    /* the command that prints it: "cip-conformance list" */
        const struct check_group *groups;
        size_t n_groups;
};

/* The checks of servers: check_groups. */
extern const struct catalogue server_catalogue;

#endif
