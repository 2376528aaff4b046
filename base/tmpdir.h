/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private temporary folders that go away: when they are removed, when the program ends, and when it is killed
 * at any moment. A small process of ours (the janitor), started with the first folder, waits for the end of
 * this process and of all that it forked without exec, and removes what is left.
 */
#ifndef BASE_TMPDIR_H
#define BASE_TMPDIR_H

#include "base/cip-error.h"
#include "base/cleanup.h"

/*
 * Makes a folder of mode 0700 below TMPDIR (else /tmp). *@ret_path is absolute and for the caller to hand to
 * tmpdir_remove, which frees it too.
 */
int tmpdir_new(const char *prefix, char **ret_path, struct cip_error *error);

/* Removes the folder with all that is in it, and frees @take_path. Takes NULL. */
void tmpdir_remove(char *take_path);
DEFINE_CLEANUP(char *, tmpdir_remove);

/*
 * Removes @path below @dir_fd with all that is in it; symbolic links are removed, not followed, and folders
 * without write permission are opened up. Returns 0 (also where there is none) or the first negative errno.
 */
int remove_tree_at(int dir_fd, const char *path);

#endif
