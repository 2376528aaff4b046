/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table that is searched from its beginning: a run has a handful of causes.
 */
#include "fuzz/causes.h"

#include <inttypes.h>
#include <string.h>

static struct cause *find(struct causes *causes, const char *key)
{
        for (size_t i = 0; i < causes->n; i++)
                if (strcmp(causes->causes[i].key, key) == 0)
                        return &causes->causes[i];
        return NULL;
}

static struct cause *add(struct causes *causes, const char *key, double after)
{
        struct cause *cause = &causes->causes[causes->n];

        if (causes->n == CAUSES_MAX)
                return NULL;
        causes->n++;
        *cause = (struct cause){.times = 1, .after = after};
        snprintf(cause->key, sizeof(cause->key), "%s", key);
        return cause;
}

struct cause *causes_count(struct causes *causes, const struct fault *fault)
{
        struct cause *cause = find(causes, fault->key);

        if (!cause)
                return add(causes, fault->key, fault->after);
        cause->times++;
        if (cause->same_as)
                causes->causes[cause->same_as - 1].times++;
        return NULL;
}

void causes_settle(struct causes *causes, struct cause *cause, const char *known)
{
        cause->known = known;
        if (!known)
                causes->n_new++;
}

struct cause *causes_rename(struct causes *causes, struct cause *cause, const char *key)
{
        struct cause *other = find(causes, key);

        if (other == cause)
                return cause;
        if (other) {
                other->times++;
                cause->same_as = (size_t)(other - causes->causes) + 1;
                return NULL;
        }
        other = add(causes, key, cause->after);
        if (!other)
                return NULL;
        cause->same_as = (size_t)(other - causes->causes) + 1;
        return other;
}

static void print_one(const struct cause *cause, FILE *out)
{
        fprintf(out, "  %s %6" PRIu64 "x  %s  after %.1f s\n", cause->known ? "known" : "NEW  ", cause->times,
                cause->key, cause->after);
        if (cause->known)
                fprintf(out, "                 %s\n", cause->known);
}

void causes_print(const struct causes *causes, const char *findings, FILE *out)
{
        for (int known = 0; known < 2; known++)
                for (size_t i = 0; i < causes->n; i++)
                        if (!causes->causes[i].same_as && (causes->causes[i].known != NULL) == (known == 1))
                                print_one(&causes->causes[i], out);
        if (causes->n_new)
                fprintf(out, "%zu new, in %s\n", causes->n_new, findings);
        else
                fputs(causes->n ? "Nothing new.\n" : "Nothing.\n", out);
}
