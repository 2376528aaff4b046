/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ending what a server left running. The process of a check is a subreaper: orphans of its server become its
 * children.
 */
#ifndef CONFORMANCE_DESCENDANTS_H
#define CONFORMANCE_DESCENDANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DESCENDANT_NAME_SIZE 32

/*
 * From now on the child @pid, which is no server's but the check's own, is none of those that the functions below are
 * about; of descendants_end_all it is. 0: there is none any more. Only the latest one is.
 */
void descendants_spare(pid_t pid);

/* True when this process has no child that runs. Those that ended are reaped. */
bool descendants_gone(void);

/*
 * Ends every descendant of this process with SIGKILL and reaps it. Returns how many there were; the name of one
 * goes to @ret_name, which may be NULL. Async-signal-safe.
 */
size_t descendants_end(char ret_name[DESCENDANT_NAME_SIZE]);

/* The same, and spares none. */
void descendants_end_all(void);

#endif
