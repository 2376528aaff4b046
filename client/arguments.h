/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of cip: its commands and options as two tables, from which parsing, help, the nearest-name
 * hints and what shells complete follow. To add an option is to add a row and a member of struct arguments.
 */
#ifndef CLIENT_ARGUMENTS_H
#define CLIENT_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/cip-error.h"

enum command_id {
        COMMAND_INSPECT,
        COMMAND_MANIFEST,
        COMMAND_CONFIG,
        COMMAND_LAYERS,
        COMMAND_BLOB,
        COMMAND_PULL,
        COMMAND_CALL,
        COMMANDS,
};

struct command {
        enum command_id id;
        const char *name;
        const char *operands; /* as usage shows them */
        size_t n_min, n_max;  /* how many there may be */
        const char *about;    /* one sentence */
        const char *details;  /* more of it for --help, and examples */
};

/* By enum command_id. */
extern const struct command commands[COMMANDS];

/* The most layers that a pull fetches at once, and how many when nobody says. */
#define JOBS_MAX 64
#define JOBS_DEFAULT 6

/* The most further attempts that a pull may make. By itself it makes none. */
#define RETRIES_MAX 100

enum action {
        ACTION_RUN,
        ACTION_HELP,
        ACTION_VERSION,
};

/* What a command line says. Strings are argv's own. Free it with arguments_clear. */
struct arguments {
        enum action action;
        const struct command *command; /* NULL: none was named, which only --help and the like may do */
        const char *const *operands;   /* what stands behind the command, options taken out */
        size_t n_operands;
        const char **words; /* owns the two lists */

        const char *skopeo;
        const char *authfile;
        const char *cert_dir;
        const char **decryption_keys;
        size_t n_decryption_keys;
        const char *policy;
        const char *user_agent_prefix;
        const char *architecture, *os, *variant;
        const char *output;
        const char *transcript;
        uint64_t timeout_ms, stall_timeout_ms; /* 0: for ever */
        uint64_t jobs;
        uint64_t retries; /* further attempts of a pull */
        bool auth_stdin;
        bool no_creds;
        bool tls_verify;
        bool insecure_policy;
        bool debug;
        bool json;
        bool raw;
};

void arguments_clear(struct arguments *arguments);
static inline void cleanup_arguments(struct arguments *arguments)
{
        arguments_clear(arguments);
}

/*
 * Reads a command line. Returns 0, -ENOMEM, or -EINVAL with @error saying what is wrong and what was probably
 * meant.
 */
int arguments_parse(int argc, const char *const *argv, struct arguments *ret, struct cip_error *error);

/* Prints the help of @command; NULL: that of the program. */
void arguments_print_help(FILE *file, const struct command *command);

/* Answers what may stand in place of the last of @words, which are argv's behind the name. base/completion.h */
void arguments_complete(const char *const *words, size_t n_words, FILE *out);

#endif
