/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip-fuzz: finds what a server or a client of the image proxy protocol does wrong, by trying.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "conformance/nearest.h"
#include "fuzz/commands.h"

static const struct command commands[] = {
        {"server", "server [options] -- COMMAND ..", "random sessions with a server", command_server,
         &server_options, NULL, true},
        {"client", "client [options] -- COMMAND .. {ref}", "a client with servers that do this and that",
         command_client, &client_options, NULL, true},
        {"diff", "diff [options] -- COMMAND_A .. -- COMMAND_B ..",
         "the same sessions with two servers, compared", command_diff, &diff_options, NULL, true},
        {"replay", "replay [options] FILE -- COMMAND ..", "run a finding, steps or a transcript again",
         command_replay, &replay_options, "FILE", true},
        {"minimize", "minimize [options] FILE -- COMMAND ..",
         "make a sequence of steps as small as its fault allows", command_minimize, &minimize_options, "FILE",
         true},
};

int fail_usage(const char *format, ...)
{
        char text[CIP_ERROR_MESSAGE_SIZE], safe[CIP_ERROR_MESSAGE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_safe(safe, sizeof(safe), text, strlen(text));
        fprintf(stderr, "cip-fuzz: %s\n", safe);
        return EXIT_USAGE;
}

static int print_help(FILE *out)
{
        fputs("Usage: cip-fuzz COMMAND ..\n\n"
              "Finds what a server or a client of the containers image proxy protocol does wrong, by "
              "trying.\n\n",
              out);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                fprintf(out, "  %-44s %s\n", commands[i].usage, commands[i].about);
        fputs("\nEach has --help. To begin with: cip-fuzz server --time 60 -- skopeo\n"
              "Exit status: 0 fine, 1 something was found, 2 wrong use or environment.\n",
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
                puts("cip-fuzz " CIP_VERSION);
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
                fprintf(stderr, "cip-fuzz: cannot write to stdout: %s\n", strerror(errno));
                return EXIT_USAGE;
        }
        return status;
}
