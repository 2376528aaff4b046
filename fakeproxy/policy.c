/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads containers-policy.json(5): the requirements of the nearest scope, then of the transport, then the default.
 * Accepting anything and rejecting are known; whatever wants a signature fails, as no image here has one.
 */
#include "fakeproxy/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "protocol/message.h"

#define POLICY_MAX ((size_t)1024 * 1024)
#define POLICY_SYSTEM "/etc/containers/policy.json"

/* The file that counts; "" where there is none. */
static void find_file(char ret[PATH_MAX])
{
        const char *home = getenv("HOME");

        if (home && snprintf(ret, PATH_MAX, "%s/.config/containers/policy.json", home) < PATH_MAX &&
            access(ret, F_OK) == 0)
                return;
        snprintf(ret, PATH_MAX, "%s", access(POLICY_SYSTEM, F_OK) == 0 ? POLICY_SYSTEM : "");
}

static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
        struct json_object *value;

        if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, key, &value) ||
            !json_object_is_type(value, type))
                return NULL;
        return value;
}

/* The requirements for the scope @text or those above it, up to the empty one. Changes @text. */
static struct json_object *find_scope(struct json_object *scopes, char *text)
{
        struct json_object *found = member(scopes, text, json_type_array);

        while (!found && *text) {
                char *slash = strrchr(text, '/');
                char *colon = strrchr(text, ':');

                if (colon && (!slash || colon > slash))
                        *colon = '\0';
                else if (slash)
                        *slash = '\0';
                else
                        *text = '\0';
                found = member(scopes, text, json_type_array);
        }
        return found;
}

static int check_requirement(struct json_object *requirement, const char *reference, const char *file,
                             struct cip_error *error)
{
        const char *type = json_object_get_string(member(requirement, "type", json_type_string));

        if (!type)
                type = "";
        if (!strcmp(type, "insecureAcceptAnything"))
                return 0;
        if (!strcmp(type, "reject"))
                return error_set(error, CIP_ERROR_LOCAL, -EPERM, "Running image %s is rejected by policy.",
                                 reference);
        if (!strcmp(type, "signedBy") || !strcmp(type, "sigstoreSigned") || !strcmp(type, "signedBaseLayer"))
                return error_set(error, CIP_ERROR_LOCAL, -EPERM,
                                 "A signature was required, but no signature exists");
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                         "invalid policy in \"%s\": Unknown policy requirement type \"%s\"", file, type);
}

static int judge(struct json_object *policy, const char *reference, const char *file, struct cip_error *error)
{
        struct json_object *requirements = member(policy, "default", json_type_array), *scoped = NULL;
        char *transport CLEANUP(cleanup_free) = strdup(reference);
        char *scope;
        int r = 0;

        if (!transport)
                return -ENOMEM;
        if (!requirements)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "invalid policy in \"%s\": Default policy is missing", file);
        scope = strchr(transport, ':');
        if (scope) {
                *scope++ = '\0';
                scoped = find_scope(
                        member(member(policy, "transports", json_type_object), transport, json_type_object),
                        scope);
        }
        if (scoped)
                requirements = scoped;
        if (json_object_array_length(requirements) == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "List of verification policy requirements must not be empty");
        for (size_t i = 0; r == 0 && i < json_object_array_length(requirements); i++)
                r = check_requirement(json_object_array_get_idx(requirements, i), reference, file, error);
        return r;
}

int policy_check(const char *path, const char *reference, struct cip_error *error)
{
        struct json_object *policy CLEANUP(cleanup_json) = NULL;
        char *text CLEANUP(cleanup_free) = NULL;
        struct cip_error why = {0};
        char found[PATH_MAX];
        size_t len;
        int r;

        if (!path) {
                find_file(found);
                if (!*found)
                        return 0;
                path = found;
        }
        r = read_file_at(AT_FDCWD, path, POLICY_MAX, &text, &len, &why);
        if (r == -ENOENT)
                return error_set(error, CIP_ERROR_LOCAL, r, "open %s: no such file or directory", path);
        if (r < 0)
                return error_set(error, CIP_ERROR_LOCAL, r, "%s", why.message);
        r = json_parse(text, len, 100, &policy, &why);
        if (r < 0)
                return error_set(error, CIP_ERROR_LOCAL, r, "invalid policy in \"%s\": %s", path, why.message);
        return judge(policy, reference, path, error);
}
