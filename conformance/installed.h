/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the other parts of this project are that the client suite needs: beside the running program, as they are
 * installed, or as they lie in a build folder.
 */
#ifndef CONFORMANCE_INSTALLED_H
#define CONFORMANCE_INSTALLED_H

#include "base/cip-error.h"

/* The absolute path of cip-fakeproxy. The caller frees. Returns 0 or a negative errno with @error. */
int installed_fake(char **ret, struct cip_error *error);

/* The absolute path of the folder of scenarios. Likewise. */
int installed_scenarios(char **ret, struct cip_error *error);

/* The absolute path of the scenario that breaks just the rule of the check @id. Likewise. */
int installed_broken(const char *id, char **ret, struct cip_error *error);

#endif
