/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults that a baseline knows: an entry's `faults` are globs over keys, with '|' between them.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/commands.h"

static bool fits(const char *globs, const char *key)
{
        CLEANUP(cleanup_free) char *copy = globs ? strdup(globs) : NULL;
        char *rest = copy, *glob;

        while (rest && (glob = strsep(&rest, "|")))
                if (fnmatch(glob, key, 0) == 0)
                        return true;
        return false;
}

const char *known_fault(const struct baseline *baseline, struct version protocol, const char *release,
                        const char *key)
{
        for (size_t i = 0; baseline && i < baseline->n_entries; i++) {
                const struct baseline_entry *entry = &baseline->entries[i];

                if (baseline_entry_holds(entry, protocol, release) && fits(entry->faults, key))
                        return entry->defect;
        }
        return NULL;
}
