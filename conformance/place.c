/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing between memory and disk.
 */
#include "conformance/place.h"

#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/tmpdir.h"

#define MEMORY "/dev/shm"

/* More than the largest fixtures of as many checks as run at once. */
#define ROOM (UINT64_C(1) << 30)

static bool memory_has_room(void)
{
        struct statfs fs;

        return statfs(MEMORY, &fs) == 0 && fs.f_type == TMPFS_MAGIC && access(MEMORY, W_OK | X_OK) == 0 &&
               (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= ROOM;
}

int place_new(const char *prefix, char **ret_path, struct cip_error *error)
{
        if (!getenv("TMPDIR") && memory_has_room())
                setenv("TMPDIR", MEMORY, 1);
        return tmpdir_new(prefix, ret_path, error);
}
