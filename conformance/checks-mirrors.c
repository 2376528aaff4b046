/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of registries.conf: which registry is asked for an image, in which order, and under which name. A check
 * has registries that serve the same images, and a file that leads made-up names to them; their logs say who was
 * asked. A server that follows the file looks up no name and leaves loopback never. Most checks are tables.
 */
#include <string.h>

#include "base/cleanup.h"
#include "conformance/context.h"
#include "conformance/groups.h"
#include "conformance/registries.h"
#include "conformance/sample.h"

#define FIXTURE "layers-1"
#define CONFIG "home/.config/containers/registries.conf"
#define DROP_INS CONFIG ".d/"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- what a check begins with ---- */

#define MIRRORS_MAX 2

/* A place: a listener by its name, and a path behind its address. */
struct place {
        const char *listener;
        const char *path; /* "/team", or NULL */
        bool secure;      /* by TLS alone, with a good certificate */
        const char *more; /* further lines of its table, or NULL */
};

/* One [[registry]] of registries.conf. */
struct entry {
        const char *prefix;  /* NULL: the location is the prefix */
        struct place origin; /* without a listener: no location */
        struct place mirrors[MIRRORS_MAX];
        bool alone; /* no other entry can have its location: it differs in what both must agree on */
};

#define ENTRIES(...) ((const struct entry[]){__VA_ARGS__, {0}})

struct setup {
        const struct registry_listener *listeners; /* ended by one without a name; NULL: the usual ones */
        const struct registry_rule *rule;          /* what is wrong with a registry, or NULL */
        const struct registry_auth *auth;          /* NULL: everybody is served */
        const char *head;                          /* what stands before the entries, or NULL */
        const struct entry *entries;
        const char *const *flags; /* of the server, or NULL */

        /* Of the checks that are nothing but a table. A name that ends in "@" goes on with the digest. */
        const char *references[2]; /* what is pulled: "mirrored.invalid/app:latest" */
        const char *places;        /* who was asked for manifests, see places_asked */
        const char *refused;       /* words of the error, where the first is refused */
        const char *spared;        /* a listener that nobody connects to, or NULL */
};

#define LISTENERS(...) ((const struct registry_listener[]){__VA_ARGS__, {0}})

static const struct registry_listener *const usual_listeners =
        LISTENERS({.name = "origin"}, {.name = "first"}, {.name = "second"});

static const struct registry_image images[] = {
        {.repository = "app", .tag = "latest", .fixture = FIXTURE},
        {.repository = "app", .tag = "later", .fixture = FIXTURE},
        {.repository = "other", .tag = "latest", .fixture = FIXTURE},
        {.repository = "team/app", .tag = "latest", .fixture = FIXTURE},
        {.repository = "library/app", .tag = "latest", .fixture = FIXTURE},
        {.repository = "own", .tag = "latest", .fixture = FIXTURE, .listener = "origin"},
};

/* ---- registries.conf ---- */

static const char *address_of(struct check_context *c, const struct registry *registry,
                              const struct place *place)
{
        return check_text(c, "%s%s", registry_address(registry, place->listener),
                          place->path ? place->path : "");
}

static const char *place_text(struct check_context *c, const struct registry *registry,
                              const struct place *place)
{
        return check_text(c, "%s%s%sinsecure = %s\n%s", place->listener ? "location = \"" : "",
                          place->listener ? address_of(c, registry, place) : "", place->listener ? "\"\n" : "",
                          place->secure ? "false" : "true", place->more ? place->more : "");
}

static const char *entry_text(struct check_context *c, const struct registry *registry,
                              const struct entry *entry)
{
        const char *text = check_text(c, "[[registry]]\n%s%s%s%s", entry->prefix ? "prefix = \"" : "",
                                      entry->prefix ? entry->prefix : "", entry->prefix ? "\"\n" : "",
                                      place_text(c, registry, &entry->origin));

        for (size_t i = 0; i < MIRRORS_MAX && entry->mirrors[i].listener; i++)
                text = check_text(c, "%s[[registry.mirror]]\n%s", text,
                                  place_text(c, registry, &entry->mirrors[i]));
        return text;
}

static bool has_name(const struct setup *setup, const char *listener)
{
        for (const struct entry *entry = setup->entries; entry->prefix || entry->origin.listener; entry++)
                if (entry->alone && entry->origin.listener && !strcmp(entry->origin.listener, listener))
                        return false;
        return true;
}

/* The file's text. Each registry also has a name that leads to it alone: "first.invalid". */
static const char *config_text(struct check_context *c, const struct registry *registry,
                               const struct setup *setup)
{
        const struct registry_listener *listeners = setup->listeners ? setup->listeners : usual_listeners;
        const char *text = setup->head ? setup->head : "";

        for (const struct entry *entry = setup->entries; entry->prefix || entry->origin.listener; entry++)
                text = check_text(c, "%s%s", text, entry_text(c, registry, entry));
        for (; listeners->name; listeners++)
                if (has_name(setup, listeners->name))
                        text = check_text(c, "%s[[registry]]\nprefix = \"%s.invalid\"\n%s", text,
                                          listeners->name,
                                          place_text(c, registry,
                                                     &(struct place){.listener = listeners->name,
                                                                     .secure = listeners->tls}));
        return text;
}

/* ---- from registries to a server ---- */

/* The registries, and the file that leads to them. */
static struct registry *begin(struct check_context *c, const struct setup *setup)
{
        struct registry_config config = {
                .listeners = setup->listeners ? setup->listeners : usual_listeners,
                .images = images,
                .n_images = ARRAY_SIZE(images),
                .rules = setup->rule,
                .n_rules = setup->rule ? 1 : 0,
        };
        struct registry *registry;

        while (config.listeners[config.n_listeners].name)
                config.n_listeners++;
        if (setup->auth)
                config.auth = *setup->auth;
        registry = registries_start(c, &config);
        registries_file(c, CONFIG, "%s", config_text(c, registry, setup));
        return registry;
}

