/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fake registry does otherwise than it should, and when. Rules are plain data, written by a scenario
 * (scenario.h) or by hand in C; strings are borrowed. They are tried in order for each request, the first whose
 * `when` holds acts, and no other; without rules the registry is faithful. docs/fake-registry.md
 */
#ifndef FAKEREGISTRY_RULE_H
#define FAKEREGISTRY_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a request is about, by its path. */
enum registry_kind {
        REGISTRY_ANY = 0,
        REGISTRY_PING,      /* /v2/ */
        REGISTRY_MANIFEST,  /* /v2/REPOSITORY/manifests/TAG or DIGEST */
        REGISTRY_BLOB,      /* /v2/REPOSITORY/blobs/DIGEST */
        REGISTRY_TAGS,      /* /v2/REPOSITORY/tags/list */
        REGISTRY_REFERRERS, /* /v2/REPOSITORY/referrers/DIGEST */
        REGISTRY_TOKEN,     /* /token */
        REGISTRY_OTHER,
};

/* What a request brings to say who it is from. */
enum registry_credentials {
        REGISTRY_CREDENTIALS_ANY = 0,
        REGISTRY_CREDENTIALS_NONE,
        REGISTRY_CREDENTIALS_BASIC,
        REGISTRY_CREDENTIALS_BEARER,
        REGISTRY_CREDENTIALS_IDENTITY, /* an identity token, of POST /token */
        REGISTRY_CREDENTIALS_OTHER,
};

/* The faithful answer: a status below 400, or another one. */
enum registry_outcome {
        REGISTRY_OUTCOME_ANY = 0,
        REGISTRY_OUTCOME_SUCCESS,
        REGISTRY_OUTCOME_FAILURE,
};

/* All that is not zero must hold. */
struct registry_when {
        enum registry_kind kind;
        const char *method;     /* "GET", "HEAD", "POST" */
        const char *listener;   /* its name */
        const char *host;       /* as the client has it in Host, without the port */
        const char *repository; /* a pattern, of fnmatch(3): "team/" and a star */
        const char *reference;  /* a tag or a digest; a pattern too */
        const char *user;       /* who was let in, or tried to be */
        const char *user_agent; /* text in it */
        enum registry_credentials credentials;
        enum registry_outcome outcome;
        bool range;           /* a part was asked for */
        uint64_t nth;         /* 1 is the first of the requests that fit all else */
        uint64_t from, until; /* those from that one on, to that one */
};

/* A number that may be left out; 0 is one too. */
struct registry_number {
        bool there;
        uint64_t value;
};
#define REGISTRY_NUMBER(n) \
        {                  \
                true, (n)  \
        }

struct registry_header {
        const char *name;
        const char *value; /* NULL: the header is left out */
};

struct registry_redirect {
        bool there;
        const char *listener; /* its name; NULL: the same one, which the rule then sees again: a loop */
        const char *path;     /* NULL: that of the request */
        const char *location; /* the header's text, instead of both */
};

struct registry_cut {
        bool there;
        uint64_t after;  /* bytes of the body, or of the head */
        bool in_headers; /* `after` counts from the status line on, and the body never comes */
        bool reset;      /* by a RST instead of a FIN */
};

struct registry_stall {
        bool there;
        uint64_t after;  /* bytes of the body */
        uint64_t for_ms; /* 0: as long as is allowed, see registry_limits */
        bool then_close; /* else it goes on */
};

/*
 * What is done, all of it: the answer is made first (from `status` to `range`), then sent (from `delay_ms` on).
 */
struct registry_act {
        unsigned status;                       /* 0: the faithful one, or 307 for a redirect */
        const char *code;                      /* of the error, "TOOMANYREQUESTS"; NULL: what fits the status */
        const char *message;                   /* likewise */
        const char *body;                      /* in place of the faithful one, or of the error's */
        const char *media_type;                /* Content-Type */
        const struct registry_header *headers; /* set, or left out */
        size_t n_headers;
        struct registry_redirect redirect;
        const char *serve; /* what another tag or digest of the repository has, under this one's name */
        struct registry_number corrupt_at;  /* the byte at this offset of the content is another one */
        struct registry_number truncate_to; /* the content is shorter, and Content-Length agrees */
        uint64_t lengthen_by; /* so many zero bytes behind the content, Content-Length in keeping */
        struct registry_number content_length; /* what the header says, whatever is sent */
        bool ignore_range;                     /* the whole is sent, with 200 */
        bool expire_token;                     /* the token of this request is void from now on, and refused */
        uint64_t delay_ms;                     /* before the first byte */
        uint64_t bytes_per_s;                  /* the body drips */
        struct registry_stall stall;
        struct registry_cut cut;
        const char *raw; /* these bytes in place of head and body, and the connection is closed */
};

struct registry_rule {
        const char *name; /* for the log; NULL: "rule N", from 0 */
        struct registry_when when;
        struct registry_act act;
};

/* What a `when` is held against. Strings may be NULL. */
struct registry_facts {
        enum registry_kind kind;
        const char *method, *listener, *host, *repository, *reference, *user, *user_agent;
        enum registry_credentials credentials;
        bool failed; /* the faithful answer */
        bool range;
};

/* Whether all but nth, from and until holds. */
bool registry_when_fits(const struct registry_when *when, const struct registry_facts *facts);

/*
 * The first rule that acts, or NULL. @counts, one for each rule, hold how many requests have fitted so far;
 * they all go on, also those of rules behind the one that acts.
 */
const struct registry_rule *registry_rules_match(const struct registry_rule *rules, size_t n, uint64_t *counts,
                                                 const struct registry_facts *facts);

/* Words of the log and of scenarios: "manifest", "bearer". Static text. */
const char *registry_kind_name(enum registry_kind kind);
const char *registry_credentials_name(enum registry_credentials credentials);

#endif
