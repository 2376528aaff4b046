/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any method with any arguments, for those who want to see what a server answers. The reply is judged as every
 * reply is; what it means is the caller's business.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "client/session.h"

/* How deep arguments may nest. */
#define ARGUMENTS_DEPTH 64

static int parse_args(const char *text, struct json_object **ret, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *args = NULL;
        struct cip_error why = {0};
        int r = json_parse(text, strlen(text), ARGUMENTS_DEPTH, &args, &why);

        if (r == -ENOMEM)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "arguments");
        if (r < 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "the arguments are no JSON: %s", why.message);
        if (!json_object_is_type(args, json_type_array))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "the arguments are no JSON array");
        *ret = STEAL(args);
        return 0;
}

/* Hands out the reply's text, NULL for none, and whether there was memory for it. */
static int give_text(const char *text, char **ret_reply, struct cip_error *error)
{
        char *copy;

        if (!ret_reply)
                return 0;
        copy = strdup(text ? text : "");
        if (!copy)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "reply");
        *ret_reply = copy;
        return 0;
}

int cip_call(struct cip_session *session, const char *method, const char *args, char **ret_reply,
             struct cip_blob **ret_data, struct cip_error *error)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = NULL;
        CLEANUP(cleanup_json) struct json_object *list = NULL;
        const struct method *known = method_find(method);
        int r = session_check_cancel(session, error);

        if (r == 0 && args)
                r = parse_args(args, &list, error);
        if (r < 0)
                return r;
        if (known && known->value == VALUE_NO_REPLY) {
                r = session_shutdown(session, error);
                if (r == 0)
                        r = give_text(NULL, ret_reply, error);
        } else {
                r = blob_open_call(session, method, list, NULL, -1, NULL, 0, &blob, error);
                if (r == 0)
                        r = blob_wait_opened(blob, error);
                if (blob && blob->answer.text && give_text(blob->answer.text, ret_reply, error) < 0)
                        r = -ENOMEM;
        }
        if (r < 0)
                return r;
        if (ret_data)
                *ret_data = blob && blob->state != BLOB_PLAIN ? STEAL(blob) : NULL;
        return 0;
}
