/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cip_options holds, and the start of a server by it. Only options.c and session.c look inside.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include "base/child.h"
#include "client/cip.h"

/* A user's name and password for one registry. */
struct credentials {
        char *registry;
        char *auth; /* base64 of USER:PASSWORD */
};

struct cip_options {
        char **command; /* NULL-terminated */
        char **environment;
        char *directory;

        char *authfile;
        char *auth_data;
        size_t auth_data_len;
        bool anonymous;
        struct credentials *credentials;
        size_t n_credentials;

        char *cert_dir;
        char **decryption_keys; /* NULL-terminated */
        bool tls_verify;
        bool insecure_policy;
        char *policy;
        char *user_agent_prefix;
        char *architecture, *os, *variant;
        bool debug;

        uint64_t request_timeout_ms; /* 0: for ever */
        uint64_t stall_timeout_ms;
        int cancel_fd;
        int transcript_fd;
};

/* The command's name without its folder, for messages. Borrowed. */
const char *options_command_name(const struct cip_options *options);

/*
 * Starts the server with @socket as its standard input, borrowed. Conflicting options are -EINVAL, class
 * `local`; a command that cannot be started is as child_start says.
 */
int options_start(const struct cip_options *options, int socket, struct child **ret, struct cip_error *error);

#endif
