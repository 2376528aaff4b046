/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip-conformance: which rules of the image proxy protocol does a server keep, and what does a client
 * make of a server that keeps them not? This file chooses the command.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/commands.h"
#include "conformance/nearest.h"

static const struct command commands[] = {
        {"server", "server [options] -- COMMAND ..", "check a server, such as skopeo", command_server,
         &server_options, NULL, true},
        {"client", "client [options] -- COMMAND .. {ref} ..", "check a client of such servers", command_client,
         &client_options, NULL, true},
        {"matrix", "matrix [options] --server NAME=COMMAND ..", "check several servers, side by side",
         command_matrix, &matrix_options},
        {"diff", "diff [options] OLD.json NEW.json", "compare two saved reports", command_diff, &diff_options,
         "FILE"},
        {"list", "list [--client] [--filter GLOB] [--json]", "print every check, or every scenario",
         command_list, &list_options},
        {"explain", "explain ID ..", "tell all about a check or a scenario", command_explain, &explain_options,
         "ID"},
};

int fail_usage(const char *format, ...)
{
        char text[CIP_ERROR_MESSAGE_SIZE], safe[CIP_ERROR_MESSAGE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_safe(safe, sizeof(safe), text, strlen(text));
        fprintf(stderr, "cip-conformance: %s\n", safe);
        return EXIT_USAGE;
}

static int print_help(FILE *out)
{
        fputs("Usage: cip-conformance COMMAND ..\n\n"
              "Checks whether a server keeps the containers image proxy protocol, and what a client of it "
              "does\n"
              "on a bad day of the server.\n\n",
              out);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                fprintf(out, "  %-42s %s\n", commands[i].usage, commands[i].about);
        fputs("\nEach has --help. To begin with: cip-conformance server -- skopeo\n"
              "Exit status: 0 fine, 1 the subject fell short, 2 wrong use or environment.\n",
              out);
        return EXIT_FINE;
}

static int choose(const char *const *argv)
{
        struct nearest nearest = {.name = argv[1]};
        char hint[64];

        if (!argv[1]) {
                print_help(stderr);
                return EXIT_USAGE;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
                return print_help(stdout);
        if (strcmp(argv[1], "--version") == 0) {
                puts("cip-conformance " CIP_VERSION);
                return EXIT_FINE;
        }
        if (strcmp(argv[1], COMPLETION_OPTION) == 0) {
                complete(commands, ARRAY_SIZE(commands), argv + 2, stdout);
                return EXIT_FINE;
        }
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                if (strcmp(commands[i].name, argv[1]) == 0)
                        return commands[i].run(argv + 2);
                text_nearest(&nearest, commands[i].name);
        }
        return fail_usage("there is no command '%s'%s; --help shows them all", argv[1],
                          nearest_hint(&nearest, hint, sizeof(hint)));
}

int main(int argc, char **argv)
{
        int status;

        (void)argc;
        status = choose((const char *const *)argv);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "cip-conformance: cannot write to stdout: %s\n", strerror(errno));
                return EXIT_USAGE;
        }
        return status;
}