/* Without the flags that registries_serve adds: what is insecure is told by the file. */
static void serve(struct check_context *c, const char *const *flags, const char *const *environment)
{
        check_expect_open(c);
        check_start(c, &(struct server_start){.flags = flags, .environment = environment});
}

static const char *whole_reference(struct check_context *c, const char *name)
{
        bool by_digest = name[strlen(name) - 1] == '@';

        return check_text(c, "docker://%s%s", name, by_digest ? sample_digest(c, FIXTURE) : "");
}

/* ---- who was asked ---- */

/* "first/app 404": what a request for a manifest is in short, with the user who came. */
static const char *manifest_text(struct check_context *c, const struct registry_request *request)
{
        return check_text(c, "%s/%s %u%s%s", request->listener, request->repository, request->status,
                          *request->user ? " to " : "", request->user);
}

/*
 * The requests for manifests in their order, without immediate repetitions: "first/app 404, second/app 200". A blob
 * that was asked for elsewhere than the manifest before it stands there as well: "blob of origin".
 */
static const char *places_asked(struct check_context *c, struct registry *registry)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        const char *all = "", *last = "", *place = "";

        registries_log(c, registry, &log);
        for (size_t i = 0; i < log.n; i++) {
                const struct registry_request *request = &log.requests[i];
                const char *text = NULL;

                if (request->kind == REGISTRY_MANIFEST) {
                        text = manifest_text(c, request);
                        place = check_text(c, "%s", request->listener);
                } else if (request->kind == REGISTRY_BLOB && strcmp(request->listener, place) != 0) {
                        text = check_text(c, "blob of %s", request->listener);
                }
                if (!text || !strcmp(text, last))
                        continue;
                all = check_text(c, "%s%s%s", all, *all ? ", " : "", text);
                last = text;
        }
        return all;
}

static void expect_places(struct check_context *c, struct registry *registry, const char *places)
{
        const char *asked = places_asked(c, registry);

        check_that(c, !strcmp(asked, places), "who is asked for manifests should be: %s; it was: %s",
                   *places ? places : "nobody", *asked ? asked : "nobody");
}

static void expect_spared(struct check_context *c, const struct registry *registry, const char *listener)
{
        uint64_t n = registry_connections(registry, listener);

        check_that(c, n == 0, "nothing should connect to %s, something did",
                   listener ? listener : "any registry");
}

/* ---- the checks that are a table ---- */

/* Each image is pulled whole, from where it should be. */
static void run_places(struct check_context *c)
{
        const struct setup *setup = c->check->detail;
        struct registry *registry = begin(c, setup);

        serve(c, setup->flags, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(setup->references) && setup->references[i]; i++)
                registries_pull(c, whole_reference(c, setup->references[i]), FIXTURE);
        expect_places(c, registry, setup->places);
        if (setup->spared)
                expect_spared(c, registry, setup->spared);
}

/* The first image is refused, and the server goes on: where there is a second, it is pulled. */
static void run_refused(struct check_context *c)
{
        const struct setup *setup = c->check->detail;
        struct registry *registry = begin(c, setup);
        CLEANUP_ANSWER struct answer answer = {0};

        serve(c, setup->flags, NULL);
        registries_refused(c, whole_reference(c, setup->references[0]), setup->refused, &answer);
        if (setup->spared)
                expect_spared(c, registry, setup->spared);
        if (setup->references[1])
                registries_pull(c, whole_reference(c, setup->references[1]), FIXTURE);
        expect_places(c, registry, setup->places);
        check_still_serves(c);
}

/* ---- mirrors ---- */

static const struct registry_rule first_missing = {.when = {.kind = REGISTRY_MANIFEST, .listener = "first"},
                                                   .act = {.status = 404}};
static const struct registry_rule first_broken = {.when = {.kind = REGISTRY_MANIFEST, .listener = "first"},
                                                  .act = {.status = 500}};
static const struct registry_rule first_private = {.when = {.kind = REGISTRY_MANIFEST, .listener = "first"},
                                                   .act = {.status = 401}};
static const struct registry_rule first_lost = {.when = {.kind = REGISTRY_MANIFEST, .listener = "first"},
                                                .act = {.cut = {.there = true, .after = 20}}};
static const struct registry_rule blob_missing = {.when = {.kind = REGISTRY_BLOB, .listener = "first"},
                                                  .act = {.status = 404}};
static const struct registry_rule blob_cut_once = {
        .when = {.kind = REGISTRY_BLOB, .listener = "first", .nth = 1},
        .act = {.cut = {.there = true, .after = 100}}};
static const struct registry_rule blob_cut = {.when = {.kind = REGISTRY_BLOB, .listener = "first"},
                                              .act = {.cut = {.there = true, .after = 100}}};
static const struct registry_rule blob_wrong = {.when = {.kind = REGISTRY_BLOB, .listener = "first"},
                                                .act = {.corrupt_at = REGISTRY_NUMBER(10)}};
static const struct registry_rule manifest_wrong = {.when = {.kind = REGISTRY_MANIFEST, .listener = "first"},
                                                    .act = {.corrupt_at = REGISTRY_NUMBER(10)}};

/* "mirrored.invalid" is at origin, and two mirrors come before it. */
#define MIRRORED                                                                \
        {                                                                       \
                .prefix = "mirrored.invalid", .origin = {.listener = "origin"}, \
                .mirrors = {{.listener = "first"}, {.listener = "second"}},     \
        }

/* One mirror, with further lines for the mirror and for the entry. */
#define MIRRORED_WITH(of_mirror, of_entry)                                                          \
        {                                                                                           \
                .prefix = "mirrored.invalid", .origin = {.listener = "origin", .more = (of_entry)}, \
                .mirrors = {{.listener = "first", .more = (of_mirror)}},                            \
        }

static const struct entry *const mirrored = ENTRIES(MIRRORED);

static const struct setup in_order = {
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 200",
};

static const struct setup when_down = {
        .listeners = LISTENERS({.name = "origin"}, {.name = "first", .down = true}, {.name = "second"}),
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest"},
        .places = "second/app 200",
};

