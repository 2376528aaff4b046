/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps as JSON Lines. A row for each kind of step has its name in the file; transcripts and recordings are
 * read by the same way, where a packet of the client is a step and packets of the server tell which pipeid
 * belongs to which pipe.
 */
#include "fuzz/step.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/io.h"
#include "protocol/bytes.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/packet.h"

#define FILE_MAX ((size_t)64 * 1024 * 1024)
#define FORM_VERSION 1
#define PIPES_MAX 4096

static const char *const kind_names[STEP_KINDS] = {
        [STEP_SEND] = "packet", [STEP_READ] = "read",       [STEP_DROP] = "drop",
        [STEP_SHUT] = "shut",   [STEP_HANG_UP] = "hang-up",
};

/* As fd_kind has them, but for the client's own socket. */
static const char *const fd_names[STEP_FDS] = {
        [STEP_FD_PIPE_READ] = "pipe-read", [STEP_FD_PIPE_WRITE] = "pipe-write",
        [STEP_FD_FILE] = "file",           [STEP_FD_DIRECTORY] = "directory",
        [STEP_FD_SOCKET] = "socket",       [STEP_FD_OWN_SOCKET] = "own-socket",
        [STEP_FD_DEVICE] = "device",
};

/* ---- in memory ---- */

void step_clear(struct step *step)
{
        free(step->text);
        free(step->fds);
        *step = (struct step){0};
}

void sequence_free(struct sequence *sequence)
{
        if (!sequence)
                return;
        for (size_t i = 0; i < sequence->n_steps; i++)
                step_clear(&sequence->steps[i]);
        free(sequence->steps);
        free(sequence);
}

static char *copy_text(const char *text, size_t len)
{
        char *copy = malloc(len + 1);

        if (copy) {
                memcpy(copy, text, len);
                copy[len] = '\0';
        }
        return copy;
}

static bool copy_step(const struct step *step, struct step *ret)
{
        *ret = *step;
        ret->text = step->text ? copy_text(step->text, step->len) : NULL;
        ret->fds = NULL;
        if (step->n_fds && (ret->fds = reallocarray(NULL, step->n_fds, sizeof(*step->fds))))
                memcpy(ret->fds, step->fds, step->n_fds * sizeof(*step->fds));
        if ((step->text && !ret->text) || (step->n_fds && !ret->fds)) {
                step_clear(ret);
                return false;
        }
        return true;
}

struct sequence *sequence_copy(const struct sequence *sequence, const bool *skip)
{
        CLEANUP(cleanup_sequence_free) struct sequence *copy = calloc(1, sizeof(*copy));

        if (!copy || !(copy->steps = calloc(sequence->n_steps + 1, sizeof(*copy->steps))))
                return NULL;
        for (size_t i = 0; i < sequence->n_steps; i++) {
                if (skip && skip[i])
                        continue;
                if (!copy_step(&sequence->steps[i], &copy->steps[copy->n_steps]))
                        return NULL;
                copy->n_steps++;
        }
        copy->seed = sequence->seed;
        copy->number = sequence->number;
        return STEAL(copy);
}

/* ---- writing ---- */

static struct json_object *step_object(const struct step *step)
{
        struct json_object *object = json_object_new_object(), *fds;

        json_object_object_add(object, "event", json_object_new_string(kind_names[step->kind]));
        if (step->kind == STEP_SEND) {
                json_object_object_add(object, "dir", json_object_new_string(">"));
                bytes_to_json(object, "text", "base64", step->text, step->len);
        }
        if (step->n_fds) {
                fds = json_object_new_array();
                for (size_t i = 0; i < step->n_fds; i++)
                        json_object_array_add(fds, json_object_new_string(fd_names[step->fds[i]]));
                json_object_object_add(object, "fds", fds);
        }
        if (step->pipelined)
                json_object_object_add(object, "pipelined", json_object_new_boolean(1));
        if (step->leave)
                json_object_object_add(object, "leave", json_object_new_boolean(1));
        if (step->kind == STEP_READ || step->kind == STEP_DROP)
                json_object_object_add(object, "pipe", json_object_new_int64(step->pipe));
        if (step->kind == STEP_READ && step->bytes != UINT64_MAX)
                json_object_object_add(object, "bytes", json_object_new_uint64(step->bytes));
        return object;
}

