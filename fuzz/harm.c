/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of what is harmless, by member and by behaviour. What is not in them may do harm; what surely does is told by the
 * method alone: those that every client needs, each time.
 */
#include "fuzz/harm.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "image/fixture.h"
#include "protocol/message.h"

/* Milliseconds of one delay that every client bears, and bytes that may drip. */
#define DELAY_MAX 2000
#define DRIP_MAX 5000
#define PAD_MAX 102400

enum harm {
        HARM_NONE,
        HARM_SOME,
        HARM_SURE,
};

static bool is_among(const char *const *names, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (strcmp(names[i], name) == 0)
                        return true;
        return false;
}

/* ---- behaviours ---- */

/* A client that does nothing wrong does not meet them, or has to bear them. */
static const char *const harmless_behaviours[] = {
        "accepts-trailing-text",
        "needs-no-initialize",
        "allows-second-initialize",
        "first-key-wins",
        "ignores-extra-args",
        "ignores-missing-args",
        "cuts-fractions",
        "wraps-negatives",
        "accepts-string-numbers",
        "accepts-large-numbers",
        "accepts-image-zero",
        "answers-no-image-for-zero",
        "keeps-closed-images",
        "close-twice-succeeds",
        "ignores-policy",
        "finish-twice-succeeds",
        "finish-waits-for-all",
        "serves-while-finishing",
        "writes-one-pipe-at-a-time",
        "sends-nonblocking-pipes",
        "answers-unknown-blob-size",
        "writes-on-stderr",
        "writes-on-stdout",
        "variant-before-os",
        "stderr-text",
        "leaks-per-image",
        "leaks-per-pipe",
        "leaks-per-failure",
        "leaks-threads",
        "spins",
        "accepts-unknown-flags",
        "says-faccessat",
        "leak-per-request",
        "leak-per-mib",
        "reuses-image-ids",
        "finish-ignores-extra-args",
};

static enum harm behaviour_harm(const char *name, struct json_object *value)
{
        if (strcmp(name, "pad-replies-to") == 0)
                return json_object_get_int64(value) <= PAD_MAX ? HARM_NONE : HARM_SOME;
        if (strcmp(name, "request-delay-ms") == 0)
                return json_object_get_int64(value) <= 100 ? HARM_NONE : HARM_SOME;
        return is_among(harmless_behaviours, ARRAY_SIZE(harmless_behaviours), name) ? HARM_NONE : HARM_SOME;
}

static enum harm behaviours_harm(struct json_object *behaviours, const char **ret_name)
{
        json_object_object_foreach (behaviours, name, value) {
                if (behaviour_harm(name, value) == HARM_NONE)
                        continue;
                *ret_name = name;
                return HARM_SOME;
        }
        return HARM_NONE;
}

/* ---- a pipe's data ---- */

static int64_t number_of(struct json_object *object, const char *key)
{
        return json_object_get_int64(json_object_object_get(object, key));
}

static bool drips_quickly(struct json_object *step)
{
        struct json_object *drip = json_object_object_get(step, "drip"), *rate;
        bool is_fast =
                json_object_object_get_ex(step, "bytes_per_s", &rate) && json_object_get_int64(rate) >= 1000000;

        return is_fast ||
               (json_object_is_type(drip, json_type_int) && json_object_get_int64(drip) <= DRIP_MAX &&
                (!json_object_object_get_ex(step, "bytes_per_s", &rate) ||
                 json_object_get_int64(rate) >= 1000));
}

/* @ret_name: the step that does harm. */
static enum harm steps_harm(struct json_object *steps, const char **ret_name)
{
        static const char *const harmless[] = {"send", "drip", "wait_ms", "bytes_per_s"};

        for (size_t i = 0; i < json_object_array_length(steps); i++) {
                json_object_object_foreach (json_object_array_get_idx(steps, i), name, value) {
                        (void)value;
                        if (is_among(harmless, ARRAY_SIZE(harmless), name))
                                continue;
                        *ret_name = name;
                        return HARM_SOME;
                }
        }
        return HARM_NONE;
}