static const struct setup when_missing = {
        .rule = &first_missing,
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 404, second/app 200",
};

static const struct setup when_broken = {
        .rule = &first_broken,
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 500, second/app 200",
};

static const struct setup when_private = {
        .rule = &first_private,
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 401, second/app 200",
};

static const struct setup when_lost = {
        .rule = &first_lost,
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 200, second/app 200",
};

static const struct setup origin_last = {
        .entries = mirrored,
        .references = {"mirrored.invalid/own:latest"},
        .places = "first/own 404, second/own 404, origin/own 200",
};

static const struct setup offline = {
        .listeners = LISTENERS({.name = "origin", .down = true}, {.name = "first", .down = true},
                               {.name = "second"}),
        .entries = mirrored,
        .references = {"mirrored.invalid/app:latest", "mirrored.invalid/app@"},
        .places = "second/app 200",
};

static const struct setup by_digest_only = {
        .entries = ENTRIES(MIRRORED_WITH(NULL, "mirror-by-digest-only = true\n")),
        .references = {"mirrored.invalid/app:latest", "mirrored.invalid/app@"},
        .places = "origin/app 200, first/app 200",
};

static const struct setup digest_only = {
        .entries = ENTRIES(MIRRORED_WITH("pull-from-mirror = \"digest-only\"\n", NULL)),
        .references = {"mirrored.invalid/app:latest", "mirrored.invalid/app@"},
        .places = "origin/app 200, first/app 200",
};

static const struct setup tag_only = {
        .entries = ENTRIES(MIRRORED_WITH("pull-from-mirror = \"tag-only\"\n", NULL)),
        .references = {"mirrored.invalid/app:latest", "mirrored.invalid/app@"},
        .places = "first/app 200, origin/app 200",
};

static const struct setup all_down = {
        .listeners = LISTENERS({.name = "origin", .down = true}, {.name = "first", .down = true},
                               {.name = "second", .down = true}),
        .entries = mirrored,
};

/* The error has the address of each place that was tried. */
static void run_error_names_each(struct check_context *c)
{
        const struct registry *registry = begin(c, &all_down);
        CLEANUP_ANSWER struct answer answer = {0};

        serve(c, NULL, NULL);
        registries_refused(c, "docker://mirrored.invalid/app:latest", NULL, &answer);
        for (const struct registry_listener *at = all_down.listeners; at->name; at++)
                check_that(c, strstr(answer.error, registry_address(registry, at->name)),
                           "the error should name the registry '%s', which is at %s; it says: %s", at->name,
                           registry_address(registry, at->name), answer.error);
        check_still_serves(c);
}

/* ---- what fails in mid-image ---- */

/* GetBlob of the first layer. What succeeds must be right; returns what became of it. */
static const char *fetch_layer(struct check_context *c, const char *reference)
{
        const struct content *layer = sample_layer_of(c, FIXTURE, 0);
        uint64_t image = check_open_image(c, reference);
        CLEANUP_ANSWER struct answer piped = {0}, finished = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        check_call(c, &piped, "GetBlob", "%s", sample_blob_args(c, image, layer->digest, layer->size));
        if (!piped.success)
                return "refused";
        sample_check_pipes(c, &piped, 1);
        check_read_and_finish(c, &piped, &finished, &data, &len);
        if (!finished.success)
                return "broken off";
        sample_check_digest(c, data, len, layer->digest, "the layer");
        return "whole";
}

/* Which registries were asked for blobs, in their order, without repetitions. */
static const char *blobs_asked(struct check_context *c, struct registry *registry)
{
        static const struct registry_when blob = {.kind = REGISTRY_BLOB};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        const struct registry_request *request = NULL;
        const char *all = "", *last = "";

        registries_log(c, registry, &log);
        while ((request = registry_log_find(&log, &blob, request)))
                if (strcmp(request->listener, last) != 0) {
                        last = check_text(c, "%s", request->listener);
                        all = check_text(c, "%s%s%s", all, *all ? ", " : "", last);
                }
        return all;
}

/* The first mirror has the manifest and fails with a blob. */
static void run_blob(struct check_context *c)
{
        static const struct registry_rule *const rules[] = {&blob_missing, &blob_wrong, &blob_cut};
        struct registry *registry = begin(c, &(struct setup){.entries = mirrored});

        serve(c, NULL, NULL);
        /* Skopeo says there that it connects anew. */
        check_expect_stderr(c);
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                if (registry_set_rules(registry, rules[i], 1) < 0)
                        check_error(c, "out of memory");
                (void)fetch_layer(c, "docker://mirrored.invalid/app:latest");
        }
        check_still_serves(c);
}

static void run_blob_recorded(struct check_context *c)
{
        struct registry *registry = begin(c, c->check->detail);
        const char *end;

        serve(c, NULL, NULL);
        check_expect_stderr(c);
        end = fetch_layer(c, "docker://mirrored.invalid/app:latest");
        check_record(c, "%s, %s", end, blobs_asked(c, registry));
}

static const struct setup blob_missing_at_mirror = {.rule = &blob_missing, .entries = mirrored};
static const struct setup blob_cut_at_mirror = {.rule = &blob_cut_once, .entries = mirrored};

static const struct setup wrong_at_mirror = {.rule = &manifest_wrong, .entries = mirrored};

/* The first mirror has other bytes under the manifest's digest. */
static void run_digest_verified(struct check_context *c)
{
        CLEANUP_ANSWER struct answer opened = {0}, piped = {0}, finished = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        begin(c, &wrong_at_mirror);
        serve(c, NULL, NULL);
        check_call(c, &opened, "OpenImage", "[\"%s\"]", whole_reference(c, "mirrored.invalid/app@"));
        if (!opened.success)
                return;
        check_call(c, &piped, "GetManifest", "[%s]", json_object_to_json_string(opened.value));
        if (!piped.success)
                return;
        sample_check_pipes(c, &piped, 1);
        check_read_and_finish(c, &piped, &finished, &data, &len);
        if (finished.success)
                sample_check_digest(c, data, len, sample_digest(c, FIXTURE), "the manifest");
}

