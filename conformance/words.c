/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splitting a command line, in one pass: a character at a time goes into the word that is being made.
 */
#include "conformance/words.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* The words so far, and the one that is being made in @word, which is as large as the whole text. */
struct splitter {
        const char *p; /* what comes next */
        char **words;
        size_t n;
        char *word;
        size_t len;
        bool in_word; /* '' is a word too */
};

static int add_word(struct splitter *splitter)
{
        splitter->word[splitter->len] = '\0';
        splitter->words[splitter->n] = strdup(splitter->word);
        if (!splitter->words[splitter->n])
                return -ENOMEM;
        splitter->n++;
        splitter->len = 0;
        splitter->in_word = false;
        return 0;
}

/* From behind the opening quote to behind the closing one. */
static int take_quoted(struct splitter *splitter, char quote, struct cip_error *error)
{
        for (; *splitter->p != quote; splitter->p++) {
                if (quote == '"' && *splitter->p == '\\' && splitter->p[1] && strchr("\\\"$`", splitter->p[1]))
                        splitter->p++;
                if (!*splitter->p)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "a quote %c has no end", quote);
                splitter->word[splitter->len++] = *splitter->p;
        }
        splitter->p++;
        return 0;
}

static int take_character(struct splitter *splitter, struct cip_error *error)
{
        char c = *splitter->p++;

        if (strchr(" \t\n", c))
                return splitter->in_word ? add_word(splitter) : 0;
        if (strchr("|&;<>()", c))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "no shell runs the command, and %c is a shell's: quote it, or use sh -c '..'",
                                 c);
        splitter->in_word = true;
        if (c == '\'' || c == '"')
                return take_quoted(splitter, c, error);
        if (c == '\\') {
                if (!*splitter->p)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "nothing is behind the last \\");
                c = *splitter->p++;
        }
        splitter->word[splitter->len++] = c;
        return 0;
}

int words_split(const char *text, char ***ret, struct cip_error *error)
{
        size_t size = strlen(text) + 2;
        CLEANUP(cleanup_free) char *word = malloc(size);
        /* Every word but the last has a blank behind it. */
        CLEANUP(cleanup_words_free) char **words = calloc(size, sizeof(*words));
        struct splitter splitter = {.p = text, .words = words, .word = word};
        int r = word && words ? 0 : -ENOMEM;

        while (r == 0 && *splitter.p)
                r = take_character(&splitter, error);
        if (r == 0 && splitter.in_word)
                r = add_word(&splitter);
        if (r == -ENOMEM)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot keep the command");
        if (r < 0)
                return r;
        if (splitter.n == 0 || !*words[0])
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "there is no command");
        *ret = STEAL(words);
        return 0;
}

void words_free(char **words)
{
        for (size_t i = 0; words && words[i]; i++)
                free(words[i]);
        free(words);
}
