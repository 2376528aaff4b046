/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session of the fake: what it holds, and what its parts call of one another. server.c has the event loop and
 * reads packets, methods.c carries requests out, answer.c sends replies and does what rules say.
 */
#ifndef FAKEPROXY_SERVER_H
#define FAKEPROXY_SERVER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fakeproxy/emulate.h"
#include "fakeproxy/options.h"
#include "fakeproxy/pipe.h"
#include "fakeproxy/rule.h"
#include "fakeproxy/scenario.h"
#include "fakeproxy/verdict.h"
#include "image/source.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/packet.h"

struct open_image {
        uint64_t id;
        bool closed;     /* kept by a fault */
        char *reference; /* owned; NULL: no memory */
        struct image *image;
};

/* A packet that waits to be sent, and what it waits for. */
struct outgoing {
        struct outgoing *next;
        char *data;
        size_t len;
        int *fds; /* owned */
        size_t n_fds;
        uint64_t not_before_ns;
        struct pipe *after_pipe;    /* NULL, or one that must be done first */
        bool is_pause;              /* nothing is sent, only waited, */
        uint64_t pause_ns;          /* so long from when it is the first */
        const struct rule_do *then; /* nothing is sent, but this rule's end comes now; NULL: none */
};

/* A FinishPipe that waits, as rules are asked about it again when it is answered. Owned. */
struct finishing {
        struct rule_packet packet;
        char *data, *method;
        struct json_object *args;
};

/* The answer to a request, before it is text. Zero-initialise. */
struct answer {
        bool success;
        struct json_object *value;
        uint32_t pipeid;
        enum error_code code;
        char *error; /* NULL: success, once `success` is set */
        int fds[2];  /* owned */
        size_t n_fds;
        struct pipe *pipe, *errors; /* borrowed from the server's list */
        bool none;                  /* no reply, ever (Shutdown) */
        bool later;                 /* no reply yet (FinishPipe waits) */
};

/* Files of blobs that may be left open at once, until all of them are closed. */
#define LEFT_OPEN_MAX 64

struct server {
        int socket; /* owned */
        bool is_stream;
        const struct options *options;
        struct behaviours b;
        const struct rule *rules;
        size_t n_rules;
        struct rule_state *states;
        const struct scenario *scenario; /* NULL: none */
        struct generated *generated;     /* its image; NULL: not made yet */
        struct verdict *verdict;         /* NULL: none is wanted */
        int signals;                     /* a signalfd, where there is a verdict to finish; -1: none */
        uint64_t flood;                  /* bytes that are to go to stderr */

        bool initialized;
        uint64_t last_image_id;
        struct open_image *images;
        size_t n_images;
        struct pipe *pipes; /* oldest first */
        size_t n_pipes_made;
        unsigned n_numbered;          /* of pipes, as rules count them */
        int left_open[LEFT_OPEN_MAX]; /* owned: leaves_blobs_open */
        size_t n_left_open;
        struct hoard *hoard; /* owned: what a leak has taken */

        struct packet packet;
        uint64_t n_packets, n_events;
        struct outgoing *out;  /* oldest first */
        struct outgoing *kept; /* a reply that is sent behind the next (answers_out_of_order) */
        char *buffer;          /* PIPE_CHUNK bytes */

        struct finishing finishing;

        bool stopped_reading; /* by a rule */
        bool ignores_signals; /* likewise */
        bool input_ended;     /* nothing will be read, and pipes go on */
        bool ending;          /* the loop ends when nothing waits to be sent */
        bool ended;           /* the loop ends */
        int status;           /* and the process with this one */
        const char *ended_by; /* for the verdict; NULL: "exit" */
};

/* Serves on @take_socket to the end. Returns the process's exit status. */
int server_run(const struct options *options, int take_socket);

/* Lets the loop end. @status is 0 or 1, which behaviours may change. */
void server_end(struct server *server, int status);

/* Writes the verdict, as something is about to be sent that a client may act on. */
void session_answers(struct server *server);

/* Completes the verdict and writes it. Called before each end; the first one counts. */
void session_ended(struct server *server, const char *ended, int status);

/* ---- methods.c ---- */

/* Carries out a request. */
void method_execute(struct server *server, const struct request *request, struct answer *ret);

/* Fills in a failure; a code of 0.2.8 is taken in any version. */
void answer_fail(struct answer *answer, enum error_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The outcome of a pipe as the answer to FinishPipe. The pipe is closed and forgotten. */
void finish_pipe(struct server *server, struct pipe *pipe, struct answer *ret);

void images_free(struct server *server);

/* Leaves a file in TMPDIR, as some behaviours do. */
void leave_file(void);

/* Closes the blobs that a quirk has left open. */
void close_left_open(struct server *server);

/* Tells the verdict how the pipe stands. */
void pipe_seen(struct server *server, const struct pipe *pipe);

/* ---- answer.c ---- */

/* Turns an answer into packets, as behaviours and the rule (may be NULL) will have it. Clears @answer. */
void answer_send(struct server *server, struct answer *answer, const struct rule_do *rule);

/* Ends the process by a signal, whatever is blocked or ignored. */
void end_by_signal(struct server *server, int number);

/* What a rule does besides answering, for events that have no answer. */
void rule_act(struct server *server, const struct rule_do *rule);

void answer_clear(struct answer *answer);

/* Makes it the failure that a rule wants, if it wants one. */
void answer_refuse(struct answer *answer, const struct rule_do *rule);

/* Sends what can be sent now. False: the client is gone, or the like (the server has ended). */
bool outgoing_flush(struct server *server);

/* When the first packet may go; UINT64_MAX: it waits for something else than time. */
uint64_t outgoing_wake_ns(const struct server *server);

void outgoing_free(struct outgoing *outgoing);

#endif