/* ---- OpenImageOptional ---- */

static void expect_optional(struct check_context *c, const struct setup *setup, struct answer *ret)
{
        begin(c, setup);
        serve(c, NULL, NULL);
        check_call(c, ret, "OpenImageOptional", "[\"docker://mirrored.invalid/app:missing\"]");
}

static void run_optional_missing(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        expect_optional(c, &(struct setup){.entries = mirrored}, &answer);
        check_that(c, answer.success && json_object_get_int64(answer.value) == 0,
                   "OpenImageOptional should succeed with 0, as no place has the image; it says: %s",
                   answer.success ? json_object_to_json_string(answer.value) : answer.error);
}

static const struct setup origin_down = {
        .listeners = LISTENERS({.name = "origin", .down = true}, {.name = "first"}, {.name = "second"}),
        .entries = mirrored,
};

static void run_optional_down(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        expect_optional(c, &origin_down, &answer);
        check_that(
                c, !answer.success,
                "OpenImageOptional should be refused, as nobody knows what the origin has; it succeeds with %s",
                json_object_to_json_string(answer.value));
}

/* ---- names ---- */

static const struct setup renamed = {
        .entries = ENTRIES({.prefix = "renamed.invalid", .origin = {.listener = "first", .path = "/team"}}),
        .references = {"renamed.invalid/app:latest", "renamed.invalid/app@"},
        .places = "first/team/app 200",
};

static const struct setup renamed_repository = {
        .entries = ENTRIES(
                {.prefix = "renamed.invalid/any/name", .origin = {.listener = "first", .path = "/team/app"}}),
        .references = {"renamed.invalid/any/name:latest"},
        .places = "first/team/app 200",
};

static const struct setup longest_prefix = {
        .entries =
                ENTRIES({.prefix = "long.invalid/team/app", .origin = {.listener = "second", .path = "/app"}},
                        {.prefix = "long.invalid", .origin = {.listener = "origin"}},
                        {.prefix = "long.invalid/team", .origin = {.listener = "first"}}),
        .references = {"long.invalid/team/app:latest", "long.invalid/app:latest"},
        .places = "second/app 200, origin/app 200",
};

/* Only the entry of the longest prefix counts: mirrors of a shorter one are not tried. */
static const struct setup mirrors_of_one_entry = {
        .entries = ENTRIES(
                MIRRORED, {.prefix = "mirrored.invalid/app", .origin = {.listener = "origin", .path = "/app"}}),
        .references = {"mirrored.invalid/app:latest"},
        .places = "origin/app 200",
        .spared = "first",
};

static const struct setup whole_words = {
        .entries = ENTRIES({.prefix = "names.invalid/te", .origin = {.listener = "first"}},
                           {.prefix = "names.invalid", .origin = {.listener = "origin"}}),
        .references = {"names.invalid/team/app:latest"},
        .places = "origin/team/app 200",
        .spared = "first",
};

static const struct setup wildcard = {
        .entries = ENTRIES({.prefix = "*.wild.invalid", .origin = {.listener = "first"}}),
        .references = {"a.wild.invalid/app:latest", "b.a.wild.invalid/team/app:latest"},
        .places = "first/app 200, first/team/app 200",
};

static const struct setup prefix_with_tag = {
        .entries = ENTRIES(
                {.prefix = "tagged.invalid/app:latest", .origin = {.listener = "first", .path = "/app:latest"}},
                {.prefix = "tagged.invalid", .origin = {.listener = "origin"}}),
        .references = {"tagged.invalid/app:latest"},
        .places = "first/app 200",
};

/* ---- short names ---- */

/* The real docker.io is asked by nobody: a server that does not follow the file is found out before. */
static void run_short_name(struct check_context *c)
{
        const struct setup *setup = c->check->detail;
        struct registry *registry = begin(c, setup);

        serve(c, NULL, NULL);
        registries_pull(c, "docker://first.invalid/app:latest", FIXTURE);
        registries_pull(c, whole_reference(c, setup->references[0]), FIXTURE);
        expect_places(c, registry, setup->places);
}

#define DOCKER_IO                                                       \
        {                                                               \
                .prefix = "docker.io", .origin = {.listener = "first"}, \
        }

static const struct setup short_name = {
        .entries = ENTRIES(DOCKER_IO),
        .references = {"app"},
        .places = "first/app 200, first/library/app 200",
};

static const struct setup short_name_with_namespace = {
        .entries = ENTRIES(DOCKER_IO),
        .references = {"team/app"},
        .places = "first/app 200, first/team/app 200",
};

/* Two registries to choose from, and nobody at a terminal to ask. */
static const struct setup short_name_elsewhere = {
        .head = "unqualified-search-registries = [\"origin.invalid\", \"second.invalid\"]\n"
                "short-name-mode = \"enforcing\"\n"
                "[aliases]\n"
                "\"app\" = \"second.invalid/app\"\n",
        .entries = ENTRIES(DOCKER_IO),
        .references = {"app:latest"},
        .places = "first/app 200, first/library/app 200",
};

/* ---- blocked ---- */

#define BLOCKED "blocked = true\n"

static const struct setup blocked_repository = {
        .entries = ENTRIES({.origin = {.listener = "first", .path = "/app", .more = BLOCKED}}),
};

/* A repository of a registry by its address is blocked, and the registry's others are not. */
static void run_blocked(struct check_context *c)
{
        struct registry *registry = begin(c, &blocked_repository);
        CLEANUP_ANSWER struct answer answer = {0};

        serve(c, NULL, NULL);
        registries_refused(c, registries_reference(c, registry, "first", "app:latest"), "blocked", &answer);
        check_that(c, strstr(answer.error, CONFIG), "the error should name the file %s, it says: %s", CONFIG,
                   answer.error);
        expect_spared(c, registry, "first");
        registries_pull(c, "docker://first.invalid/other:latest", FIXTURE);
        expect_places(c, registry, "first/other 200");
}

