/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hint's words. The search itself is base's.
 */
#include "conformance/nearest.h"

#include <stdio.h>

const char *nearest_hint(const struct nearest *nearest, char *ret, size_t size)
{
        snprintf(ret, size, "%s%s%s", nearest->best ? " (did you mean " : "",
                 nearest->best ? nearest->best : "", nearest->best ? "?)" : "");
        return ret;
}
