/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a scenario has its upstream started: flags that are left out or added, variables that are set or unset. It
 * takes the command line and the environment as the client gave them, and makes others.
 */
#ifndef FAKEPROXY_EDITS_H
#define FAKEPROXY_EDITS_H

#include <stddef.h>

#include "base/cip-error.h"
#include "fakeproxy/scenario.h"

/* The new arrays, ended by NULL. What is in them belongs to the old ones, or to @texts. */
struct edited {
        const char **argv, **envp;
        char **texts;
        size_t n_texts;
};

/*
 * Edits @argv, whose first @n_command words are the upstream's own and stay as they are, and @envp. Returns 0;
 * -ENOMEM; -EINVAL with @error where a text names a variable that is not set. @ret is to be cleared in any case.
 */
int edits_apply(const struct scenario_upstream *edits, const char *const argv[], size_t n_command,
                const char *const envp[], struct edited *ret, struct cip_error *error);

/* Frees the arrays and the texts. */
void edited_clear(struct edited *edited);

#endif
