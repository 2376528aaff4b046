/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeping and writing the verdict. It is not synced to the disk: it need not outlive a crash of the machine, and is
 * written often.
 */
#include "fakeproxy/verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "protocol/message.h"

/* How long a change may wait for the file. */
#define PAUSE_NS UINT64_C(50000000)

/* Calls up to which it is written before each answer. */
#define SMALL_CALLS 256

/* What is kept of each list; what comes behind is only counted. */
#define KEPT_MAX 20000

struct call {
        char method[40]; /* the longest name of a method has 17 bytes */
        double t;
        bool answered, success;
};

struct seen_pipe {
        uint32_t id;
        size_t call;
        uint64_t bytes;
        bool finished, reader_gone;
};

struct verdict {
        char *path, *temporary;
        struct verdict_start start;
        uint64_t started_ns, written_ns;
        bool changed;

        struct call *calls;
        size_t n_calls, room_calls, n_more_calls;
        struct seen_pipe *pipes;
        size_t n_pipes, room_pipes, n_more_pipes;
        uint64_t *fired;
        size_t n_descriptors, n_images;
        const char *ended; /* NULL: not yet */
        int status;
};

void verdict_free(struct verdict *verdict)
{
        if (!verdict)
                return;
        free(verdict->path);
        free(verdict->temporary);
        free(verdict->calls);
        free(verdict->pipes);
        free(verdict->fired);
        free(verdict);
}

/* Makes room for one more of a list. False: there is none. */
static bool grow(void **list, size_t n, size_t *room, size_t size)
{
        size_t more = *room ? *room * 2 : 64;
        void *grown;

        if (n < *room)
                return true;
        if (n >= KEPT_MAX)
                return false;
        grown = reallocarray(*list, more, size);
        if (!grown)
                return false;
        *list = grown;
        *room = more;
        return true;
}

/* ---- the text ---- */

static void print_string(const char *text, FILE *to)
{
        struct json_object *string = json_object_new_string(text);
        const char *quoted = json_text(string, JSON_C_TO_STRING_NOSLASHESCAPE, NULL);

        /* Where memory is short: a verdict with a hole, and not none. */
        fputs(quoted ? quoted : "null", to);
        json_object_put(string);
}

static const char *word(bool value)
{
        return value ? "true" : "false";
}

static void print_calls(const struct verdict *verdict, FILE *to)
{
        fputs(",\n  \"calls\": [", to);
        for (size_t i = 0; i < verdict->n_calls; i++) {
                const struct call *call = &verdict->calls[i];

                fputs(i ? ",\n    {\"method\": " : "\n    {\"method\": ", to);
                print_string(call->method, to);
                fprintf(to, ", \"t\": %.6f, \"success\": %s}", call->t,
                        call->answered ? word(call->success) : "null");
        }
        fprintf(to, "%s],\n  \"more_calls\": %zu", verdict->n_calls ? "\n  " : "", verdict->n_more_calls);
}

static void print_pipes(const struct verdict *verdict, FILE *to)
{
        fputs(",\n  \"pipes\": [", to);
        for (size_t i = 0; i < verdict->n_pipes; i++) {
                const struct seen_pipe *pipe = &verdict->pipes[i];

                fprintf(to, "%s{\"id\": %u, \"method\": ", i ? ",\n    " : "\n    ", pipe->id);
                print_string(pipe->call ? verdict->calls[pipe->call - 1].method : "", to);
                fprintf(to, ", \"bytes\": %llu, \"finished\": %s, \"reader_gone\": %s}",
                        (unsigned long long)pipe->bytes, word(pipe->finished), word(pipe->reader_gone));
        }
        fprintf(to, "%s],\n  \"more_pipes\": %zu", verdict->n_pipes ? "\n  " : "", verdict->n_more_pipes);
}

static void print_rules(const struct verdict *verdict, FILE *to)
{
        fputs(",\n  \"rules\": [", to);
        for (size_t i = 0; i < verdict->start.n_rules; i++) {
                const char *name = verdict->start.rules[i].name;
                char number[40];

                snprintf(number, sizeof(number), "/rules/%zu", i);
                fputs(i ? ",\n    {\"name\": " : "\n    {\"name\": ", to);
                print_string(name ? name : number, to);
                fprintf(to, ", \"fired\": %llu}", (unsigned long long)verdict->fired[i]);
        }
        fputs(verdict->start.n_rules ? "\n  ]" : "]", to);
}

static void print(const struct verdict *verdict, FILE *to)
{
        fputs("{\n  \"scenario\": ", to);
        if (verdict->start.scenario)
                print_string(verdict->start.scenario, to);
        else
                fputs("null", to);
        fputs(",\n  \"emulate\": ", to);
        print_string(verdict->start.emulate, to);
        fprintf(to, ",\n  \"seed\": %llu", (unsigned long long)verdict->start.seed);
        print_calls(verdict, to);
        print_pipes(verdict, to);
        print_rules(verdict, to);
        fprintf(to, ",\n  \"descriptors_received\": %zu,\n  \"images_open\": %zu", verdict->n_descriptors,
                verdict->n_images);
        if (verdict->ended)
                fprintf(to, ",\n  \"ended\": \"%s\",\n  \"status\": %d", verdict->ended, verdict->status);
        fputs("\n}\n", to);
}

