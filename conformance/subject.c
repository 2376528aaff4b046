/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines of the server that is judged, by profile.
 */
#include "conformance/subject.h"

#include <stdlib.h>

/* The socket's number for servers that are not skopeo. */
#define BARE_SOCKET 3

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
        if (subject->profile == PROFILE_SKOPEO)
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
        return count(start->global_flags) == 0 && count(start->flags) == 0;
}