static const struct setup blocked_wildcard = {
        .entries = ENTRIES({.prefix = "*.blocked.invalid", .origin = {.more = BLOCKED}}),
        .references = {"a.blocked.invalid/app:latest", "origin.invalid/app:latest"},
        .refused = "blocked",
        .places = "origin/app 200",
};

static const struct setup blocked_location = {
        .entries = ENTRIES(
                {.prefix = "blocked.invalid", .origin = {.listener = "first", .more = BLOCKED}, .alone = true}),
        .references = {"blocked.invalid/app:latest", "origin.invalid/app:latest"},
        .refused = "blocked",
        .places = "origin/app 200",
        .spared = "first",
};

static const struct setup blocked_mirror = {
        .entries = ENTRIES(MIRRORED, {.origin = {.listener = "first", .more = BLOCKED}, .alone = true}),
        .references = {"mirrored.invalid/app:latest"},
        .places = "second/app 200",
        .spared = "first",
};

static const struct setup blocked_origin = {
        .entries = ENTRIES({.origin = {.listener = "origin", .path = "/app", .more = BLOCKED},
                            .mirrors = {{.listener = "first", .path = "/app"}}}),
};

/* An origin that must not be asked, and a mirror of it. */
static void run_blocked_mirrored(struct check_context *c)
{
        struct registry *registry = begin(c, &blocked_origin);
        CLEANUP_ANSWER struct answer answer = {0};

        serve(c, NULL, NULL);
        check_call(c, &answer, "OpenImage", "[\"%s\"]",
                   registries_reference(c, registry, "origin", "app:latest"));
        check_record(c, "%s", answer.success ? places_asked(c, registry) : "refused");
}

/* ---- insecure ---- */

/* "second" is as bad as "first", and nothing says that this may be. */
#define BAD(how)                                                                            \
        LISTENERS({.name = "origin"}, {.name = "first", .tls = true, .certificate = (how)}, \
                  {.name = "second", .tls = true, .certificate = (how)})
#define INSECURE_FIRST                                                                          \
        ENTRIES({.prefix = "insecure.invalid", .origin = {.listener = "first"}, .alone = true}, \
                {.prefix = "secure.invalid", .origin = {.listener = "second", .secure = true}, .alone = true})

static const struct setup insecure_certificate = {
        .listeners = BAD(REGISTRY_CERTIFICATE_EXPIRED),
        .entries = INSECURE_FIRST,
        .references = {"insecure.invalid/app:latest"},
        .places = "first/app 200",
};

static const struct setup insecure_http = {
        .entries = INSECURE_FIRST,
        .references = {"insecure.invalid/app:latest"},
        .places = "first/app 200",
};

static const struct setup secure_certificate = {
        .listeners = BAD(REGISTRY_CERTIFICATE_EXPIRED),
        .entries = INSECURE_FIRST,
        .references = {"secure.invalid/app:latest", "insecure.invalid/app:latest"},
        .refused = "expired",
        .places = "first/app 200",
};

static const struct setup secure_http = {
        .entries = INSECURE_FIRST,
        .references = {"secure.invalid/app:latest", "insecure.invalid/app:latest"},
        .refused = "https://",
        .places = "first/app 200",
};

static const struct setup insecure_mirror = {
        .entries = ENTRIES({.prefix = "mirrored.invalid",
                            .origin = {.listener = "origin", .secure = true},
                            .mirrors = {{.listener = "first"}},
                            .alone = true}),
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 200",
};

static const struct setup secure_mirror = {
        .entries = ENTRIES({.prefix = "mirrored.invalid",
                            .origin = {.listener = "origin"},
                            .mirrors = {{.listener = "first", .secure = true}}}),
        .references = {"mirrored.invalid/app:latest"},
        .places = "origin/app 200",
};

static const struct setup tls_verify_true = {
        .entries = mirrored,
        .flags = FLAGS("--tls-verify=true"),
        .references = {"mirrored.invalid/app:latest"},
        .refused = "https://",
        .places = "",
};

static const struct setup tls_verify_false = {
        .entries = ENTRIES({.prefix = "mirrored.invalid",
                            .origin = {.listener = "origin", .secure = true},
                            .mirrors = {{.listener = "first", .secure = true}},
                            .alone = true}),
        .flags = FLAGS("--tls-verify=false"),
        .references = {"mirrored.invalid/app:latest"},
        .places = "first/app 200",
};

/* ---- logins ---- */

static const struct registry_user users[] = {
        {.name = "of-origin", .password = "open-origin"},
        {.name = "of-first", .password = "open-first"},
};
static const struct registry_auth by_password = {
        .kind = REGISTRY_AUTH_BASIC, .users = users, .n_users = ARRAY_SIZE(users)};

/* An entry of auth.json. */
static const char *login(struct check_context *c, const char *key, const char *user)
{
        const char *password = strcmp(user, users[0].name) ? users[1].password : users[0].password;

        return check_text(c, "\"%s\": {\"auth\": \"%s\"}", key, registries_basic(c, user, password));
}

/* Writes a file of logins: of up to two registries. */
static void write_logins(struct check_context *c, const char *path, const char *one, const char *two)
{
        registries_file(c, path, "{\"auths\": {%s%s%s}}\n", one, two ? ", " : "", two ? two : "");
}

#define AUTH_FILE "home/.config/containers/auth.json"

/*
 * A file of logins that no server looks for. Where one is led to it, by a fault that is made on purpose, the origin's
 * login comes to the first mirror.
 */
static void write_decoy(struct check_context *c, const struct registry *registry)
{
        write_logins(c, "home/decoy.json", login(c, registry_address(registry, "origin"), "of-origin"),
                     login(c, registry_address(registry, "first"), "of-origin"));
}

/* Falls short when a password came to the first mirror. */
static void expect_no_login(struct check_context *c, struct registry *registry)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};

        registries_log(c, registry, &log);
        for (size_t i = 0; i < log.n; i++)
                check_that(c, strcmp(log.requests[i].listener, "first") != 0 || !*log.requests[i].user,
                           "nobody's login should be shown to the mirror, '%s' was, for %s",
                           log.requests[i].user, log.requests[i].path);
}

