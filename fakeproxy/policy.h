/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature policy, as far as the fake needs it: which images may be opened without a signature.
 */
#ifndef FAKEPROXY_POLICY_H
#define FAKEPROXY_POLICY_H

#include "base/cip-error.h"

/*
 * Judges @reference by the policy file @path; NULL: the user's or the machine's, and where there is neither,
 * everything is accepted. Returns 0, or a negative errno with @error in skopeo's words.
 */
int policy_check(const char *path, const char *reference, struct cip_error *error);

#endif
