/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From rules to sentences: "At the first GetBlob the server sends 4,096 bytes of the data, then ends it." Each thing
 * that a rule can do is a row of a table or a line here, in the order in which it is done.
 */
#include "conformance/story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "conformance/report.h"

/* Characters of a packet that are shown. */
#define TEXT_SHOWN 160

/* A sentence under way: its phrases are joined by commas. */
struct sentence {
        FILE *out;
        size_t n;
};

static void phrase(struct sentence *sentence, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void phrase(struct sentence *sentence, const char *format, ...)
{
        va_list args;

        if (sentence->n++)
                fputs(", ", sentence->out);
        va_start(args, format);
        vfprintf(sentence->out, format, args);
        va_end(args);
}

/* ---- words ---- */

/* 1,048,576 */
static const char *number(uint64_t value, char ret[32])
{
        char digits[24];
        size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value), at = 0;

        for (size_t i = 0; i < len; i++) {
                if (i && (len - i) % 3 == 0)
                        ret[at++] = ',';
                ret[at++] = digits[i];
        }
        ret[at] = '\0';
        return ret;
}

/* "4 KiB" where it is even, else the number of bytes. */
static const char *size(uint64_t value, char ret[48])
{
        static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
        size_t unit = 0;
        char digits[32];

        while (value && value % 1024 == 0 && unit + 1 < ARRAY_SIZE(units)) {
                value /= 1024;
                unit++;
        }
        snprintf(ret, 48, "%s %s", number(value, digits), unit == 0 && value == 1 ? "byte" : units[unit]);
        return ret;
}

static const char *duration(uint64_t ms, char ret[48])
{
        if (ms % 1000 == 0)
                snprintf(ret, 48, "%" PRIu64 " s", ms / 1000);
        else
                snprintf(ret, 48, "%" PRIu64 " ms", ms);
        return ret;
}

static const char *ordinal(unsigned n, char ret[32])
{
        static const char *const words[] = {"", "first", "second", "third", "fourth", "fifth"};

        if (n < ARRAY_SIZE(words))
                snprintf(ret, 32, "%s", words[n]);
        else
                snprintf(ret, 32, "%uth", n);
        return ret;
}

/* A packet as it can be shown. */
static const char *shown(struct bytes bytes, char ret[TEXT_SHOWN + 32])
{
        char safe[TEXT_SHOWN];
        bool cut = bytes.len >= TEXT_SHOWN;
        char digits[48];

        text_make_safe(safe, sizeof(safe), bytes.data ? bytes.data : "", bytes.len);
        snprintf(ret, TEXT_SHOWN + 32, "%s%s%s%s", safe, cut ? " (" : "", cut ? size(bytes.len, digits) : "",
                 cut ? ")" : "");
        return ret;
}

static const char *shown_text(const char *text, char ret[TEXT_SHOWN + 32])
{
        return shown((struct bytes){text, strlen(text)}, ret);
}

/* ---- when ---- */

static void tell_event(const struct rule_when *when, FILE *out)
{
        char nth[32];

        switch (when->event) {
        case EVENT_START:
                fputs("Before it reads anything", out);
                return;
        case EVENT_END_OF_INPUT:
                fputs("When the client hangs up", out);
                return;
        case EVENT_EMPTY_PACKET:
                fputs("At an empty packet", out);
                return;
        case EVENT_FINISH_WAIT:
                fputs("When FinishPipe has to wait for data that nobody has read yet", out);
                return;
        case EVENT_REQUEST:
                break;
        }
        if (when->packet)
                fprintf(out, "At the %s packet", ordinal(when->packet, nth));
        else if (when->nth)
                fprintf(out, "At the %s %s", ordinal(when->nth, nth), when->method ? when->method : "request");
        else if (when->from)
                fprintf(out, "From the %s %s on", ordinal(when->from, nth),
                        when->method ? when->method : "request");
        else
                fprintf(out, "At every %s", when->method ? when->method : "request");
}

static void tell_rule(const char *word, unsigned rule, const struct scenario *scenario, FILE *out)
{
        const char *name = rule && rule <= scenario->n_rules ? scenario->rules[rule - 1].name : NULL;

        if (rule)
                fprintf(out, ", %s rule %u%s%s%s has acted", word, rule, name ? " (" : "", name ? name : "",
                        name ? ")" : "");
}

