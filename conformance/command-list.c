/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `list` and `explain`: the table of checks as text, or as JSON.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/baseline.h"
#include "conformance/commands.h"
#include "conformance/options.h"
#include "conformance/selection.h"

struct list_settings {
        const char **filters;
        size_t n_filters;
        bool json, help;
};

static int take_filter(void *data, const char *value, struct cip_error *error)
{
        struct list_settings *settings = data;
        const char **filters = realloc(settings->filters, (settings->n_filters + 1) * sizeof(*filters));

        (void)error;
        if (!filters)
                return -ENOMEM;
        settings->filters = filters;
        filters[settings->n_filters++] = value;
        return 0;
}

static int take_json(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct list_settings *)data)->json = true;
        return 0;
}

static int take_help(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct list_settings *)data)->help = true;
        return 0;
}

static const struct option_row list_rows[] = {
        {"filter", "GLOB", "only the checks that fit; a group's name stands for all of it (many)", take_filter},
        {"json", NULL, "print JSON", take_json},
        {"help", NULL, "print this", take_help},
};

/* "since 0.2.7", "before 0.2.7", "" */
static const char *versions_text(const struct check *check, char *ret, size_t size)
{
        char since[VERSION_TEXT_SIZE], until[VERSION_TEXT_SIZE];
        bool has_since = version_compare(check->since, VERSION_OLDEST) > 0;
        bool has_until = version_compare(check->until, (struct version){0}) > 0;

        snprintf(ret, size, "%s%s%s%s%s", has_since ? "since " : "",
                 has_since ? version_format(check->since, since) : "", has_since && has_until ? ", " : "",
                 has_until ? "before " : "", has_until ? version_format(check->until, until) : "");
        return ret;
}

static void print_list(const struct check *const *checks, size_t n)
{
        const struct check_group *group = NULL;
        char versions[128];

        for (size_t i = 0; i < n; i++) {
                if (selection_group(checks[i]) != group) {
                        group = selection_group(checks[i]);
                        printf("%s%s: %s\n", i ? "\n" : "", group->name, group->about);
                }
                printf("  %-44s %-6s %s\n", checks[i]->id, check_level_name(checks[i]->level),
                       versions_text(checks[i], versions, sizeof(versions)));
                printf("      %s\n", checks[i]->requires);
        }
        printf("\n%zu checks. More about one: cip-conformance explain ID\n", n);
}

static struct json_object *check_object(const struct check *check)
{
        struct json_object *object = json_object_new_object();
        char version[VERSION_TEXT_SIZE];

        json_object_object_add(object, "id", json_object_new_string(check->id));
        json_object_object_add(object, "group", json_object_new_string(selection_group(check)->name));
        json_object_object_add(object, "level", json_object_new_string(check_level_name(check->level)));
        json_object_object_add(object, "since", json_object_new_string(version_format(check->since, version)));
        if (version_compare(check->until, (struct version){0}) > 0)
                json_object_object_add(object, "until",
                                       json_object_new_string(version_format(check->until, version)));
        json_object_object_add(object, "requires", json_object_new_string(check->requires));
        json_object_object_add(object, "reference", json_object_new_string(check->reference));
        json_object_object_add(object, "fault", json_object_new_string(check->fault));
        return object;
}

static void print_json(const struct check *const *checks, size_t n)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < n; i++)
                json_object_array_add(array, check_object(checks[i]));
        puts(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(array);
}

int command_list(const char *const *argv)
{
        struct list_settings settings = {0};
        CLEANUP(cleanup_free) const struct check **checks = NULL;
        struct cip_error error = {0};
        bool dashes;
        size_t n = 0;
        int r = options_parse(list_rows, ARRAY_SIZE(list_rows), argv, &settings, &dashes, &error);

        if (r >= 0 && argv[r])
                r = error_set(&error, CIP_ERROR_LOCAL, -EINVAL,
                              "takes no word such as '%s'; --filter chooses checks", argv[r]);
        if (r >= 0 && !settings.help)
                r = selection_filter(settings.filters, settings.n_filters, &checks, &n, &error);
        if (r < 0) {
                r = fail_usage("list: %s", error.message);
        } else if (settings.help) {
                puts("Usage: cip-conformance list [options]\n\nPrints every check of a server.\n");
                options_print(list_rows, ARRAY_SIZE(list_rows), stdout);
                r = EXIT_FINE;
        } else {
                (settings.json ? print_json : print_list)(checks, n);
                r = EXIT_FINE;
        }
        free(settings.filters);
        return r;
}

/* ---- explain ---- */

static void print_known(const struct check *check)
{
        CLEANUP(cleanup_baseline_free) struct baseline *baseline = NULL;

        if (baseline_built_in(&baseline, NULL) < 0)
                return;
        for (size_t i = 0; i < baseline->n_entries; i++) {
                const struct baseline_entry *entry = &baseline->entries[i];

                if (entry->check != check)
                        continue;
                printf("Known      %s (", entry->defect);
                for (size_t j = 0; j < entry->n_releases; j++) {
                        char first[VERSION_TEXT_SIZE], last[VERSION_TEXT_SIZE];
                        const struct release_range *range = &entry->releases[j];
                        bool one = version_compare(range->first, range->last) == 0;

                        printf("%s%s%s%s%s", j ? ", " : "", range->first.major == 0 ? "protocol " : "skopeo ",
                               version_format(range->first, first), one ? "" : " to ",
                               one ? "" : version_format(range->last, last));
                }
                puts(")");
        }
}

static void print_check(const struct check *check)
{
        static const char *const levels[] = {
                "the manual says so, or every client depends on it",
                "falling short hurts people",
                "records what this server does; never falls short",
        };
        char versions[128];

        versions_text(check, versions, sizeof(versions));
        printf("%s\n\n", check->id);
        printf("Requires   %s\n", check->requires);
        printf("Level      %s: %s\n", check_level_name(check->level), levels[check->level]);
        printf("Versions   %s\n", *versions ? versions : "all");
        printf("Group      %s: %s\n", selection_group(check)->name, selection_group(check)->about);
        printf("Reference  docs/protocol.md#%s\n", check->reference);
        print_known(check);
        printf("\nRun it     cip-conformance server --filter %s -- skopeo\n", check->id);
        printf("See it fail  CIP_FAKEPROXY_FAULT=%s cip-conformance server --filter %s -- cip-fakeproxy\n",
               check->fault, check->id);
}

int command_explain(const char *const *argv)
{
        const struct check *check;
        struct nearest nearest = {.name = argv[0]};
        char hint[128];

        if (argv[0] && strcmp(argv[0], "--help") == 0) {
                puts("Usage: cip-conformance explain ID ..\n\nTells all about a check. `cip-conformance list` "
                     "has the ids.");
                return EXIT_FINE;
        }
        if (!argv[0])
                return fail_usage("explain: which check? `cip-conformance list` has the ids");
        for (size_t i = 0; argv[i]; i++) {
                check = selection_find(argv[i]);
                nearest = (struct nearest){.name = argv[i]};
                selection_offer(&nearest);
                if (!check)
                        return fail_usage(
                                "explain: there is no check '%s'%s; `cip-conformance list` shows them all",
                                argv[i], nearest_hint(&nearest, hint, sizeof(hint)));
                if (i)
                        putchar('\n');
                print_check(check);
        }
        return EXIT_FINE;
}
