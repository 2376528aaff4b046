/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing and printing of option tables. A name that does not exist gets the nearest one as a hint.
 */
#include "conformance/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "conformance/nearest.h"

#define HELP_COLUMN 26

static bool is_optional(const struct option_row *row)
{
        return row->argument && row->argument[0] == '[';
}

static const struct option_row *find(const struct option_row *rows, size_t n_rows, const char *name, size_t len)
{
        for (size_t i = 0; i < n_rows; i++)
                if (strlen(rows[i].name) == len && strncmp(rows[i].name, name, len) == 0)
                        return &rows[i];
        return NULL;
}

static int unknown(const struct option_row *rows, size_t n_rows, const char *word, struct cip_error *error)
{
        char name[64], hint[128];
        struct nearest nearest = {.name = name};

        snprintf(name, sizeof(name), "--%.*s", (int)strcspn(word + 2, "="), word + 2);
        for (size_t i = 0; i < n_rows; i++) {
                char candidate[64];

                snprintf(candidate, sizeof(candidate), "--%s", rows[i].name);
                text_nearest(&nearest, candidate);
                /* The candidate's text ends with the loop's turn: the row's name stays. */
                if (nearest.best == candidate)
                        nearest.best = rows[i].name;
        }
        if (nearest.best)
                snprintf(hint, sizeof(hint), " (did you mean --%s?)", nearest.best);
        else
                hint[0] = '\0';
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "unknown option %s%s; --help shows them all", name,
                         hint);
}

/* Takes one option. Returns how many words it had. */
static int take(const struct option_row *rows, size_t n_rows, const char *const *argv, void *settings,
                struct cip_error *error)
{
        const char *word = argv[0], *equals = strchr(word, '=');
        const char *value = equals ? equals + 1 : NULL;
        const struct option_row *row =
                find(rows, n_rows, word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
        int used = 1, r;

        if (!row)
                return unknown(rows, n_rows, word, error);
        if (value && !row->argument)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "--%s takes no value", row->name);
        if (!value && row->argument && !is_optional(row)) {
                value = argv[1];
                used = 2;
                if (!value)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "--%s needs a value: --%s %s",
                                         row->name, row->name, row->argument);
        }
        r = row->take((char *)settings + row->at, value, error);
        if (r < 0) {
                error_prefix(error, "--%s", row->name);
                return r;
        }
        return used;
}

int options_parse(const struct option_row *rows, size_t n_rows, const char *const *argv, void *settings,
                  bool *ret_dashes, struct cip_error *error)
{
        int n = 0;

        *ret_dashes = false;
        while (argv[n] && argv[n][0] == '-' && argv[n][1]) {
                int used;

                if (strcmp(argv[n], "--") == 0) {
                        *ret_dashes = true;
                        return n + 1;
                }
                if (argv[n][1] != '-')
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                         "unknown option %s; --help shows them all", argv[n]);
                used = take(rows, n_rows, argv + n, settings, error);
                if (used < 0)
                        return used;
                n += used;
        }
        return n;
}

void options_print(const struct option_row *rows, size_t n_rows, FILE *out)
{
        for (size_t i = 0; i < n_rows; i++) {
                const char *help = rows[i].help;
                int n = fprintf(out, "  --%s%s%s", rows[i].name,
                                rows[i].argument && !is_optional(&rows[i]) ? " " : "",
                                rows[i].argument ? rows[i].argument : "");

                if (n >= HELP_COLUMN - 1) {
                        fputc('\n', out);
                        n = 0;
                }
                for (;;) {
                        int len = (int)strcspn(help, "\n");

                        fprintf(out, "%*s%.*s\n", HELP_COLUMN - n, "", len, help);
                        if (!help[len])
                                break;
                        help += len + 1;
                        n = 0;
                }
        }
}

int option_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret,
                  struct cip_error *error)
{
        unsigned long number;
        char *end;

        errno = 0;
        number = strtoul(text, &end, 10);
        if (!isdigit((unsigned char)text[0]) || *end || errno || number < min || number > max)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is no whole number of %lu to %lu", text,
                                 min, max);
        *ret = number;
        return 0;
}

int option_seconds(const char *text, double *ret, struct cip_error *error)
{
        char *end;
        double number = strtod(text, &end);

        if (!*text || *end || !isfinite(number) || number <= 0 || number > 1e6)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "'%s' is no number of seconds above 0", text);
        *ret = number;
        return 0;
}
