/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the folder of scenarios. All files are read before anything is said, so that one run shows all that is
 * wrong in them.
 */
#include "conformance/scenarios.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "conformance/client.h"
#include "conformance/installed.h"

/* The groups, in the order of reports. */
static const struct {
        const char *name, *about;
} groups[] = {
        {"start", "Versions, and servers that do not come up."},
        {"packets", "What comes in place of one well-formed packet."},
        {"replies", "Replies whose members are not what they should be."},
        {"descriptors", "Descriptors that are missing, too many, or of the wrong kind."},
        {"data", "Data that is cut short, changed, or too long."},
        {"pipes", "How pipes end, FinishPipe, and the pipe of errors."},
        {"images", "Images that are odd, or not what they say they are."},
        {"ends", "Servers that die, and servers that do not."},
        {"time", "Servers that are silent where an answer or data is due."},
        {"registries", "A real skopeo, and a registry behind it that fails; skipped where there is no skopeo."},
        {"unusual", "Servers that are good, but unusual: here a client must succeed."},
        {"other", "Scenarios without a group."},
};

#define OTHER_GROUP (ARRAY_SIZE(groups) - 1)

/* What no scenario file can say. */
static const char *const missing_mentions[] = {"skopeo", NULL};
static const struct scenario command_missing = {
        .name = "command-missing",
        .about = "There is no skopeo on PATH. A client that does not look at what starting it came to hangs, "
                 "or tells of a broken pipe.",
        .group = "start",
        .reference = "command-line",
        .level = SCENARIO_MUST,
        .has_client = true,
        .client = {.must = CLIENT_FAILS, .within_s = 10, .mention = missing_mentions},
};

/* One scenario and what is made of it. */
struct entry {
        struct scenario *owned;           /* NULL: the built-in one */
        struct client_registry *registry; /* NULL: none is behind the server */
        struct scenario_case detail;
        char *path, *id, *requires;
        size_t group;
};

struct scenario_store {
        struct entry *entries;
        size_t n;
        struct check_group groups[ARRAY_SIZE(groups)];
        struct check *checks[ARRAY_SIZE(groups)];
        size_t n_checks[ARRAY_SIZE(groups)];
};

uint64_t scenario_within(const struct scenario *scenario)
{
        return scenario->client.within_s ? scenario->client.within_s : SCENARIO_WITHIN_DEFAULT;
}

const struct scenario_case *scenario_case_of(const struct check *check)
{
        return check->detail;
}

static void print_texts(const char *before, const char *const *texts, FILE *out)
{
        for (size_t i = 0; texts && texts[i]; i++) {
                char safe[256];

                text_make_safe(safe, sizeof(safe), texts[i], strlen(texts[i]));
                fprintf(out, "%s\"%s\"", i ? ", " : before, safe);
        }
}

void scenario_print_expectation(const struct scenario *scenario, FILE *out)
{
        static const char *const musts[] = {
                [CLIENT_SUCCEEDS] = "succeeds",
                [CLIENT_FAILS] = "fails",
                [CLIENT_EITHER] = "succeeds or fails",
        };
        const struct scenario_client *client = &scenario->client;

        fprintf(out, "%s within %llu s", musts[client->must], (unsigned long long)scenario_within(scenario));
        print_texts(client->must == CLIENT_EITHER ? ", when it fails says " : ", says ", client->mention, out);
        print_texts(", does not say ", client->not_mention, out);
        if (client->has_calls_at_most)
                fprintf(out, ", needs no more than %llu requests", (unsigned long long)client->calls_at_most);
        if (client->no_result)
                fputs(", leaves no image", out);
        fputc('.', out);
}

/* ---- one file ---- */

static size_t find_group(const char *name)
{
        for (size_t i = 0; name && i < ARRAY_SIZE(groups); i++)
                if (strcmp(groups[i].name, name) == 0)
                        return i;
        return OTHER_GROUP;
}

/* "A server does this. A good client does that." */
static char *make_requires(const struct scenario *scenario)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        if (!out)
                return NULL;
        fprintf(out, "%s A good client ", scenario->about);
        scenario_print_expectation(scenario, out);
        return memstream_close(out, &text);
}

static int fill_entry(struct entry *entry, const struct scenario *scenario)
{
        entry->group = find_group(scenario->group);
        entry->detail = (struct scenario_case){scenario, entry->registry, entry->path};
        entry->requires = make_requires(scenario);
        if (asprintf(&entry->id, "%s/%s", groups[entry->group].name, scenario->name) < 0)
                entry->id = NULL;
        return entry->id && entry->requires ? 0 : -ENOMEM;
}

/* Reads @entry's path. Returns 0, -EBADMSG where something was wrong and has been printed, or -ENOMEM. */
static int read_entry(struct entry *entry, FILE *problems)
{
        CLEANUP(cleanup_problems) struct problems found = {0};
        int r = scenario_read(entry->path, &entry->owned, &found);

        if (r == -EINVAL) {
                problems_print(&found, entry->path, problems);
                return -EBADMSG;
        }
        if (r < 0)
                return r;
        if (!entry->owned->has_client) {
                fprintf(problems,
                        "%s: : \"client\" is missing: a scenario of the client suite says what a good "
                        "client does\n",
                        entry->path);
                return -EBADMSG;
        }
        r = client_registry_read(entry->owned, &entry->registry, &found);
        if (r == -EINVAL)
                problems_print(&found, entry->path, problems);
        if (r < 0)
                return r == -EINVAL ? -EBADMSG : r;
        return fill_entry(entry, entry->owned);
}

