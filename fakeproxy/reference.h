/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What skopeo says of a reference before it looks for the image: its form, and paths that cannot be looked at.
 * In full length, where an error record has room for a part of it. NUL bytes are GO_NUL in what comes and goes
 * here.
 */
#ifndef FAKEPROXY_REFERENCE_H
#define FAKEPROXY_REFERENCE_H

#include "fakeproxy/rule.h"

/* @reference with its path as Go's filepath.Clean leaves it. NULL: no memory. The caller frees. */
char *reference_clean(const char *reference);

/* What is wrong with @reference; NULL: nothing so far, or no memory. The caller frees. */
char *reference_problem(const struct behaviours *behaviours, const char *reference);

/* The whole of a message about @reference that did not fit an error record; NULL: it did. The caller frees. */
char *reference_whole_error(const char *reference, const char *message);

#endif
