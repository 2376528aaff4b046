/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipe that the server fills in the background: content from memory or from a file, verified or not, changed
 * by the steps of a rule. It is written as far as it goes without waiting; nothing is kept in between but an
 * offset, so that any number of pipes of any size need no memory to speak of.
 */
#ifndef FAKEPROXY_PIPE_H
#define FAKEPROXY_PIPE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fakeproxy/rule.h"
#include "image/digest.h"
#include "image/generated.h"
#include "protocol/message.h"

struct pipe {
        struct pipe *next;
        uint32_t id;  /* what the reply calls it; 0: no FinishPipe can name it */
        int write_fd; /* -1: closed */
        bool done;    /* nothing more will be written; `code` and `error` say how it went */
        bool held;    /* nothing is written for now */
        bool finish_waits;
        bool was_finished;     /* FinishPipe was called */
        bool closes_when_done; /* does not wait for FinishPipe */
        bool keeps_source;     /* source_fd stays open when all is written */
        enum error_code code;
        char *error; /* NULL: all went well. Owned */

        /* content */
        char *memory;                           /* owned; NULL: from source_fd */
        int source_fd;                          /* -1: from memory */
        const struct generated_blob *generated; /* or from here. Borrowed */
        uint64_t offset;                        /* what was taken of the content so far */
        uint64_t size;
        bool grows; /* the content is not all there yet: more than `size` is to come */

        /* verification, as far as wanted */
        struct digest *digest;
        char expected_digest[DIGEST_TEXT_SIZE]; /* "": not verified */
        bool verify_size;
        uint64_t expected_size;

        /* the steps of a rule */
        const struct data_step *step; /* NULL: faithful */
        uint64_t step_done;           /* of step->n */
        uint64_t step_began_ns;       /* when a drip began */
        uint64_t seed;                /* of random steps */
        uint64_t written;             /* bytes that went into the pipe, whatever they were */
        uint64_t wake_ns;             /* not before; 0: now */

        struct pipe *error_pipe; /* of a raw blob: told how it went. Borrowed */
        bool forgets_reader_gone, never_notices_reader_gone;
        bool silent_errors, errors_on_success; /* what the error pipe is told */
        bool reader_gone;                      /* a write found it so */
        bool ends_process;                     /* a step says so, with exit_status or by exit_signal */
        int exit_status, exit_signal;
        unsigned number;       /* of the pipes of the session, from 1 on; 0: an error pipe */
        size_t verdict_number; /* in the verdict */
};

/* Bytes that are moved at a time, at most. */
#define PIPE_CHUNK ((size_t)256 * 1024)

/* Bytes that a pipe holds unless it was made larger. */
#define PIPE_DEFAULT ((size_t)64 * 1024)

/*
 * Makes a pipe; *@ret_read_fd is the caller's. @size is for how much data, to choose the pipe's capacity. Returns
 * 0 or a negative errno.
 */
int pipe_new(uint64_t size, struct pipe **ret, int *ret_read_fd);

/* Closes and frees. Takes NULL. */
void pipe_free(struct pipe *pipe);
DEFINE_CLEANUP(struct pipe *, pipe_free);

/* Content: a copy of @len bytes. Returns 0 or -ENOMEM. */
int pipe_set_memory(struct pipe *pipe, const void *data, size_t len);

/* Writes what goes without waiting, @buffer being PIPE_CHUNK bytes of scratch. True: something was done. */
bool pipe_pump(struct pipe *pipe, char *buffer);

/* Whether it would be written if its reader made room: poll write_fd for POLLOUT. */
bool pipe_wants_room(const struct pipe *pipe, uint64_t now_ns);

/* Ends it where it is, as if it had failed so; @error NULL: as if all was well. */
void pipe_end(struct pipe *pipe, enum error_code code, const char *error);

#endif
