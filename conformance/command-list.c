/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `list` and `explain`: the checks of servers and the scenarios of clients, as text, or as JSON.
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
#include "conformance/installed.h"
#include "conformance/options.h"
#include "conformance/rules.h"
#include "conformance/scenarios.h"
#include "conformance/selection.h"
#include "conformance/story.h"
#include "protocol/message.h"

struct list_settings {
        const char **filters;
        size_t n_filters;
        bool client, json, uncovered, help;
        const char *scenarios;
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

static int take_client(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct list_settings *)data)->client = true;
        return 0;
}

static int take_uncovered(void *data, const char *value, struct cip_error *error)
{
        (void)value;
        (void)error;
        ((struct list_settings *)data)->uncovered = true;
        return 0;
}

static int take_scenarios(void *data, const char *value, struct cip_error *error)
{
        struct list_settings *settings = data;

        (void)error;
        settings->client = true;
        settings->scenarios = value;
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
        {"client", NULL, "print the scenarios of the client suite", take_client},
        {"scenarios", "DIR", "those of this folder", take_scenarios},
        {"uncovered", NULL, "print the rules of docs/protocol.md that no check refers to", take_uncovered},
        {"json", NULL, "print JSON", take_json},
        {"help", NULL, "print this", take_help},
};

const struct option_table list_options = {list_rows, ARRAY_SIZE(list_rows)};

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

static int print_list(const struct catalogue *catalogue, const struct check *const *checks, size_t n)
{
        const struct check_group *group = NULL;
        char versions[128];

        for (size_t i = 0; i < n; i++) {
                if (selection_group(catalogue, checks[i]) != group) {
                        group = selection_group(catalogue, checks[i]);
                        printf("%s%s: %s%s\n", i ? "\n" : "", group->name, group->about,
                               group->opt_in ? " Runs only where a filter names it." : "");
                }
                printf("  %-44s %-6s %s\n", checks[i]->id, check_level_name(checks[i]->level),
                       versions_text(checks[i], versions, sizeof(versions)));
                printf("      %s\n", checks[i]->requires);
        }
        printf("\n%zu %ss. More about one: cip-conformance explain ID\n", n, catalogue->noun);
        return EXIT_FINE;
}

static struct json_object *check_object(const struct catalogue *catalogue, const struct check *check)
{
        struct json_object *object = json_object_new_object();
        char version[VERSION_TEXT_SIZE];

        json_add_member(object, "id", json_object_new_string(check->id));
        json_add_member(object, "group", json_object_new_string(selection_group(catalogue, check)->name));
        json_add_member(object, "level", json_object_new_string(check_level_name(check->level)));
        if (selection_group(catalogue, check)->opt_in)
                json_add_member(object, "opt_in", json_object_new_boolean(true));
        if (check->detail) {
                json_add_member(object, "requires", json_object_new_string(check->requires));
                json_add_member(object, "reference", json_object_new_string(check->reference));
                return object;
        }
        json_add_member(object, "since", json_object_new_string(version_format(check->since, version)));
        if (version_compare(check->until, (struct version){0}) > 0)
                json_add_member(object, "until", json_object_new_string(version_format(check->until, version)));
        json_add_member(object, "requires", json_object_new_string(check->requires));
        json_add_member(object, "reference", json_object_new_string(check->reference));
        return object;
}

