/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands of cip share: the arguments, libcip's options made from them, the descriptor that Ctrl-C
 * makes readable, and the two places that output goes to. A command is one function; it returns 0 or a negative
 * errno with an error record, from which main makes the message and the exit status.
 */
#ifndef CLIENT_COMMAND_H
#define CLIENT_COMMAND_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "client/arguments.h"
#include "client/cip.h"

struct context {
        const struct arguments *arguments;
        struct cip_options *options;
        int cancel_fd;       /* readable once the user wants it to end; borrowed */
        bool session_failed; /* the server could not be started, or did not agree on the protocol */
        bool reader_is_gone; /* standard output is a pipe that nobody reads any more */
};

static inline void cleanup_session(struct cip_session **session)
{
        cip_session_free(*session);
}

/* An image open in a session of its own. Zero-initialise it. */
struct opened {
        struct cip_session *session;
        struct cip_image *image;
};

/*
 * Starts the server and opens @reference, unless that is so already. Fills in @ret in any case; see
 * opened_clear.
 */
int opened_open(struct context *context, const char *reference, struct opened *ret, struct cip_error *error);

/* Ends both well. */
int opened_close(struct opened *opened, struct cip_error *error);

/* Ends both in any state, without a word. */
void opened_clear(struct opened *opened);

/* Starts the server alone. */
int context_open_session(struct context *context, struct cip_session **ret, struct cip_error *error);

/* Whether colours and progress may go to @fd: a terminal, and the user has not set NO_COLOR. */
bool is_lively(int fd);

/* Writes to standard output, at once. A reader that is gone is -EPIPE, and noted in @context. */
int output_write(struct context *context, const char *data, size_t len, struct cip_error *error);

/* Writes @json as one line, and puts it. NULL is out of memory. */
int output_json(struct context *context, struct json_object *take_json, struct cip_error *error);

/* A string member. @text is hostile: what is not UTF-8 is replaced. NULL: null. */
void json_add_text(struct json_object *object, const char *name, const char *text);

int command_inspect(struct context *context, struct cip_error *error);
int command_manifest(struct context *context, struct cip_error *error);
int command_config(struct context *context, struct cip_error *error);
int command_layers(struct context *context, struct cip_error *error);
int command_blob(struct context *context, struct cip_error *error);
int command_pull(struct context *context, struct cip_error *error);
int command_call(struct context *context, struct cip_error *error);

#endif
