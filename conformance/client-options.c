/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes options about a client, judges them together, and hands them on.
 */
#include "conformance/client-options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "conformance/installed.h"

int client_take_fake(void *options, const char *value, struct cip_error *error)
{
        (void)error;
        ((struct client_options *)options)->fake = value;
        return 0;
}

int client_take_release(void *options, const char *value, struct cip_error *error)
{
        struct version version;

        if (version_parse(value, &version) < 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is no release such as 1.2.3", value);
        ((struct client_options *)options)->release = value;
        return 0;
}

int client_take_result(void *data, const char *value, struct cip_error *error)
{
        struct client_options *options = data;

        options->has_result = true;
        options->result = value;
        if (value && (!*value || *value == '/' || strstr(value, "..")))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "'%s' is no folder below the client's HOME; or use {result} in the command",
                                 value);
        return 0;
}

int client_take_environment(void *data, const char *value, struct cip_error *error)
{
        struct client_options *options = data;
        size_t n = options->n_environment;
        const char **environment = realloc(options->environment, (n + 2) * sizeof(*environment));

        if (!environment)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep it");
        options->environment = environment;
        environment[n] = NULL;
        if (!strchr(value, '=') || *value == '=')
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is no NAME=VALUE", value);
        environment[n] = value;
        environment[n + 1] = NULL;
        options->n_environment++;
        return 0;
}

int client_options_judge(const struct client_options *options, const char *const *command, bool known,
                         struct cip_error *error)
{
        if (!client_has_placeholder(command, "{ref}"))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "no word of the command has {ref}, which becomes the image's reference: "
                                 "-- %s .. {ref}",
                                 command[0]);
        if (options->has_result && !options->result && !client_has_placeholder(command, "{result}"))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--result: no word of the command has {result}, the folder to write to");
        if (known && !options->release)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--known: a baseline is by release, and --release VERSION is missing");
        return 0;
}

static int find_fake(const char *fake, char **ret, struct cip_error *error)
{
        char *path;

        if (!fake)
                return installed_fake(ret, error);
        if (access(fake, X_OK) < 0 || !(path = realpath(fake, NULL)))
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "--fake: cannot start %s", fake);
        *ret = path;
        return 0;
}

int client_options_apply(const struct client_options *options, struct client *ret, char **ret_fake,
                         struct cip_error *error)
{
        int r = find_fake(options->fake, ret_fake, error);

        if (r < 0)
                return r;
        ret->fake = *ret_fake;
        ret->has_result = options->has_result;
        ret->result = options->result;
        ret->subject.environment = options->environment;
        if (options->release)
                version_parse(options->release, &ret->subject.version);
        return 0;
}

void client_options_clear(struct client_options *options)
{
        free(options->environment);
        *options = (struct client_options){0};
}
