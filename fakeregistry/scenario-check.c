/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the members of a scenario say together: names that lead nowhere, rules that can never match or never do
 * what they say, images that are two things at once.
 */
#include <arpa/inet.h>
#include <string.h>

#include "fakeregistry/scenario-fields.h"
#include "fakeregistry/store.h"

struct checked {
        struct registry_reader *reader;
        const struct registry_scenario *scenario;
        struct json_object *json;
        struct place top, array, item, part;
};

/* The places of a member of what is being judged, and of one a level further in. */
#define HERE(checked, key_) (&(struct place){&(checked)->item, (key_), 0})
#define INSIDE(checked, key_) (&(struct place){&(checked)->part, (key_), 0})

/* Goes to the @i-th element of an array of the file. */
static void go_to(struct checked *checked, const char *array, size_t i)
{
        checked->array = (struct place){&checked->top, array, 0};
        checked->item = (struct place){&checked->array, NULL, i};
}

static bool has(struct json_object *object, const char *key)
{
        return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, key, NULL);
}

/* ---- names of listeners ---- */

static void check_name(const struct checked *checked, const struct place *place, const char *name)
{
        const struct registry_config *config = &checked->scenario->config;
        struct nearest nearest = {.name = name};

        if (!name)
                return;
        if (config->n_listeners == 0)
                text_nearest(&nearest, "main");
        if (config->n_listeners == 0 && !strcmp(name, "main"))
                return;
        for (size_t i = 0; i < config->n_listeners; i++) {
                const char *own = config->listeners[i].name;

                if (own && !strcmp(own, name))
                        return;
                if (own)
                        text_nearest(&nearest, own);
        }
        registry_problem_add(checked->reader, place, "there is no listener \"%s\"%s", name,
                             registry_reader_hint(checked->reader, &nearest));
}

static void check_listener(struct checked *checked, size_t i)
{
        const struct registry_listener *all = checked->scenario->config.listeners, *own = &all[i];
        struct in_addr address;

        go_to(checked, "listeners", i);
        for (size_t k = 0; k < i && own->name; k++)
                if (all[k].name && !strcmp(all[k].name, own->name))
                        registry_problem_add(checked->reader, HERE(checked, "name"),
                                             "listener %zu has this name too", k);
        if (own->address &&
            (inet_pton(AF_INET, own->address, &address) != 1 || ntohl(address.s_addr) >> 24 != 127))
                registry_problem_add(checked->reader, HERE(checked, "address"),
                                     "\"%s\" is no address of loopback: 127.X.X.X is wanted", own->address);
        if (own->clients && !own->tls)
                registry_problem_add(checked->reader, HERE(checked, "client_certificates"),
                                     "without `tls` nobody shows a certificate");
}

static void check_listeners(struct checked *checked)
{
        size_t n = checked->scenario->config.n_listeners;

        checked->array = (struct place){&checked->top, "listeners", 0};
        if (n > REGISTRY_LISTENERS_MAX)
                registry_problem_add(checked->reader, &checked->array, "%zu listeners; %d are the most", n,
                                     REGISTRY_LISTENERS_MAX);
        for (size_t i = 0; i < n; i++)
                check_listener(checked, i);
}

/* ---- images ---- */

static void check_layers(const struct checked *checked, const struct registry_image *image)
{
        const struct place layers = {&checked->item, "layers", 0};
        uint64_t n = 0;

        for (size_t i = 0; i < image->recipe.n_layers; i++) {
                const struct place layer = {&layers, NULL, i};
                const char *member;
                const char *problem =
                        generated_layer_problem(&image->recipe.layers[i], image->recipe.sha512, &member);

                if (problem)
                        registry_problem_add(checked->reader, &(struct place){&layer, member, 0}, "%s",
                                             problem);
                n += image->recipe.layers[i].count ? image->recipe.layers[i].count : 1;
        }
        if (n > GENERATED_LAYERS_MAX)
                registry_problem_add(checked->reader, &layers, "%llu layers; %d are the most",
                                     (unsigned long long)n, GENERATED_LAYERS_MAX);
}

