/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line, read as skopeo reads its own: global flags, the subcommand, its flags. The fake's own flags
 * may stand anywhere, and have environment variables for clients that know nothing of the fake.
 */
#ifndef FAKEPROXY_OPTIONS_H
#define FAKEPROXY_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cip-error.h"
#include "base/text.h"
#include "fakeproxy/emulate.h"
#include "fakeproxy/scenario.h"

enum options_action {
        ACTION_SERVE,
        ACTION_HELP,       /* skopeo's */
        ACTION_PROXY_HELP, /* skopeo's for the subcommand */
        ACTION_VERSION,
        ACTION_QUIRKS, /* cip-fakeproxy quirks */
        ACTION_CHECK,  /* cip-fakeproxy check FILE .. */
        ACTION_SCHEMA, /* cip-fakeproxy schema */
        ACTION_FORMAT, /* cip-fakeproxy format: the tables of docs/scenarios.md */
};

/* What was said; strings are argv's or the environment's. */
struct options {
        bool own_name; /* called as cip-fakeproxy, or by any other name that is not skopeo */
        enum options_action action;
        struct emulation emulation;
        const char *emulation_name;
        struct scenario *scenario; /* owned; NULL: none */
        const char *scenario_file; /* what was named, also where it could not be read */
        struct problems problems;  /* why not. Owned */
        const char *verdict;       /* a file; NULL: none is wanted */
        uint64_t seed;             /* the scenario's, unless another was given */
        char *const *words;        /* of ACTION_CHECK: those behind the command */
        size_t n_words;
        const char *replay; /* a transcript; NULL: no recording is replayed */
        bool replay_any_order;

        bool debug, insecure_policy, no_creds, global_tls_verify, has_creds;
        bool tls_verify;
        const char *policy, *authfile, *creds, *username, *password, *registry_token;
        const char *override_arch, *override_os, *override_variant;
        const char *tmpdir; /* NULL: TMPDIR of the environment */
        int64_t sockfd;

        const char *hint; /* a second line of what skopeo says where it refuses; NULL: none */
};

/*
 * Reads argv. Returns 0; -EINVAL for a wrong use of the fake's own settings (status 2); -EPERM for what skopeo
 * refuses (status 1, a line of its log). Both fill in @error.
 */
int options_read(int argc, char *const argv[], struct options *ret, struct cip_error *error);

/*
 * Whether a flag of skopeo's, by its name without dashes, takes a value: 1 or 0. -ENOENT: it has no such flag, and
 * @nearest (NULL: not wanted) has been shown those that it has.
 */
int options_takes_value(const char *name, struct nearest *nearest);

/* Answers what may stand in place of the last of @words, which are argv's behind the name. base/completion.h */
void options_complete(const char *const *words, size_t n_words, FILE *out);

/* Frees what it owns, also after a failure. */
void options_clear(struct options *options);

#endif
