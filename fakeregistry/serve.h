/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files that serve share: the registry with its listeners, one request under way, and the answer that
 * is made to it (answer.c), changed by a rule and sent (send.c). For the files of this room alone.
 */
#ifndef FAKEREGISTRY_SERVE_H
#define FAKEREGISTRY_SERVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fakeregistry/access.h"
#include "fakeregistry/http-library.h"
#include "fakeregistry/registry.h"
#include "fakeregistry/store.h"

struct registry_endpoint {
        struct registry *registry;
        const struct registry_listener *config;
        char *name, *host, *address; /* "main", "127.0.0.1", "127.0.0.1:5000" */
        uint16_t port;
        int fd; /* of a port that is down; else the daemon's */
        struct MHD_Daemon *daemon;
        struct registry_certificate certificate;
        atomic_uint_fast64_t connections;
};

struct registry {
        struct registry_config config;
        struct registry_endpoint endpoints[REGISTRY_LISTENERS_MAX];
        size_t n_endpoints;
        struct registry_authority *own_authority;
        const struct registry_authority *authority;
        struct registry_store *store;
        struct registry_access *access;
        struct registry_log *log;
        pthread_mutex_t mutex; /* over the rules and their counts */
        const struct registry_rule *rules;
        size_t n_rules;
        uint64_t *counts;
        int stop_fd; /* readable once it is being stopped */
        atomic_bool stopping;
};

struct registry_endpoint *registry_find_endpoint(struct registry *registry, const char *name);

/* "http://HOST:PORT" of a listener; the caller frees. NULL: no memory. */
char *registry_base_url(const struct registry_endpoint *endpoint);

#define ANSWER_HEADERS_MAX 24

/* The answer to a request. */
struct registry_answer {
        unsigned status;
        struct {
                char *name, *value;
        } headers[ANSWER_HEADERS_MAX];
        size_t n_headers;
        struct registry_content content;
        uint64_t offset, length; /* the part of the content that is sent */
        bool ranges;             /* parts of it may be asked for */
};

void registry_answer_clear(struct registry_answer *answer);

/* Sets a header, or with NULL removes it. False: no memory, or too many. */
bool registry_answer_header(struct registry_answer *answer, const char *name, const char *value);

/* Makes it the error of this status; @code and @message NULL: what fits it. What it was before is gone. */
int registry_answer_error(struct registry_answer *answer, unsigned status, const char *code,
                          const char *message);

/* The fields of a form that a client posts to the token service. */
enum form_field {
        FORM_GRANT_TYPE,
        FORM_REFRESH_TOKEN,
        FORM_USERNAME,
        FORM_PASSWORD,
        FORM_SCOPE,
        FORM_FIELDS,
};

/* One request. */
struct registry_exchange {
        struct registry *registry;
        struct registry_endpoint *endpoint;
        struct MHD_Connection *connection;
        struct MHD_PostProcessor *form;
        char *fields[FORM_FIELDS];
        uint64_t uploaded; /* bytes that the client sent as its body */
        bool form_too_large;
        struct registry_request record;
        bool logged;
        struct registry_answer answer;
        enum registry_verdict verdict;
        struct registry_act act; /* zero: the answer is sent as it is */
        uint64_t started_ns;     /* when the body began; 0: not yet */
        uint64_t dripped;        /* bytes that were sent slowly */
        uint64_t patience_ms;    /* how much waiting is still allowed */
        bool stalled;
        bool sent; /* by hand, without libmicrohttpd */
};

/* The faithful answer. Fills in what the record has of users and tokens. Returns 0 or -ENOMEM. */
int registry_answer_make(struct registry_exchange *exchange);

/* Refuses as for want of credentials, by the exchange's verdict. */
int registry_answer_refuse(struct registry_exchange *exchange);

/* Says which credentials are wanted. Returns 0 or -ENOMEM. */
int registry_answer_challenge(struct registry_exchange *exchange);

/* Puts the bytes of another tag or digest of the repository into the answer. Returns 0 or a negative errno. */
int registry_answer_serve(struct registry_exchange *exchange, const char *reference);

/* What /v2/TEXT is about; the strings are the caller's. Returns 0 or -ENOMEM. */
int registry_path_parse(const char *path, enum registry_kind *ret_kind, char **ret_repository,
                        char **ret_reference);

/*
 * The part that a Range header asks for. Returns 1 for a part, 0 for the whole, -ERANGE for one that is not
 * there.
 */
int registry_range_parse(const char *range, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length);

/* Whether Accept headers (joined with commas; "" none) allow a media type. */
bool registry_accepts(const char *accept, const char *media_type);

/* Changes the answer as the rule says, and sends it. */
enum MHD_Result registry_send(struct registry_exchange *exchange);

/* The callbacks for libmicrohttpd. */
enum MHD_Result registry_handle(void *endpoint, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload_data,
                                size_t *upload_data_size, void **exchange);
void registry_handled(void *endpoint, struct MHD_Connection *connection, void **exchange,
                      enum MHD_RequestTerminationCode code);

#endif
