/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking over the tables of a catalogue, and filters.
 */
#include "conformance/selection.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static size_t count_all(const struct catalogue *catalogue)
{
        size_t n = 0;

        for (size_t i = 0; i < catalogue->n_groups; i++)
                n += *catalogue->groups[i].n_checks;
        return n;
}

int selection_all(const struct catalogue *catalogue, const struct check **ret[], size_t *ret_n)
{
        const struct check **all = calloc(count_all(catalogue) + 1, sizeof(void *));
        size_t n = 0;

        if (!all)
                return -ENOMEM;
        for (size_t i = 0; i < catalogue->n_groups; i++)
                for (size_t j = 0; j < *catalogue->groups[i].n_checks; j++)
                        all[n++] = &catalogue->groups[i].checks[j];
        *ret = all;
        *ret_n = n;
        return 0;
}

const struct check *selection_find(const struct catalogue *catalogue, const char *id)
{
        for (size_t i = 0; i < catalogue->n_groups; i++)
                for (size_t j = 0; j < *catalogue->groups[i].n_checks; j++)
                        if (strcmp(catalogue->groups[i].checks[j].id, id) == 0)
                                return &catalogue->groups[i].checks[j];
        return NULL;
}

void selection_offer(const struct catalogue *catalogue, struct nearest *nearest)
{
        for (size_t i = 0; i < catalogue->n_groups; i++)
                for (size_t j = 0; j < *catalogue->groups[i].n_checks; j++)
                        text_nearest(nearest, catalogue->groups[i].checks[j].id);
}

const struct check_group *selection_group(const struct catalogue *catalogue, const struct check *check)
{
        for (size_t i = 0; i < catalogue->n_groups; i++)
                if (check >= catalogue->groups[i].checks &&
                    check < catalogue->groups[i].checks + *catalogue->groups[i].n_checks)
                        return &catalogue->groups[i];
        for (size_t i = 0; i < catalogue->n_groups; i++) {
                size_t len = strlen(catalogue->groups[i].name);

                if (strncmp(check->id, catalogue->groups[i].name, len) == 0 && check->id[len] == '/')
                        return &catalogue->groups[i];
        }
        return NULL;
}

bool selection_fits(const char *filter, const char *id)
{
        size_t len = strlen(filter);

        if (fnmatch(filter, id, 0) == 0)
                return true;
        return strncmp(filter, id, len) == 0 && id[len] == '/';
}

bool selection_chooses(const struct catalogue *catalogue, const char *filter, const struct check *check)
{
        const struct check_group *group = selection_group(catalogue, check);
        size_t len = strlen(group->name);

        if (!selection_fits(filter, check->id))
                return false;
        return !group->opt_in || (strncmp(filter, group->name, len) == 0 && strchr("/", filter[len]));
}

static int judge_filter(const struct catalogue *catalogue, const char *filter, const struct check *const *all,
                        size_t n, struct cip_error *error)
{
        struct nearest nearest = {.name = filter};
        char hint[128];

        for (size_t i = 0; i < n; i++)
                if (selection_chooses(catalogue, filter, all[i]))
                        return 0;
        for (size_t i = 0; i < n; i++)
                if (selection_fits(filter, all[i]->id))
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                         "the filter '%s' fits only %ss that run when a filter names their "
                                         "group, such as '%s'",
                                         filter, catalogue->noun, all[i]->id);
        selection_offer(catalogue, &nearest);
        for (size_t i = 0; i < catalogue->n_groups; i++)
                text_nearest(&nearest, catalogue->groups[i].name);
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "no %s fits the filter '%s'%s; `%s` shows them all",
                         catalogue->noun, filter, nearest_hint(&nearest, hint, sizeof(hint)), catalogue->list);
}

int selection_filter(const struct catalogue *catalogue, const char *const *filters, size_t n_filters,
                     const struct check **ret[], size_t *ret_n, struct cip_error *error)
{
        const struct check **all;
        size_t n, kept = 0;
        int r = selection_all(catalogue, &all, &n);

        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot choose %ss", catalogue->noun);
        for (size_t i = 0; i < n_filters; i++) {
                r = judge_filter(catalogue, filters[i], all, n, error);
                if (r < 0) {
                        free(all);
                        return r;
                }
        }
        for (size_t i = 0; i < n; i++) {
                bool chosen = n_filters == 0 && !selection_group(catalogue, all[i])->opt_in;

                for (size_t j = 0; j < n_filters && !chosen; j++)
                        chosen = selection_chooses(catalogue, filters[j], all[i]);
                if (chosen)
                        all[kept++] = all[i];
        }
        *ret = all;
        *ret_n = kept;
        return 0;
}

const char *check_level_name(enum check_level level)
{
        static const char *const names[] = {"MUST", "SHOULD", "INFO"};

        return names[level];
}
