/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server that is judged: how it is called, and what it said about itself.
 */
#ifndef CONFORMANCE_SUBJECT_H
#define CONFORMANCE_SUBJECT_H

#include <stdbool.h>

#include "base/cip-error.h"
#include "conformance/check.h"

enum profile {
        PROFILE_SKOPEO, /* COMMAND [flags] experimental-image-proxy [flags], the socket is fd 0 */
        PROFILE_BARE,   /* COMMAND --sockfd 3 */
};

/* Reads a profile's name. Returns 0 or -EINVAL with @error. */
int profile_parse(const char *name, enum profile *ret, struct cip_error *error);

struct subject {
        const char *const *command; /* NULL-terminated */
        enum profile profile;
        const char *const *environment; /* more for the server's environment, "NAME=VALUE"; may be NULL */
        struct version version;         /* as announced; {0}: not known yet */
        bool has_docker;                /* it connects to a registry when an image of docker:// is opened */
        const char *docker_problem;     /* why that could not be found out; NULL or "": it could */
};

/*
 * The server's command line for @start (not NULL). An array from malloc whose strings are borrowed; NULL
 * where memory runs out. *@ret_target is the number that the socket has in the server.
 */
const char **subject_argv(const struct subject *subject, const struct server_start *start, int *ret_target);

/* Whether @start is something that the profile's command line can say. */
bool subject_can_start(const struct subject *subject, const struct server_start *start);

#endif
