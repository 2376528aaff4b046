/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configs as servers write them anew. Writing what was written anew once more changes nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fuzz/target.h"
#include "image/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_free) char *first = NULL, *second = NULL, *member = NULL;
        struct cip_error error = {0};
        size_t first_len, second_len, member_len;

        if (config_to_oci((const char *)data, size, false, &first, &first_len, NULL) < 0)
                return 0;
        target_that(config_to_oci(first, first_len, false, &second, &second_len, &error) == 0,
                    "what was written is refused: %s", error.message);
        target_that(first_len == second_len && memcmp(first, second, first_len) == 0,
                    "written twice it is another one:\n%s\n%s", first, second);
        target_that(config_to_oci((const char *)data, size, true, &member, &member_len, &error) == 0,
                    "the whole is accepted, and its member config is not: %s", error.message);
        return 0;
}
