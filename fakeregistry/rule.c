/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rule acts on a request: a `when` is held against the facts of the request, and the requests that fit
 * are counted.
 */
#include "fakeregistry/rule.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

const char *registry_kind_name(enum registry_kind kind)
{
        static const char *const names[] = {
                [REGISTRY_ANY] = "any",     [REGISTRY_PING] = "ping",   [REGISTRY_MANIFEST] = "manifest",
                [REGISTRY_BLOB] = "blob",   [REGISTRY_TAGS] = "tags",   [REGISTRY_REFERRERS] = "referrers",
                [REGISTRY_TOKEN] = "token", [REGISTRY_OTHER] = "other",
        };

        return names[kind];
}

const char *registry_credentials_name(enum registry_credentials credentials)
{
        static const char *const names[] = {
                [REGISTRY_CREDENTIALS_ANY] = "any",           [REGISTRY_CREDENTIALS_NONE] = "none",
                [REGISTRY_CREDENTIALS_BASIC] = "basic",       [REGISTRY_CREDENTIALS_BEARER] = "bearer",
                [REGISTRY_CREDENTIALS_IDENTITY] = "identity", [REGISTRY_CREDENTIALS_OTHER] = "other",
        };

        return names[credentials];
}

static bool text_fits(const char *wanted, const char *text)
{
        return !wanted || (text && !strcmp(wanted, text));
}

static bool pattern_fits(const char *pattern, const char *text)
{
        return !pattern || (text && fnmatch(pattern, text, 0) == 0);
}

/* Host with its port, against a name without. */
static bool host_fits(const char *wanted, const char *host)
{
        size_t len = wanted ? strlen(wanted) : 0;

        if (!wanted)
                return true;
        return host && !strncasecmp(host, wanted, len) && (!host[len] || host[len] == ':');
}

bool registry_when_fits(const struct registry_when *when, const struct registry_facts *facts)
{
        return (!when->kind || when->kind == facts->kind) && text_fits(when->method, facts->method) &&
               text_fits(when->listener, facts->listener) && host_fits(when->host, facts->host) &&
               pattern_fits(when->repository, facts->repository) &&
               pattern_fits(when->reference, facts->reference) && text_fits(when->user, facts->user) &&
               (!when->user_agent || (facts->user_agent && strstr(facts->user_agent, when->user_agent))) &&
               (!when->credentials || when->credentials == facts->credentials) &&
               (!when->outcome || facts->failed == (when->outcome == REGISTRY_OUTCOME_FAILURE)) &&
               (!when->range || facts->range);
}

const struct registry_rule *registry_rules_match(const struct registry_rule *rules, size_t n, uint64_t *counts,
                                                 const struct registry_facts *facts)
{
        const struct registry_rule *acting = NULL;

        for (size_t i = 0; i < n; i++) {
                const struct registry_when *when = &rules[i].when;

                if (!registry_when_fits(when, facts))
                        continue;
                counts[i]++;
                if (acting || (when->nth && counts[i] != when->nth) || counts[i] < when->from ||
                    (when->until && counts[i] > when->until))
                        continue;
                acting = &rules[i];
        }
        return acting;
}
