/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out a sequence of steps on a server, and writes down all that came of it; oracles judge that, and
 * `diff` compares two of them. Behind the steps comes an epilogue, where the session still serves: pipes are
 * read and finished, images closed, so that what is left open then was leaked.
 */
#ifndef FUZZ_DRIVE_H
#define FUZZ_DRIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "fuzz/stable.h"
#include "fuzz/step.h"
#include "image/digest.h"
#include "protocol/method.h"
#include "protocol/version.h"

/* Bytes of a pipe that are kept for messages and oracles. */
#define SEEN_HEAD 4096

/* A packet that came. */
struct seen_packet {
        size_t step; /* the index of the step that it answers, by order; n_steps and above: of the epilogue */
        const struct method *method; /* that this one asked for; NULL: none that the protocol knows */
        unsigned finishes;           /* the number of the pipe that FinishPipe was asked for, or 0 */
        char *data;                  /* NUL-terminated behind @len */
        size_t len;
        size_t n_fds;
        unsigned first_pipe; /* the number of the first pipe that came along; 0: none did */
        char kinds[64];      /* of the descriptors: "pipe-read pipe-read"; cut where it does not fit */
};

/* A pipe that came. Its number in the session is its index plus 1. */
struct seen_pipe {
        size_t step;                   /* the index of the step that opened it */
        uint32_t pipeid;               /* 0: of a raw blob */
        bool errors;                   /* the error pipe of a raw blob */
        uint64_t bytes;                /* that were read */
        char digest[DIGEST_TEXT_SIZE]; /* sha256 of them */
        char *head;                    /* the first of them, at most SEEN_HEAD, NUL-terminated; NULL: none */
        size_t head_len;
        bool ended;       /* by the server: end of file was seen, .. */
        bool ended_last;  /* .. when it had been told to end, or had ended: with whatever was in it then */
        bool dropped;     /* by a step, before that */
        bool finish_sent; /* FinishPipe was asked for it, .. */
        bool finished;    /* .. and answered with success */
};

/* How a run stopped before its steps were done. */
enum run_end {
        RUN_DONE,
        RUN_SERVER_ENDED, /* the server closed its socket or ended, and nobody had asked it to */
        RUN_NO_ANSWER,    /* no reply within the deadline, while the server slept */
        RUN_BUSY,         /* the same, while the server used a processor */
};

struct run {
        struct seen_packet *packets;
        size_t n_packets;
        struct seen_pipe *pipes;
        size_t n_pipes;
        enum run_end end;
        size_t end_step;        /* where it stopped; n_steps and above: in the epilogue */
        bool extra_packet;      /* a reply came that nobody had asked for */
        bool end_asked;         /* Shutdown, an empty packet or the closed socket: the server is to end */
        struct version version; /* that Initialize announced, or {0} */
        int status;             /* of the server, as waitpid gives it, after it was hung up on */
        bool killed;            /* it did not end by itself within the deadline, and was killed */
        char *stderr_text;      /* the tail, hostile; NULL: nothing */
        size_t fds_first,
                fds_last; /* the server's descriptors after its first answer, and after the epilogue */
        size_t threads_last;
        uint64_t memory_first, memory_last; /* bytes of resident memory, likewise; 0: not taken */
        char *leftovers;                    /* files that it left, ", " between them; NULL: none */
        double slowest;                     /* seconds of the slowest step, */
        size_t slowest_step;                /* and which one */
};

void run_clear(struct run *run);

struct drive_options {
        double deadline;        /* seconds without an answer before it is taken to be none */
        const char *transcript; /* a file to write the session to, or NULL */
        int stop_fd;            /* readable: end at once; -1: none */
};

/*
 * Runs @sequence on a fresh server. Returns 0 with *@ret, whatever the server did; or a negative errno with
 * @error: the command cannot be started, the machine lacks something, -EINTR where @stop_fd said so.
 */
int drive(struct stable *stable, const struct sequence *sequence, const struct drive_options *options,
          struct run *ret, struct cip_error *error);

#endif
