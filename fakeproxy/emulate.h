/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom the fake takes after: a version of the protocol, done right, or a release of skopeo, with its quirks.
 */
#ifndef FAKEPROXY_EMULATE_H
#define FAKEPROXY_EMULATE_H

#include <stdbool.h>

#include "base/cip-error.h"
#include "fakeproxy/rule.h"
#include "protocol/version.h"

struct emulation {
        struct version protocol; /* what Initialize announces, and which methods there are */
        struct version release;  /* of skopeo: --version and --help; of a pure version the nearest release */
        bool is_release;         /* with the release's quirks */
        struct behaviours behaviours; /* the quirks */
};

/* What holds where nobody said what to emulate. */
#define EMULATE_DEFAULT "0.2.8"

/*
 * Reads a release or a protocol version. -EINVAL with @error, which names the nearest one and those that there
 * are.
 */
int emulation_find(const char *name, struct emulation *ret, struct cip_error *error);

/* All names that emulation_find takes, ended by NULL. */
extern const char *const emulation_names[];

/* A quirk: what releases from @since to before @until ({0}: to this day) do against the protocol, and why. */
struct quirk {
        struct version since, until;
        struct behaviours with;
        const char *reason;
};

extern const struct quirk quirks[];
extern const size_t n_quirks;

#endif