static void tell_when(const struct rule_when *when, const struct scenario *scenario, FILE *out)
{
        char text[TEXT_SHOWN + 32], nth[32];

        tell_event(when, out);
        if (when->argument && when->argument_is)
                fprintf(out, " whose %s argument is %s", ordinal(when->argument, nth),
                        shown_text(when->argument_is, text));
        if (when->arguments_at_least > 0)
                fprintf(out, " with %d arguments or more", when->arguments_at_least);
        if (when->contains)
                fprintf(out, " with the text \"%s\"", shown_text(when->contains, text));
        if (when->length_at_least)
                fprintf(out, " of %zu bytes or more", when->length_at_least);
        if (when->has_descriptors)
                fputs(" that comes with descriptors", out);
        if (when->image)
                fprintf(out, " of the image %s", shown_text(when->image, text));
        if (when->image_id)
                fprintf(out, " of the image with id %" PRIu64, when->image_id);
        if (when->digest)
                fprintf(out, " of the blob %s", shown_text(when->digest, text));
        if (when->pipe)
                fprintf(out, " of the %s pipe", ordinal(when->pipe, nth));
        if (when->after)
                fprintf(out, ", once a packet had the text \"%s\"", shown_text(when->after, text));
        if (when->phase == PHASE_BEFORE_INITIALIZE)
                fputs(", before Initialize", out);
        if (when->phase == PHASE_AFTER_INITIALIZE)
                fputs(", after Initialize", out);
        if (when->outcome == OUTCOME_SUCCESS)
                fputs(", where a faithful server succeeds", out);
        if (when->outcome == OUTCOME_FAILURE)
                fputs(", where a faithful server answers with an error", out);
        tell_rule("once", when->after_rule, scenario, out);
        tell_rule("before", when->before_rule, scenario, out);
}

/* ---- data ---- */

/* %s is the number of bytes. */
static const char *const step_words[] = {
        [DATA_SEND] = "sends %s",
        [DATA_SKIP] = "leaves out %s",
        [DATA_FLIP] = "sends %s with each bit inverted",
        [DATA_ZEROS] = "sends %s of zeros that are not of the content",
        [DATA_RANDOM] = "sends %s of random data that are not of the content",
        [DATA_REPEAT] = "sends the last %s again",
};

static void tell_step(struct sentence *sentence, const struct data_step *step)
{
        char bytes[48], rate[48], text[TEXT_SHOWN + 32];
        const char *amount = step->n == DATA_ALL ? "all that is left" : size(step->n, bytes);

        switch (step->op) {
        case DATA_BYTES:
                phrase(sentence, "sends \"%s\"", shown(step->bytes, text));
                break;
        case DATA_DRIP:
                phrase(sentence, "drips %s, %s a second", amount, size(step->rate ? step->rate : 1000, rate));
                break;
        case DATA_FOREVER:
                phrase(sentence, "sends random data without an end");
                break;
        case DATA_EXIT:
                phrase(sentence, "exits with status %" PRIu64, step->n);
                break;
        case DATA_SIGNAL:
                phrase(sentence, "dies of signal %" PRIu64, step->n);
                break;
        case DATA_WAIT:
                phrase(sentence, "waits %s", duration(step->n, bytes));
                break;
        case DATA_END:
                phrase(sentence, "ends the data");
                break;
        case DATA_CLOSE:
                phrase(sentence, "closes the pipe without waiting for FinishPipe");
                break;
        case DATA_STALL:
                phrase(sentence, "sends nothing more and never ends");
                break;
        case DATA_FAIL:
                phrase(sentence, "reports the error \"%s\"", shown(step->bytes, text));
                break;
        default:
                if ((size_t)step->op < ARRAY_SIZE(step_words) && step_words[step->op]) {
                        const char *words = step_words[step->op], *mark = strstr(words, "%s");

                        phrase(sentence, "%.*s%s%s", (int)(mark - words), words, amount, mark + 2);
                }
        }
}

static void tell_data(struct sentence *sentence, const char *pipe, const struct data_step *steps)
{
        struct sentence inner = {sentence->out, 0};

        if (!steps)
                return;
        if (sentence->n == 0)
                phrase(sentence, "answers as usual");
        sentence->n = 0;
        fprintf(sentence->out, "; on the %s pipe it ", pipe);
        for (; steps->op != DATA_REST; steps++)
                tell_step(&inner, steps);
        sentence->n = 1;
}

/* ---- the answer ---- */

