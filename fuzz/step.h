/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers do to a server: a sequence of steps, each a thing that a client can do. A sequence is made
 * from numbers alone, so that the same seed gives the same one, and is kept in a file of JSON Lines that people
 * read, edit and replay. It names what only a run knows by its place: `${pipe3}` in a packet is the pipeid that
 * came with the third pipe of the session (a number that no pipe has, where there was none). References in
 * packets are relative to the folder in which the server runs.
 */
#ifndef FUZZ_STEP_H
#define FUZZ_STEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

enum step_kind {
        STEP_SEND,    /* sends one packet, and receives what is due */
        STEP_READ,    /* reads from a pipe */
        STEP_DROP,    /* closes the read end of a pipe */
        STEP_SHUT,    /* shutdown(SHUT_WR): no more requests, replies still welcome */
        STEP_HANG_UP, /* closes the socket; no step comes after it */
        STEP_KINDS,
};

/* What is sent along with a packet. */
enum step_fd {
        STEP_FD_PIPE_READ,
        STEP_FD_PIPE_WRITE,
        STEP_FD_FILE,
        STEP_FD_DIRECTORY,
        STEP_FD_SOCKET,
        STEP_FD_OWN_SOCKET, /* the client's end of the session's socket */
        STEP_FD_DEVICE,     /* /dev/zero */
        STEP_FDS,
};

struct step {
        enum step_kind kind;
        char *text; /* SEND: the packet with its placeholders, owned; any bytes */
        size_t len;
        enum step_fd *fds; /* owned */
        size_t n_fds;
        bool pipelined; /* SEND: the next step comes at once, its reply is taken later */
        bool leave;     /* SEND of FinishPipe: nobody reads the pipe meanwhile, as long as the deadline holds */
        unsigned pipe;  /* READ, DROP: the number of the pipe in the session, from 1 on */
        uint64_t bytes; /* READ: at most so many; UINT64_MAX: until it is empty and its writer has gone quiet */
};

struct sequence {
        struct step *steps;
        size_t n_steps;
        uint64_t seed, number; /* it is the number-th sequence of that seed; 0, 0: made otherwise */
};

void step_clear(struct step *step);
void sequence_free(struct sequence *sequence);
DEFINE_CLEANUP(struct sequence *, sequence_free);

/* A copy without the steps of which @skip (of n_steps elements, may be NULL) says true. NULL without memory. */
struct sequence *sequence_copy(const struct sequence *sequence, const bool *skip);

#define STEP_WORD_SIZE 64

/*
 * The method that a step asks for, as a word in @ret, which is returned: "FinishPipe" for one with a
 * placeholder, "nonsense" for what is no request of a method that there is, "epilogue" behind the last step.
 */
const char *step_word(const struct sequence *sequence, size_t step, char ret[STEP_WORD_SIZE]);

/* Writes it as JSON Lines. Returns 0, or -EIO where @out has failed. */
int sequence_write(const struct sequence *sequence, FILE *out);

/*
 * Reads a file of steps; also a transcript or recording of a session: its client's packets, the numbers of
 * pipes in them made placeholders. Strict on what it knows, tolerant of events that it does not know. -EINVAL
 * with @error, which names file and line.
 */
int sequence_read(const char *path, struct sequence **ret, struct cip_error *error);
int sequence_parse(const char *name, const char *text, size_t len, struct sequence **ret,
                   struct cip_error *error);

#endif
