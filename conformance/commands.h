/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of cip-conformance. Each gets the words behind its name, NULL-terminated, and returns the exit
 * status: 0 fine, 1 the subject fell short, 2 wrong use or environment.
 */
#ifndef CONFORMANCE_COMMANDS_H
#define CONFORMANCE_COMMANDS_H

#include "base/cip-error.h"

#define EXIT_FINE 0
#define EXIT_SHORT 1
#define EXIT_USAGE 2

struct command {
        const char *name, *usage, *about;
        int (*run)(const char *const *argv);
};

int command_server(const char *const *argv);
int command_client(const char *const *argv);
int command_list(const char *const *argv);
int command_explain(const char *const *argv);

/* Says on stderr what is wrong, and returns EXIT_USAGE. */
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
