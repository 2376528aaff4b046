/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fails on purpose, on what begins as a shebang line does: what tells findings is tested with it. Nobody fuzzes it
 * otherwise.
 */
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        target_that(size < 2 || data[0] != '#' || data[1] != '!', "a defect on purpose");
        return 0;
}
