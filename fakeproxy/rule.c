/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of behaviours, made from the list in rule.h, and the matching of rules. Counting is independent of
 * which rule acts in the end: "the second GetBlob" is the second one, also where an earlier rule took the first.
 */
#include "fakeproxy/rule.h"

#include <string.h>

#include "base/cleanup.h"
#include "protocol/message.h"

#define ROW_BOOL(name, about) {#name, about, offsetof(struct behaviours, name), false},
#define ROW_NUMBER(name, about) {#name, about, offsetof(struct behaviours, name), true},

const struct behaviour behaviour_table[] = {BEHAVIOURS(ROW_BOOL) BEHAVIOUR_NUMBERS(ROW_NUMBER)};
const size_t n_behaviours = ARRAY_SIZE(behaviour_table);

const char *behaviours_about(const struct behaviours *behaviours)
{
        for (size_t i = 0; i < n_behaviours; i++) {
                const char *member = (const char *)behaviours + behaviour_table[i].offset;
                bool on = behaviour_table[i].is_number ? *(const uint64_t *)(const void *)member != 0
                                                       : *(const bool *)(const void *)member;

                if (on)
                        return behaviour_table[i].about;
        }
        return "";
}

bool behaviours_any(const struct behaviours *behaviours)
{
        return *behaviours_about(behaviours) || behaviours->announces || behaviours->stderr_text ||
               behaviours->refuses_flag || behaviours->hides_flag || behaviours->needs_variable;
}

void behaviours_add(struct behaviours *behaviours, const struct behaviours *more)
{
#define ADD_BOOL(name, about) behaviours->name |= more->name;
        BEHAVIOURS(ADD_BOOL)
#undef ADD_BOOL
#define ADD_NUMBER(name, about) \
        if (more->name)         \
                behaviours->name = more->name;
        BEHAVIOUR_NUMBERS(ADD_NUMBER)
#undef ADD_NUMBER
        if (more->announces)
                behaviours->announces = more->announces;
        if (more->stderr_text)
                behaviours->stderr_text = more->stderr_text;
        if (more->refuses_flag)
                behaviours->refuses_flag = more->refuses_flag;
        if (more->hides_flag)
                behaviours->hides_flag = more->hides_flag;
        if (more->needs_variable)
                behaviours->needs_variable = more->needs_variable;
}

static bool argument_fits(const struct rule_when *when, struct json_object *args)
{
        struct json_object *wanted CLEANUP(cleanup_json) = NULL;

        if (!when->argument)
                return true;
        if (!args || json_object_array_length(args) < when->argument)
                return false;
        if (!when->argument_is)
                return true;
        if (json_parse(when->argument_is, strlen(when->argument_is), 32, &wanted, NULL))
                return false;
        return json_object_equal(json_object_array_get_idx(args, when->argument - 1), wanted);
}

/* The text of a request's argument; NULL: it is none. */
static const char *text_argument(struct json_object *args, size_t i)
{
        struct json_object *item =
                args && json_object_array_length(args) > i ? json_object_array_get_idx(args, i) : NULL;

        return json_object_is_type(item, json_type_string) ? json_object_get_string(item) : NULL;
}

static bool same_text(const char *wanted, const char *have)
{
        return !wanted || (have && !strcmp(wanted, have));
}

static bool has_digest(const struct rule_when *when, const struct rule_packet *packet)
{
        if (!when->digest)
                return true;
        return packet->method &&
               (!strcmp(packet->method, "GetBlob") || !strcmp(packet->method, "GetRawBlob")) &&
               same_text(when->digest, text_argument(packet->args, 1));
}

/* What the request is about, and which rules have acted. */
static bool is_about(const struct rule_when *when, const struct rule_state *states,
                     const struct rule_packet *packet)
{
        if (when->image_id && when->image_id != packet->image_id)
                return false;
        if (when->pipe && when->pipe != packet->pipe)
                return false;
        if (when->after_rule && !states[when->after_rule - 1].fired)
                return false;
        if (when->before_rule && states[when->before_rule - 1].fired)
                return false;
        return same_text(when->image, packet->image) && has_digest(when, packet);
}

/* Everything but nth, from and outcome. */
static bool fits(const struct rule_when *when, const struct rule_packet *packet)
{
        if (when->event != packet->event)
                return false;
        if (when->method && strcmp(when->method, packet->method ? packet->method : "") != 0)
                return false;
        if (when->packet && when->packet != packet->number)
                return false;
        if (when->contains && !memmem(packet->data, packet->len, when->contains, strlen(when->contains)))
                return false;
        if (packet->len < when->length_at_least || (when->has_descriptors && !packet->n_fds))
                return false;
        if (when->phase == PHASE_BEFORE_INITIALIZE && packet->initialized)
                return false;
        if (when->phase == PHASE_AFTER_INITIALIZE && !packet->initialized)
                return false;
        if (when->arguments_at_least > 0 &&
            (!packet->args || json_object_array_length(packet->args) < (size_t)when->arguments_at_least))
                return false;
        return argument_fits(when, packet->args);
}

/* Judges `after`; it holds behind the packet that has its text. */
static bool comes_after(const struct rule_when *when, struct rule_state *state,
                        const struct rule_packet *packet)
{
        bool holds = !when->after || (state->after && state->after < packet->serial);

        if (when->after && !state->after && packet->data &&
            memmem(packet->data, packet->len, when->after, strlen(when->after)))
                state->after = packet->serial;
        return holds;
}

/* Counts the event for the rule, once, and judges nth, from and outcome. */
static bool counts(const struct rule_when *when, struct rule_state *state, const struct rule_packet *packet)
{
        if (when->outcome != OUTCOME_ANY) {
                if (packet->outcome == OUTCOME_ANY)
                        return true;
                if (packet->outcome != when->outcome)
                        return false;
        }
        if (state->serial != packet->serial) {
                state->serial = packet->serial;
                state->hits++;
        }
        if (when->nth && state->hits != when->nth)
                return false;
        return state->hits >= when->from;
}

const struct rule *rules_match(const struct rule *rules, size_t n_rules, struct rule_state *states,
                               const struct rule_packet *packet)
{
        const struct rule *first = NULL;

        for (size_t i = 0; i < n_rules; i++) {
                if (!comes_after(&rules[i].when, &states[i], packet) || !fits(&rules[i].when, packet) ||
                    !is_about(&rules[i].when, states, packet))
                        continue;
                if (counts(&rules[i].when, &states[i], packet) && !first)
                        first = &rules[i];
        }
        return first;
}
