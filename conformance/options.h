/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line options from a table: the table's rows are what is parsed and what --help prints.
 */
#ifndef CONFORMANCE_OPTIONS_H
#define CONFORMANCE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/cip-error.h"

struct option_row {
        const char *name;     /* without "--" */
        const char *argument; /* "GLOB"; "[=SEED]": may be there, behind '='; NULL: takes none */
        const char *help;     /* may have several lines */
        /* Takes the value (NULL for none). Returns 0 or -EINVAL with @error, which need not name the option. */
        int (*take)(void *settings, const char *value, struct cip_error *error);
        size_t at; /* where in the settings that which @take gets begins: offsetof(struct .., ..) */
};

/* A command's options, for those who want to know them all. */
struct option_table {
        const struct option_row *rows;
        size_t n_rows;
};

/*
 * Parses @argv (the words behind the command's name) up to the first word that is no option, or behind "--".
 * Returns how many words were taken, or -EINVAL with @error. *@ret_dashes: whether "--" was there.
 */
int options_parse(const struct option_row *rows, size_t n_rows, const char *const *argv, void *settings,
                  bool *ret_dashes, struct cip_error *error);

/* The rows as lines of --help. */
void options_print(const struct option_row *rows, size_t n_rows, FILE *out);

/* A whole decimal number of @min to @max, or a number of seconds above 0. 0 or -EINVAL with @error. */
int option_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret,
                  struct cip_error *error);
int option_seconds(const char *text, double *ret, struct cip_error *error);

#endif
