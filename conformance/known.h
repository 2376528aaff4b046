/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline that is built into the program: the bytes of known/skopeo.json, made into C by the build.
 */
#ifndef CONFORMANCE_KNOWN_H
#define CONFORMANCE_KNOWN_H

#include <stddef.h>

extern const unsigned char known_skopeo_json[];
extern const size_t known_skopeo_json_size;

#endif
