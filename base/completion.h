/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can stand where a word of a command line is being typed: the answer that the completion scripts of the
 * shells (packaging/completion) ask a program for by `PROGRAM --complete WORD ..`. A program describes its command
 * line from its own option tables, in the structures below; nothing is described twice, and a shell knows at once
 * what the program knows.
 */
#ifndef BASE_COMPLETION_H
#define BASE_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* The hidden option: the words behind it are the command line without the program's name, up to the cursor. */
#define COMPLETION_OPTION "--complete"

enum completion_kind {
        COMPLETION_NONE, /* nothing can be said of it */
        COMPLETION_FILE,
        COMPLETION_FOLDER,
        COMPLETION_PROGRAM, /* a command on PATH, or a file */
        COMPLETION_WORDS,
        COMPLETION_WORD_FILE, /* one of the words; behind a colon a file, but no URL's rest */
};

/* A question that is being answered. */
struct completer;

/* Offers a word, which counts if it begins as the typed one does. @about: its first line is shown; may be NULL. */
void completion_offer(struct completer *completer, const char *word, const char *about);

struct completion_value {
        enum completion_kind kind;
        const char *choices; /* the words, as "true|false"; NULL: those that @offer offers */
        void (*offer)(struct completer *completer);
};

struct completion_option {
        const char *name; /* without "--" */
        char letter;      /* 0: none */
        bool takes_value;
        bool attached; /* its value stands behind '=' alone, and need not be there */
        struct completion_value value;
        const char *about; /* may be NULL */
};

/* A command of a program, with the options that may stand behind its name. */
struct completion_command {
        const char *name; /* NULL: what may stand before any command */
        const char *about;
        const struct completion_option *options;
        size_t n_options;
        struct completion_value first, rest; /* its operands */
        const char *again; /* the operand behind which the first one comes again; NULL: there is none */
        bool options_end;  /* none may stand behind an operand */
        bool command_line; /* behind "--" stands a command line of somebody else's */
};

/*
 * Answers on @out. @words are those typed so far, the last being the one that is completed; it may be "". The first
 * line says how to complete: "words", each in a line of its own then, with a tab and what it is about; "file",
 * "folder", "program", each with what stands in the word before that; "command N", where the words from the Nth on
 * are a command line of their own; "none".
 * The first of @commands is the one without a name.
 */
void completion_answer(const struct completion_command *commands, size_t n_commands, const char *const *words,
                       size_t n_words, FILE *out);

#endif
