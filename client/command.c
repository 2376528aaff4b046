/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands share: sessions and images opened and ended, and standard output. Output is made whole in
 * memory and then written by one call that looks at what the system says, so that a full disk is never missed.
 */
#include "client/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "protocol/message.h"

int context_open_session(struct context *context, struct cip_session **ret, struct cip_error *error)
{
        int r = cip_session_open(context->options, ret, error);

        context->session_failed = r < 0;
        return r;
}

/* A reference that no server can take: it lacks the transport. */
static int judge_reference(const char *reference, struct cip_error *error)
{
        if (strchr(reference, ':') && reference[0] != ':')
                return 0;
        return error_set(
                error, CIP_ERROR_LOCAL, -EINVAL,
                "'%s' is no reference, which is TRANSPORT:NAME: did you mean 'docker://%s' or 'oci:%s'?",
                reference, reference, reference);
}

int opened_open(struct context *context, const char *reference, struct opened *ret, struct cip_error *error)
{
        int r = judge_reference(reference, error);

        if (r == 0 && !ret->session)
                r = context_open_session(context, &ret->session, error);
        if (r == 0 && !ret->image)
                r = cip_image_open(ret->session, reference, &ret->image, error);
        return r;
}

int opened_close(struct opened *opened, struct cip_error *error)
{
        int r = cip_image_close(STEAL(opened->image), error);

        if (r < 0) {
                cip_session_free(STEAL(opened->session));
                return r;
        }
        return cip_session_close(STEAL(opened->session), error);
}

void opened_clear(struct opened *opened)
{
        /* The session first: an image of a session that has ended is freed without asking the server. */
        cip_session_free(STEAL(opened->session));
        cip_image_close(STEAL(opened->image), NULL);
}

bool is_lively(int fd)
{
        const char *no_color = getenv("NO_COLOR");

        return isatty(fd) && (!no_color || !*no_color);
}

int output_write(struct context *context, const char *data, size_t len, struct cip_error *error)
{
        int r = write_all(STDOUT_FILENO, data, len);

        if (r == -EPIPE)
                context->reader_is_gone = true;
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write to standard output");
        return 0;
}

int output_json(struct context *context, struct json_object *take_json, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *line = NULL;
        const char *text;
        size_t len = 0;

        text = json_text(take_json, JSON_C_TO_STRING_NOSLASHESCAPE, &len);
        if (text)
                line = malloc(len + 1);
        if (!line) {
                json_object_put(take_json);
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        }
        memcpy(line, text, len);
        line[len] = '\n';
        json_object_put(take_json);
        return output_write(context, line, len + 1, error);
}

void json_add_text(struct json_object *object, const char *name, const char *text)
{
        size_t len = text ? strlen(text) : 0;
        CLEANUP(cleanup_free) char *safe = text ? malloc(len * 3 + 4) : NULL;

        if (safe)
                text_make_safe(safe, len * 3 + 4, text, len);
        if (text)
                json_add_member(object, name, safe ? json_object_new_string(safe) : NULL);
        else
                json_add_member_or_null(object, name, NULL);
}
