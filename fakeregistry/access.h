/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is let in: users, and the tokens that the token service has given out. Names and ids of tokens come out
 * of here for the log; passwords and tokens do not.
 */
#ifndef FAKEREGISTRY_ACCESS_H
#define FAKEREGISTRY_ACCESS_H

#include "fakeregistry/registry.h"

enum registry_verdict {
        REGISTRY_GRANTED = 0,
        REGISTRY_UNKNOWN,       /* nobody, and somebody is wanted */
        REGISTRY_WRONG,         /* credentials that are not right */
        REGISTRY_INVALID_TOKEN, /* one that expired, or was never given out */
        REGISTRY_NOT_IN_SCOPE,  /* a token for something else */
        REGISTRY_DENIED,        /* a user who may not */
};

#define REGISTRY_NAME_MAX 128

/* What came of it, for the log: "" where it does not apply. */
struct registry_identity {
        enum registry_credentials credentials;
        char user[REGISTRY_NAME_MAX];
        char token[REGISTRY_NAME_MAX]; /* the id */
};

struct registry_access;

/* @auth is borrowed. Returns 0 or -ENOMEM. */
int registry_access_new(const struct registry_auth *auth, struct registry_access **ret);
void registry_access_free(struct registry_access *access);
DEFINE_CLEANUP(struct registry_access *, registry_access_free);

/*
 * Judges a request by its Authorization header (NULL: it has none) for @repository (NULL: it is about none). A
 * token is used up a little by it. Threads may call it, and all below, at once.
 */
enum registry_verdict registry_access_judge(struct registry_access *access, const char *authorization,
                                            const char *repository, struct registry_identity *ret);

/* A request for a token. */
struct registry_token_request {
        const char *authorization;   /* the header */
        const char *identity_token;  /* of POST, grant_type=refresh_token */
        const char *user, *password; /* of POST, grant_type=password */
        const char *const
                *scopes; /* "repository:NAME:pull", each of which may be several with blanks between */
        size_t n_scopes;
};

/* Tokens have this many bytes at most, with their NUL. */
#define REGISTRY_TOKEN_MAX 64

/* Gives out a token; @ret_id is what the log has of it. */
enum registry_verdict registry_access_give(struct registry_access *access,
                                           const struct registry_token_request *request,
                                           struct registry_identity *ret, char ret_token[REGISTRY_TOKEN_MAX],
                                           char ret_id[REGISTRY_NAME_MAX]);

/* Voids the token of this id; NULL: all. */
void registry_access_void(struct registry_access *access, const char *id);

/* How many milliseconds a token lasts. */
uint64_t registry_access_token_ms(const struct registry_access *access);

#endif
