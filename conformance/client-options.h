/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of a client on a command line, by whoever runs one against stand-ins for skopeo: what it writes
 * and where, its release, its variables, the stand-in.
 */
#ifndef CONFORMANCE_CLIENT_OPTIONS_H
#define CONFORMANCE_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "conformance/client.h"

struct client_options {
        const char *fake, *release, *result;
        bool has_result;
        const char **environment; /* NULL-terminated; NULL: nothing */
        size_t n_environment;
};

/* For rows of option tables, with the place of the struct as `at`. */
int client_take_result(void *options, const char *value, struct cip_error *error);
int client_take_release(void *options, const char *value, struct cip_error *error);
int client_take_environment(void *options, const char *value, struct cip_error *error);
int client_take_fake(void *options, const char *value, struct cip_error *error);

/* Their help, where it is the same everywhere. */
#define CLIENT_RESULT_HELP                                                                                 \
        "the client writes an OCI layout to {result}, or to DIR below\nits HOME; it is compared with the " \
        "image"
#define CLIENT_ENVIRONMENT_HELP "set a variable for the client (many)"
#define CLIENT_FAKE_HELP "another cip-fakeproxy"

/*
 * What can be wrong with all of it, before anything is run. @known: there is a baseline. 0 or -EINVAL with
 * @error.
 */
int client_options_judge(const struct client_options *options, const char *const *command, bool known,
                         struct cip_error *error);

/*
 * Fills in @ret but for its subject's command, its reference and its patience, from @options, which it borrows.
 * *@ret_fake is the stand-in's path, for the caller to free behind @ret. 0 or a negative errno with @error.
 */
int client_options_apply(const struct client_options *options, struct client *ret, char **ret_fake,
                         struct cip_error *error);

void client_options_clear(struct client_options *options);

#endif
