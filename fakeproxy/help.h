/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help texts: skopeo's, line by line as its releases print them, and the fake's own.
 */
#ifndef FAKEPROXY_HELP_H
#define FAKEPROXY_HELP_H

#include <stdio.h>

#include "protocol/version.h"

/*
 * `skopeo --help` and `skopeo experimental-image-proxy --help` of a release. Lines that name the flag @hidden (may be
 * NULL) are left out.
 */
void help_root(FILE *to, struct version release, const char *hidden);
void help_proxy(FILE *to, struct version release, const char *hidden);

/* `cip-fakeproxy --help`, which ends with the flags that skopeo's help names. */
void help_own(FILE *to, struct version release, const char *hidden);

#endif