static const char *const descriptor_words[] = {
        [DESCRIPTORS_NONE] = "without the descriptors that belong to the answer",
        [DESCRIPTORS_ONE_EXTRA] = "with one descriptor too many",
        [DESCRIPTORS_MANY_EXTRA] = "with 200 descriptors too many",
        [DESCRIPTORS_FIRST_ONLY] = "with one of two descriptors",
        [DESCRIPTORS_FILE] = "with a file in place of a pipe",
        [DESCRIPTORS_DIRECTORY] = "with a directory in place of a pipe",
        [DESCRIPTORS_SOCKET] = "with a socket in place of a pipe",
        [DESCRIPTORS_WRITE_END] = "with the write end of a pipe in place of its read end",
        [DESCRIPTORS_CLOSED_PIPE] = "with a pipe that has ended already",
        [DESCRIPTORS_DEVICE] = "with /dev/zero in place of a pipe",
        [DESCRIPTORS_OWN_SOCKET] = "with a duplicate of the session's own socket in place of a pipe",
};

static void tell_descriptors(struct sentence *sentence, const struct rule_do *act)
{
        if (act->descriptors != DESCRIPTORS_FAITHFUL && sentence->n == 0)
                phrase(sentence, "answers as usual");
        if (act->descriptors == DESCRIPTORS_COUNT)
                phrase(sentence, "with %" PRIu64 " descriptors", act->n_descriptors);
        else if ((size_t)act->descriptors < ARRAY_SIZE(descriptor_words) && descriptor_words[act->descriptors])
                phrase(sentence, "%s", descriptor_words[act->descriptors]);
}

static void tell_packets(struct sentence *sentence, const struct bytes *packets, const char *where)
{
        char text[TEXT_SHOWN + 32];

        for (; packets && packets->data; packets++)
                phrase(sentence, "sends %s, %s", shown(*packets, text), where);
}

static void tell_answer(struct sentence *sentence, const struct rule_do *act)
{
        char text[TEXT_SHOWN + 32], bytes[48];

        if (act->reply.data)
                phrase(sentence, "answers%s %s", act->no_execution ? ", without doing anything," : "",
                       shown(act->reply, text));
        if (act->merge)
                phrase(sentence, "answers with %s in place of what belongs there",
                       shown_text(act->merge, text));
        if (act->remove)
                phrase(sentence, "leaves %s out of the answer", act->remove);
        if (act->no_reply)
                phrase(sentence, "does not answer");
        if (act->empty_packet)
                phrase(sentence, "answers with an empty packet");
        if (act->pad_to)
                phrase(sentence, "fills the answer up with white space to %s", size(act->pad_to, bytes));
        if (act->cut_at)
                phrase(sentence, "cuts the answer behind %s", size(act->cut_at, bytes));
        if (act->split_at)
                phrase(sentence, "sends the answer in two packets, the first of %s",
                       size(act->split_at, bytes));
        tell_descriptors(sentence, act);
}

/* ---- all of it ---- */

static void tell_end(struct sentence *sentence, const struct rule_do *act)
{
        if (act->child_holds_pipe)
                phrase(sentence, "lets a child hold the pipe open");
        if (act->ignore_end)
                phrase(sentence, "does not end when it should, from now on");
        if (act->ignore_signals)
                phrase(sentence, "ignores SIGTERM and SIGINT from now on");
        if (act->stop_reading)
                phrase(sentence, "reads no request any more");
        if (act->become || act->become_first)
                phrase(sentence, "and from now on: %s",
                       behaviours_about(act->become ? act->become : act->become_first));
        if (act->close_socket)
                phrase(sentence, "closes the socket");
        if (act->panic)
                phrase(sentence, "panics: text like Go's on stderr, status 2");
        if (act->exit)
                phrase(sentence, "exits with status %d", act->exit_status);
        if (act->signal)
                phrase(sentence, "dies of signal %d", act->signal);
}

static void tell_do(const struct rule_do *act, FILE *out)
{
        struct sentence sentence = {out, 0};
        char text[TEXT_SHOWN + 32], bytes[48];

        if (act->stderr_text)
                phrase(&sentence, "writes \"%s\" on stderr", shown_text(act->stderr_text, text));
        if (act->stderr_flood)
                phrase(&sentence, "writes %s on stderr", size(act->stderr_flood, bytes));
        if (act->replace)
                phrase(&sentence, "is asked with \"%s\" in the request's text replaced",
                       shown_text(act->replace, text));
        if (act->delay_ms)
                phrase(&sentence, "waits %s", duration(act->delay_ms, bytes));
        tell_packets(&sentence, act->before, "ahead of the answer");
        tell_answer(&sentence, act);
        tell_data(&sentence, "data", act->data);
        tell_data(&sentence, "error", act->errors);
        tell_packets(&sentence, act->after, "behind the answer");
        if (act->delay_after_ms)
                phrase(&sentence, "waits %s", duration(act->delay_after_ms, bytes));
        tell_end(&sentence, act);
        if (sentence.n == 0)
                phrase(&sentence, "does what it should");
}

