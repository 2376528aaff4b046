/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each sequence has a mood, which says how often it does something wrong. A request is written from the table of methods
 * with arguments that mean something in the session so far; a wrong one is a right one with one thing changed.
 */
#include "fuzz/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "protocol/method.h"
#include "protocol/packet.h"

#define STEPS_DEFAULT 40
#define IMAGES_MAX 64
#define PIPES_MAX 256

/* An image that was asked for; whether the server has opened it only a run knows. */
struct held_image {
        const struct fuzz_image *image;
        uint64_t id;
        bool closed;
};

struct held_pipe {
        uint64_t left; /* bytes that were not read, as far as known */
        bool dropped, finished, raw;
};

struct model {
        const struct model_options *options;
        uint64_t random;
        unsigned wildness; /* per cent of requests that are changed */
        struct held_image images[IMAGES_MAX];
        size_t n_images;
        struct held_pipe pipes[PIPES_MAX];
        size_t n_pipes;
        struct sequence *sequence;
        bool out_of_memory;
};

static bool chance(struct model *model, unsigned per_cent)
{
        return random_below(&model->random, 100) < per_cent;
}

static size_t pick(struct model *model, size_t n)
{
        return (size_t)random_below(&model->random, n);
}

/* ---- text ---- */

static char *text_of(struct model *model, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *text_of(struct model *model, const char *format, ...)
{
        char *text;
        va_list args;

        va_start(args, format);
        if (vasprintf(&text, format, args) < 0) {
                model->out_of_memory = true;
                text = NULL;
        }
        va_end(args);
        return text;
}

/* What stands in an argument's place where it is to be wrong. */
static char *wrong_argument(struct model *model)
{
        static const char *const values[] = {
                "null",
                "true",
                "\"1\"",
                "\"\"",
                "[]",
                "{}",
                "[1]",
                "{\"a\":1}",
                "-1",
                "0",
                "1.5",
                "1e0",
                "-0",
                "0.0",
                "9007199254740991",
                "9007199254740992",
                "18446744073709551615",
                "18446744073709551616",
                "1e400",
                "4294967295",
                "4294967296",
                "4294967297",
                "\"sha256:\"",
                "\"sha512:00\"",
                "\"\\u0000\"",
                "\"\\ud800\"",
                "\"oci:\"",
                "\"../../etc\"",
                "1E+2",
                "00",
                "+1",
                ".5",
                "1.",
                "NaN",
                "'1'",
                "\"a",
                "\"\xff\"",
        };
        size_t i = pick(model, ARRAY_SIZE(values) + 2);

        if (i < ARRAY_SIZE(values))
                return text_of(model, "%s", values[i]);
        return text_of(model, "\"%0*d\"", i == ARRAY_SIZE(values) ? 300 : 30000, 0);
}

static const struct held_image *any_image(struct model *model)
{
        return model->n_images ? &model->images[pick(model, model->n_images)] : NULL;
}

/* The blob that an image has, or one of another. */
static const struct fuzz_blob *any_blob(struct model *model, const struct held_image *held)
{
        const struct fuzz_images *images = model->options->images;
        const struct fuzz_image *image = held && held->image && !chance(model, 5)
                                                 ? held->image
                                                 : &images->images[pick(model, images->n_images)];

        return image->n_blobs ? &image->blobs[pick(model, image->n_blobs)] : NULL;
}

static char *image_argument(struct model *model, const struct held_image *held)
{
        if (!held || chance(model, 2))
                return text_of(model, "%zu",
                               pick(model, 2) ? model->n_images + 1 + pick(model, 3) : pick(model, 4));
        return text_of(model, "%" PRIu64, held->id);
}

static char *pipe_argument(struct model *model, size_t *ret_pipe)
{
        *ret_pipe = 0;
        if (model->n_pipes == 0 || chance(model, 5))
                return text_of(model, "%zu", pick(model, 40));
        *ret_pipe = 1 + pick(model, model->n_pipes);
        /* The older ones are mostly finished already. */
        if (model->pipes[*ret_pipe - 1].finished || model->pipes[*ret_pipe - 1].raw)
                *ret_pipe = model->n_pipes;
        return text_of(model, "${pipe%zu}", *ret_pipe);
}

/* ---- a request ---- */

struct draft {
        const struct method *method;
        char *args[METHOD_ARGUMENTS_MAX + 2];
        size_t n_args;
        const struct held_image *image;
        const struct fuzz_blob *blob;
        const struct fuzz_image *opened;
        size_t pipe;
};

static char *good_argument(struct model *model, struct draft *draft, enum argument_kind kind)
{
        const struct fuzz_images *images = model->options->images;
        uint64_t size;

        switch (kind) {
        case ARGUMENT_REFERENCE:
                draft->opened = &images->images[pick(model, images->n_images)];
                return text_of(model, "\"%s\"", draft->opened->reference);
        case ARGUMENT_IMAGE:
                draft->image = any_image(model);
                return image_argument(model, draft->image);
        case ARGUMENT_DIGEST:
                draft->blob = any_blob(model, draft->image);
                return text_of(
                        model, "\"%s\"",
                        draft->blob && !chance(model, 3)
                                ? draft->blob->digest
                                : "sha256:0000000000000000000000000000000000000000000000000000000000000000");
        case ARGUMENT_SIZE:
                size = draft->blob ? draft->blob->size : 10;
                if (chance(model, 10))
                        size = chance(model, 50) ? size + 1 + pick(model, 5) : size - (size > 0);
                return text_of(model, "%" PRIu64, size);
        case ARGUMENT_PIPE:
        default:
                return pipe_argument(model, &draft->pipe);
        }
}

/* One thing about it is made wrong. */
static void spoil_arguments(struct model *model, struct draft *draft)
{
        size_t i = draft->n_args ? pick(model, draft->n_args) : 0;

        switch (pick(model, 4)) {
        case 0: /* one too few */
                if (draft->n_args)
                        free(draft->args[--draft->n_args]);
                break;
        case 1: /* one too many */
                draft->args[draft->n_args++] = wrong_argument(model);
                break;
        default:
                if (draft->n_args == 0)
                        break;
                free(draft->args[i]);
                draft->args[i] = wrong_argument(model);
        }
}

/* The form around the arguments: what Go's JSON takes, and what it does not. */
static char *write_request(struct model *model, const struct draft *draft, bool spoil)
{
        static const char *const forms[][3] = {
                {"{\"method\":\"", "\",\"args\":[", "]}"},
                {"{\"METHOD\":\"", "\",\"Args\":[", "]}"},
                {"{\"args\":[1,2],\"method\":\"", "\",\"args\":[", "]}"},
                {" \n{\"method\" : \"", "\" , \"args\" : [ ", " ] }\t"},
                {"{\"method\":\"", "\",\"args\":[", "],\"more\":{\"a\":[null]}}"},
                {"{\"method\":\"", "\",\"args\":[", "]}}"},
                {"{\"method\":\"", "\",\"args\":[", "]}x"},
                {"{\"method\":\"", "\",\"args\":[", ""},
                {"{\"method\":\"", "\",\"args\":[", ",]}"},
                {"[{\"method\":\"", "\",\"args\":[", "]}]"},
                {"{\"method\":\"", " \",\"args\":[", "]}"},
                {"{\"method\":[\"", "\"],\"args\":[", "]}"},
                {"{\"method\":\"", "\",\"args\":{\"0\":[", "]}}"},
                {"{'method':'", "','args':[", "]}"},
                {"{\"method\":\"", "\",\"args\":[[", "]]}"},
        };
        const char *const *form = forms[spoil ? pick(model, ARRAY_SIZE(forms)) : 0];
        char args[65536] = "";
        size_t used = 0;

        for (size_t i = 0; i < draft->n_args && used < sizeof(args); i++)
                used += (size_t)snprintf(args + used, sizeof(args) - used, "%s%s", i ? "," : "",
                                         draft->args[i] ? draft->args[i] : "");
        if (draft->n_args == 0 && chance(model, 30))
                return text_of(model,
                               chance(model, 50) ? "{\"method\":\"%s\"}" : "{\"method\":\"%s\",\"args\":null}",
                               draft->method->name);
        return text_of(model, "%s%s%s%s%s", form[0], draft->method->name, form[1], args, form[2]);
}

/* ---- what follows from it ---- */

static void add_pipe(struct model *model, uint64_t left, bool raw)
{
        if (model->n_pipes < PIPES_MAX)
                model->pipes[model->n_pipes++] = (struct held_pipe){.left = left, .raw = raw};
}

/* As a good server would have it. */
static void follow(struct model *model, const struct draft *draft)
{
        uint64_t size = draft->blob ? draft->blob->size : 0;

        switch (draft->method->id) {
        case METHOD_OPEN_IMAGE:
        case METHOD_OPEN_IMAGE_OPTIONAL:
                if (draft->opened && draft->opened->opens && model->n_images < IMAGES_MAX) {
                        model->images[model->n_images] =
                                (struct held_image){.image = draft->opened, .id = model->n_images + 1};
                        model->n_images++;
                }
                break;
        case METHOD_FINISH_PIPE:
                if (draft->pipe)
                        model->pipes[draft->pipe - 1].finished = true;
                break;
        case METHOD_GET_RAW_BLOB:
                if (draft->image && draft->blob) {
                        add_pipe(model, size, true);
                        add_pipe(model, 0, true);
                }
                break;
        case METHOD_GET_BLOB:
                if (draft->image && draft->blob)
                        add_pipe(model, size, false);
                break;
        default:
                if (draft->method->pipes == PIPES_FINISHED && draft->image && draft->image->image->manifest)
                        add_pipe(model, 500, false);
        }
}

/* ---- steps ---- */

static struct step *add_step(struct model *model, enum step_kind kind)
{
        struct sequence *sequence = model->sequence;
        struct step *grown = reallocarray(sequence->steps, sequence->n_steps + 1, sizeof(*grown));

        if (!grown) {
                model->out_of_memory = true;
                return NULL;
        }
        sequence->steps = grown;
        grown[sequence->n_steps] = (struct step){.kind = kind};
        return &grown[sequence->n_steps++];
}

static void add_packet(struct model *model, char *take_text, size_t len, bool is_finish)
{
        struct step *step = take_text ? add_step(model, STEP_SEND) : NULL;

        if (!step) {
                free(take_text);
                model->out_of_memory = true;
                return;
        }
        step->text = take_text;
        step->len = len;
        step->pipelined = chance(model, 10);
        step->leave = is_finish && chance(model, 5);
        if (chance(model, 3)) {
                size_t n = chance(model, 90) ? 1 + pick(model, 4) : 253;

                step->fds = calloc(n, sizeof(*step->fds));
                for (; step->fds && step->n_fds < n; step->n_fds++)
                        step->fds[step->n_fds] = (enum step_fd)pick(model, STEP_FDS);
        }
}

static bool is_there(const struct model *model, const struct method *method)
{
        return version_compare(method->since, model->options->version) <= 0;
}

/* A method that makes sense now; now and then any. */
static const struct method *choose_method(struct model *model)
{
        static const enum method_id usual[] = {
                METHOD_OPEN_IMAGE,      METHOD_OPEN_IMAGE,   METHOD_OPEN_IMAGE,     METHOD_OPEN_IMAGE_OPTIONAL,
                METHOD_GET_MANIFEST,    METHOD_GET_MANIFEST, METHOD_GET_CONFIG,     METHOD_GET_FULL_CONFIG,
                METHOD_GET_FULL_CONFIG, METHOD_GET_BLOB,     METHOD_GET_BLOB,       METHOD_GET_BLOB,
                METHOD_GET_RAW_BLOB,    METHOD_GET_RAW_BLOB, METHOD_GET_LAYER_INFO, METHOD_GET_LAYER_INFO_PIPED,
                METHOD_FINISH_PIPE,     METHOD_FINISH_PIPE,  METHOD_FINISH_PIPE,    METHOD_FINISH_PIPE,
                METHOD_CLOSE_IMAGE,
        };

        if (chance(model, 3))
                return &methods[pick(model, METHODS)];
        for (unsigned tries = 0; tries < 20; tries++) {
                const struct method *method = &methods[usual[pick(model, ARRAY_SIZE(usual))]];
                bool needs_image = method->n_arguments && method->arguments[0] == ARGUMENT_IMAGE;

                if (is_there(model, method) && (!needs_image || model->n_images) &&
                    (method->id != METHOD_FINISH_PIPE || model->n_pipes))
                        return method;
        }
        return &methods[METHOD_OPEN_IMAGE];
}

static void ask(struct model *model, const struct method *method)
{
        struct draft draft = {.method = method};
        bool wild = chance(model, model->wildness), spoil = wild && chance(model, 70);
        char *text;

        for (; draft.n_args < method->n_arguments; draft.n_args++)
                draft.args[draft.n_args] = good_argument(model, &draft, method->arguments[draft.n_args]);
        if (spoil)
                spoil_arguments(model, &draft);
        text = write_request(model, &draft, wild && !spoil);
        for (size_t i = 0; i < draft.n_args; i++)
                free(draft.args[i]);
        add_packet(model, text, text ? strlen(text) : 0, method->id == METHOD_FINISH_PIPE);
        if (!wild && is_there(model, method))
                follow(model, &draft);
}

/* Bytes that are no request, or one of a size at which something happens. */
static void ask_nonsense(struct model *model)
{
        static const char *const texts[] = {"{}",
                                            "null",
                                            "[]",
                                            "\"Initialize\"",
                                            "1",
                                            "{",
                                            "}",
                                            " ",
                                            "{\"method\":null}",
                                            "\xef\xbb\xbf{}",
                                            "\xff",
                                            "{\"method\":\"Nothing\"}",
                                            "true",
                                            "\n",
                                            "{\"method\":\"initialize\"}",
                                            "{\"method\":\"\"}"};
        static const size_t sizes[] = {32766, 32767, 32768, 32769, 32770, 65536, 100000};
        size_t i = pick(model, ARRAY_SIZE(texts) + ARRAY_SIZE(sizes) + 1), len;
        char *text;

        if (i < ARRAY_SIZE(texts)) {
                text = text_of(model, "%s", texts[i]);
                add_packet(model, text, strlen(texts[i]), false);
                return;
        }
        i -= ARRAY_SIZE(texts);
        len = i < ARRAY_SIZE(sizes) ? sizes[i] : 1 + pick(model, 64);
        text = malloc(len + 1);
        if (!text)
                return;
        if (i < ARRAY_SIZE(sizes)) {
                /* A good request that blanks fill up, or a string that does. */
                static const char request[] = "{\"method\":\"GetManifest\",\"args\":[1]}";

                memset(text, ' ', len);
                memcpy(text, request, sizeof(request) - 1);
        } else {
                for (size_t j = 0; j < len; j++)
                        text[j] = (char)(1 + pick(model, 255));
        }
        text[len] = '\0';
        add_packet(model, text, len, false);
}

static void use_pipe(struct model *model)
{
        size_t i = pick(model, model->n_pipes);
        struct held_pipe *pipe = &model->pipes[i];
        struct step *step;

        if (pipe->dropped)
                return;
        step = add_step(model, chance(model, 75) ? STEP_READ : STEP_DROP);
        if (!step)
                return;
        step->pipe = (unsigned)i + 1;
        if (step->kind == STEP_DROP) {
                pipe->dropped = true;
                return;
        }
        /* What is there can be waited for; with more a run has to see that nothing comes. */
        step->bytes =
                pipe->left && !chance(model, 2) ? 1 + random_below(&model->random, pipe->left) : UINT64_MAX;
        pipe->left -= step->bytes < pipe->left ? step->bytes : pipe->left;
}

static void add_one(struct model *model)
{
        unsigned what = (unsigned)pick(model, 1000);

        if (model->n_pipes && what < 150)
                use_pipe(model);
        else if (what < 150 + model->wildness * 2)
                ask_nonsense(model);
        else
                ask(model, choose_method(model));
}

/* Half of the sequences say nothing at the end: the driver hangs up then. */
static void add_end(struct model *model)
{
        static const char shutdown_text[] = "{\"method\":\"Shutdown\"}";

        switch (pick(model, 8)) {
        case 0:
        case 1:
                add_packet(model, text_of(model, "%s", shutdown_text), sizeof(shutdown_text) - 1, false);
                break;
        case 2:
                add_packet(model, text_of(model, "%s", ""), 0, false);
                break;
        case 3:
                add_step(model, STEP_SHUT);
                break;
        case 4:
                add_step(model, STEP_HANG_UP);
                break;
        default:
                break;
        }
}

struct sequence *model_sequence(const struct model_options *options, uint64_t number)
{
        static const unsigned moods[] = {1, 5, 15, 50};
        CLEANUP(cleanup_free) struct model *model = calloc(1, sizeof(*model));
        size_t max = options->max_steps ? options->max_steps : STEPS_DEFAULT, n;

        if (!model || !(model->sequence = calloc(1, sizeof(*model->sequence))))
                return NULL;
        model->options = options;
        model->random = random_mix(random_mix(options->seed + RANDOM_STEP) + number * RANDOM_STEP);
        model->sequence->seed = options->seed;
        model->sequence->number = number;
        model->wildness = moods[pick(model, ARRAY_SIZE(moods))];
        n = 1 + pick(model, max);
        if (!chance(model, 3))
                ask(model, &methods[METHOD_INITIALIZE]);
        while (model->sequence->n_steps < n && !model->out_of_memory)
                add_one(model);
        add_end(model);
        if (model->out_of_memory) {
                sequence_free(model->sequence);
                return NULL;
        }
        return model->sequence;
}
