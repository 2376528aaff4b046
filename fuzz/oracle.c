/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The oracles of servers. What needs to know which images and pipes were open follows the session's requests
 * and replies once more, here and not in the model: a sequence from a file has no model.
 */
#include "fuzz/oracle.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/text.h"
#include "protocol/message.h"
#include "protocol/packet.h"

/* How much a session's 40 steps may add to the resident memory; Go's heap grows before it is collected. */
#define MEMORY_GROWTH_MAX (UINT64_C(256) << 20)
#define THREADS_MAX 64

/* Fills in a fault of @evidence at @step; the key's parts are put behind the oracle's name by oracles_judge. */
static bool at_fault(struct fault *ret, size_t step, const char *key, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static bool at_fault(struct fault *ret, size_t step, const char *key, const char *format, ...)
{
        char text[FAULT_SENTENCE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        ret->step = step;
        text_make_safe(ret->key, sizeof(ret->key), key, strlen(key));
        text_make_safe(ret->sentence, sizeof(ret->sentence), text, strlen(text));
        return true;
}

/* The request of a step; of the epilogue, or what is none, it has no method. */
static void request_of(const struct evidence *evidence, size_t step, struct request *ret)
{
        const struct sequence *sequence = evidence->sequence;
        const struct step *sent = step < sequence->n_steps ? &sequence->steps[step] : NULL;
        size_t len = sent && sent->len < PACKET_REQUEST_MAX ? sent->len : PACKET_REQUEST_MAX;

        *ret = (struct request){0};
        /* Placeholders are no JSON: what matters of them is looked up elsewhere. */
        if (sent && sent->kind == STEP_SEND && !memmem(sent->text, sent->len, "${pipe", 6))
                request_parse(sent->text, len, ret, NULL);
}

/* ---- the process ---- */

/* Where a Go program panicked: the first function that is not the runtime's own. */
static void panic_site(const char *text, char *ret, size_t size)
{
        const char *line = strstr(text, "\ngoroutine ");

        snprintf(ret, size, "somewhere");
        for (line = line ? strchr(line + 1, '\n') : NULL; line && line[1]; line = strchr(line + 1, '\n')) {
                size_t len = strcspn(line + 1, "\n");
                const char *arguments;

                if (line[1] == '\t' || strncmp(line + 1, "panic(", 6) == 0 ||
                    strncmp(line + 1, "runtime.", 8) == 0)
                        continue;
                /* The last parenthesis opens the arguments, which are addresses. */
                arguments = memrchr(line + 1, '(', len);
                len = arguments ? (size_t)(arguments - line - 1) : len;
                snprintf(ret, size, "%.*s", (int)len, line + 1);
                return;
        }
}

static bool panics(const struct evidence *evidence, struct fault *ret)
{
        static const char *const words[] = {
                "panic: ",         "fatal error: ",           "WARNING: DATA RACE",
                "runtime error: ", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer"};
        const char *text = evidence->run->stderr_text;
        char site[FAULT_KEY_SIZE];

        for (size_t i = 0; text && i < ARRAY_SIZE(words); i++) {
                const char *found = strstr(text, words[i]);

                if (!found)
                        continue;
                panic_site(found, site, sizeof(site));
                return at_fault(ret, evidence->run->end_step, site, "the server crashed in %s: %.*s", site,
                                (int)strcspn(found, "\n"), found);
        }
        return false;
}

/* The line of stderr that says most: the last. */
static const char *last_words(const struct run *run, char *ret, size_t size)
{
        const char *text = run->stderr_text ? run->stderr_text : "", *line;
        size_t len = strlen(text);

        while (len && text[len - 1] == '\n')
                len--;
        line = memrchr(text, '\n', len);
        line = line ? line + 1 : text;
        snprintf(ret, size, "%.*s", (int)(text + len - line), line);
        return ret;
}

/* The words of a message without what is by chance: numbers, and what is in quotes. For keys. */
static const char *essence(const char *text, char *ret, size_t size)
{
        size_t used = 0;
        const char *msg = strstr(text, "msg=");

        for (const char *p = msg ? msg : text; *p && used + 1 < size && used < 60; p++)
                if (*p < '0' || *p > '9')
                        ret[used++] = *p;
        ret[used] = '\0';
        return ret;
}

static bool dies(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        char method[64], words[256], key[FAULT_KEY_SIZE], short_words[96], status[96];

        if (run->end != RUN_SERVER_ENDED || panics(evidence, ret))
                return false;
        last_words(run, words, sizeof(words));
        snprintf(key, sizeof(key), "%s %s", step_word(evidence->sequence, run->end_step, method),
                 essence(words, short_words, sizeof(short_words)));
        return at_fault(ret, run->end_step, key, "the server %s at %s, in the middle of the session: %s",
                        child_status_text(run->status, status, sizeof(status)), method, words);
}

static bool ends_badly(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        char status[96], words[256], short_words[96];

        /* A reply that cannot be sent any more ends a real server with status 1: that is the protocol's own. */
        if (run->end != RUN_DONE || run->killed || panics(evidence, ret) ||
            (WIFEXITED(run->status) && WEXITSTATUS(run->status) <= 1))
                return false;
        last_words(run, words, sizeof(words));
        return at_fault(ret, run->end_step, essence(words, short_words, sizeof(short_words)),
                        "the server %s after the session's end: %s",
                        child_status_text(run->status, status, sizeof(status)), words);
}

static bool stays(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        char method[64];

        if (!run->killed || run->end == RUN_NO_ANSWER || run->end == RUN_BUSY)
                return false;
        return at_fault(ret, run->end_step, step_word(evidence->sequence, run->end_step, method),
                        "the server does not end when its client has gone; the last request was %s", method);
}

static bool hangs(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        char method[64];

        if (run->end != RUN_NO_ANSWER)
                return false;
        return at_fault(ret, run->end_step, step_word(evidence->sequence, run->end_step, method),
                        "%s is not answered, and the server does nothing", method);
}

static bool spins(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        char method[64];

        if (run->end != RUN_BUSY)
                return false;
        return at_fault(ret, run->end_step, step_word(evidence->sequence, run->end_step, method),
                        "%s is not answered, and the server is busy without an end", method);
}

/* ---- replies ---- */

static bool breaks_shape(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        struct version version = run->version.minor ? run->version : VERSION_OLDEST;

        for (size_t i = 0; i < run->n_packets; i++) {
                const struct seen_packet *packet = &run->packets[i];
                CLEANUP(cleanup_reply) struct reply reply = {0};
                char method[64], key[FAULT_KEY_SIZE], what[96];
                struct cip_error error = {0};
                int r = reply_parse(packet->data, packet->len, &reply, &error);

                step_word(evidence->sequence, packet->step, method);
                /* A method that the version does not have yet is an unknown one. */
                if (r == 0)
                        r = reply_check(&reply, method_find(method), version, packet->n_fds, &error);
                if (r < 0 && !(reply.error && *reply.error && !reply.success && packet->n_fds == 0 && r == 0)) {
                        snprintf(key, sizeof(key), "%s %s", method, essence(error.message, what, sizeof(what)));
                        return at_fault(ret, packet->step, key, "the reply to %s breaks the protocol: %s",
                                        method, error.message);
                }
        }
        return false;
}

static bool says_too_much(const struct evidence *evidence, struct fault *ret)
{
        return evidence->run->extra_packet &&
               at_fault(ret, evidence->run->end_step, "", "a reply came that nobody had asked for");
}

static bool too_large(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;
        char method[64];

        for (size_t i = 0; i < run->n_packets; i++)
                if (run->packets[i].len > PACKET_REQUEST_MAX)
                        return at_fault(ret, run->packets[i].step,
                                        step_word(evidence->sequence, run->packets[i].step, method),
                                        "the reply to %s has %zu bytes, where clients take %d", method,
                                        run->packets[i].len, PACKET_REQUEST_MAX);
        return false;
}

/* ---- what was asked, and what came ---- */

/* Walks over the answered requests, and knows which image an id stands for. */
struct follower {
        const struct evidence *evidence;
        const struct fuzz_image **opened; /* by id less 1; NULL: closed, or nothing is known */
        size_t n_opened;
};

struct exchange {
        const struct seen_packet *packet;
        const struct method *method;
        struct request request;
        struct reply reply;
        const struct fuzz_image *image; /* that the first argument stands for; NULL: none, or not known */
};

static const struct fuzz_image *find_image(const struct evidence *evidence, const char *reference)
{
        for (size_t i = 0; reference && i < evidence->images->n_images; i++)
                if (strcmp(evidence->images->images[i].reference, reference) == 0)
                        return &evidence->images->images[i];
        return NULL;
}

static struct json_object *argument(const struct exchange *exchange, size_t i, enum json_type type)
{
        struct json_object *value =
                exchange->request.args && i < json_object_array_length(exchange->request.args)
                        ? json_object_array_get_idx(exchange->request.args, i)
                        : NULL;

        return json_object_is_type(value, type) ? value : NULL;
}

static void follow(struct follower *follower, const struct exchange *exchange)
{
        bool opens = exchange->method && (exchange->method->id == METHOD_OPEN_IMAGE ||
                                          exchange->method->id == METHOD_OPEN_IMAGE_OPTIONAL);
        const struct fuzz_image **grown;
        uint64_t id;

        if (!exchange->reply.success)
                return;
        if (opens && json_get_uint(exchange->reply.value, 1000000, &id) && id > 0) {
                if (id > follower->n_opened) {
                        grown = reallocarray(follower->opened, id, sizeof(const struct fuzz_image *));
                        if (!grown)
                                return;
                        follower->opened = grown;
                        while (follower->n_opened < id)
                                grown[follower->n_opened++] = NULL;
                }
                follower->opened[id - 1] = find_image(
                        follower->evidence, json_object_get_string(argument(exchange, 0, json_type_string)));
        }
        if (!exchange->method || exchange->method->id != METHOD_CLOSE_IMAGE)
                return;
        if (json_get_uint(argument(exchange, 0, json_type_int), follower->n_opened, &id) && id > 0 &&
            follower->opened)
                follower->opened[id - 1] = NULL;
        else /* it closed one that nobody has named: which, only the server knows */
                for (size_t i = 0; i < follower->n_opened; i++)
                        follower->opened[i] = NULL;
}

static void begin_exchange(const struct follower *follower, size_t i, struct exchange *ret)
{
        const struct seen_packet *packet = &follower->evidence->run->packets[i];
        uint64_t id;

        *ret = (struct exchange){.packet = packet};
        request_of(follower->evidence, packet->step, &ret->request);
        reply_parse(packet->data, packet->len, &ret->reply, NULL);
        ret->method = ret->request.method ? method_find(ret->request.method) : NULL;
        if (ret->method && ret->method->n_arguments && ret->method->arguments[0] == ARGUMENT_IMAGE &&
            json_get_uint(argument(ret, 0, json_type_int), follower->n_opened, &id) && id > 0 &&
            follower->opened)
                ret->image = follower->opened[id - 1];
}

/* Hands each exchange to @look until that finds a fault. */
static bool walk(const struct evidence *evidence,
                 bool (*look)(const struct evidence *evidence, const struct exchange *exchange,
                              struct fault *ret),
                 struct fault *ret)
{
        struct follower follower = {.evidence = evidence};
        bool found = false;

        for (size_t i = 0; i < evidence->run->n_packets && !found; i++) {
                struct exchange exchange;

                begin_exchange(&follower, i, &exchange);
                found = look(evidence, &exchange, ret);
                follow(&follower, &exchange);
                request_clear(&exchange.request);
                reply_clear(&exchange.reply);
        }
        free(follower.opened);
        return found;
}

static const struct fuzz_blob *find_blob(const struct fuzz_image *image, const char *digest)
{
        for (size_t i = 0; image && digest && i < image->n_blobs; i++)
                if (strcmp(image->blobs[i].digest, digest) == 0)
                        return &image->blobs[i];
        return NULL;
}

/* Good requests that are refused. */
static bool is_refused(const struct evidence *evidence, const struct exchange *exchange, struct fault *ret)
{
        const struct fuzz_image *image = exchange->image;
        const char *what = NULL;
        uint64_t size;

        if (exchange->reply.success || !exchange->method || !exchange->reply.error ||
            !evidence->run->version.minor ||
            version_compare(exchange->method->since, evidence->run->version) > 0 ||
            json_object_array_length(exchange->request.args) != exchange->method->n_arguments)
                return false;
        switch (exchange->method->id) {
        case METHOD_OPEN_IMAGE:
                image = find_image(evidence, json_object_get_string(argument(exchange, 0, json_type_string)));
                what = image && image->manifest ? image->reference : NULL;
                break;
        case METHOD_GET_MANIFEST:
        case METHOD_CLOSE_IMAGE:
                what = image && image->manifest ? image->reference : NULL;
                break;
        case METHOD_GET_BLOB: {
                const struct fuzz_blob *blob =
                        find_blob(image, json_object_get_string(argument(exchange, 1, json_type_string)));

                if (blob && !blob->damaged &&
                    json_get_uint(argument(exchange, 2, json_type_int), JSON_INTEGER_MAX, &size) &&
                    size == blob->size)
                        what = image->reference;
                break;
        }
        default:
                break;
        }
        /* Before Initialize everything is refused. */
        if (!what || strstr(exchange->reply.error, "must invoke Initialize"))
                return false;
        return at_fault(ret, exchange->packet->step, exchange->method->name, "%s of %s is refused: %s",
                        exchange->method->name, what, exchange->reply.error);
}

static bool refuses(const struct evidence *evidence, struct fault *ret)
{
        return walk(evidence, is_refused, ret);
}

/* Data that FinishPipe called good, or that a raw blob brought without a word of error. */
static bool is_wrong_data(const struct evidence *evidence, const struct exchange *exchange, struct fault *ret)
{
        const struct run *run = evidence->run;
        unsigned number = exchange->packet->first_pipe;
        const struct seen_pipe *pipe = number ? &run->pipes[number - 1] : NULL;
        const struct fuzz_blob *blob;
        const char *digest, *want = NULL;
        uint64_t size = UINT64_MAX;

        if (!exchange->reply.success || !pipe || !exchange->method || !pipe->ended || pipe->dropped)
                return false;
        digest = json_object_get_string(argument(exchange, 1, json_type_string));
        blob = find_blob(exchange->image, digest);
        if (exchange->method->id == METHOD_GET_MANIFEST && pipe->finished && exchange->image)
                want = exchange->image->manifest;
        if (exchange->method->id == METHOD_GET_BLOB && pipe->finished && digest &&
            strncmp(digest, "sha256:", 7) == 0) {
                want = digest;
                if (json_get_uint(argument(exchange, 2, json_type_int), JSON_INTEGER_MAX, &size) &&
                    size != pipe->bytes)
                        return at_fault(ret, exchange->packet->step, "GetBlob size",
                                        "FinishPipe calls a blob good that has %" PRIu64
                                        " bytes, where %" PRIu64 " were asked for",
                                        pipe->bytes, size);
        }
        /* A server that is asked to end, or crashes, cuts what it has not written. */
        if (exchange->method->id == METHOD_GET_RAW_BLOB && run->end == RUN_DONE && !run->end_asked && blob &&
            !blob->damaged && number < run->n_pipes && run->pipes[number].bytes == 0 &&
            strncmp(digest, "sha256:", 7) == 0)
                want = digest;
        if (!want || strcmp(want, pipe->digest) == 0)
                return false;
        return at_fault(ret, exchange->packet->step, exchange->method->name,
                        "%s brought %" PRIu64
                        " bytes with the digest %s, where %s was asked for, and nothing says that "
                        "they are wrong",
                        exchange->method->name, pipe->bytes, pipe->digest, want);
}

static bool lies(const struct evidence *evidence, struct fault *ret)
{
        return walk(evidence, is_wrong_data, ret);
}

/* The error pipe of a raw blob is empty, or has its one object. */
static bool bad_error_pipe(const struct evidence *evidence, struct fault *ret)
{
        for (size_t i = 0; i < evidence->run->n_pipes; i++) {
                const struct seen_pipe *pipe = &evidence->run->pipes[i];
                struct pipe_error parsed;
                struct cip_error error = {0};

                if (!pipe->errors || !pipe->ended || pipe->bytes == 0)
                        continue;
                if (pipe_error_parse(pipe->head, pipe->head_len, &parsed, &error) < 0)
                        return at_fault(ret, pipe->step, "", "the error pipe of a raw blob has no error: %s",
                                        error.message);
                free(parsed.message);
        }
        return false;
}

/* ---- what is left ---- */

static bool leaks_descriptors(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;

        if (run->fds_last <= run->fds_first)
                return false;
        return at_fault(ret, run->end_step, "",
                        "%zu descriptors are left open with every pipe finished and every image closed",
                        run->fds_last - run->fds_first);
}

static bool leaks_memory(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;

        if (run->memory_last <= run->memory_first + MEMORY_GROWTH_MAX)
                return false;
        return at_fault(ret, run->end_step, "", "the server's memory grew by %" PRIu64 " MiB in %zu steps",
                        (run->memory_last - run->memory_first) >> 20, run->end_step);
}

static bool leaks_threads(const struct evidence *evidence, struct fault *ret)
{
        const struct run *run = evidence->run;

        return run->threads_last > THREADS_MAX &&
               at_fault(ret, run->end_step, "", "the server has %zu threads after %zu steps", run->threads_last,
                        run->end_step);
}

static bool leaves_files(const struct evidence *evidence, struct fault *ret)
{
        return evidence->run->leftovers &&
               at_fault(ret, evidence->run->end_step, "", "the server left files behind: %s",
                        evidence->run->leftovers);
}

/* ---- the table ---- */

const struct oracle oracles[] = {
        {"panic", "The server crashes, and every pipe and image of the session goes with it.", panics},
        {"died", "The server ends in the middle of a session.", dies},
        {"no-answer", "The client waits for ever.", hangs},
        {"busy", "The client waits for ever, and a processor is lost.", spins},
        {"outlives", "The server stays when its client has gone.", stays},
        {"exit-status", "The server's end tells its client of a failure that there was not.", ends_badly},
        {"reply-shape", "A strict client refuses the reply, a lenient one mistakes it.", breaks_shape},
        {"reply-large", "Clients with a buffer of 32 KiB get a part of the reply.", too_large},
        {"reply-extra", "The client takes it for the answer to its next request.", says_too_much},
        {"refused", "What should work does not.", refuses},
        {"data", "The client gets other data than it asked for, and is told that all is well.", lies},
        {"error-pipe", "The client cannot read what went wrong.", bad_error_pipe},
        {"descriptors", "A long session runs out of descriptors.", leaks_descriptors},
        {"memory", "A long session runs out of memory.", leaks_memory},
        {"threads", "A long session runs out of threads.", leaks_threads},
        {"files", "The disk fills up with what sessions leave.", leaves_files},
};
const size_t n_oracles = ARRAY_SIZE(oracles);

void oracles_print(const struct oracle *table, size_t n, FILE *out)
{
        fputs("\nWhat is found:\n", out);
        for (size_t i = 0; i < n; i++)
                fprintf(out, "  %-13s %s\n", table[i].name, table[i].about);
}

size_t oracles_judge(const struct evidence *evidence, struct fault *ret, size_t max)
{
        size_t n = 0;

        for (size_t i = 0; i < n_oracles && n < max; i++) {
                struct fault fault = {0};
                char key[FAULT_KEY_SIZE];

                if (!oracles[i].judge(evidence, &fault))
                        continue;
                fault.oracle = &oracles[i];
                snprintf(key, sizeof(key), "%s%s%.170s", oracles[i].name, *fault.key ? " " : "", fault.key);
                memcpy(fault.key, key, sizeof(key));
                ret[n++] = fault;
        }
        return n;
}