/* ---- a rule ---- */

static enum harm reply_harm(struct json_object *reply, const char **ret_name)
{
        static const char *const members[] = {"success", "value", "pipeid", "error", "error_code"};

        json_object_object_foreach (reply, name, value) {
                (void)value;
                /* Keys of another case are the same to some readers. */
                for (size_t i = 0; i < ARRAY_SIZE(members); i++)
                        if (strcasecmp(members[i], name) == 0) {
                                *ret_name = members[i];
                                return HARM_SOME;
                        }
        }
        return HARM_NONE;
}

static enum harm member_harm(const char *member, struct json_object *value, const char **ret_name)
{
        static const char *const harmless[] = {"name",         "when",           "stderr",
                                               "stderr_flood", "ignore_sigterm", "code"};

        if (is_among(harmless, ARRAY_SIZE(harmless), member))
                return HARM_NONE;
        if (strcmp(member, "delay_ms") == 0 || strcmp(member, "delay_after_ms") == 0)
                return json_object_get_int64(value) <= DELAY_MAX ? HARM_NONE : HARM_SOME;
        if (strcmp(member, "pad_to") == 0)
                return json_object_get_int64(value) <= PAD_MAX ? HARM_NONE : HARM_SOME;
        if (strcmp(member, "data") == 0)
                return steps_harm(value, ret_name);
        if (strcmp(member, "reply") == 0)
                return reply_harm(value, ret_name);
        if (strcmp(member, "become") == 0 || strcmp(member, "become_first") == 0)
                return behaviours_harm(value, ret_name);
        return HARM_SOME;
}

/* Whether it is about each request of a method that no client can do without, and nothing else. */
static bool is_unavoidable(struct json_object *rule)
{
        static const char *const needed[] = {"Initialize", "GetManifest", "FinishPipe"};
        struct json_object *when = json_object_object_get(rule, "when");
        const char *method = json_object_get_string(json_object_object_get(when, "method"));

        return method && json_object_object_length(when) == 1 && is_among(needed, ARRAY_SIZE(needed), method);
}

/* Whether the request cannot have succeeded for the client. */
static bool is_fatal(struct json_object *rule, const char *member)
{
        struct json_object *answer = json_object_object_get(rule, "answer");

        if (strcmp(member, "fail") == 0 || strcmp(member, "no_reply") == 0 || strcmp(member, "empty") == 0)
                return true;
        return strcmp(member, "answer") == 0 &&
               !json_object_get_boolean(json_object_object_get(answer, "success"));
}

static void say(char ret[HARM_WORDS_SIZE], const char *where, const char *member, const char *detail)
{
        snprintf(ret, HARM_WORDS_SIZE, "%s %s%s%s", where, member, detail ? "." : "", detail ? detail : "");
}

static const char *method_of(struct json_object *rule)
{
        const char *method =
                json_object_get_string(json_object_object_get(json_object_object_get(rule, "when"), "method"));

        return method ? method : "any";
}

static enum harm rule_harm(struct json_object *rule, char ret[HARM_WORDS_SIZE])
{
        enum harm harm = HARM_NONE;

        json_object_object_foreach (rule, member, value) {
                const char *detail = NULL;
                enum harm more = member_harm(member, value, &detail);

                if (strcmp(member, "name") == 0 || strcmp(member, "when") == 0)
                        continue;
                if (more == HARM_SOME && is_unavoidable(rule) && is_fatal(rule, member))
                        more = HARM_SURE;
                if (more > harm || !*ret)
                        say(ret, method_of(rule), member, detail);
                harm = more > harm ? more : harm;
        }
        return harm;
}

/* ---- the image ---- */

static enum harm recipe_harm(struct json_object *recipe)
{
        struct json_object *layers = json_object_object_get(recipe, "layers");

