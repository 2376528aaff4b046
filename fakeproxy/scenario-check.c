/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging a scenario's rules together: names of rules that do not exist, conditions that contradict each other, a
 * rule that always matches before another, actions that have nothing to act on. All of it errs on the side of
 * letting a rule pass.
 */
#include "fakeproxy/scenario-check.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "protocol/message.h"
#include "protocol/method.h"

/* A rule and where it stands. */
struct checked {
        struct reader *reader;
        const struct scenario *scenario;
        struct rule *rules;
        struct json_object *json; /* the array */
        size_t i;
        struct place top, array, rule, when;
};

#define AT_RULE(checked, key) (&(const struct place){&(checked)->rule, (key), 0})
#define AT_WHEN(checked, key) (&(const struct place){&(checked)->when, (key), 0})

/* ---- names of rules ---- */

static void resolve(struct checked *checked, const char *key, unsigned *to)
{
        struct json_object *rule = json_object_array_get_idx(checked->json, checked->i), *when, *value;
        struct nearest nearest = {0};

        if (!json_object_object_get_ex(rule, "when", &when) || !json_object_is_type(when, json_type_object) ||
            !json_object_object_get_ex(when, key, &value) || !json_object_is_type(value, json_type_string))
                return;
        nearest.name = json_object_get_string(value);
        for (size_t i = 0; i < checked->scenario->n_rules; i++) {
                if (!checked->rules[i].name)
                        continue;
                if (!strcmp(checked->rules[i].name, nearest.name)) {
                        *to = (unsigned)i + 1;
                        return;
                }
                text_nearest(&nearest, checked->rules[i].name);
        }
        problem_add(checked->reader, AT_WHEN(checked, key), "no rule has the name \"%s\"%s", nearest.name,
                    reader_hint(checked->reader, &nearest));
}

static void check_name(const struct checked *checked)
{
        const char *name = checked->rules[checked->i].name;

        for (size_t i = 0; name && i < checked->i; i++)
                if (checked->rules[i].name && !strcmp(checked->rules[i].name, name))
                        problem_add(checked->reader, AT_RULE(checked, "name"), "rule %zu has this name already",
                                    i);
}

/* A rule that waits, in the end, for itself to fire. */
static void check_cycle(const struct checked *checked)
{
        const struct rule_when *when = &checked->rules[checked->i].when;
        size_t at = checked->i;

        if (when->after_rule && when->after_rule == when->before_rule)
                problem_add(checked->reader, &checked->when,
                            "this can never match: after_rule and before_rule name the same rule");
        for (size_t steps = 0; steps <= checked->scenario->n_rules && checked->rules[at].when.after_rule;
             steps++) {
                at = checked->rules[at].when.after_rule - 1;
                if (at == checked->i) {
                        problem_add(checked->reader, AT_WHEN(checked, "after_rule"),
                                    "this can never match: the rule waits for itself to fire");
                        return;
                }
        }
}

/* ---- one `when` ---- */

/* What only a request has. */
static void check_event(const struct checked *checked)
{
        const struct rule_when *w = &checked->rules[checked->i].when;
        const struct {
                const char *key;
                bool there;
        } keys[] = {
                {"method", w->method},
                {"packet", w->packet},
                {"contains", w->contains},
                {"length_at_least", w->length_at_least},
                {"has_descriptors", w->has_descriptors},
                {"arguments_at_least", w->arguments_at_least},
                {"argument", w->argument},
                {"image", w->image || w->image_id},
                {"digest", w->digest},
                {"pipe", w->pipe && w->event != EVENT_FINISH_WAIT},
                {"outcome", w->outcome},
        };

        if (w->event == EVENT_REQUEST)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (keys[i].there)
                        problem_add(checked->reader, AT_WHEN(checked, keys[i].key),
                                    "this can never match: the event is not a request");
        if (w->event == EVENT_START &&
            (w->after || w->phase == PHASE_AFTER_INITIALIZE || w->after_rule || w->nth > 1 || w->from > 1))
                problem_add(checked->reader, &checked->when,
                            "this can never match: there is one start, and nothing "
                            "is before it");
}

