/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking up rules, and reading a check's reference, which names one or more. The table itself is generated.
 */
#include "conformance/rules.h"

#include <string.h>

static bool is_text(const char *text, const char *start, size_t len)
{
        return strlen(text) == len && memcmp(text, start, len) == 0;
}

const struct protocol_rule *protocol_rule_find(const char *id, size_t len)
{
        for (size_t i = 0; i < n_protocol_rules; i++)
                if (is_text(protocol_rules[i].id, id, len))
                        return &protocol_rules[i];
        return NULL;
}

bool protocol_is_heading(const char *anchor, size_t len)
{
        for (size_t i = 0; protocol_headings[i]; i++)
                if (is_text(protocol_headings[i], anchor, len))
                        return true;
        return false;
}

size_t reference_next(const char **text)
{
        *text += strspn(*text, " ");
        return strcspn(*text, " ");
}

bool reference_has(const char *text, const char *id)
{
        size_t len;

        for (const char *at = text; (len = reference_next(&at)) > 0; at += len)
                if (is_text(id, at, len))
                        return true;
        return false;
}

bool references_share(const char *a, const char *b)
{
        size_t len;

        for (const char *at = a; (len = reference_next(&at)) > 0; at += len) {
                const struct protocol_rule *rule = protocol_rule_find(at, len);

                if (rule && reference_has(b, rule->id))
                        return true;
        }
        return false;
}
