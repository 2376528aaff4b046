/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs that have commands have in common: choosing the command, --help and --version, how they say
 * that they are used wrongly, and that all of what they wrote has arrived.
 */
#ifndef CONFORMANCE_PROGRAM_H
#define CONFORMANCE_PROGRAM_H

#include "conformance/commands.h"

struct program {
        const char *name;         /* "cip-conformance" */
        const char *about;        /* what it does, in lines */
        const char *first;        /* a command line to begin with */
        const char *short_status; /* what exit status 1 means */
        const struct command *commands;
        size_t n_commands;
};

/* All of main(). Returns the exit status. Sets what fail_usage puts in front. */
int program_main(const struct program *program, const char *const *argv);

#endif