/* Whether the method takes an argument of this kind. */
static bool takes(const struct method *method, enum argument_kind kind)
{
        for (size_t i = 0; i < method->n_arguments; i++)
                if (method->arguments[i] == kind)
                        return true;
        return false;
}

static void check_method(const struct checked *checked)
{
        const struct rule_when *w = &checked->rules[checked->i].when;
        const struct method *method = w->method ? method_find(w->method) : NULL;
        const struct version protocol = checked->scenario->emulation.protocol;
        char text[VERSION_TEXT_SIZE], since[VERSION_TEXT_SIZE];

        if (!method)
                return;
        if (version_compare(method->since, protocol) > 0)
                problem_add(checked->reader, AT_WHEN(checked, "method"),
                            "this can never match: protocol %s has no %s, it is there from %s on",
                            version_format(protocol, text), method->name, version_format(method->since, since));
        if (w->digest && method->id != METHOD_GET_BLOB && method->id != METHOD_GET_RAW_BLOB)
                problem_add(checked->reader, AT_WHEN(checked, "digest"),
                            "this can never match: %s is about no blob", method->name);
        if (w->pipe && method->id != METHOD_FINISH_PIPE)
                problem_add(checked->reader, AT_WHEN(checked, "pipe"),
                            "this can never match: FinishPipe alone is about a pipe");
        if (w->image_id && !takes(method, ARGUMENT_IMAGE))
                problem_add(checked->reader, AT_WHEN(checked, "image"),
                            "this can never match: %s is about no image id", method->name);
        if (w->image && !takes(method, ARGUMENT_IMAGE) && !takes(method, ARGUMENT_REFERENCE))
                problem_add(checked->reader, AT_WHEN(checked, "image"),
                            "this can never match: %s is about no image", method->name);
}

static void check_when(const struct checked *checked)
{
        const struct rule_when *w = &checked->rules[checked->i].when;

        check_event(checked);
        check_method(checked);
        check_cycle(checked);
        if (w->nth && w->from)
                problem_add(checked->reader, AT_WHEN(checked, "from"), "nth and from cannot stand together");
        if (w->digest && !w->method && w->pipe)
                problem_add(checked->reader, AT_WHEN(checked, "pipe"),
                            "this can never match: no request is about a blob and a pipe");
        if (w->outcome && checked->rules[checked->i].act.no_execution)
                problem_add(checked->reader, AT_WHEN(checked, "outcome"),
                            "there is no outcome where `answer` stands in place: use `reply` or `raw`");
        if (w->outcome && checked->rules[checked->i].act.become_first)
                problem_add(checked->reader, AT_WHEN(checked, "outcome"),
                            "there is no outcome yet for `become_first`: use `become`");
        if (w->outcome && checked->rules[checked->i].act.replace)
                problem_add(checked->reader, AT_RULE(checked, "forward"),
                            "there is an outcome only when the request has been handed on");
}

/* ---- one rule before another ---- */

static bool text_implied(const char *wanted, const char *given)
{
        return !wanted || (given && !strcmp(wanted, given));
}

/* A text that holds another one holds what is looked for in that. */
static bool part_implied(const char *wanted, const char *given)
{
        return !wanted || (given && strstr(given, wanted));
}

static bool argument_implied(const struct rule_when *a, const struct rule_when *b)
{
        if (!a->argument)
                return true;
        if (a->argument != b->argument)
                return a->argument < b->argument && !a->argument_is;
        return text_implied(a->argument_is, b->argument_is);
}

