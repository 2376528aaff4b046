/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error records. What a server says ends up in messages, so each is made safe to show.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Formats into memory of its own; a static text where there is none. */
__attribute__((format(printf, 2, 0))) static const char *format_text(char **ret_owned, const char *format,
                                                                     va_list args)
{
        if (vasprintf(ret_owned, format, args) < 0) {
                *ret_owned = NULL;
                return "out of memory";
        }
        return *ret_owned;
}

/* Sets the message to @a, @b and @c, made safe: only what is shown is copied. */
static void set_message(struct cip_error *error, const char *a, const char *b, const char *c)
{
        char *whole = NULL;

        if (asprintf(&whole, "%s%s%s", a, b, c) < 0) {
                text_make_safe(error->message, sizeof(error->message), a, strlen(a));
                return;
        }
        text_make_safe(error->message, sizeof(error->message), whole, strlen(whole));
        free(whole);
}

static void set_record(struct cip_error *error, enum cip_error_class error_class, int errnum)
{
        error->error_class = error_class;
        error->errnum = errnum;
        error->code = 0;
}

int error_set(struct cip_error *error, enum cip_error_class error_class, int errnum, const char *format, ...)
{
        char *owned;
        va_list args;

        if (!error)
                return errnum;
        va_start(args, format);
        set_record(error, error_class, errnum);
        set_message(error, format_text(&owned, format, args), "", "");
        va_end(args);
        free(owned);
        return errnum;
}

int error_set_errno(struct cip_error *error, enum cip_error_class error_class, int errnum, const char *format,
                    ...)
{
        const char *reason = strerrordesc_np(-errnum);
        char *owned;
        va_list args;

        if (!error)
                return errnum;
        va_start(args, format);
        set_record(error, error_class, errnum);
        set_message(error, format_text(&owned, format, args), ": ", reason ? reason : "unknown error");
        va_end(args);
        free(owned);
        return errnum;
}

int error_prefix(struct cip_error *error, const char *format, ...)
{
        char *owned;
        va_list args;

        if (!error)
                return 0;
        va_start(args, format);
        set_message(error, format_text(&owned, format, args), ": ", error->message);
        va_end(args);
        free(owned);
        return error->errnum;
}

int error_append(struct cip_error *error, const char *format, ...)
{
        char *owned;
        va_list args;

        if (!error)
                return 0;
        va_start(args, format);
        set_message(error, error->message, format_text(&owned, format, args), "");
        va_end(args);
        free(owned);
        return error->errnum;
}

const char *error_class_name(enum cip_error_class error_class)
{
        switch (error_class) {
        case CIP_ERROR_LOCAL:
                return "local";
        case CIP_ERROR_TRANSPORT:
                return "transport";
        case CIP_ERROR_PROTOCOL:
                return "protocol";
        case CIP_ERROR_REMOTE:
                return "remote";
        case CIP_ERROR_NONE:
                break;
        }
        return "none";
}