static void run_login_of_mirror(struct check_context *c)
{
        struct registry *registry = begin(c, &(struct setup){.auth = &by_password, .entries = mirrored});

        write_logins(c, AUTH_FILE, login(c, registry_address(registry, "origin"), "of-origin"),
                     login(c, registry_address(registry, "first"), "of-first"));
        write_decoy(c, registry);
        serve(c, NULL, NULL);
        registries_pull(c, "docker://mirrored.invalid/app:latest", FIXTURE);
        expect_places(c, registry, "first/app 200 to of-first");
}

static const struct setup private_mirror = {.auth = &by_password,
                                            .entries = ENTRIES(MIRRORED_WITH(NULL, NULL))};

static void run_login_of_origin(struct check_context *c)
{
        struct registry *registry = begin(c, &private_mirror);

        write_logins(c, AUTH_FILE, login(c, registry_address(registry, "origin"), "of-origin"), NULL);
        write_decoy(c, registry);
        serve(c, NULL, NULL);
        registries_pull(c, "docker://mirrored.invalid/app:latest", FIXTURE);
        expect_no_login(c, registry);
        expect_places(c, registry, "first/app 401, origin/app 200 to of-origin");
}

static const struct setup private_origin = {
        .auth = &by_password,
        .entries = ENTRIES({.origin = {.listener = "origin"}, .mirrors = {{.listener = "first"}}}),
};

/* --creds is for the registry that the client names. */
static void run_login_by_flag(struct check_context *c)
{
        struct registry *registry = begin(c, &private_origin);

        write_decoy(c, registry);
        serve(c, FLAGS("--creds", "of-origin:open-origin"), NULL);
        registries_pull(c, registries_reference(c, registry, "origin", "app:latest"), FIXTURE);
        expect_no_login(c, registry);
        expect_places(c, registry, "first/app 401, origin/app 200 to of-origin");
}

static const struct setup private_renamed = {
        .auth = &by_password,
        .entries = ENTRIES({.prefix = "renamed.invalid", .origin = {.listener = "first"}}),
};

/* Logins for the name that the client uses, where the registry has another. */
static void run_login_of_name(struct check_context *c)
{
        struct registry *registry = begin(c, &private_renamed);
        CLEANUP_ANSWER struct answer answer = {0};

        write_logins(c, AUTH_FILE, login(c, "renamed.invalid", "of-first"), NULL);
        write_decoy(c, registry);
        serve(c, NULL, NULL);
        check_call(c, &answer, "OpenImage", "[\"docker://renamed.invalid/app:latest\"]");
        check_record(c, "%s", places_asked(c, registry));
}

/* ---- the files ---- */

/* Which of the registries a name leads to, by a file that names one of them. */
static const char *names_one(struct check_context *c, const struct registry *registry, const char *prefix,
                             const char *listener)
{
        return entry_text(c, registry, &(struct entry){.prefix = prefix, .origin = {.listener = listener}});
}

static const struct setup chosen = {
        .entries = ENTRIES({.prefix = "chosen.invalid", .origin = {.listener = "origin"}}),
};
static const struct setup unnamed = {.entries = ENTRIES({0})};

/* An entry of a later file replaces one with the same prefix, and leaves the others. */
static void run_drop_ins(struct check_context *c)
{
        struct registry *registry = begin(c, &chosen);

        registries_file(c, DROP_INS "20-last.conf", "%s", names_one(c, registry, "chosen.invalid", "first"));
        registries_file(c, DROP_INS "10-next.conf", "%s%s", names_one(c, registry, "chosen.invalid", "second"),
                        names_one(c, registry, "added.invalid", "second"));
        serve(c, NULL, NULL);
        registries_pull(c, "docker://chosen.invalid/app:latest", FIXTURE);
        registries_pull(c, "docker://added.invalid/app:latest", FIXTURE);
        registries_pull(c, "docker://origin.invalid/app:latest", FIXTURE);
        expect_places(c, registry, "first/app 200, second/app 200, origin/app 200");
}

static void run_drop_in_names(struct check_context *c)
{
        static const char *const others[] = {"10-x.conf.bak", "20-x", "README.md", "30.conf.d/x.conf"};
        struct registry *registry = begin(c, &chosen);

        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                registries_file(c, check_text(c, DROP_INS "%s", others[i]), "%s",
                                names_one(c, registry, "chosen.invalid", "first"));
        serve(c, NULL, NULL);
        registries_pull(c, "docker://chosen.invalid/app:latest", FIXTURE);
        expect_places(c, registry, "origin/app 200");
}

/* OpenImage is refused with the file's name, before anybody is asked, and images elsewhere can be opened. */
static void expect_broken(struct check_context *c, const struct registry *registry, const char *file)
{
        CLEANUP_ANSWER struct answer answer = {0};

        serve(c, NULL, NULL);
        registries_refused(c, registries_reference(c, registry, "origin", "app:latest"), file, &answer);
        expect_spared(c, registry, NULL);
        check_open_image(c, check_fixture(c, FIXTURE));
        check_stop(c);
}

/* What no registries.conf can be. */
static const char *const broken_files[] = {
        "[[registry\n",
        "[[registry]]\nlocation = 7\n",
        "[[registry]]\nlocation = \"http://127.0.0.1:1\"\n",
        "[[registry]]\ninsecure = true\n",
        "[[registry]]\nlocation = \"a.invalid\"\n[[registry.mirror]]\ninsecure = true\n",
        "[[registry]]\nlocation = \"a.invalid\"\n"
        "[[registry.mirror]]\nlocation = \"b.invalid\"\npull-from-mirror = \"sometimes\"\n",
        "[[registry]]\nlocation = \"a.invalid\"\nblocked = true\n"
        "[[registry]]\nprefix = \"b.invalid\"\nlocation = \"a.invalid\"\n",
        "short-name-mode = \"sometimes\"\n",
};

