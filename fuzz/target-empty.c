/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does nothing: how many inputs a second the driver itself is good for, beside which `ci/bench-targets` sets
 * the others.
 */
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        (void)data;
        (void)size;
        return 0;
}
