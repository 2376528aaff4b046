/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines of the server that is judged, by profile.
 */
#include "conformance/subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* The socket's number for servers that are not skopeo. */
#define BARE_SOCKET 3

int profile_parse(const char *name, enum profile *ret, struct cip_error *error)
{
        if (strcmp(name, "skopeo") == 0)
                *ret = PROFILE_SKOPEO;
        else if (strcmp(name, "bare") == 0)
                *ret = PROFILE_BARE;
        else
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "there is no profile '%s'; there are skopeo and bare", name);
        return 0;
}

static size_t count(const char *const *list)
{
        size_t n = 0;

        while (list && list[n])
                n++;
        return n;
}

static size_t append(const char **argv, size_t n, const char *const *list)
{
        for (size_t i = 0; list && list[i]; i++)
                argv[n++] = list[i];
        return n;
}

const char **subject_argv(const struct subject *subject, const struct server_start *start, int *ret_target)
{
        size_t n = count(subject->command) + count(start->global_flags) + count(start->flags) + 4;
        const char **argv = calloc(n, sizeof(*argv));

        if (!argv)
                return NULL;
        n = append(argv, 0, subject->command);
        n = append(argv, n, start->global_flags);
        *ret_target = start->sockfd ? start->socket_target : 0;
        if (subject->profile == PROFILE_SKOPEO && !start->no_subcommand)
                argv[n++] = "experimental-image-proxy";
        n = append(argv, n, start->flags);
        if (start->sockfd) {
                argv[n++] = "--sockfd";
                argv[n++] = start->sockfd;
        } else if (subject->profile == PROFILE_BARE) {
                argv[n++] = "--sockfd";
                argv[n++] = "3";
                *ret_target = BARE_SOCKET;
        }
        return argv;
}

bool subject_can_start(const struct subject *subject, const struct server_start *start)
{
        if (subject->profile == PROFILE_SKOPEO)
                return true;
        return count(start->global_flags) == 0 && count(start->flags) == 0 && !start->no_subcommand;
}
