/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcripts: what was said in a session, as JSON Lines, one event a line, written as it happens so that a
 * crash loses nothing. The form is in docs/protocol.md#transcripts. Secrets never go through the socket, so
 * none come here.
 */
#ifndef PROTOCOL_TRANSCRIPT_H
#define PROTOCOL_TRANSCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

struct transcript;

/* Starts a transcript on @take_fd. Times count from now. Returns 0 or -ENOMEM (and has closed @take_fd). */
int transcript_new(int take_fd, struct transcript **ret);

void transcript_free(struct transcript *transcript);
DEFINE_CLEANUP(struct transcript *, transcript_free);

/*
 * Every function below takes NULL for @transcript and does nothing then. A write that fails is kept:
 * transcript_status returns it.
 */

/* A packet. @direction is ">" for client to server, "<" for server to client. Descriptors with their kind. */
void transcript_packet(struct transcript *transcript, const char *direction, const char *data, size_t len,
                       const int *fds, size_t n_fds);

/* The end of a data pipe: its bytes, their digest (may be NULL), and how it ended ("eof", "closed", ..). */
void transcript_pipe(struct transcript *transcript, const char *name, uint64_t bytes, const char *digest,
                     const char *end);

/* The server's end, by its wait status. */
void transcript_exit(struct transcript *transcript, int status);

/* A remark. */
void transcript_note(struct transcript *transcript, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* 0, or the negative errno of the first write that failed. */
int transcript_status(const struct transcript *transcript);

#endif
