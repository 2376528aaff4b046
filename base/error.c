/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error records. What a server says ends up in messages, so each is made safe to show.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most of what is said fits here, and needs no memory. */
#define USUAL_SIZE 256

/* Formats into @usual, or into memory of its own; a static text where there is none. */
__attribute__((format(printf, 3, 0))) static const char *format_text(char usual[USUAL_SIZE], char **ret_owned,
                                                                     const char *format, va_list args)
{
        va_list again;
        int n;

        *ret_owned = NULL;
        va_copy(again, args);
        n = vsnprintf(usual, USUAL_SIZE, format, again);
        va_end(again);
        if (n >= 0 && n < USUAL_SIZE)
                return usual;
        if (vasprintf(ret_owned, format, args) < 0) {
                *ret_owned = NULL;
                return "out of memory";
        }
        return *ret_owned;
}

/* Sets the message to @a, @b and @c, made safe: only what is shown is copied. */
static void set_message(struct cip_error *error, const char *a, const char *b, const char *c)
{
        size_t a_len = strlen(a), b_len = strlen(b), c_len = strlen(c), len = a_len + b_len + c_len;
        char usual[USUAL_SIZE * 2], *owned = NULL, *whole = usual;

        if (len > sizeof(usual)) {
                whole = owned = malloc(len);
                if (!owned) {
                        text_make_safe(error->message, sizeof(error->message), a, a_len);
                        return;
                }
        }
        /* The message itself may be one of them. */
        mempcpy(mempcpy(mempcpy(whole, a, a_len), b, b_len), c, c_len);
        text_make_safe(error->message, sizeof(error->message), whole, len);
        free(owned);
}

static void set_record(struct cip_error *error, enum cip_error_class error_class, int errnum)
{
        error->error_class = error_class;
        error->errnum = errnum;
        error->code = 0;
}

int error_set(struct cip_error *error, enum cip_error_class error_class, int errnum, const char *format, ...)
{
        char usual[USUAL_SIZE], *owned;
        va_list args;

        if (!error)
                return errnum;
        va_start(args, format);
        set_record(error, error_class, errnum);
        set_message(error, format_text(usual, &owned, format, args), "", "");
        va_end(args);
        free(owned);
        return errnum;
}

int error_set_errno(struct cip_error *error, enum cip_error_class error_class, int errnum, const char *format,
                    ...)
{
        const char *reason = strerrordesc_np(-errnum);
        char usual[USUAL_SIZE], *owned;
        va_list args;

        if (!error)
                return errnum;
        va_start(args, format);
        set_record(error, error_class, errnum);
        set_message(error, format_text(usual, &owned, format, args), ": ", reason ? reason : "unknown error");
        va_end(args);
        free(owned);
        return errnum;
}

int error_prefix(struct cip_error *error, const char *format, ...)
{
        char usual[USUAL_SIZE], *owned;
        va_list args;

        if (!error)
                return 0;
        va_start(args, format);
        set_message(error, format_text(usual, &owned, format, args), ": ", error->message);
        va_end(args);
        free(owned);
        return error->errnum;
}

int error_append(struct cip_error *error, const char *format, ...)
{
        char usual[USUAL_SIZE], *owned;
        va_list args;

        if (!error)
                return 0;
        va_start(args, format);
        set_message(error, error->message, format_text(usual, &owned, format, args), "");
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