/* Takes @array. Returns the exit status. */
static int print_array(struct json_object *take_array)
{
        const char *text =
                json_text(take_array, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        int status = text ? EXIT_FINE : fail_usage("list: out of memory");

        if (text)
                puts(text);
        json_object_put(take_array);
        return status;
}

static int print_json(const struct catalogue *catalogue, const struct check *const *checks, size_t n)
{
        struct json_object *array = json_object_new_array();

        for (size_t i = 0; i < n; i++)
                json_add_item(array, check_object(catalogue, checks[i]));
        return print_array(array);
}

/* ---- rules ---- */

static bool is_covered(const struct protocol_rule *rule)
{
        for (size_t i = 0; i < n_check_groups; i++)
                for (size_t j = 0; j < *check_groups[i].n_checks; j++)
                        if (reference_has(check_groups[i].checks[j].reference, rule->id))
                                return true;
        return false;
}

static void add_rule(struct json_object *array, const struct protocol_rule *rule)
{
        struct json_object *object = json_object_new_object();

        json_add_member(object, "rule", json_object_new_string(rule->id));
        json_add_member(object, "sentence", json_object_new_string(rule->sentence));
        if (rule->reason)
                json_add_member(object, "reason", json_object_new_string(rule->reason));
        json_add_item(array, object);
}

static void print_rule(const struct protocol_rule *rule)
{
        printf("%s\n    %s\n    %s%s\n", rule->id, rule->sentence,
               rule->reason ? "no check: " : "no check refers to it", rule->reason ? rule->reason : "");
}

/* Returns the exit status: 1 where a rule has neither a check nor a reason. */
static int list_uncovered(bool json)
{
        struct json_object *array = json ? json_object_new_array() : NULL;
        size_t n = 0, without_reason = 0;

        for (size_t i = 0; i < n_protocol_rules; i++) {
                if (is_covered(&protocol_rules[i]))
                        continue;
                n++;
                without_reason += !protocol_rules[i].reason;
                if (json)
                        add_rule(array, &protocol_rules[i]);
                else
                        print_rule(&protocol_rules[i]);
        }
        if (!json)
                printf("%s%zu of %zu rules have no check, %zu of them without a reason.\n", n ? "\n" : "", n,
                       n_protocol_rules, without_reason);
        else if (print_array(array) != EXIT_FINE)
                return EXIT_USAGE;
        return without_reason ? EXIT_SHORT : EXIT_FINE;
}

/* What the filters choose, as for a run; without one everything, opt-in groups too. */
static int list_choose(const struct catalogue *catalogue, const struct list_settings *settings,
                       const struct check **ret[], size_t *ret_n, struct cip_error *error)
{
        int r;

        if (settings->n_filters)
                return selection_filter(catalogue, settings->filters, settings->n_filters, ret, ret_n, error);
        r = selection_all(catalogue, ret, ret_n);
        return r < 0 ? error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot list %ss", catalogue->noun) : 0;
}

int command_list(const char *const *argv)
{
        struct list_settings settings = {0};
        CLEANUP(cleanup_scenarios_free) struct scenarios *scenarios = NULL;
        const struct catalogue *catalogue = &server_catalogue;
        CLEANUP(cleanup_free) const struct check **checks = NULL;
        struct cip_error error = {0};
        bool dashes;
        size_t n = 0;
        int r = options_parse(list_rows, ARRAY_SIZE(list_rows), argv, &settings, &dashes, &error);

        if (r >= 0 && argv[r])
                r = error_set(&error, CIP_ERROR_LOCAL, -EINVAL,
                              "takes no word such as '%s'; --filter chooses checks", argv[r]);
        if (r >= 0 && settings.uncovered && (settings.client || settings.n_filters))
                r = error_set(
                        &error, CIP_ERROR_LOCAL, -EINVAL,
                        "--uncovered is about all checks of servers: no --client, --scenarios or --filter");
        if (r >= 0 && settings.client && !settings.help) {
                r = scenarios_load(settings.scenarios, stderr, &scenarios, &error);
                catalogue = scenarios ? &scenarios->catalogue : catalogue;
        }
        if (r >= 0 && !settings.help)
                r = list_choose(catalogue, &settings, &checks, &n, &error);
        if (r < 0) {
                r = fail_usage("list: %s", error.message);
        } else if (settings.help) {
                puts("Usage: cip-conformance list [options]\n\n"
                     "Prints every check of a server, or with --client every scenario for a client.\n");
                options_print(list_rows, ARRAY_SIZE(list_rows), stdout);
                r = EXIT_FINE;
        } else if (settings.uncovered) {
                r = list_uncovered(settings.json);
        } else {
                r = (settings.json ? print_json : print_list)(catalogue, checks, n);
        }
        free(settings.filters);
        return r;
}

/* ---- explain ---- */

static void print_labelled(const char *label, const char *text)
{
        if (text)
                printf("%-10s %s\n", label, text);
}

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
                print_labelled("Effect", entry->effect);
                print_labelled("Shown by", entry->reproducer);
        }
}

/* Each rule with its sentence, so that nobody needs the document. */
static void print_references(const struct check *check)
{
        const char *label = "Reference";
        size_t len;

        for (const char *at = check->reference; (len = reference_next(&at)) > 0; at += len) {
                const struct protocol_rule *rule = protocol_rule_find(at, len);

                printf("%-10s docs/protocol.md#%.*s\n", label, (int)len, at);
                if (rule)
                        printf("           %s\n", rule->sentence);
                label = "";
        }
}

