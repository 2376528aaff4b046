/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edits of a scenario's `upstream`. Which flags have their value in the next word is known from the table of
 * options.c, so that a value which looks like a flag is not taken for one. "{NAME}" in a text stands for a variable
 * of the interposer's own environment: what a scenario points at lies where only the environment knows.
 */
#include "fakeproxy/edits.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io.h"
#include "fakeproxy/options.h"

/* ---- texts ---- */

#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789"

/* The length of the variable's name in "{NAME}"; 0: no such thing begins here. */
static size_t name_length(const char *text)
{
        size_t len = *text == '{' ? strspn(text + 1, NAME_CHARACTERS) : 0;

        return len > 0 && text[1 + len] == '}' && (text[1] < '0' || text[1] > '9') ? len : 0;
}

static int write_expanded(const char *text, FILE *to, struct cip_error *error)
{
        while (*text) {
                size_t len = name_length(text);
                char *name CLEANUP(cleanup_free) = len ? strndup(text + 1, len) : NULL;
                const char *value;

                if (!len) {
                        fputc(*text++, to);
                        continue;
                }
                if (!name)
                        return -ENOMEM;
                value = getenv(name);
                if (!value)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                         "the scenario's upstream: {%s} names a variable that is not set",
                                         name);
                fputs(value, to);
                text += len + 2;
        }
        return 0;
}

/* Keeps @take_text, which is to be freed with @edited. */
static int keep(struct edited *edited, char *take_text)
{
        char **grown = reallocarray(edited->texts, edited->n_texts + 1, sizeof(*grown));

        if (!grown) {
                free(take_text);
                return -ENOMEM;
        }
        edited->texts = grown;
        grown[edited->n_texts++] = take_text;
        return 0;
}

/* @prefix and the text with its variables' values. */
static int expand(struct edited *edited, const char *prefix, const char *text, const char **ret,
                  struct cip_error *error)
{
        char *expanded = NULL;
        size_t len;
        FILE *to = open_memstream(&expanded, &len);
        int r;

        if (!to)
                return -ENOMEM;
        fputs(prefix, to);
        r = write_expanded(text, to, error);
        if (!memstream_close(to, &expanded) && r == 0)
                r = -ENOMEM;
        if (r < 0) {
                free(expanded);
                return r;
        }
        r = keep(edited, expanded);
        if (r == 0)
                *ret = expanded;
        return r;
}

/* ---- the command line ---- */

static size_t count(const char *const *texts)
{
        size_t n = 0;

        while (texts && texts[n])
                n++;
        return n;
}

/* Whether @argument is the flag @flag ("--NAME"), alone or with its value behind "=". */
static bool is_flag(const char *argument, const char *flag)
{
        size_t len = strlen(flag);

        return strncmp(argument, flag, len) == 0 && (!argument[len] || argument[len] == '=');
}

static bool is_left_out(const struct scenario_upstream *edits, const char *argument)
{
        for (size_t i = 0; edits->without && edits->without[i]; i++)
                if (is_flag(argument, edits->without[i]))
                        return true;
        return false;
}

/* Whether the next word is this one's value. */
static bool has_value_behind(const char *argument)
{
        return strncmp(argument, "--", 2) == 0 && !strchr(argument, '=') &&
               options_takes_value(argument + 2, NULL) > 0;
}

static int add_texts(struct edited *edited, const char *const *texts, size_t *n, struct cip_error *error)
{
        int r = 0;

        for (; r == 0 && texts && *texts; texts++)
                r = expand(edited, "", *texts, &edited->argv[(*n)++], error);
        return r;
}

static int edit_argv(const struct scenario_upstream *edits, const char *const argv[], size_t n_command,
                     struct edited *edited, struct cip_error *error)
{
        size_t n = 0, i = n_command;
        int r;

        edited->argv =
                calloc(count(argv) + count(edits->with) + count(edits->with_global) + 1, sizeof(*edited->argv));
        if (!edited->argv)
                return -ENOMEM;
        for (size_t k = 0; k < n_command; k++)
                edited->argv[n++] = argv[k];
        r = add_texts(edited, edits->with_global, &n, error);
        while (argv[i] && strcmp(argv[i], "--") != 0) {
                bool left_out = is_left_out(edits, argv[i]);
                size_t words = has_value_behind(argv[i]) && argv[i + 1] ? 2 : 1;

                for (; words > 0; words--, i++)
                        if (!left_out)
                                edited->argv[n++] = argv[i];
        }
        if (r == 0)
                r = add_texts(edited, edits->with, &n, error);
        for (; argv[i]; i++)
                edited->argv[n++] = argv[i];
        return r;
}

/* ---- the environment ---- */

static bool is_edited(struct json_object *environment, const char *entry)
{
        if (!environment)
                return false;
        json_object_object_foreach (environment, name, value) {
                size_t len = strlen(name);

                (void)value;
                if (strncmp(entry, name, len) == 0 && entry[len] == '=')
                        return true;
        }
        return false;
}

static int edit_environment(struct json_object *environment, const char *const envp[], struct edited *edited,
                            struct cip_error *error)
{
        size_t n = 0, more = environment ? (size_t)json_object_object_length(environment) : 0;
        int r = 0;

        edited->envp = calloc(count(envp) + more + 1, sizeof(*edited->envp));
        if (!edited->envp)
                return -ENOMEM;
        for (size_t i = 0; envp[i]; i++)
                if (!is_edited(environment, envp[i]))
                        edited->envp[n++] = envp[i];
        if (!environment)
                return 0;
        json_object_object_foreach (environment, name, value) {
                char *prefix CLEANUP(cleanup_free) = NULL;

                if (!value)
                        continue;
                if (asprintf(&prefix, "%s=", name) < 0) {
                        prefix = NULL;
                        return -ENOMEM;
                }
                r = expand(edited, prefix, json_object_get_string(value), &edited->envp[n++], error);
                if (r < 0)
                        break;
        }
        return r;
}

int edits_apply(const struct scenario_upstream *edits, const char *const argv[], size_t n_command,
                const char *const envp[], struct edited *ret, struct cip_error *error)
{
        int r = edit_argv(edits, argv, n_command, ret, error);

        if (r == 0)
                r = edit_environment(edits->environment, envp, ret, error);
        if (r == -ENOMEM)
                error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot edit how the upstream is started");
        return r;
}

void edited_clear(struct edited *edited)
{
        for (size_t i = 0; i < edited->n_texts; i++)
                free(edited->texts[i]);
        free(edited->texts);
        free(edited->argv);
        free(edited->envp);
        *edited = (struct edited){0};
}
