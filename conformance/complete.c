/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion of cip-conformance's command line, from its table of commands and their option tables. What an option's
 * value is, is told by the name that the value has in the table: FILE, GLOB, "skopeo|bare". base/completion.h has
 * the rest.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "conformance/commands.h"
#include "conformance/report.h"
#include "conformance/scenarios.h"
#include "conformance/selection.h"

static void offer_catalogue(struct completer *completer, const struct catalogue *catalogue)
{
        for (size_t i = 0; i < catalogue->n_groups; i++) {
                const struct check_group *group = &catalogue->groups[i];

                completion_offer(completer, group->name, group->about);
                for (size_t j = 0; j < *group->n_checks; j++)
                        completion_offer(completer, group->checks[j].id, group->checks[j].requires);
        }
}

static void offer_checks(struct completer *completer)
{
        offer_catalogue(completer, &server_catalogue);
}

static void offer_scenarios(struct completer *completer)
{
        CLEANUP(cleanup_scenarios_free) struct scenarios *scenarios = NULL;

        if (scenarios_load(NULL, stderr, &scenarios, NULL) == 0)
                offer_catalogue(completer, &scenarios->catalogue);
}

static void offer_all(struct completer *completer)
{
        offer_checks(completer);
        offer_scenarios(completer);
}

/* Each alone, for stdout, and with the colon behind which a file is named. */
static void offer_formats(struct completer *completer)
{
        for (size_t i = 0; i < n_report_formats; i++) {
                char word[64];

                snprintf(word, sizeof(word), "%s:", report_formats[i].name);
                completion_offer(completer, report_formats[i].name, report_formats[i].about);
                completion_offer(completer, word, report_formats[i].about);
        }
}

/* The first that fits. */
static const struct {
        const char *command;  /* NULL: any */
        const char *argument; /* as in struct option_row and in a command's usage */
        struct completion_value value;
} values[] = {
        {"server", "GLOB", {COMPLETION_WORDS, NULL, offer_checks}},
        {"matrix", "GLOB", {COMPLETION_WORDS, NULL, offer_checks}},
        {"client", "GLOB", {COMPLETION_WORDS, NULL, offer_scenarios}},
        {NULL, "GLOB", {COMPLETION_WORDS, NULL, offer_all}},
        {NULL, "ID", {COMPLETION_WORDS, NULL, offer_all}},
        {NULL, "FORMAT[:FILE]", {COMPLETION_WORD_FILE, NULL, offer_formats}},
        {NULL, "FILE", {COMPLETION_FILE, NULL, NULL}},
        {NULL, "DIR", {COMPLETION_FOLDER, NULL, NULL}},
        {NULL, "[=DIR]", {COMPLETION_FOLDER, NULL, NULL}},
        {NULL, "PROGRAM", {COMPLETION_PROGRAM, NULL, NULL}},
};

static struct completion_value value_of(const char *command, const char *argument)
{
        if (argument && strchr(argument, '|'))
                return (struct completion_value){COMPLETION_WORDS, argument, NULL};
        for (size_t i = 0; argument && i < ARRAY_SIZE(values); i++)
                if ((!values[i].command || !strcmp(values[i].command, command)) &&
                    !strcmp(values[i].argument, argument))
                        return values[i].value;
        return (struct completion_value){COMPLETION_NONE, NULL, NULL};
}

/* Writes the command's options to @ret, as completion wants them. */
static void write_options(const struct command *command, struct completion_option *ret)
{
        for (size_t i = 0; i < command->options->n_rows; i++) {
                const struct option_row *row = &command->options->rows[i];

                ret[i] = (struct completion_option){
                        .name = row->name,
                        .takes_value = row->argument,
                        .attached = row->argument && row->argument[0] == '[',
                        .value = value_of(command->name, row->argument),
                        .about = row->help,
                };
        }
}

void complete(const struct command *commands, size_t n_commands, const char *const *words, FILE *out)
{
        static const struct completion_option own[] = {{.name = "help", .letter = 'h'}, {.name = "version"}};
        CLEANUP(cleanup_free) struct completion_command *all = calloc(n_commands + 1, sizeof(*all));
        CLEANUP(cleanup_free) struct completion_option *options = NULL;
        size_t n_options = 0, n_words = 0;

        for (size_t i = 0; i < n_commands; i++)
                n_options += commands[i].options->n_rows;
        options = calloc(n_options + 1, sizeof(*options));
        if (!all || !options)
                return;
        n_options = 0;
        all[0] = (struct completion_command){.options = own, .n_options = ARRAY_SIZE(own)};
        for (size_t i = 0; i < n_commands; i++) {
                const struct command *command = &commands[i];

                write_options(command, options + n_options);
                all[i + 1] = (struct completion_command){
                        .name = command->name,
                        .about = command->about,
                        .options = options + n_options,
                        .n_options = command->options->n_rows,
                        .first = value_of(command->name, command->operand),
                        .rest = value_of(command->name, command->operand),
                        .options_end = true,
                        .command_line = command->command_line,
                };
                n_options += command->options->n_rows;
        }
        while (words[n_words])
                n_words++;
        completion_answer(all, n_commands + 1, words, n_words, out);
}
