/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of cip-conformance. Each gets the words behind its name, NULL-terminated, and returns the exit
 * status: 0 fine, 1 the subject fell short, 2 wrong use or environment.
 */
#ifndef CONFORMANCE_COMMANDS_H
#define CONFORMANCE_COMMANDS_H

#include <stdio.h>

#include "base/cip-error.h"
#include "base/completion.h"
#include "conformance/options.h"

#define EXIT_FINE 0
#define EXIT_SHORT 1
#define EXIT_USAGE 2

struct command {
        const char *name, *usage, *about;
        int (*run)(const char *const *argv);

        /* For completion. */
        const struct option_table *options;
        const char *operand; /* "ID": what its words are; NULL: it has none */
        bool command_line;   /* behind "--" stands a command */
};

int command_server(const char *const *argv);
int command_client(const char *const *argv);
int command_matrix(const char *const *argv);
int command_diff(const char *const *argv);
int command_list(const char *const *argv);
int command_explain(const char *const *argv);

extern const struct option_table server_options, client_options, matrix_options, diff_options, list_options,
        explain_options;

/* Answers what may stand in place of the last of @words, NULL-terminated, which are argv's behind the name. */
void complete(const struct command *commands, size_t n_commands, const char *const *words, FILE *out);

/* program.c: says on stderr what is wrong, and returns EXIT_USAGE. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