/* Whether all but nth and from of @a holds whenever that of @b does. */
static bool conditions_implied(const struct rule_when *a, const struct rule_when *b)
{
        return a->event == b->event && text_implied(a->method, b->method) &&
               (!a->packet || a->packet == b->packet) && part_implied(a->contains, b->contains) &&
               part_implied(a->after, b->after) && a->length_at_least <= b->length_at_least &&
               a->has_descriptors <= b->has_descriptors && a->arguments_at_least <= b->arguments_at_least &&
               argument_implied(a, b) && (!a->phase || a->phase == b->phase) &&
               (!a->outcome || a->outcome == b->outcome) && (!a->image_id || a->image_id == b->image_id) &&
               text_implied(a->image, b->image) && text_implied(a->digest, b->digest) &&
               (!a->pipe || a->pipe == b->pipe) && (!a->after_rule || a->after_rule == b->after_rule) &&
               (!a->before_rule || a->before_rule == b->before_rule);
}

/* Whether @a matches whenever @b does. Where @a counts, both must count the same things. */
static bool always_before(const struct rule_when *a, const struct rule_when *b)
{
        if (!conditions_implied(a, b))
                return false;
        if (!a->nth && a->from <= 1)
                return true;
        if (!conditions_implied(b, a))
                return false;
        if (a->nth)
                return a->nth == b->nth;
        return b->nth >= a->from || b->from >= a->from;
}

/* Whether a rule's `when` was not understood, so that nothing can be said of what it matches. */
static bool is_misread(const struct checked *checked, size_t i)
{
        const struct problems *problems = checked->reader->problems;
        char start[60], whole[60];

        snprintf(whole, sizeof(whole), "/rules/%zu", i);
        snprintf(start, sizeof(start), "/rules/%zu/when", i);
        for (size_t k = 0; k < problems->n; k++)
                if (!strcmp(problems->problems[k].pointer, whole) ||
                    !strncmp(problems->problems[k].pointer, start, strlen(start)))
                        return true;
        return false;
}

static void check_reached(const struct checked *checked)
{
        if (is_misread(checked, checked->i))
                return;
        for (size_t i = 0; i < checked->i; i++) {
                const char *name = checked->rules[i].name;

                if (is_misread(checked, i) ||
                    !always_before(&checked->rules[i].when, &checked->rules[checked->i].when))
                        continue;
                problem_add(checked->reader, &checked->rule,
                            "this can never match: rule %zu%s%s%s always does before it", i, name ? " (" : "",
                            name ? name : "", name ? ")" : "");
                return;
        }
}

/* ---- actions ---- */

static void check_no_answer(const struct checked *checked)
{
        const struct rule *rule = &checked->rules[checked->i];
        const struct rule_do *act = &rule->act;
        const struct {
                const char *key;
                bool there;
        } keys[] = {
                {"fail", act->fail},
                {"reply", act->merge},
                {"remove", act->remove},
                {"answer", act->no_execution},
                {"raw", act->reply.data && !act->no_execution},
                {"split_at", act->split_at},
                {"cut_at", act->cut_at},
                {"pad_to", act->pad_to},
                {"no_reply", act->no_reply},
                {"empty", act->empty_packet},
                {"descriptors", act->descriptors},
                {"data", act->data},
                {"errors", act->errors},
                {"child_holds_pipe", act->child_holds_pipe},
                {"become_first", act->become_first},
                {"forward", act->replace},
        };

        if (rule->when.event == EVENT_REQUEST)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
                if (keys[i].there)
                        problem_add(checked->reader, AT_RULE(checked, keys[i].key),
                                    "there is no answer to this event, so nothing comes of it");
}

