/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the protocol: the sentences of docs/protocol.md that carry an anchor. The table is made from the
 * document when the program is built (embed-rules). A check's reference is one rule or more, or the anchor of a
 * heading where no single sentence says it all.
 */
#ifndef CONFORMANCE_RULES_H
#define CONFORMANCE_RULES_H

#include <stdbool.h>
#include <stddef.h>

struct protocol_rule {
        const char *id;       /* the anchor: "packet-limit" */
        const char *sentence; /* what it says */
        const char *reason;   /* why no check refers to it; NULL: one should */
};

extern const struct protocol_rule protocol_rules[];
extern const size_t n_protocol_rules;

/* The anchors of the document's headings; the last is NULL. */
extern const char *const protocol_headings[];

/* The rule with the id of @len bytes, or NULL. */
const struct protocol_rule *protocol_rule_find(const char *id, size_t len);

/* Whether a heading has the anchor of @len bytes. */
bool protocol_is_heading(const char *anchor, size_t len);

/*
 * The next of the references in @text, which are separated by blanks: its length, and *@text moved to it. 0 at
 * the end. Begin with the text, and add the length before the next call.
 */
size_t reference_next(const char **text);

/* Whether one of the references in @text is @id. */
bool reference_has(const char *text, const char *id);

/* Whether two references name the same rule. Headings do not count: much stands below one. */
bool references_share(const char *a, const char *b);

#endif
