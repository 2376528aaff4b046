/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions of the protocol and of releases. What was read and is written again is the same text but for leading
 * zeros, and compares as equal.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/target.h"
#include "protocol/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_free) char *text = strndup((const char *)data, size);
        char written[VERSION_TEXT_SIZE];
        struct version first, second;

        target_that(text, "no memory");
        if (version_parse(text, &first) < 0)
                return 0;
        version_format(first, written);
        target_that(version_parse(written, &second) == 0 && version_compare(first, second) == 0,
                    "%s was written as %s", text, written);
        target_that(strlen(written) <= strlen(text), "%s was written longer, as %s", text, written);
        return 0;
}