/* ---- the folder ---- */

static int is_scenario_file(const struct dirent *entry)
{
        size_t len = strlen(entry->d_name);

        return len > 5 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static int read_folder(struct scenarios *scenarios, FILE *problems, struct cip_error *error)
{
        struct scenario_store *store = scenarios->store;
        struct dirent **names = NULL;
        size_t n_wrong = 0;
        int n = scandir(scenarios->folder, &names, is_scenario_file, alphasort), r = 0;

        if (n < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot read the scenarios in %s",
                                       scenarios->folder);
        store->entries = calloc((size_t)n + 1, sizeof(*store->entries));
        r = store->entries ? fill_entry(&store->entries[store->n++], &command_missing) : -ENOMEM;
        for (int i = 0; i < n; i++) {
                struct entry *entry = store->entries ? &store->entries[store->n] : NULL;

                if (r == 0 && asprintf(&entry->path, "%s/%s", scenarios->folder, names[i]->d_name) < 0) {
                        entry->path = NULL;
                        r = -ENOMEM;
                }
                if (r == 0) {
                        store->n++;
                        r = read_entry(entry, problems);
                        n_wrong += r == -EBADMSG;
                        r = r == -EBADMSG ? 0 : r;
                }
                free(names[i]);
        }
        free(names);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read the scenarios");
        if (n == 0)
                return error_set(error, CIP_ERROR_LOCAL, -ENOENT, "there is no scenario, NAME.json, in %s",
                                 scenarios->folder);
        if (n_wrong)
                return error_set(error, CIP_ERROR_LOCAL, -EBADMSG,
                                 "%zu scenario%s in %s cannot be used; nothing was run", n_wrong,
                                 n_wrong == 1 ? "" : "s", scenarios->folder);
        return 0;
}

/* The catalogue's tables, from the entries. */
static int make_tables(struct scenario_store *store)
{
        static const enum check_level levels[] = {
                [SCENARIO_MUST] = LEVEL_MUST,
                [SCENARIO_SHOULD] = LEVEL_SHOULD,
                [SCENARIO_INFO] = LEVEL_INFO,
        };

        for (size_t g = 0; g < ARRAY_SIZE(groups); g++) {
                store->checks[g] = calloc(store->n + 1, sizeof(struct check));
                if (!store->checks[g])
                        return -ENOMEM;
                store->groups[g] = (struct check_group){groups[g].name, groups[g].about, store->checks[g],
                                                        &store->n_checks[g]};
        }
        for (size_t i = 0; i < store->n; i++) {
                const struct entry *entry = &store->entries[i];
                const struct scenario *scenario = entry->detail.scenario;

                store->checks[entry->group][store->n_checks[entry->group]++] = (struct check){
                        .id = entry->id,
                        .level = levels[scenario->level],
                        .requires = entry->requires,
                        .reference = scenario->reference ? scenario->reference : "",
                        .run = client_run,
                        .own_start = true,
                        .detail = &entry->detail,
                };
        }
        return 0;
}

/* An absolute path: the fake is started elsewhere. */
static int name_folder(const char *folder, struct scenarios *scenarios, struct cip_error *error)
{
        if (!folder)
                return installed_scenarios(&scenarios->folder, error);
        scenarios->folder = realpath(folder, NULL);
        if (!scenarios->folder)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot read the scenarios in %s",
                                       folder);
        return 0;
}

int scenarios_load(const char *folder, FILE *problems, struct scenarios **ret, struct cip_error *error)
{
        CLEANUP(cleanup_scenarios_free) struct scenarios *scenarios = calloc(1, sizeof(*scenarios));
        int r;

        if (!scenarios || !(scenarios->store = calloc(1, sizeof(*scenarios->store))))
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read the scenarios");
        r = name_folder(folder, scenarios, error);
        if (r == 0)
                r = read_folder(scenarios, problems, error);
        if (r < 0)
                return r;
        if (make_tables(scenarios->store) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read the scenarios");
        scenarios->catalogue = (struct catalogue){
                .noun = "scenario",
                .subject = "client",
                .list = "cip-conformance list --client",
                .groups = scenarios->store->groups,
                .n_groups = ARRAY_SIZE(groups),
        };
        *ret = STEAL(scenarios);
        return 0;
}

static void store_free(struct scenario_store *store)
{
        for (size_t i = 0; store->entries && i < store->n; i++) {
                client_registry_free(store->entries[i].registry);
                scenario_free(store->entries[i].owned);
                free(store->entries[i].path);
                free(store->entries[i].id);
                free(store->entries[i].requires);
        }
        free(store->entries);
        for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
                free(store->checks[g]);
        free(store);
}

void scenarios_free(struct scenarios *scenarios)
{
        if (!scenarios)
                return;
        if (scenarios->store)
                store_free(scenarios->store);
        free(scenarios->folder);
        free(scenarios);
}