static void check_image(struct checked *checked, size_t i)
{
        const struct registry_image *image = &checked->scenario->config.images[i];
        int n = (image->layout != NULL) + (image->fixture != NULL) + image->has_recipe;

        go_to(checked, "images", i);
        if (n != 1)
                registry_problem_add(checked->reader, &checked->item,
                                     "an image has just one of `layout`, `fixture` and `layers`");
        if (image->layout_tag && !image->layout)
                registry_problem_add(checked->reader, HERE(checked, "layout_tag"), "there is no `layout`");
        if (!image->has_recipe && (image->recipe.manifest || image->recipe.config))
                registry_problem_add(checked->reader,
                                     HERE(checked, image->recipe.manifest ? "manifest" : "config"),
                                     "only an image of `layers` is made");
        check_name(checked, HERE(checked, "listener"), image->listener);
        check_layers(checked, image);
}

/* ---- users ---- */

static void check_auth(struct checked *checked)
{
        const struct registry_auth *auth = &checked->scenario->config.auth;
        bool basic = auth->kind == REGISTRY_AUTH_BASIC;

        checked->item = (struct place){&checked->top, "auth", 0};
        check_name(checked, HERE(checked, "listener"), auth->listener);
        if (basic && (auth->token_uses || auth->token_ms))
                registry_problem_add(checked->reader,
                                     HERE(checked, auth->token_uses ? "token_uses" : "token_ms"),
                                     "only `bearer` has tokens");
        if (basic && auth->listener)
                registry_problem_add(checked->reader, HERE(checked, "listener"), "only `bearer` has tokens");
        for (size_t i = 0; i < auth->n_users; i++) {
                const struct place users = {&checked->item, "users", 0}, user = {&users, NULL, i};
                const char *name = auth->users[i].name;

                if (name && strchr(name, ':'))
                        registry_problem_add(checked->reader, &(struct place){&user, "name", 0},
                                             "a colon cannot stand in a name");
                for (size_t k = 0; name && k < i; k++)
                        if (auth->users[k].name && !strcmp(auth->users[k].name, name))
                                registry_problem_add(checked->reader, &(struct place){&user, "name", 0},
                                                     "user %zu has this name too", k);
        }
}

/* ---- what a rule waits for ---- */

static void check_when(struct checked *checked, const struct registry_when *when)
{
        bool has_reference = !when->kind || when->kind == REGISTRY_MANIFEST || when->kind == REGISTRY_BLOB ||
                             when->kind == REGISTRY_REFERRERS;

        checked->part = (struct place){&checked->item, "when", 0};
        check_name(checked, INSIDE(checked, "listener"), when->listener);
        if (when->reference && !has_reference)
                registry_problem_add(checked->reader, INSIDE(checked, "reference"),
                                     "this can never match: such a request has no reference");
        if (when->repository && !has_reference && when->kind != REGISTRY_TAGS)
                registry_problem_add(checked->reader, INSIDE(checked, "repository"),
                                     "this can never match: such a request is about no repository");
        if (when->user && when->credentials == REGISTRY_CREDENTIALS_NONE)
                registry_problem_add(checked->reader, INSIDE(checked, "user"),
                                     "this can never match: who brings no credentials has no name");
        if (when->credentials == REGISTRY_CREDENTIALS_IDENTITY && when->kind && when->kind != REGISTRY_TOKEN)
                registry_problem_add(checked->reader, INSIDE(checked, "credentials"),
                                     "this can never match: only the token service is shown identity tokens");
        if (when->nth && (when->from || when->until))
                registry_problem_add(checked->reader, INSIDE(checked, when->from ? "from" : "until"),
                                     "nth stands alone");
        if (when->until && when->from > when->until)
                registry_problem_add(checked->reader, INSIDE(checked, "until"),
                                     "this can never match: `from` is larger");
}

static bool text_implied(const char *wanted, const char *given)
{
        return !wanted || (given && !strcmp(wanted, given));
}

/* Whether @a acts whenever @b would. */
static bool always_before(const struct registry_when *a, const struct registry_when *b)
{
        return !a->nth && a->from <= 1 && !a->until && (!a->kind || a->kind == b->kind) &&
               text_implied(a->method, b->method) && text_implied(a->listener, b->listener) &&
               text_implied(a->host, b->host) && text_implied(a->repository, b->repository) &&
               text_implied(a->reference, b->reference) && text_implied(a->user, b->user) &&
               text_implied(a->user_agent, b->user_agent) &&
               (!a->credentials || a->credentials == b->credentials) &&
               (!a->outcome || a->outcome == b->outcome) && a->range <= b->range;
}

