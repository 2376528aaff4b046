/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fake registry was asked, a line or a struct for each request: for checks, which judge by it who asked
 * whom with what, and for people. No password, token or key ever gets here: of a token there is an id that
 * stands for it. What clients sent is made safe to show, and cut where it is very long.
 */
#ifndef FAKEREGISTRY_LOG_H
#define FAKEREGISTRY_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "fakeregistry/rule.h"

/* So many requests are kept to be read; the file has all of them. */
#define REGISTRY_LOG_KEPT 10000

enum registry_end {
        REGISTRY_END_UNDER_WAY = 0,
        REGISTRY_END_COMPLETE, /* the whole answer was sent */
        REGISTRY_END_CUT,      /* a rule closed the connection */
        REGISTRY_END_LEFT,     /* the client did, or was silent for too long */
        REGISTRY_END_STOPPED,  /* the registry was stopped meanwhile */
};

/* One request. Strings that do not apply are "". */
struct registry_request {
        uint64_t number;     /* from 1, in the order of arrival */
        double seconds;      /* of its arrival, since the registry's start */
        double took;         /* seconds until its end */
        char *listener;      /* the name of the one that it came to */
        char *host;          /* the Host header, with its port */
        char *method, *path; /* the path without the query */
        enum registry_kind kind;
        char *repository, *reference;
        char *scope;  /* of a request for a token */
        char *range;  /* the Range header */
        char *accept; /* the Accept headers, in one */
        enum registry_credentials credentials;
        char *user;  /* who was let in, or tried to be */
        char *token; /* "t3": the third that was given out; "NAME": that user's registry token; "unknown" */
        char *given; /* of a successful request for a token: the id of the one that was given */
        char *user_agent;
        char *client_certificate; /* its subject, "CN=client" */
        unsigned status;          /* 0: none was sent */
        uint64_t bytes;           /* of the body that were handed to the system */
        char *rule;               /* the one that acted, by its name */
        enum registry_end end;
};

/* What was read from a registry, by registry_read_log. */
struct registry_log_copy {
        struct registry_request *requests;
        size_t n;
};

void registry_log_copy_clear(struct registry_log_copy *copy);
static inline void cleanup_registry_log_copy(struct registry_log_copy *copy)
{
        registry_log_copy_clear(copy);
}

/*
 * How many of them fit @when; its outcome is held against the status that was sent; nth, from and until do not
 * count.
 */
size_t registry_log_count(const struct registry_log_copy *copy, const struct registry_when *when);

/* The first that does, behind @after (NULL: from the start). NULL: there is none. */
const struct registry_request *registry_log_find(const struct registry_log_copy *copy,
                                                 const struct registry_when *when,
                                                 const struct registry_request *after);

/* Word of the log: "complete". Static text. */
const char *registry_end_name(enum registry_end end);

/* ---- for the registry itself ---- */

struct registry_log;

/* @take_fd: where the lines go; -1: nowhere. */
int registry_log_new(int take_fd, struct registry_log **ret);
void registry_log_free(struct registry_log *log);
DEFINE_CLEANUP(struct registry_log *, registry_log_free);

/*
 * Numbers and dates a request that arrived, and takes a copy. Threads may call it at once. Returns 0 or
 * -ENOMEM.
 */
int registry_log_begin(struct registry_log *log, struct registry_request *request);

/* It has ended: as begun, with what came of it. */
void registry_log_finish(struct registry_log *log, struct registry_request *request);

int registry_log_read(struct registry_log *log, struct registry_log_copy *ret);

/* Waits until @n have come and none is under way. Returns 0 or -ETIMEDOUT. */
int registry_log_wait(struct registry_log *log, uint64_t n, struct deadline deadline);

/* Whether a line could not be written: the errno of the first, negative; else 0. */
int registry_log_failure(struct registry_log *log);

/* Copies a client's text, made safe to show and cut to some 4 KiB. NULL gives "". NULL: no memory. */
char *registry_log_text(const char *text);

void registry_request_clear(struct registry_request *request);

#endif
