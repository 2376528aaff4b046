/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of check.h: one check under way in its own process. context.c runs the check and ends the
 * process, server.c starts and ends servers, talk.c sends and receives, pipe.c reads data, fixtures.c makes
 * images, closing.c asks the closing questions. Memory goes with the process.
 */
#ifndef CONFORMANCE_CONTEXT_H
#define CONFORMANCE_CONTEXT_H

#include "base/child.h"
#include "base/deadline.h"
#include "conformance/check.h"
#include "conformance/outcome.h"
#include "conformance/subject.h"
#include "conformance/world.h"
#include "protocol/transcript.h"

/* What a process of a check needs to know. Borrowed. */
struct assignment {
        const struct check *check;
        const struct subject *subject;
        const char *folder;     /* the check's own; made and removed by the process */
        const char *transcript; /* path of the file to write */
        double timeout;         /* seconds */
        struct outcome *outcome;
};

/* A fixture that was written into the check's folder. */
struct fixture_copy {
        const char *name, *path;
        struct manifest *manifest; /* NULL until it is asked for */
        struct fixture_copy *next;
};

struct check_context {
        const struct check *check;
        const struct subject *subject;
        const char *folder;
        const char *transcript_path;
        double timeout;
        struct outcome *outcome;
        struct deadline deadline;
        struct world *world;
        struct transcript *transcript;
        struct fixture_copy *fixtures;
        char *closing_text; /* what fell short so far at the closing questions, or NULL */

        /* The session with the server. */
        struct child *child;
        struct observed seen_fds, seen_threads; /* of the child, until it is reaped */
        int socket;
        struct version version;
        const char *asked;   /* the latest request, for messages; "" before the first */
        char *asked_text;    /* its memory, where it has any */
        size_t fds_at_start; /* the server's descriptors right after Initialize */
        bool counted;        /* fds_at_start holds */
        bool ended;          /* the server's end was seen, with @status */
        int status;
        bool end_is_due; /* the check knows of the server's end: it hung up, waited, or saw it */
        int expect_exit; /* -1: any */
        bool expect_open, expect_stderr;
};

/*
 * Does once, in the process that forks those of checks, what this check takes. Returns 0 or a negative errno with
 * @error.
 */
int context_prepare(const struct check *check, const struct subject *subject, struct cip_error *error);

/* Runs a check from its beginning to its end in this process, and ends it. */
_Noreturn void context_run(const struct assignment *assignment);

/* Says what the check waits for, in case that it never comes. */
void context_doing(struct check_context *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Waits for @events on @fd, taking in the server's stderr meanwhile. Returns what happened, or 0 when the
 * check's deadline, or @limit before that, has passed.
 */
short context_wait(struct check_context *c, int fd, short events, struct deadline limit);

/*
 * What became of the server, as a phrase for messages: "it still runs", "it exited with status 2 (stderr:
 * panic: ..)". Waits a moment for an end that is under way. Text of the check's lifetime.
 */
const char *context_server_state(struct check_context *c);

/* True when the server is seen to be asleep for a while without a use of CPU. False at @limit. */
bool context_server_sleeps(struct check_context *c, struct deadline limit, int stop_fd);

/* The line of the server's stderr that says most: that of a panic, else the last. Safe text, "" for none. */
const char *context_stderr_line(struct check_context *c);

/* Asks the closing questions of the session, notes what fell short, and frees the server. */
void closing_session(struct check_context *c);

/* Asks those of the world, after the last session. */
void closing_world(struct check_context *c);

#endif