/* A `when` that was not understood says nothing of what it matches. */
static bool is_misread(const struct checked *checked, size_t i)
{
        const struct problems *problems = checked->reader->problems;
        char start[60];
        size_t len = (size_t)snprintf(start, sizeof(start), "/rules/%zu/when", i);

        for (size_t k = 0; k < problems->n; k++)
                if (!strncmp(problems->problems[k].pointer, start, len))
                        return true;
        return false;
}

static void check_reached(struct checked *checked, size_t i)
{
        const struct registry_rule *rules = checked->scenario->config.rules;

        for (size_t k = 0; k < i; k++) {
                if (is_misread(checked, k) || is_misread(checked, i) ||
                    !always_before(&rules[k].when, &rules[i].when))
                        continue;
                registry_problem_add(checked->reader, &checked->item,
                                     "this can never match: rule %zu%s%s%s always does before it", k,
                                     rules[k].name ? " (" : "", rules[k].name ? rules[k].name : "",
                                     rules[k].name ? ")" : "");
                return;
        }
}

/* ---- what a rule does ---- */

static void check_act(struct checked *checked, const struct registry_act *act)
{
        const bool by_hand = act->raw || (act->cut.there && act->cut.in_headers);
        const bool error = act->status >= 400;
        const bool no_content = error || act->redirect.there;
        const struct {
                const char *key;
                bool there, with;
                const char *message;
        } pairs[] = {
                {"code", act->code, !error, "only an error has a code: `status` is missing"},
                {"message", act->message, !error, "only an error has a message: `status` is missing"},
                {"status", act->redirect.there && act->status, act->status < 300 || act->status > 399,
                 "a redirect has a status of 300 to 399"},
                {"body", act->body, act->redirect.there || act->serve,
                 "`redirect` and `serve` say what is sent: `body` does nothing"},
                {"serve", act->serve, no_content, "an error or a redirect has no content"},
                {"ignore_range", act->ignore_range, no_content, "an error or a redirect has no content"},
                {"expire_token", act->expire_token, act->status || act->redirect.there,
                 "the request is refused for its token: `status` and `redirect` do nothing"},
                {"stall", act->stall.there, by_hand, "no body is sent, so it cannot stall"},
                {"bytes_per_s", act->bytes_per_s, by_hand, "no body is sent, so it cannot drip"},
                {"content_length", act->content_length.there, by_hand, "no whole head is sent"},
                {"cut", act->cut.there && act->stall.there, act->stall.then_close,
                 "the stall ends with a cut already"},
                {"raw", act->raw,
                 act->status || act->body || act->redirect.there || act->serve || act->media_type ||
                         act->n_headers,
                 "`raw` takes the place of the whole answer, so what changes it does nothing"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
                if (pairs[i].there && pairs[i].with)
                        registry_problem_add(checked->reader, HERE(checked, pairs[i].key), "%s",
                                             pairs[i].message);
}

static void check_redirect(struct checked *checked, const struct registry_redirect *redirect)
{
        checked->part = (struct place){&checked->item, "redirect", 0};
        check_name(checked, INSIDE(checked, "listener"), redirect->listener);
        if (redirect->location && (redirect->listener || redirect->path))
                registry_problem_add(checked->reader, INSIDE(checked, "location"),
                                     "`location` is the whole header: `listener` and `path` do nothing");
        if (redirect->path && *redirect->path != '/')
                registry_problem_add(checked->reader, INSIDE(checked, "path"), "a path begins with a slash");
}

static void check_rule(struct checked *checked, size_t i)
{
        const struct registry_rule *rules = checked->scenario->config.rules;

        go_to(checked, "rules", i);
        for (size_t k = 0; k < i && rules[i].name; k++)
                if (rules[k].name && !strcmp(rules[k].name, rules[i].name))
                        registry_problem_add(checked->reader, HERE(checked, "name"),
                                             "rule %zu has this name too", k);
        check_when(checked, &rules[i].when);
        check_reached(checked, i);
        check_act(checked, &rules[i].act);
        check_redirect(checked, &rules[i].act.redirect);
}

void registry_scenario_check(struct registry_reader *reader, const struct registry_scenario *scenario,
                             struct json_object *json)
{
        struct checked checked = {.reader = reader, .scenario = scenario, .json = json};

        check_listeners(&checked);
        for (size_t i = 0; i < scenario->config.n_images; i++)
                check_image(&checked, i);
        if (has(json, "auth"))
                check_auth(&checked);
        for (size_t i = 0; i < scenario->config.n_rules; i++)
                check_rule(&checked, i);
}