static void tell_layers(const struct generated_recipe *image, FILE *out)
{
        static const char *const compressions[] = {
                [GENERATED_PLAIN] = "", [GENERATED_GZIP] = ", gzip", [GENERATED_ZSTD] = ", zstd"};

        if (image->n_layers == 0)
                fputs("no layers", out);
        for (size_t i = 0; i < image->n_layers; i++) {
                const struct generated_layer *layer = &image->layers[i];
                uint64_t count = layer->count ? layer->count : 1;
                char digits[32], bytes[48];

                fprintf(out, "%s%s layer%s of %s%s", i ? "; " : "", number(count, digits),
                        count == 1 ? "" : "s", size(layer->size, bytes), compressions[layer->compression]);
                if (layer->media_type)
                        fprintf(out, ", as %s", layer->media_type);
        }
}

static void tell_patch(const char *what, struct json_object *patch, const char *indent, FILE *out)
{
        char text[TEXT_SHOWN + 32];

        if (patch)
                fprintf(out, "%sIts %s has %s\n", indent, what,
                        shown_text(json_object_to_json_string_ext(patch, JSON_C_TO_STRING_NOSLASHESCAPE),
                                   text));
}

/* ---- a real server ---- */

static void tell_words(const char *before, const char *const *words, FILE *out)
{
        char text[TEXT_SHOWN + 32];

        for (size_t i = 0; words && words[i]; i++)
                fprintf(out, "%s%s", i ? " " : before, shown_text(words[i], text));
}

/* Members of an object by name, a line each. */
static void tell_members(const char *what, struct json_object *object, const char *indent, FILE *out)
{
        char name[TEXT_SHOWN + 32], text[TEXT_SHOWN + 32];

        if (!object)
                return;
        json_object_object_foreach (object, key, value)
                fprintf(out, "%s%s %s: %s\n", indent, what, shown_text(key, name),
                        shown_text(json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE),
                                   text));
}

/* How the server is started, and what its registry is. */
static void tell_upstream(const struct scenario *scenario, const char *indent, FILE *out)
{
        const struct scenario_upstream *upstream = &scenario->upstream;

        if (upstream->without || upstream->with || upstream->with_global) {
                fprintf(out, "%sIt is started", indent);
                tell_words(" without ", upstream->without, out);
                tell_words(upstream->without ? ", and with " : " with ", upstream->with, out);
                tell_words(upstream->without || upstream->with ? ", and before the subcommand " : " with ",
                           upstream->with_global, out);
                fputs(".\n", out);
        }
        tell_members("Its variable", upstream->environment, indent, out);
        tell_members("Its file", scenario->files, indent, out);
        tell_members("The registry's", scenario->registry, indent, out);
}

static void tell_image(const struct scenario *scenario, const char *indent, FILE *out)
{
        if (scenario->registry)
                fprintf(out,
                        "%sA server of the real kind, skopeo itself, fetches docker://HOST:PORT/app:latest: ",
                        indent);
        else
                fprintf(out, "%sA server of %s has the image fake:scenario: ", indent,
                        scenario->emulate ? scenario->emulate : "protocol 0.2.8");
        if (scenario->fixture)
                fprintf(out, "the fixture %s", scenario->fixture);
        else
                tell_layers(&scenario->image, out);
        fputs(".\n", out);
        if (!scenario->fixture) {
                tell_patch("manifest", scenario->image.manifest, indent, out);
                tell_patch("config", scenario->image.config, indent, out);
        }
}

void story_print(const struct scenario *scenario, const char *indent, FILE *out)
{
        tell_image(scenario, indent, out);
        tell_upstream(scenario, indent, out);
        if (scenario->with.announces)
                fprintf(out, "%sIt announces version \"%s\".\n", indent, scenario->with.announces);
        if (*behaviours_about(&scenario->with))
                fprintf(out, "%sAll the time: %s.\n", indent, behaviours_about(&scenario->with));
        for (size_t i = 0; i < scenario->n_rules; i++) {
                fprintf(out, "%s%zu. ", indent, i + 1);
                tell_when(&scenario->rules[i].when, scenario, out);
                fputs(" it ", out);
                tell_do(&scenario->rules[i].act, out);
                fputs(".\n", out);
        }
        fprintf(out, "%s%s\n", indent,
                scenario->registry  ? "In all else the registry does what it should."
                : scenario->n_rules ? "In all else it does what it should."
                                    : "It does what a server should.");
}
