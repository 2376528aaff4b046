/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line in one text, such as --server 'sid=/opt/skopeo-sid --debug' has it, taken apart into words.
 */
#ifndef CONFORMANCE_WORDS_H
#define CONFORMANCE_WORDS_H

#include "base/cip-error.h"
#include "base/cleanup.h"

/*
 * Splits @text as a shell splits words: blanks divide, '..', ".." and a backslash keep them together. Nothing is
 * expanded: $, * and ~ are what they are. What a shell would do more about (| & ; < > and parentheses without
 * quotes), a quote without its end and a text without a word are -EINVAL with @error. *@ret is NULL-terminated.
 */
int words_split(const char *text, char ***ret, struct cip_error *error);

void words_free(char **words);
DEFINE_CLEANUP(char **, words_free);

#endif
