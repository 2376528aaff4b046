/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry for tests: serves images by the distribution API on loopback, from threads of this process,
 * faithful but for what its rules say. One registry may listen on several addresses, each with its own
 * certificate, so that mirrors, blob stores and token services on other hosts can be had, with one log over all
 * of them. On libmicrohttpd.
 */
#ifndef FAKEREGISTRY_REGISTRY_H
#define FAKEREGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "fakeregistry/certificates.h"
#include "fakeregistry/log.h"
#include "fakeregistry/rule.h"
#include "image/generated.h"

#define REGISTRY_LISTENERS_MAX 16

/*
 * ---- what it is like: plain data, zero everywhere is a default; strings are borrowed until registry_free ----
 */

enum registry_client_certificates {
        REGISTRY_CLIENT_CERTIFICATES_NONE = 0,
        REGISTRY_CLIENT_CERTIFICATES_WANTED,   /* asked for; who has none is served too */
        REGISTRY_CLIENT_CERTIFICATES_REQUIRED, /* who has none of the authority fails to connect */
};

struct registry_listener {
        const char *name;    /* NULL: "main" for the first, "listener N" for others */
        const char *address; /* in 127.0.0.0/8; NULL: 127.0.0.1 */
        const char *host;    /* its name in URLs and certificates; NULL: the address */
        uint64_t port;       /* 0: a free one */
        bool tls;
        enum registry_certificate_kind certificate;
        const char *certificate_pem, *key_pem; /* instead of one that is made; NULL: made */
        enum registry_client_certificates clients;
        bool open; /* asks nobody who they are */
        bool down; /* its port is taken, and nobody listens */
};

/*
 * An image under a name. One of layout, fixture and recipe is there. With a tag: that image. Without, of a
 * layout all that is tagged in it; else it is "latest".
 */
struct registry_image {
        const char *repository; /* "team/app" */
        const char *tag;        /* or NULL */
        const char *layout;     /* a folder */
        const char
                *layout_tag; /* the one of the layout; NULL: all of it, or with a tag, the only one there is */
        const char *fixture; /* one of image/fixture.h, by its name */
        bool has_recipe;
        struct generated_recipe recipe;
        const char *listener; /* only there; NULL: everywhere */
};

enum registry_auth_kind {
        REGISTRY_AUTH_NONE = 0, /* everybody is served */
        REGISTRY_AUTH_BASIC,
        REGISTRY_AUTH_BEARER, /* by a token service at /token */
};

struct registry_user {
        const char *name;
        const char *password;
        const char *identity_token; /* may be shown to the token service in place of the password; NULL: none */
        const char *registry_token; /* a bearer token that is always good; NULL: none */
        const char *const *repositories; /* patterns of what may be pulled, ended by NULL; NULL: everything */
};

struct registry_auth {
        enum registry_auth_kind kind;
        bool anonymous;       /* who shows nothing is served; wrong credentials are refused all the same */
        const char *service;  /* NULL: "cip-fakeregistry" */
        const char *listener; /* where the token service is; NULL: where the request came to */
        uint64_t token_uses;  /* a token is void after so many requests; 0: never */
        uint64_t token_ms;    /* likewise, milliseconds */
        const struct registry_user *users;
        size_t n_users;
};

enum registry_referrers {
        REGISTRY_REFERRERS_API = 0,
        REGISTRY_REFERRERS_TAG,  /* no such API, but a tag ALGORITHM-HEX with the index */
        REGISTRY_REFERRERS_NONE, /* neither */
};

struct registry_limits {
        uint64_t connections; /* at once, for each listener, more are closed; 0: 100 */
        uint64_t idle_s;      /* a connection that is silent for so long is closed; 0: 60 */
        uint64_t stall_ms;    /* no stall, delay or drip lasts longer; 0: 60,000 */
};

struct registry_config {
        const struct registry_listener *listeners;
        size_t n_listeners; /* 0: one, with the defaults */
        const struct registry_image *images;
        size_t n_images;
        struct registry_auth auth;
        enum registry_referrers referrers;
        const struct registry_rule *rules;
        size_t n_rules;
        struct registry_limits limits;
        int log_fd; /* where a line of JSON goes for each request, borrowed; 0 or less: nowhere */
        const struct registry_authority *authority; /* NULL: one of its own */
};

/* ---- the registry ---- */

struct registry;

/*
 * Does what the first registry of a process takes: libraries are loaded. For a process that will fork others, which
 * start registries. Returns 0, or -ELIBACC with @error of class `local`.
 */
int registry_prepare(struct cip_error *error);

/*
 * Starts it; when this returns it serves. Returns 0, or a negative errno with @error of class `local`:
 * -EADDRINUSE and such for a port, -EINVAL for a config that makes no sense, -ENOENT and others for an image
 * that cannot be read, -ELIBACC for a library that is not there. The caller's signals are left alone: none is delivered to the registry's threads.
 */
int registry_start(const struct registry_config *config, struct registry **ret, struct cip_error *error);

/* Stops serving: open connections are closed, stalls end. The log stays. Once more does nothing. */
void registry_stop(struct registry *registry);

/* Stops and frees. Takes NULL. */
void registry_free(struct registry *registry);
DEFINE_CLEANUP(struct registry *, registry_free);

/*
 * "HOST:PORT" of a listener (NULL: the first), as it stands before a repository in docker://. Borrowed. NULL:
 * no such one.
 */
const char *registry_address(const struct registry *registry, const char *listener);

/* Its port, or 0. */
uint16_t registry_port(const struct registry *registry, const char *listener);

/* How many connections a listener (NULL: all) has accepted, whatever came of them. */
uint64_t registry_connections(const struct registry *registry, const char *listener);

/* The authority of the servers' and the clients' certificates. Borrowed. */
const struct registry_authority *registry_get_authority(const struct registry *registry);

/*
 * Writes what clients need to connect by TLS into @folder (made if missing), as skopeo's --cert-dir wants it:
 * ca.crt, and where a listener asks for client certificates client.cert and client.key (mode 0600). Returns 0
 * or a negative errno.
 */
int registry_write_certificates(const struct registry *registry, const char *folder, struct cip_error *error);

/* Other rules from now on, whose counts start anew. Borrowed until registry_free. Returns 0 or -ENOMEM. */
int registry_set_rules(struct registry *registry, const struct registry_rule *rules, size_t n);

/* All tokens that were given out are void from now on. */
void registry_expire_tokens(struct registry *registry);

/* ---- its log ---- */

/* What was asked so far, for registry_log_copy_clear. Returns 0 or -ENOMEM. */
int registry_read_log(struct registry *registry, struct registry_log_copy *ret);

/* Waits until @n requests have come (0: any number), and none is under way. Returns 0 or -ETIMEDOUT. */
int registry_wait(struct registry *registry, uint64_t n, struct deadline deadline);

/* Whether a line of the log could not be written: a negative errno, or 0. */
int registry_log_status(struct registry *registry);

#endif
