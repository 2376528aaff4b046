/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests: a server in a process of its own, driven by raw packets. What fails here fails the test.
 */
#ifndef FAKEPROXY_DRIVE_H
#define FAKEPROXY_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "protocol/packet.h"

struct drive {
        struct child *child;
        int socket;           /* -1: closed */
        struct packet packet; /* the last reply, with its descriptors */
};

/* Bytes that drive_data has room for. */
#define DRIVE_DATA_MAX ((size_t)128 * 1024 * 1024)

/*
 * Starts the server that @command (words with blanks between them) names, with @flags (likewise, "" for none)
 * behind it and its socket on stdin. @environment: "NAME=VALUE" or NULL, added to this process's.
 */
void drive_start(struct drive *drive, const char *command, const char *environment, const char *flags);

/* Sends a packet. */
void drive_send(struct drive *drive, const char *text);
void drive_send_bytes(struct drive *drive, const void *data, size_t len, const int *fds, size_t n_fds);

/* Receives one; its text. NULL: the server hung up. */
const char *drive_receive(struct drive *drive);

/* Both. */
const char *drive_call(struct drive *drive, const char *text);

/* True when no packet comes for a moment. */
bool drive_is_silent(struct drive *drive);

/* The pipe id of the last reply, 0 where it has none. */
unsigned drive_pipe_id(const struct drive *drive);

/*
 * Takes the pipe out of the last reply, sends FinishPipe for it, reads it to its end, and receives the answer, which
 * is then the last reply. The data is the caller's to free.
 */
char *drive_finish(struct drive *drive, size_t *ret_len);

/* Reads a descriptor of the last reply to its end, and closes it. The caller frees. */
char *drive_read(struct drive *drive, size_t index, size_t *ret_len);

/* Closes the socket, waits for the end, and returns the exit status (or 1000 and the signal). */
int drive_end(struct drive *drive);

/* Only waits. */
int drive_wait(struct drive *drive);

/* What it wrote on stderr. */
const char *drive_stderr(struct drive *drive);

/* Ends it as it is. */
void drive_clear(struct drive *drive);
#define CLEANUP_DRIVE CLEANUP(drive_clear)

#endif
