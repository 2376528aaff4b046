/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcripts: what was said in a session, as JSON Lines, one event a line, written as it happens so that a
 * crash loses nothing. The form is in docs/protocol.md#transcripts. Secrets never go through the socket, so
 * none come here.
 */
#ifndef PROTOCOL_TRANSCRIPT_H
#define PROTOCOL_TRANSCRIPT_H

#include <stdbool.h>
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

/* ---- what a recording has besides, so that it can be replayed ---- */

/* The version of the form, which the first line of a recording names. */
#define TRANSCRIPT_VERSION 1

/* The first line of a recording: who wrote it, and the kind of the socket ("seqpacket", "stream"). */
void transcript_session(struct transcript *transcript, const char *tool, const char *socket);

/*
 * A packet as transcript_packet has it, with the numbers by which transcript_pipe_content tells later what went
 * through its descriptors; 0: through this one nothing does. @pipes has @n_fds elements.
 */
void transcript_packet_with_pipes(struct transcript *transcript, const char *direction, const char *data,
                                  size_t len, const int *fds, const unsigned *pipes, size_t n_fds);

/* What went through a pipe. */
struct transcript_content {
        unsigned pipe;      /* its number in the session, from 1 on */
        const char *name;   /* the method's */
        uint64_t bytes;     /* how many went through */
        const char *digest; /* theirs */
        const char *end;    /* as for transcript_pipe */
        bool finished;      /* FinishPipe was called before it ended */
        const char *data;   /* the bytes, where they are kept in the transcript; NULL: they are not */
        const char *file;   /* the file beside the transcript that has them; NULL: none has */
};

/* The end of a data pipe, as transcript_pipe has it, with what went through. */
void transcript_pipe_content(struct transcript *transcript, const struct transcript_content *content);

/* One side, named as for transcript_packet, closed its end of the socket. */
void transcript_end(struct transcript *transcript, const char *direction);

/* ---- the end ---- */

/* The server's end, by its wait status. */
void transcript_exit(struct transcript *transcript, int status);

/* A remark. */
void transcript_note(struct transcript *transcript, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

/* 0, or the negative errno of the first write that failed. */
int transcript_status(const struct transcript *transcript);

#endif