/* With the scenario that breaks its rule, where there is one: the fake's own, or before the real skopeo. */
static void print_failure(const struct check *check)
{
        const struct check_group *group = selection_group(&server_catalogue, check);
        CLEANUP(cleanup_free) char *broken = NULL;

        if (installed_broken(check->id, &broken, NULL) < 0)
                return;
        printf("See it fail  CIP_FAKEPROXY_SCENARIO=%s \\\n"
               "             %scip-conformance server --filter %s -- cip-fakeproxy%s\n",
               broken, group->opt_in ? "CIP_CONFORMANCE_LOAD=0.01 " : "", check->id,
               group->needs_docker ? " --upstream skopeo" : "");
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
        printf("Group      %s: %s\n", selection_group(&server_catalogue, check)->name,
               selection_group(&server_catalogue, check)->about);
        if (selection_group(&server_catalogue, check)->opt_in)
                puts("Runs       only where a filter names it or its group");
        print_references(check);
        print_known(check);
        printf("\nRun it     cip-conformance server --filter %s -- skopeo\n", check->id);
        print_failure(check);
}

/* ---- scenarios ---- */

static void print_scenario(const struct catalogue *catalogue, const struct check *check)
{
        const struct scenario_case *detail = scenario_case_of(check);

        printf("%s\n\n%s\n\n", check->id, detail->scenario->about);
        puts("What happens");
        if (detail->path)
                story_print(detail->scenario, "  ", stdout);
        else
                puts("  No folder of PATH has a program called skopeo, and CIP_SKOPEO names none that is "
                     "there.");
        fputs("\nA good client ", stdout);
        scenario_print_expectation(detail->scenario, stdout);
        printf("\n\nLevel      %s\n", check_level_name(check->level));
        printf("Group      %s: %s\n", selection_group(catalogue, check)->name,
               selection_group(catalogue, check)->about);
        if (*check->reference)
                printf("Reference  docs/protocol.md#%s\n", check->reference);
        printf("Run it     cip-conformance client --filter %s -- CLIENT {ref}\n", check->id);
        if (detail->registry)
                puts("Needs      a real skopeo, on PATH or by --skopeo PROGRAM");
        else if (detail->path)
                printf("By hand    cip-fakeproxy --scenario %s, in place of skopeo; the image is "
                       "fake:scenario\n",
                       detail->path);
}

static int take_explain_scenarios(void *data, const char *value, struct cip_error *error)
{
        (void)error;
        *(const char **)data = value;
        return 0;
}

static const struct option_row explain_rows[] = {
        {"scenarios", "DIR", "the folder of the scenarios (default: those that came with this program)",
         take_explain_scenarios},
};

const struct option_table explain_options = {explain_rows, ARRAY_SIZE(explain_rows)};

/* One id, of either suite. Returns the exit status. */
static int explain(const char *id, const struct scenarios *scenarios)
{
        struct nearest nearest = {.name = id};
        char hint[128];
        const struct check *check = selection_find(&server_catalogue, id);
        const struct check *scenario = scenarios ? selection_find(&scenarios->catalogue, id) : NULL;

        if (check)
                print_check(check);
        if (check && scenario)
                putchar('\n');
        if (scenario)
                print_scenario(&scenarios->catalogue, scenario);
        if (check || scenario)
                return EXIT_FINE;
        selection_offer(&server_catalogue, &nearest);
        if (scenarios)
                selection_offer(&scenarios->catalogue, &nearest);
        return fail_usage("explain: there is no check '%s'%s; `cip-conformance list` shows them all, and with "
                          "--client the scenarios",
                          id, nearest_hint(&nearest, hint, sizeof(hint)));
}

int command_explain(const char *const *argv)
{
        CLEANUP(cleanup_scenarios_free) struct scenarios *scenarios = NULL;
        const char *folder = NULL;
        struct cip_error error = {0};
        bool dashes;
        int r;

        if (argv[0] && strcmp(argv[0], "--help") == 0) {
                puts("Usage: cip-conformance explain [--scenarios DIR] ID ..\n\nTells all about a check or a "
                     "scenario. `cip-conformance list` has the ids, and\n`list --client` those of the client "
                     "suite.");
                return EXIT_FINE;
        }
        r = options_parse(explain_rows, ARRAY_SIZE(explain_rows), argv, &folder, &dashes, &error);
        if (r < 0)
                return fail_usage("explain: %s", error.message);
        if (!argv[r])
                return fail_usage("explain: which check? `cip-conformance list` has the ids");
        /* The checks can be explained without the scenarios, which may not be there. */
        if (scenarios_load(folder, stderr, &scenarios, &error) < 0 && folder)
                return fail_usage("explain: %s", error.message);
        for (size_t i = (size_t)r; argv[i]; i++) {
                int status = explain(argv[i], scenarios);

                if (status != EXIT_FINE)
                        return status;
                if (argv[i + 1])
                        putchar('\n');
        }
        return EXIT_FINE;
}