/* ---- the file ---- */

static int write_file(struct verdict *verdict)
{
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP_FD int fd = -1;
        size_t len;
        FILE *stream = open_memstream(&text, &len);
        int r;

        if (!stream)
                return -ENOMEM;
        print(verdict, stream);
        /* glibc says that all went well where there was no memory in the end, and gives nothing. */
        if (fclose(stream) != 0 || !text)
                return -ENOMEM;
        fd = open(verdict->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0)
                return -errno;
        r = write_all(fd, text, len);
        if (r == 0 && rename(verdict->temporary, verdict->path) < 0)
                r = -errno;
        if (r < 0)
                (void)unlink(verdict->temporary);
        verdict->changed = false;
        verdict->written_ns = monotonic_ns();
        return r;
}

int verdict_new(const char *path, const struct verdict_start *start, struct verdict **ret,
                struct cip_error *error)
{
        CLEANUP(cleanup_verdict_free) struct verdict *verdict = calloc(1, sizeof(*verdict));
        int r;

        if (!verdict)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep a verdict");
        verdict->start = *start;
        verdict->started_ns = monotonic_ns();
        verdict->path = strdup(path);
        verdict->fired = calloc(start->n_rules + 1, sizeof(*verdict->fired));
        if (asprintf(&verdict->temporary, "%s.%d", path, (int)getpid()) < 0)
                verdict->temporary = NULL;
        if (!verdict->path || !verdict->fired || !verdict->temporary)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot keep a verdict");
        r = write_file(verdict);
        if (r < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot write the verdict %s", path);
        *ret = STEAL(verdict);
        return 0;
}

void verdict_write(struct verdict *verdict, bool now)
{
        if (verdict && verdict->changed && (now || verdict_wake_ns(verdict) <= monotonic_ns()))
                (void)write_file(verdict);
}

bool verdict_is_small(const struct verdict *verdict)
{
        return verdict && verdict->n_calls <= SMALL_CALLS;
}

uint64_t verdict_wake_ns(const struct verdict *verdict)
{
        return verdict && verdict->changed ? verdict->written_ns + PAUSE_NS : UINT64_MAX;
}

/* ---- what is seen ---- */

void verdict_call(struct verdict *verdict, const char *method, size_t n_descriptors)
{
        struct call *call;

        if (!verdict)
                return;
        verdict->changed = true;
        verdict->n_descriptors += n_descriptors;
        if (!grow((void **)&verdict->calls, verdict->n_calls, &verdict->room_calls, sizeof(*call))) {
                verdict->n_more_calls++;
                return;
        }
        call = &verdict->calls[verdict->n_calls++];
        *call = (struct call){.t = (double)(monotonic_ns() - verdict->started_ns) / 1e9};
        text_make_safe(call->method, sizeof(call->method), method, strlen(method));
}

void verdict_answer(struct verdict *verdict, bool success)
{
        if (!verdict || verdict->n_more_calls > 0 || verdict->n_calls == 0)
                return;
        verdict->changed = true;
        verdict->calls[verdict->n_calls - 1].answered = true;
        verdict->calls[verdict->n_calls - 1].success = success;
}

size_t verdict_pipe(struct verdict *verdict, uint32_t id)
{
        if (!verdict)
                return 0;
        verdict->changed = true;
        if (!grow((void **)&verdict->pipes, verdict->n_pipes, &verdict->room_pipes, sizeof(*verdict->pipes))) {
                verdict->n_more_pipes++;
                return 0;
        }
        verdict->pipes[verdict->n_pipes++] =
                (struct seen_pipe){.id = id, .call = verdict->n_more_calls ? 0 : verdict->n_calls};
        return verdict->n_pipes;
}

void verdict_pipe_is(struct verdict *verdict, size_t number, uint64_t bytes, bool finished, bool reader_gone)
{
        struct seen_pipe *pipe;

        if (!verdict || number == 0)
                return;
        pipe = &verdict->pipes[number - 1];
        if (pipe->bytes == bytes && pipe->finished == finished && pipe->reader_gone == reader_gone)
                return;
        verdict->changed = true;
        pipe->bytes = bytes;
        pipe->finished = finished;
        pipe->reader_gone = reader_gone;
}

void verdict_fired(struct verdict *verdict, size_t rule)
{
        if (!verdict)
                return;
        verdict->changed = true;
        verdict->fired[rule]++;
}

void verdict_images(struct verdict *verdict, size_t n_open)
{
        if (!verdict || verdict->n_images == n_open)
                return;
        verdict->changed = true;
        verdict->n_images = n_open;
}

void verdict_touch(struct verdict *verdict)
{
        if (verdict)
                verdict->changed = true;
}

void verdict_end(struct verdict *verdict, const char *ended, int status)
{
        if (!verdict || verdict->ended)
                return;
        verdict->changed = true;
        verdict->ended = ended;
        verdict->status = status;
        verdict_write(verdict, true);
}