static void run_broken_file(struct check_context *c)
{
        const struct registry *registry = begin(c, &unnamed);

        for (size_t i = 0; i < ARRAY_SIZE(broken_files); i++) {
                registries_file(c, CONFIG, "%s", broken_files[i]);
                expect_broken(c, registry, CONFIG);
        }
}

static void run_broken_drop_in(struct check_context *c)
{
        const struct registry *registry = begin(c, &unnamed);

        registries_file(c, DROP_INS "10-good.conf", "%s", "unqualified-search-registries = []\n");
        registries_file(c, DROP_INS "20-bad.conf", "%s", broken_files[0]);
        expect_broken(c, registry, DROP_INS "20-bad.conf");
}

/* What podman takes for the file's name. */
static void run_variable(struct check_context *c)
{
        struct registry *registry = begin(c, &chosen);
        const char *other =
                registries_file(c, "home/other.conf", "%s", names_one(c, registry, "chosen.invalid", "first"));

        serve(c, NULL, FLAGS(check_text(c, "CONTAINERS_REGISTRIES_CONF=%s", other)));
        check_open_image(c, "docker://chosen.invalid/app:latest");
        check_record(c, "%s",
                     strstr(places_asked(c, registry), "origin") ? "the file in HOME" : "the variable's");
}

/* The file is another one by the second image. */
static void run_read_once(struct check_context *c)
{
        struct registry *registry = begin(c, &chosen);

        serve(c, NULL, NULL);
        check_open_image(c, "docker://chosen.invalid/app:latest");
        registries_file(c, CONFIG, "%s%s", names_one(c, registry, "chosen.invalid", "first"),
                        names_one(c, registry, "first.invalid", "first"));
        check_open_image(c, "docker://chosen.invalid/app:later");
        check_record(c, "%s", strstr(places_asked(c, registry), "first") ? "read again" : "read once");
}

/* The form of before 2019, which registries.conf(5) calls deprecated. */
static void run_version_1(struct check_context *c)
{
        struct registry *registry = begin(c, &unnamed);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_file(c, CONFIG, "[registries.insecure]\nregistries = ['%s']\n",
                        registry_address(registry, "origin"));
        serve(c, NULL, NULL);
        check_call(c, &answer, "OpenImage", "[\"%s\"]",
                   registries_reference(c, registry, "origin", "app:latest"));
        check_record(c, "%s", answer.success ? "read" : "refused");
}

/* ---- the table ---- */

#define MIRROR_SINCE(name, l, version, words, rule, function)                                              \
        .id = "mirrors/" name, .level = (l), .since = (version), .requires = (words), .reference = (rule), \
        .run = (function), .own_start = true
#define MIRROR(name, l, words, rule, function) MIRROR_SINCE(name, l, VERSION_OLDEST, words, rule, function)

