/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging: job to status by the baseline, the worst of several repeats, and what changed between them.
 */
#include "conformance/judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"

/* Longest text of how repeats differ. */
#define CHANGED_MAX 200

bool judge_version(const struct check *check, struct version version, char *reason, size_t size)
{
        char needs[VERSION_TEXT_SIZE], speaks[VERSION_TEXT_SIZE];
        bool too_old = version_compare(version, check->since) < 0;
        bool too_new = version_compare(check->until, (struct version){0}) > 0 &&
                       version_compare(version, check->until) >= 0;

        if (reason)
                snprintf(reason, size, "%s %s, the server speaks %s", too_old ? "needs" : "holds before",
                         version_format(too_old ? check->since : check->until, needs),
                         version_format(version, speaks));
        return !too_old && !too_new;
}

/* What a job comes to by itself. */
static struct result judge_job(const struct summary *summary, const struct job *job,
                               const struct baseline *baseline)
{
        struct result result = {
                .check = job->check,
                .status = STATUS_ERROR,
                .message = job->message,
                .value = job->value,
                .seconds = job->seconds,
                .closing = job->closing,
                .job = job,
        };
        const struct baseline_entry *entry =
                baseline_find(baseline, job->check, summary->subject->version, summary->release,
                              job->kind == OUTCOME_FAIL ? job->message : NULL);

        if (job->kind == OUTCOME_FAIL)
                result.status = entry ? STATUS_KNOWN : STATUS_FAIL;
        else if (job->kind == OUTCOME_SKIP)
                result.status = STATUS_SKIP;
        else if (job->kind == OUTCOME_PASS)
                result.status = entry && !entry->sometimes ? STATUS_FIXED : STATUS_PASS;
        if (result.status == STATUS_KNOWN || result.status == STATUS_FIXED)
                result.entry = entry;
        return result;
}

static bool is_worse(enum status a, enum status b)
{
        static const int badness[STATUSES] = {
                [STATUS_SKIP] = 0,  [STATUS_PASS] = 1, [STATUS_KNOWN] = 2,
                [STATUS_FIXED] = 3, [STATUS_FAIL] = 4, [STATUS_ERROR] = 5,
        };

        return badness[a] > badness[b];
}

static bool differ(const struct result *a, const struct result *b)
{
        if (a->status != b->status || !a->value != !b->value)
                return true;
        return a->value && strcmp(a->value, b->value) != 0;
}

/* "pass, fail, pass", or the values. */
static char *tell_change(const struct result *repeats, size_t n)
{
        char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);

        if (!out)
                return NULL;
        for (size_t i = 0; i < n && ftell(out) < CHANGED_MAX; i++)
                fprintf(out, "%s%s%s%s%s", i ? ", " : "", status_name(repeats[i].status),
                        repeats[i].value ? " (" : "", repeats[i].value ? repeats[i].value : "",
                        repeats[i].value ? ")" : "");
        if (ftell(out) >= CHANGED_MAX)
                fputs(", ..", out);
        return memstream_close(out, &text);
}

static void judge_repeats(struct summary *summary, struct result *result, const struct result *repeats,
                          size_t n)
{
        bool changed = false;

        for (size_t i = 0; i < n; i++) {
                if (i == 0 || is_worse(repeats[i].status, result->status))
                        *result = repeats[i];
                changed = changed || differ(&repeats[i], &repeats[0]);
        }
        if (changed)
                result->changed = tell_change(repeats, n);
        summary->n_changed += changed;
}

/* A check without a job that ran to its end. */
static void judge_not_run(const struct summary *summary, struct result *result)
{
        char reason[128];

        result->message = "not run: interrupted";
        if (judge_version(result->check, summary->subject->version, reason, sizeof(reason)))
                return;
        result->reason = strdup(reason);
        result->message = result->reason ? result->reason : "not of the server's version";
}

void judge_results(struct summary *summary, const struct check *const *checks, const struct job *jobs,
                   size_t n_jobs, const struct baseline *baseline)
{
        CLEANUP(cleanup_free) struct result *repeats = calloc(summary->repeat, sizeof(*repeats));

        for (size_t i = 0; i < summary->n_results; i++) {
                struct result *result = &summary->results[i];
                size_t n = 0;

                for (size_t j = 0; repeats && j < n_jobs; j++)
                        if (jobs[j].check == checks[i] && jobs[j].done && n < summary->repeat)
                                repeats[n++] = judge_job(summary, &jobs[j], baseline);
                *result = (struct result){.check = checks[i], .status = STATUS_SKIP};
                if (n)
                        judge_repeats(summary, result, repeats, n);
                else
                        judge_not_run(summary, result);
                summary->counts[result->status]++;
        }
}

void results_clear(struct result *results, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free(results[i].changed);
                free(results[i].reason);
        }
}