        if (json_object_object_get_ex(recipe, "manifest", NULL) ||
            json_object_object_get_ex(recipe, "config", NULL))
                return HARM_SOME;
        for (size_t i = 0; layers && i < json_object_array_length(layers); i++) {
                struct json_object *layer = json_object_array_get_idx(layers, i);

                if (json_object_object_get_ex(layer, "entry", NULL) ||
                    json_object_object_get_ex(layer, "digest", NULL) ||
                    json_object_object_get_ex(layer, "media_type", NULL))
                        return HARM_SOME;
        }
        return HARM_NONE;
}

static enum harm image_harm(struct json_object *image)
{
        const struct fixture *fixture;

        if (!image)
                return HARM_NONE;
        if (json_object_is_type(image, json_type_object))
                return recipe_harm(image);
        fixture = fixture_find(json_object_get_string(image));
        return fixture && fixture->good && !fixture->artifact && !fixture->list && !fixture->docker ? HARM_NONE
                                                                                                    : HARM_SOME;
}

/* ---- the scenario ---- */

static const char *first_key(struct json_object *object)
{
        json_object_object_foreach (object, name, value) {
                (void)value;
                return name;
        }
        return "";
}

enum scenario_must harm_expect(struct json_object *scenario, char ret_words[HARM_WORDS_SIZE])
{
        struct json_object *rules = json_object_object_get(scenario, "rules"), *with;
        size_t n = rules ? json_object_array_length(rules) : 0;
        const char *detail = NULL;
        enum harm harm = HARM_NONE;

        *ret_words = '\0';
        if (json_object_object_get_ex(scenario, "with", &with) && json_object_object_length(with)) {
                harm = behaviours_harm(with, &detail);
                say(ret_words, "with", detail ? detail : first_key(with), NULL);
        }
        for (size_t i = 0; i < n; i++) {
                char words[HARM_WORDS_SIZE] = "";
                enum harm more = rule_harm(json_object_array_get_idx(rules, i), words);

                /* Others may act in its place. */
                if (more == HARM_SURE && n > 1)
                        more = HARM_SOME;
                if (more > harm || !*ret_words)
                        memcpy(ret_words, words, sizeof(words));
                harm = more > harm ? more : harm;
        }
        if (image_harm(json_object_object_get(scenario, "image")) != HARM_NONE) {
                if (harm == HARM_NONE)
                        say(ret_words, "image", "recipe", NULL);
                harm = harm == HARM_SURE ? harm : HARM_SOME;
        }
        if (!*ret_words)
                say(ret_words, "nothing", "unusual", NULL);
        return harm == HARM_NONE ? CLIENT_SUCCEEDS : harm == HARM_SURE ? CLIENT_FAILS : CLIENT_EITHER;
}

static bool steps_are_bounded(struct json_object *steps)
{
        for (size_t i = 0; steps && i < json_object_array_length(steps); i++) {
                struct json_object *step = json_object_array_get_idx(steps, i);

                if (number_of(step, "wait_ms") > DELAY_MAX ||
                    (json_object_object_get_ex(step, "drip", NULL) && !drips_quickly(step)))
                        return false;
        }
        return true;
}

bool harm_is_bounded(struct json_object *scenario)
{
        struct json_object *rules = json_object_object_get(scenario, "rules");

        for (size_t i = 0; rules && i < json_object_array_length(rules); i++) {
                struct json_object *rule = json_object_array_get_idx(rules, i);

                if (number_of(rule, "delay_ms") > DELAY_MAX || number_of(rule, "delay_after_ms") > DELAY_MAX ||
                    !steps_are_bounded(json_object_object_get(rule, "data")) ||
                    !steps_are_bounded(json_object_object_get(rule, "errors")))
                        return false;
        }
        return true;
}

void harm_add_client(struct json_object *scenario, enum scenario_must must, unsigned seconds)
{
        static const char *const words[] = {
                [CLIENT_SUCCEEDS] = "succeed", [CLIENT_FAILS] = "fail", [CLIENT_EITHER] = "either"};
        struct json_object *client = json_object_new_object();

        json_object_object_add(client, "must", json_object_new_string(words[must]));
        json_object_object_add(client, "within_s", json_object_new_int64(seconds));
        json_object_object_add(scenario, "client", client);
}