const struct check checks_mirrors[] = {
        {MIRROR("in-order", LEVEL_MUST, "The first mirror serves the whole image.", "mirror-order", run_places),
         .detail = &in_order},
        {MIRROR("after-one-that-is-down", LEVEL_MUST, "A mirror that is down is passed over.",
                "mirror-fallback", run_places),
         .detail = &when_down},
        {MIRROR("after-404", LEVEL_MUST, "A mirror that does not have the image is passed over.",
                "mirror-fallback", run_places),
         .detail = &when_missing},
        {MIRROR("after-500", LEVEL_MUST, "A mirror that fails with the manifest is passed over.",
                "mirror-fallback", run_places),
         .detail = &when_broken},
        {MIRROR("after-401", LEVEL_MUST, "A mirror that wants a login is passed over.", "mirror-fallback",
                run_places),
         .detail = &when_private},
        {MIRROR("after-a-lost-connection", LEVEL_MUST, "A mirror that is lost in mid-manifest is passed over.",
                "mirror-fallback", run_places),
         .detail = &when_lost},
        {MIRROR("origin-last", LEVEL_MUST, "The registry itself is asked when no mirror has the image.",
                "mirror-origin", run_places),
         .detail = &origin_last},
        {MIRROR("offline", LEVEL_MUST, "One mirror that is up is enough, by tag and by digest.",
                "mirror-fallback", run_places),
         .detail = &offline},
        {MIRROR("error-names-each", LEVEL_SHOULD, "When all places fail the error names each.", "mirror-error",
                run_error_names_each)},
        {MIRROR("blob", LEVEL_MUST, "A blob that a mirror lacks, cuts or changes is never a success.",
                "mirror-blob", run_blob)},
        {MIRROR("blob-missing", LEVEL_INFO, "Records what becomes of a blob that the mirror does not have.",
                "mirror-one-place", run_blob_recorded),
         .detail = &blob_missing_at_mirror},
        {MIRROR("blob-cut", LEVEL_INFO, "Records what becomes of a blob that the mirror cuts once.",
                "mirror-one-place", run_blob_recorded),
         .detail = &blob_cut_at_mirror},
        {MIRROR("digest-verified", LEVEL_MUST, "A mirror cannot give other bytes for a digest.",
                "mirror-digest", run_digest_verified)},
        {MIRROR("by-digest-only", LEVEL_MUST, "With mirror-by-digest-only a tag is not asked of a mirror.",
                "mirror-by-digest-only", run_places),
         .detail = &by_digest_only},
        {MIRROR("digest-only", LEVEL_MUST, "A mirror with pull-from-mirror digest-only is not asked for a tag.",
                "pull-from-mirror", run_places),
         .detail = &digest_only},
        {MIRROR("tag-only", LEVEL_MUST, "A mirror with pull-from-mirror tag-only is not asked for a digest.",
                "pull-from-mirror", run_places),
         .detail = &tag_only},
        {MIRROR_SINCE("optional-missing", LEVEL_MUST, VERSION(0, 2, 4),
                      "OpenImageOptional of what no place has succeeds with 0.", "mirror-optional",
                      run_optional_missing)},
        {MIRROR_SINCE("optional-down", LEVEL_MUST, VERSION(0, 2, 4),
                      "OpenImageOptional is refused where the mirrors lack the image and the origin is down.",
                      "mirror-optional-down", run_optional_down)},
        {MIRROR("renamed", LEVEL_MUST, "The location stands in the prefix's place.", "name-location",
                run_places),
         .detail = &renamed},
        {MIRROR("renamed-repository", LEVEL_MUST, "A repository may have another name at its location.",
                "name-location", run_places),
         .detail = &renamed_repository},
        {MIRROR("longest-prefix", LEVEL_MUST, "The longest prefix counts, wherever it stands.",
                "name-longest-prefix", run_places),
         .detail = &longest_prefix},
        {MIRROR("mirrors-of-one-entry", LEVEL_MUST, "Mirrors of a shorter prefix are not asked.",
                "name-longest-prefix", run_places),
         .detail = &mirrors_of_one_entry},
        {MIRROR("whole-words", LEVEL_MUST, "A prefix ends where a part of the name ends.", "name-prefix-ends",
                run_places),
         .detail = &whole_words},
        {MIRROR("wildcard", LEVEL_MUST, "A prefix with *. is that of all subdomains.", "name-wildcard",
                run_places),
         .detail = &wildcard},
        {MIRROR("prefix-with-tag", LEVEL_MUST, "A prefix may end in a tag.", "name-prefix-tag", run_places),
         .detail = &prefix_with_tag},
        {MIRROR("short-name", LEVEL_MUST, "A name without a slash is one of docker.io/library.",
                "name-short name-docker-io", run_short_name),
         .detail = &short_name},
        {MIRROR("short-name-with-namespace", LEVEL_MUST, "A name without a host is one of docker.io.",
                "name-short name-docker-io", run_short_name),
         .detail = &short_name_with_namespace},
        {MIRROR("short-name-elsewhere", LEVEL_MUST,
                "Neither aliases nor search registries change a short name.", "name-short-settings",
                run_short_name),
         .detail = &short_name_elsewhere},
        {MIRROR("blocked", LEVEL_MUST, "What is blocked is refused, and nobody is asked.", "name-blocked",
                run_blocked)},
        {MIRROR("blocked-wildcard", LEVEL_MUST, "All subdomains can be blocked.", "name-blocked name-wildcard",
                run_refused),
         .detail = &blocked_wildcard},
        {MIRROR("blocked-location", LEVEL_MUST, "What is blocked is refused where it has a location, too.",
                "name-blocked-location", run_refused),
         .detail = &blocked_location},
        {MIRROR("blocked-mirror", LEVEL_MUST, "A mirror that is blocked itself is passed over.",
                "name-blocked-mirror", run_places),
         .detail = &blocked_mirror},
        {MIRROR("blocked-mirrored", LEVEL_INFO, "Records whether a mirror serves what is blocked.",
                "name-blocked-mirrored", run_blocked_mirrored)},
        {MIRROR("insecure-http", LEVEL_MUST, "HTTP is spoken with a registry that may be insecure.",
                "name-insecure", run_places),
         .detail = &insecure_http},
        {MIRROR("insecure-certificate", LEVEL_MUST,
                "A bad certificate is taken of a registry that may be insecure.", "name-insecure", run_places),
         .detail = &insecure_certificate},
        {MIRROR("secure-http", LEVEL_MUST, "HTTP is not spoken with the others.", "name-insecure-alone",
                run_refused),
         .detail = &secure_http},
        {MIRROR("secure-certificate", LEVEL_MUST, "A bad certificate is not taken of the others.",
                "name-insecure-alone", run_refused),
         .detail = &secure_certificate},
        {MIRROR("insecure-mirror", LEVEL_MUST, "A mirror may be insecure where its origin may not.",
                "name-insecure-mirror", run_places),
         .detail = &insecure_mirror},
        {MIRROR("secure-mirror", LEVEL_MUST, "A mirror may not be insecure because its origin may.",
                "name-insecure-mirror", run_places),
         .detail = &secure_mirror},
        {MIRROR("tls-verify-true", LEVEL_MUST, "--tls-verify=true comes before registries.conf.",
                "name-tls-verify", run_refused),
         .detail = &tls_verify_true},
        {MIRROR("tls-verify-false", LEVEL_MUST, "--tls-verify=false comes before registries.conf.",
                "name-tls-verify", run_places),
         .detail = &tls_verify_false},
        {MIRROR("login-of-mirror", LEVEL_MUST, "A mirror is shown its own login.", "mirror-login",
                run_login_of_mirror)},
        {MIRROR("login-of-origin", LEVEL_MUST, "A mirror is not shown the origin's login.", "mirror-login",
                run_login_of_origin)},
        {MIRROR("login-by-flag", LEVEL_MUST, "A mirror is not shown the login of --creds.", "mirror-login-flag",
                run_login_by_flag)},
        {MIRROR("login-of-name", LEVEL_INFO, "Records who is shown the login of a name that leads elsewhere.",
                "mirror-login-name", run_login_of_name)},
        {MIRROR("drop-ins", LEVEL_MUST, "drop-ins replace and add entries, in the order of their names.",
                "config-drop-ins", run_drop_ins)},
        {MIRROR("drop-in-names", LEVEL_MUST, "Only drop-ins that end in .conf count.", "config-drop-in-names",
                run_drop_in_names)},
        {MIRROR("broken-file", LEVEL_MUST, "A registries.conf that is wrong refuses images, by its name.",
                "config-broken", run_broken_file)},
        {MIRROR("broken-drop-in", LEVEL_MUST, "A drop-in that is wrong refuses images, by its name.",
                "config-broken", run_broken_drop_in)},
        {MIRROR("variable", LEVEL_INFO, "Records what CONTAINERS_REGISTRIES_CONF is to the server.",
                "config-variable", run_variable)},
        {MIRROR("read-once", LEVEL_INFO, "Records whether a file that changes is read again.",
                "config-read-once", run_read_once)},
        {MIRROR("version-1", LEVEL_INFO, "Records whether the form of before 2019 is read.", "config-version-1",
                run_version_1)},
};
const size_t n_checks_mirrors = ARRAY_SIZE(checks_mirrors);
