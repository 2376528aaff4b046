/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a run keeps its folders: in memory, where there is room. A run makes and removes thousands of small
 * files, which takes a disk's file system four times as long as all the rest.
 */
#ifndef CONFORMANCE_PLACE_H
#define CONFORMANCE_PLACE_H

#include "base/cip-error.h"

/*
 * Makes the folder, below TMPDIR where that is set, else below /dev/shm where it is in memory and has room,
 * else below /tmp. For tmpdir_remove. Returns 0 or a negative errno with @error.
 */
int place_new(const char *prefix, char **ret_path, struct cip_error *error);

#endif
