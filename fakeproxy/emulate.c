/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The releases and versions that can be emulated. What a release does wrong is in quirks.c.
 */
#include "fakeproxy/emulate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

/* A pure version has the help of the release that stands nearest to it. */
static const struct {
        const char *name;
        bool is_release;
        struct version protocol, release;
} emulations[] = {
        {"1.9.3", true, {0, 2, 3}, {1, 9, 3}},   {"1.18.0", true, {0, 2, 6}, {1, 18, 0}},
        {"1.22.0", true, {0, 2, 8}, {1, 22, 0}}, {"0.2.3", false, {0, 2, 3}, {1, 9, 3}},
        {"0.2.4", false, {0, 2, 4}, {1, 10, 0}}, {"0.2.5", false, {0, 2, 5}, {1, 12, 0}},
        {"0.2.6", false, {0, 2, 6}, {1, 18, 0}}, {"0.2.7", false, {0, 2, 7}, {1, 18, 0}},
        {"0.2.8", false, {0, 2, 8}, {1, 22, 0}},
};

const char *const emulation_names[] = {"1.9.3", "1.18.0", "1.22.0", "0.2.3", "0.2.4",
                                       "0.2.5", "0.2.6",  "0.2.7",  "0.2.8", NULL};

static void add_quirks(struct emulation *emulation)
{
        for (size_t i = 0; i < n_quirks; i++) {
                const struct quirk *quirk = &quirks[i];

                if (version_compare(emulation->release, quirk->since) >= 0 &&
                    (!quirk->until.major || version_compare(emulation->release, quirk->until) < 0))
                        behaviours_add(&emulation->behaviours, &quirk->with);
        }
}

/* The name that is nearest to @name: of the same kind, with the least distance of its numbers. */
static const char *nearest(const char *name)
{
        struct version wanted;
        long best = -1;
        const char *ret = EMULATE_DEFAULT;

        if (version_parse(name, &wanted))
                return ret;
        for (size_t i = 0; i < ARRAY_SIZE(emulations); i++) {
                struct version have = emulations[i].is_release ? emulations[i].release : emulations[i].protocol;
                long distance = labs((long)wanted.major - (long)have.major) * 1000000 +
                                labs((long)wanted.minor - (long)have.minor) * 1000 +
                                labs((long)wanted.patch - (long)have.patch);

                if (best < 0 || distance < best) {
                        best = distance;
                        ret = emulations[i].name;
                }
        }
        return ret;
}

int emulation_find(const char *name, struct emulation *ret, struct cip_error *error)
{
        for (size_t i = 0; i < ARRAY_SIZE(emulations); i++) {
                struct emulation emulation = {.protocol = emulations[i].protocol,
                                              .release = emulations[i].release,
                                              .is_release = emulations[i].is_release};

                if (strcmp(name, emulations[i].name) != 0)
                        continue;
                if (emulation.is_release)
                        add_quirks(&emulation);
                *ret = emulation;
                return 0;
        }
        error_set(error, CIP_ERROR_LOCAL, -EINVAL, "cannot emulate \"%s\": did you mean %s? There are", name,
                  nearest(name));
        for (const char *const *n = emulation_names; *n; n++)
                error_append(error, "%s %s", n == emulation_names ? "" : ",", *n);
        return -EINVAL;
}
