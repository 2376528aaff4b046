/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of commands is what is chosen from, what --help prints and what completion offers.
 */
#include "conformance/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "conformance/nearest.h"

/* Of the one that runs, for messages. */
static const char *program_name = "cip";

int fail_usage(const char *format, ...)
{
        char text[CIP_ERROR_MESSAGE_SIZE], safe[CIP_ERROR_MESSAGE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        text_make_safe(safe, sizeof(safe), text, strlen(text));
        fprintf(stderr, "%s: %s\n", program_name, safe);
        return EXIT_USAGE;
}

static int print_help(const struct program *program, FILE *out)
{
        int width = 0;

        for (size_t i = 0; i < program->n_commands; i++)
                if ((int)strlen(program->commands[i].usage) > width)
                        width = (int)strlen(program->commands[i].usage);
        fprintf(out, "Usage: %s COMMAND ..\n\n%s\n\n", program->name, program->about);
        for (size_t i = 0; i < program->n_commands; i++)
                fprintf(out, "  %-*s  %s\n", width, program->commands[i].usage, program->commands[i].about);
        fprintf(out,
                "\nEach has --help. To begin with: %s\n"
                "Exit status: 0 fine, 1 %s, 2 wrong use or environment.\n",
                program->first, program->short_status);
        return EXIT_FINE;
}

static int choose(const struct program *program, const char *const *argv)
{
        struct nearest nearest = {.name = argv[1]};
        char hint[64];

        if (!argv[1]) {
                print_help(program, stderr);
                return EXIT_USAGE;
        }
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
                return print_help(program, stdout);
        if (strcmp(argv[1], "--version") == 0) {
                printf("%s %s\n", program->name, CIP_VERSION);
                return EXIT_FINE;
        }
        if (strcmp(argv[1], COMPLETION_OPTION) == 0) {
                complete(program->commands, program->n_commands, argv + 2, stdout);
                return EXIT_FINE;
        }
        for (size_t i = 0; i < program->n_commands; i++) {
                if (strcmp(program->commands[i].name, argv[1]) == 0)
                        return program->commands[i].run(argv + 2);
                text_nearest(&nearest, program->commands[i].name);
        }
        return fail_usage("there is no command '%s'%s; --help shows them all", argv[1],
                          nearest_hint(&nearest, hint, sizeof(hint)));
}

int program_main(const struct program *program, const char *const *argv)
{
        int status;

        program_name = program->name;
        status = choose(program, argv);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "%s: cannot write to stdout: %s\n", program->name, strerror(errno));
                return EXIT_USAGE;
        }
        return status;
}
