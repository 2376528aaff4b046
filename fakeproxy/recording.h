/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recording as it is held in memory: what the client asked, what the server said to each, and what went through
 * the pipes.
 */
#ifndef FAKEPROXY_RECORDING_H
#define FAKEPROXY_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"

/* What went through one pipe. */
struct recorded_pipe {
        unsigned number; /* 0: no pipe of this number has come yet */
        uint64_t bytes;
        bool finished; /* it ended after FinishPipe */
        bool ended;    /* the server ended it; false: the client closed it, or nobody did */
        char *data;    /* NULL: they are in a file */
        int file;      /* -1: there is none. Owned */
};

/* A descriptor that came along with a packet. */
struct recorded_fd {
        char kind[16];   /* as fd_kind has it */
        unsigned number; /* of its pipe; 0: it is none */
};

struct recorded_packet {
        char *data; /* NUL-terminated behind len bytes */
        size_t len;
        struct recorded_fd *fds;
        size_t n_fds;
};

enum recorded_kind {
        RECORDED_START, /* not asked at all: what a server says of its own accord at the start */
        RECORDED_REQUEST,
        RECORDED_SHUTDOWN,
        RECORDED_END, /* an empty packet, or the end of input */
};

/* What the client did, and what the server said to it. */
struct recorded_exchange {
        enum recorded_kind kind;
        struct recorded_packet asked; /* not of RECORDED_START and RECORDED_END */
        struct recorded_packet *replies;
        size_t n_replies;
        bool used; /* for who replays: it was asked */
};

struct recording {
        struct recorded_exchange *exchanges; /* the first is RECORDED_START */
        size_t n_exchanges;
        struct recorded_pipe *pipes; /* by number less 1 */
        size_t n_pipes;
        int status; /* the server's exit status */
        int signal; /* 0, or the signal that ended it */
};

/* Reads a transcript. As replay_new in what it returns. @ret is to be cleared in any case. */
int recording_read(const char *path, struct recording *ret, struct cip_error *error);

void recording_clear(struct recording *recording);

#endif