static void write_line(struct json_object *take_object, FILE *out)
{
        size_t len = 0;
        const char *text = json_object_to_json_string_length(
                take_object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

        fwrite(text, 1, len, out);
        fputc('\n', out);
        json_object_put(take_object);
}

int sequence_write(const struct sequence *sequence, FILE *out)
{
        struct json_object *head = json_object_new_object();

        json_object_object_add(head, "event", json_object_new_string("steps"));
        json_object_object_add(head, "version", json_object_new_int(FORM_VERSION));
        json_object_object_add(head, "seed", json_object_new_uint64(sequence->seed));
        json_object_object_add(head, "number", json_object_new_uint64(sequence->number));
        write_line(head, out);
        for (size_t i = 0; i < sequence->n_steps; i++)
                write_line(step_object(&sequence->steps[i]), out);
        return fflush(out) || ferror(out) ? -EIO : 0;
}

/* ---- reading ---- */

struct reading {
        const char *name;
        size_t line;
        struct cip_error *error;
        struct sequence *sequence;
        bool is_steps;           /* the file is one of steps, and so is strict throughout */
        uint32_t ids[PIPES_MAX]; /* the pipeids of pipes by their number less 1 */
        size_t n_pipes;
};

#define wrong(reading, format, ...)                                                                     \
        error_set((reading)->error, CIP_ERROR_LOCAL, -EINVAL, "%s, line %zu: " format, (reading)->name, \
                  (reading)->line __VA_OPT__(, ) __VA_ARGS__)

static int no_memory(struct reading *reading)
{
        return error_set_errno(reading->error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read %s", reading->name);
}

/* A number member of 0 to 2^53-1; @ret is left alone where it is not there. */
static int take_number(struct reading *reading, struct json_object *event, const char *key, uint64_t max,
                       uint64_t *ret)
{
        struct json_object *member;

        if (!json_object_object_get_ex(event, key, &member))
                return 0;
        if (!json_get_uint(member, max, ret))
                return wrong(reading, "%s is no number of 0 to %" PRIu64, key, max);
        return 0;
}

static bool take_flag(struct json_object *event, const char *key)
{
        return json_object_get_boolean(json_object_object_get(event, key));
}

static int take_fds(struct reading *reading, struct json_object *event, struct step *ret)
{
        struct json_object *fds = json_object_object_get(event, "fds");
        size_t n = json_object_is_type(fds, json_type_array) ? json_object_array_length(fds) : 0;

        if (n == 0)
                return 0;
        if (n > 253)
                return wrong(reading, "fds has more than the 253 that one packet carries");
        ret->fds = calloc(n, sizeof(*ret->fds));
        if (!ret->fds)
                return no_memory(reading);
        for (; ret->n_fds < n; ret->n_fds++) {
                const char *name = json_object_get_string(json_object_array_get_idx(fds, ret->n_fds));
                enum step_fd fd = 0;

                while (fd < STEP_FDS && (!name || strcmp(fd_names[fd], name) != 0))
                        fd++;
                if (fd == STEP_FDS)
                        return wrong(reading, "'%s' is no kind of descriptor that can be sent",
                                     name ? name : "null");
                ret->fds[ret->n_fds] = fd;
        }
        return 0;
}

/* FinishPipe of a pipeid that a transcript has shown: the number becomes a placeholder. */
static int name_pipe(struct reading *reading, struct step *step)
{
        CLEANUP(cleanup_request) struct request request = {0};
        uint64_t id;
        char *text;

        if (reading->is_steps || request_parse(step->text, step->len, &request, NULL) < 0 ||
            strcmp(request.method, "FinishPipe") != 0 || json_object_array_length(request.args) != 1 ||
            !json_get_uint(json_object_array_get_idx(request.args, 0), UINT32_MAX, &id))
                return 0;
        /* The latest one: ids are used again. */
        for (size_t i = reading->n_pipes; i > 0; i--) {
                if (reading->ids[i - 1] != id)
                        continue;
                if (asprintf(&text, "{\"method\":\"FinishPipe\",\"args\":[${pipe%zu}]}", i) < 0)
                        return no_memory(reading);
                free(step->text);
                step->text = text;
                step->len = strlen(text);
                return 0;
        }
        return 0;
}

static int add_step(struct reading *reading, struct step *take_step)
{
        struct sequence *sequence = reading->sequence;
        struct step *grown = reallocarray(sequence->steps, sequence->n_steps + 1, sizeof(*grown));

        if (!grown) {
                step_clear(take_step);
                return no_memory(reading);
        }
        sequence->steps = grown;
        grown[sequence->n_steps++] = *take_step;
        return 0;
}

static int take_sent(struct reading *reading, struct json_object *event)
{
        struct step step = {.kind = STEP_SEND};
        int r = bytes_from_json(event, "text", "base64", &step.text, &step.len);

        if (r == -ENOMEM)
                return no_memory(reading);
        if (r <= 0)
                return wrong(reading, "a packet has neither text nor base64 with its bytes");
        step.pipelined = take_flag(event, "pipelined");
        step.leave = take_flag(event, "leave");
        r = take_fds(reading, event, &step);
        if (r == 0)
                r = name_pipe(reading, &step);
        if (r < 0) {
                step_clear(&step);
                return r;
        }
        return add_step(reading, &step);
}

/* A packet of the server: its pipes get their numbers. */
static void see_reply(struct reading *reading, struct json_object *event)
{
        struct json_object *fds = json_object_object_get(event, "fds"),
                           *text = json_object_object_get(event, "text");
        size_t n = json_object_is_type(fds, json_type_array) ? json_object_array_length(fds) : 0;
        CLEANUP(cleanup_reply) struct reply reply = {0};

        if (!json_object_is_type(text, json_type_string) ||
            reply_parse(json_object_get_string(text), (size_t)json_object_get_string_len(text), &reply, NULL) <
                    0)
                return;
        for (size_t i = 0; i < n && reading->n_pipes < PIPES_MAX; i++)
                reading->ids[reading->n_pipes++] = reply.pipeid;
}

static int take_other(struct reading *reading, struct json_object *event, enum step_kind kind)
{
        struct step step = {.kind = kind, .bytes = kind == STEP_READ ? UINT64_MAX : 0};
        uint64_t pipe = 0;
        int r = take_number(reading, event, "pipe", PIPES_MAX, &pipe);

        if (r == 0)
                r = take_number(reading, event, "bytes", JSON_INTEGER_MAX, &step.bytes);
        if (r == 0 && (kind == STEP_READ || kind == STEP_DROP) && pipe == 0)
                r = wrong(reading, "a step of a pipe does not say which: the first is 1");
        step.pipe = (unsigned)pipe;
        return r < 0 ? r : add_step(reading, &step);
}

static int take_event(struct reading *reading, struct json_object *event)
{
        const char *name = json_object_get_string(json_object_object_get(event, "event"));
        const char *direction = json_object_get_string(json_object_object_get(event, "dir"));
        bool to_server = direction && strcmp(direction, ">") == 0;
        uint64_t version = FORM_VERSION;
        int r;

        if (!json_object_is_type(event, json_type_object) || !name)
                return wrong(reading, "this is no event: an object with a member event");
        if (strcmp(name, "steps") == 0) {
                reading->is_steps = true;
                r = take_number(reading, event, "version", JSON_INTEGER_MAX, &version);
                if (r == 0 && version != FORM_VERSION)
                        return wrong(reading, "version %" PRIu64 " of the form is not known", version);
                if (r == 0)
                        r = take_number(reading, event, "seed", JSON_INTEGER_MAX, &reading->sequence->seed);
                return r < 0 ? r
                             : take_number(reading, event, "number", JSON_INTEGER_MAX,
                                           &reading->sequence->number);
        }
        if (strcmp(name, "packet") == 0) {
                if (to_server)
                        return take_sent(reading, event);
                see_reply(reading, event);
                return 0;
        }
        if (strcmp(name, "end") == 0 && to_server)
                return take_other(reading, event, STEP_HANG_UP);
        for (enum step_kind kind = STEP_READ; kind < STEP_KINDS; kind++)
                if (strcmp(name, kind_names[kind]) == 0)
                        return take_other(reading, event, kind);
        return 0;
}

int sequence_parse(const char *name, const char *text, size_t len, struct sequence **ret,
                   struct cip_error *error)
{
        CLEANUP(cleanup_sequence_free) struct sequence *sequence = calloc(1, sizeof(*sequence));
        CLEANUP(cleanup_free) struct reading *reading = calloc(1, sizeof(*reading));
        const char *end = text + len;

        if (!sequence || !reading)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read %s", name);
        reading->name = name;
        reading->error = error;
        reading->sequence = sequence;
        for (const char *at = text; at < end;) {
                const char *newline = memchr(at, '\n', (size_t)(end - at));
                size_t line = newline ? (size_t)(newline - at) : (size_t)(end - at);
                CLEANUP(cleanup_json) struct json_object *event = NULL;
                struct cip_error why;
                int r;

                reading->line++;
                r = line ? json_parse(at, line, 64, &event, &why) : 0;
                if (r < 0)
                        return wrong(reading, "%s", why.message);
                r = line ? take_event(reading, event) : 0;
                if (r < 0)
                        return r;
                at += line + 1;
        }
        if (sequence->n_steps == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "%s has no step", name);
        *ret = STEAL(sequence);
        return 0;
}

int sequence_read(const char *path, struct sequence **ret, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        int r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &len, error);

        return r < 0 ? r : sequence_parse(path, text, len, ret, error);
}

/* ---- words ---- */

/* Of a packet with a placeholder, which is no JSON, or of what a server reads of it. */
static const char *packet_word(const struct step *step)
{
        size_t len = step->len < PACKET_REQUEST_MAX ? step->len : PACKET_REQUEST_MAX;
        CLEANUP(cleanup_request) struct request request = {0};
        const struct method *method = NULL;

        if (memmem(step->text, step->len, "${pipe", strlen("${pipe")))
                return "FinishPipe";
        if (request_parse(step->text, len, &request, NULL) == 0)
                method = method_find(request.method);
        return method ? method->name : "nonsense";
}

const char *step_word(const struct sequence *sequence, size_t step, char ret[STEP_WORD_SIZE])
{
        const struct step *asked = step < sequence->n_steps ? &sequence->steps[step] : NULL;

        snprintf(ret, STEP_WORD_SIZE, "%s",
                 !asked                     ? "epilogue"
                 : asked->kind == STEP_SEND ? packet_word(asked)
                                            : "nonsense");
        return ret;
}