static void check_pipes(const struct checked *checked)
{
        const struct rule *rule = &checked->rules[checked->i];
        const struct method *method = rule->when.method ? method_find(rule->when.method) : NULL;
        const char *data_key = rule->act.data ? "data" : "child_holds_pipe";

        if (rule->when.event != EVENT_REQUEST)
                return;
        if (rule->act.no_execution && (rule->act.data || rule->act.errors || rule->act.child_holds_pipe))
                problem_add(checked->reader, AT_RULE(checked, rule->act.errors ? "errors" : data_key),
                            "`answer` in place opens no pipe: use `reply`");
        if (rule->act.fail && (rule->act.data || rule->act.errors || rule->act.child_holds_pipe))
                problem_add(checked->reader, AT_RULE(checked, rule->act.errors ? "errors" : data_key),
                            "a failure opens no pipe");
        if (method && method->pipes == PIPES_NONE && (rule->act.data || rule->act.child_holds_pipe))
                problem_add(checked->reader, AT_RULE(checked, data_key), "%s opens no pipe", method->name);
        if (method && method->pipes != PIPES_RAW && rule->act.errors)
                problem_add(checked->reader, AT_RULE(checked, "errors"),
                            "GetRawBlob alone opens an error pipe");
}

static void check_answer(const struct checked *checked)
{
        const struct rule_do *act = &checked->rules[checked->i].act;
        bool has_text = act->reply.data || act->merge || act->remove || act->fail;
        const struct {
                const char *key;
                bool there, with;
                const char *message;
        } pairs[] = {
                {"raw", act->reply.data && !act->no_execution, act->merge || act->remove,
                 "`raw` takes the place of the whole text, so `reply` and `remove` do nothing"},
                {"answer", act->no_execution, act->merge || act->remove,
                 "`answer` is the whole reply, so `reply` and `remove` do nothing"},
                {"forward", act->replace, act->no_execution, "`answer` in place hands no request on"},
                {"fail", act->fail, act->reply.data, "`raw` and `answer` take the place of the failure"},
                {"code", act->fail_code, !act->fail, "only `fail` has a code"},
                {"no_reply", act->no_reply,
                 (has_text && !act->no_execution) || act->split_at || act->cut_at || act->pad_to ||
                         act->empty_packet || act->descriptors,
                 "without a reply, what changes it does nothing"},
                {"empty", act->empty_packet, has_text || act->split_at || act->cut_at || act->pad_to,
                 "an empty packet has no text to change"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
                if (pairs[i].there && pairs[i].with)
                        problem_add(checked->reader, AT_RULE(checked, pairs[i].key), "%s", pairs[i].message);
}

/* `raw` and `answer` fill in the same place, so which were written is seen in the text alone. */
static void check_both(const struct checked *checked)
{
        struct json_object *rule = json_object_array_get_idx(checked->json, checked->i);

        if (json_object_object_get_ex(rule, "raw", NULL) && json_object_object_get_ex(rule, "answer", NULL))
                problem_add(checked->reader, AT_RULE(checked, "raw"),
                            "`raw` and `answer` cannot stand together");
}

void rules_check(struct reader *reader, struct scenario *scenario, struct json_object *json)
{
        struct checked checked = {.reader = reader, .scenario = scenario};

        if (!json_object_object_get_ex(json, "rules", &checked.json) ||
            !json_object_is_type(checked.json, json_type_array))
                return;
        checked.rules = (struct rule *)(uintptr_t)scenario->rules;
        for (int pass = 0; pass < 2; pass++) {
                for (checked.i = 0; checked.i < scenario->n_rules; checked.i++) {
                        checked.array = (struct place){&checked.top, "rules", 0};
                        checked.rule = (struct place){&checked.array, NULL, checked.i};
                        checked.when = (struct place){&checked.rule, "when", 0};
                        if (!json_object_is_type(json_object_array_get_idx(checked.json, checked.i),
                                                 json_type_object))
                                continue;
                        if (pass == 0) {
                                check_name(&checked);
                                resolve(&checked, "after_rule", &checked.rules[checked.i].when.after_rule);
                                resolve(&checked, "before_rule", &checked.rules[checked.i].when.before_rule);
                                continue;
                        }
                        check_when(&checked);
                        check_reached(&checked);
                        check_no_answer(&checked);
                        check_both(&checked);
                        check_pipes(&checked);
                        check_answer(&checked);
                }
        }
}
