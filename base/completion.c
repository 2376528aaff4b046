/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking over the words of a command line to the one that is being typed. A mistake on the way is no matter: who
 * presses a key is not told about it, and is offered what fits all the same.
 */
#include "base/completion.h"

#include <string.h>

struct completer {
        FILE *out;
        const char *lead; /* what stands in the word before what is completed: "--report=" */
        size_t n_lead;
        const char *text; /* what was typed of it */
};

/* Where the walk is. */
struct walk {
        const struct completion_command *command;
        size_t n_operands;
        bool options_ended;
};

void completion_offer(struct completer *completer, const char *word, const char *about)
{
        if (strncmp(word, completer->text, strlen(completer->text)) != 0)
                return;
        fprintf(completer->out, "%.*s%s\t%.*s\n", (int)completer->n_lead, completer->lead, word,
                about ? (int)strcspn(about, "\n") : 0, about ? about : "");
}

static void offer_choices(struct completer *completer, const char *choices)
{
        while (*choices) {
                char word[64];
                size_t len = strcspn(choices, "|");

                snprintf(word, sizeof(word), "%.*s", (int)len, choices);
                completion_offer(completer, word, NULL);
                choices += len + (choices[len] == '|');
        }
}

static void offer_words(struct completer *completer, const struct completion_value *value)
{
        fputs("words\n", completer->out);
        if (value->choices)
                offer_choices(completer, value->choices);
        else if (value->offer)
                value->offer(completer);
}

static void answer_value(struct completer *completer, const struct completion_value *value)
{
        static const char *const kinds[] = {
                [COMPLETION_FILE] = "file",
                [COMPLETION_FOLDER] = "folder",
                [COMPLETION_PROGRAM] = "program",
        };
        enum completion_kind kind = value->kind;

        if (kind == COMPLETION_WORD_FILE) {
                const char *colon = strchr(completer->text, ':');

                kind = colon ? COMPLETION_FILE : COMPLETION_WORDS;
                if (colon && !strncmp(colon, "://", 3)) {
                        kind = COMPLETION_NONE;
                } else if (colon) {
                        completer->n_lead += (size_t)(colon + 1 - completer->text);
                        completer->text = colon + 1;
                }
        }
        if (kind == COMPLETION_WORDS)
                offer_words(completer, value);
        else if (kind == COMPLETION_NONE)
                fputs("none\n", completer->out);
        else
                fprintf(completer->out, "%s %.*s\n", kinds[kind], (int)completer->n_lead, completer->lead);
}

/* The option that @word is or begins with; *@ret_value is what stands behind '=', or behind a letter, or NULL. */
static const struct completion_option *find_option(const struct completion_command *command, const char *word,
                                                   const char **ret_value)
{
        bool is_long = word[1] == '-';
        size_t len = strcspn(word, "=");

        *ret_value = NULL;
        for (size_t i = 0; i < command->n_options; i++) {
                const struct completion_option *option = &command->options[i];

                if (!is_long && option->letter == word[1]) {
                        *ret_value = word[2] ? word + 2 : NULL;
                        return option;
                }
                if (is_long && strlen(option->name) == len - 2 && !strncmp(option->name, word + 2, len - 2)) {
                        *ret_value = word[len] ? word + len + 1 : NULL;
                        return option;
                }
        }
        return NULL;
}

static void offer_options(struct completer *completer, const struct completion_command *command)
{
        fputs("words\n", completer->out);
        for (size_t i = 0; i < command->n_options; i++) {
                const struct completion_option *option = &command->options[i];
                char word[128];

                snprintf(word, sizeof(word), "--%s", option->name);
                completion_offer(completer, word, option->about);
                if (option->attached) {
                        snprintf(word, sizeof(word), "--%s=", option->name);
                        completion_offer(completer, word, option->about);
                }
                if (option->letter) {
                        snprintf(word, sizeof(word), "-%c", option->letter);
                        completion_offer(completer, word, option->about);
                }
        }
        if (command->command_line)
                completion_offer(completer, "--", "the command line follows");
}

static const struct completion_command *find_command(const struct completion_command *commands,
                                                     size_t n_commands, const char *name)
{
        for (size_t i = 1; i < n_commands; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

/* Whether a word is an option here. "-" is an operand. */
static bool is_option(const struct walk *walk, const char *word)
{
        return !walk->options_ended && word[0] == '-' && word[1];
}

/* The last word, as the walk has come to it. */
static void answer_last(const struct completion_command *commands, size_t n_commands, const struct walk *walk,
                        const char *word, struct completer *completer)
{
        const struct completion_command *command = walk->command;
        const struct completion_value *operand;
        const struct completion_option *option;
        const char *value;

        if (word[0] == '-' && !walk->options_ended) {
                option = strchr(word, '=') ? find_option(command, word, &value) : NULL;
                if (!option || !value) {
                        offer_options(completer, command);
                        return;
                }
                completer->n_lead = (size_t)(value - word);
                completer->text = value;
                answer_value(completer, &option->value);
                return;
        }
        if (command == commands && n_commands > 1) {
                fputs("words\n", completer->out);
                for (size_t i = 1; i < n_commands; i++)
                        completion_offer(completer, commands[i].name, commands[i].about);
                return;
        }
        operand = walk->n_operands == 0 ? &command->first : &command->rest;
        if (operand->kind == COMPLETION_NONE && !*word && !walk->options_ended)
                offer_options(completer, command);
        else
                answer_value(completer, operand);
}

/* An operand, or the command's name. Returns false where the command is unknown. */
static bool walk_operand(const struct completion_command *commands, size_t n_commands, const char *word,
                         struct walk *walk)
{
        if (walk->command == commands && n_commands > 1) {
                walk->command = find_command(commands, n_commands, word);
                return walk->command;
        }
        if (walk->command->again && strcmp(walk->command->again, word) == 0)
                walk->n_operands = 0;
        else
                walk->n_operands++;
        walk->options_ended = walk->options_ended || walk->command->options_end;
        return true;
}

void completion_answer(const struct completion_command *commands, size_t n_commands, const char *const *words,
                       size_t n_words, FILE *out)
{
        const char *last = n_words ? words[n_words - 1] : "";
        struct completer completer = {.out = out, .lead = last, .text = last};
        struct walk walk = {.command = commands};

        for (size_t i = 0; i + 1 < n_words; i++) {
                const struct completion_option *option;
                const char *value;

                if (!is_option(&walk, words[i])) {
                        if (!walk_operand(commands, n_commands, words[i], &walk)) {
                                fputs("none\n", out);
                                return;
                        }
                } else if (strcmp(words[i], "--") != 0) {
                        option = find_option(walk.command, words[i], &value);
                        if (!option || !option->takes_value || option->attached || value)
                                continue;
                        if (++i + 1 == n_words) {
                                answer_value(&completer, &option->value);
                                return;
                        }
                } else if (walk.command->command_line) {
                        fprintf(out, "command %zu\n", i + 1);
                        return;
                } else {
                        walk.options_ended = true;
                }
        }
        answer_last(commands, n_commands, &walk, last, &completer);
}
