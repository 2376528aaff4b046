/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hint at the name that somebody may have meant, as messages have it.
 */
#ifndef CONFORMANCE_NEAREST_H
#define CONFORMANCE_NEAREST_H

#include <stddef.h>

#include "base/text.h"

/* " (did you mean NAME?)", or "" where no name is near. @ret of @size bytes. Returns @ret. */
const char *nearest_hint(const struct nearest *nearest, char *ret, size_t size);

#endif
