/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Baselines. What is accepted names a check and a defect in each entry.
 */
#include "conformance/baseline.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_baseline_free) struct baseline *baseline = NULL;
        struct cip_error error = {0};

        if (baseline_parse(&server_catalogue, "input", (const char *)data, size, &baseline, &error) < 0) {
                target_that(*error.message, "a baseline was refused without a word");
                return 0;
        }
        for (size_t i = 0; i < baseline->n_entries; i++)
                target_that(baseline->entries[i].check && *baseline->entries[i].defect &&
                                    baseline->entries[i].n_releases,
                            "entry %zu lacks something", i);
        return 0;
}
