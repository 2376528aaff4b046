/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of requests. The first REGISTRY_LOG_KEPT are kept as structs, from their arrival on; a line is
 * written when a request has ended. A line that cannot be written is remembered, and the registry goes on.
 */
#include "fakeregistry/log.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/text.h"
#include "protocol/message.h"

#define TEXT_MAX 4096

struct registry_log {
        pthread_mutex_t mutex;
        pthread_cond_t changed;
        uint64_t start_ns;
        uint64_t n;         /* that have come */
        uint64_t under_way; /* of those */
        struct registry_request *kept;
        size_t n_kept, allocated;
        int fd;
        int failure;
};

/* ---- the texts of a request ---- */

/* Each string of a request, for copying and freeing. */
#define TEXTS(X)              \
        X(listener)           \
        X(host)               \
        X(method)             \
        X(path)               \
        X(repository)         \
        X(reference)          \
        X(scope)              \
        X(range)              \
        X(accept)             \
        X(user)               \
        X(token)              \
        X(given)              \
        X(user_agent)         \
        X(client_certificate) \
        X(rule)

char *registry_log_text(const char *text)
{
        char safe[TEXT_MAX];

        text_make_safe(safe, sizeof(safe), text ? text : "", text ? strlen(text) : 0);
        return strdup(safe);
}

void registry_request_clear(struct registry_request *request)
{
#define CLEAR(name) free(request->name);
        TEXTS(CLEAR)
#undef CLEAR
        *request = (struct registry_request){0};
}

static int copy_request(const struct registry_request *from, struct registry_request *ret)
{
        struct registry_request copy = *from;
        bool whole = true;

#define COPY(name)                                        \
        copy.name = strdup(from->name ? from->name : ""); \
        whole &= copy.name != NULL;
        TEXTS(COPY)
#undef COPY
        if (!whole) {
                registry_request_clear(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

/* ---- keeping ---- */

int registry_log_new(int take_fd, struct registry_log **ret)
{
        struct registry_log *log = calloc(1, sizeof(*log));
        pthread_condattr_t attributes;

        if (!log) {
                fd_close(take_fd);
                return -ENOMEM;
        }
        log->fd = take_fd;
        log->start_ns = monotonic_ns();
        pthread_mutex_init(&log->mutex, NULL);
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&log->changed, &attributes);
        pthread_condattr_destroy(&attributes);
        *ret = log;
        return 0;
}

void registry_log_free(struct registry_log *log)
{
        if (!log)
                return;
        for (size_t i = 0; i < log->n_kept; i++)
                registry_request_clear(&log->kept[i]);
        free(log->kept);
        fd_close(log->fd);
        pthread_cond_destroy(&log->changed);
        pthread_mutex_destroy(&log->mutex);
        free(log);
}

static double seconds_since(uint64_t ns)
{
        return (double)(monotonic_ns() - ns) / 1e9;
}

/* Keeps a copy, where there is room. Those that are kept are the first ones, in their order. */
static int keep(struct registry_log *log, const struct registry_request *request)
{
        if (log->n_kept >= REGISTRY_LOG_KEPT)
                return 0;
        if (log->n_kept == log->allocated) {
                size_t wanted = log->allocated ? 2 * log->allocated : 64;
                struct registry_request *grown = reallocarray(log->kept, wanted, sizeof(*grown));

                if (!grown)
                        return -ENOMEM;
                log->kept = grown;
                log->allocated = wanted;
        }
        if (copy_request(request, &log->kept[log->n_kept]) < 0)
                return -ENOMEM;
        log->n_kept++;
        return 0;
}

int registry_log_begin(struct registry_log *log, struct registry_request *request)
{
        int r;

        pthread_mutex_lock(&log->mutex);
        request->number = log->n + 1;
        request->seconds = seconds_since(log->start_ns);
        request->end = REGISTRY_END_UNDER_WAY;
        r = keep(log, request);
        if (r == 0) {
                log->n++;
                log->under_way++;
                pthread_cond_broadcast(&log->changed);
        }
        pthread_mutex_unlock(&log->mutex);
        return r;
}

static void write_line(struct registry_log *log, const struct registry_request *request);

void registry_log_finish(struct registry_log *log, struct registry_request *request)
{
        struct registry_request copy;

        pthread_mutex_lock(&log->mutex);
        request->took = seconds_since(log->start_ns) - request->seconds;
        if (request->number <= log->n_kept && copy_request(request, &copy) == 0) {
                registry_request_clear(&log->kept[request->number - 1]);
                log->kept[request->number - 1] = copy;
        }
        if (log->fd >= 0)
                write_line(log, request);
        log->under_way--;
        pthread_cond_broadcast(&log->changed);
        pthread_mutex_unlock(&log->mutex);
}

/* ---- lines ---- */

const char *registry_end_name(enum registry_end end)
{
        static const char *const names[] = {
                [REGISTRY_END_UNDER_WAY] = "under way",
                [REGISTRY_END_COMPLETE] = "complete",
                [REGISTRY_END_CUT] = "cut",
                [REGISTRY_END_LEFT] = "client left",
                [REGISTRY_END_STOPPED] = "stopped",
        };

        return names[end];
}

/* What does not apply is left out. */
static void add_text(struct json_object *line, const char *key, const char *text)
{
        if (text && *text)
                json_add_member(line, key, json_object_new_string(text));
}

static void add_seconds(struct json_object *line, const char *key, double seconds)
{
        char text[40];

        snprintf(text, sizeof(text), "%.6f", seconds);
        json_add_member(line, key, json_object_new_double_s(seconds, text));
}

static struct json_object *line_of(const struct registry_request *request)
{
        struct json_object *line = json_object_new_object();

        json_add_member(line, "number", json_object_new_uint64(request->number));
        add_seconds(line, "seconds", request->seconds);
        add_seconds(line, "took", request->took);
        add_text(line, "listener", request->listener);
        add_text(line, "host", request->host);
        add_text(line, "method", request->method);
        add_text(line, "path", request->path);
        add_text(line, "kind", registry_kind_name(request->kind));
        add_text(line, "repository", request->repository);
        add_text(line, "reference", request->reference);
        add_text(line, "scope", request->scope);
        add_text(line, "range", request->range);
        add_text(line, "accept", request->accept);
        add_text(line, "credentials", registry_credentials_name(request->credentials));
        add_text(line, "user", request->user);
        add_text(line, "token", request->token);
        add_text(line, "given", request->given);
        add_text(line, "user_agent", request->user_agent);
        add_text(line, "client_certificate", request->client_certificate);
        json_add_member(line, "status", json_object_new_int64(request->status));
        json_add_member(line, "bytes", json_object_new_uint64(request->bytes));
        add_text(line, "rule", request->rule);
        add_text(line, "end", registry_end_name(request->end));
        return line;
}

static void write_line(struct registry_log *log, const struct registry_request *request)
{
        CLEANUP(cleanup_json) struct json_object *line = line_of(request);
        CLEANUP(cleanup_free) char *whole = NULL;
        const char *text = json_text(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        int len = text ? asprintf(&whole, "%s\n", text) : -1;
        int r = len < 0 ? -ENOMEM : write_all(log->fd, whole, (size_t)len);

        if (len < 0)
                whole = NULL;
        if (r < 0 && !log->failure)
                log->failure = r;
}

/* ---- reading ---- */

void registry_log_copy_clear(struct registry_log_copy *copy)
{
        for (size_t i = 0; i < copy->n; i++)
                registry_request_clear(&copy->requests[i]);
        free(copy->requests);
        *copy = (struct registry_log_copy){0};
}

int registry_log_read(struct registry_log *log, struct registry_log_copy *ret)
{
        struct registry_log_copy copy = {0};
        int r = 0;

        pthread_mutex_lock(&log->mutex);
        copy.requests = calloc(log->n_kept + 1, sizeof(*copy.requests));
        if (!copy.requests)
                r = -ENOMEM;
        for (size_t i = 0; r == 0 && i < log->n_kept; i++) {
                r = copy_request(&log->kept[i], &copy.requests[i]);
                copy.n += r == 0;
        }
        pthread_mutex_unlock(&log->mutex);
        if (r < 0)
                registry_log_copy_clear(&copy);
        else
                *ret = copy;
        return r;
}

int registry_log_wait(struct registry_log *log, uint64_t n, struct deadline deadline)
{
        const struct timespec until = {(time_t)(deadline.ns / 1000000000), (long)(deadline.ns % 1000000000)};
        int r = 0;

        pthread_mutex_lock(&log->mutex);
        while (r == 0 && (log->n < n || log->under_way > 0))
                r = deadline.ns == DEADLINE_NEVER.ns
                            ? pthread_cond_wait(&log->changed, &log->mutex)
                            : pthread_cond_timedwait(&log->changed, &log->mutex, &until);
        pthread_mutex_unlock(&log->mutex);
        return -r;
}

int registry_log_failure(struct registry_log *log)
{
        int failure;

        pthread_mutex_lock(&log->mutex);
        failure = log->failure;
        pthread_mutex_unlock(&log->mutex);
        return failure;
}

const struct registry_request *registry_log_find(const struct registry_log_copy *copy,
                                                 const struct registry_when *when,
                                                 const struct registry_request *after)
{
        for (size_t i = after ? (size_t)(after - copy->requests) + 1 : 0; i < copy->n; i++) {
                const struct registry_request *request = &copy->requests[i];
                const struct registry_facts facts = {
                        .kind = request->kind,
                        .method = request->method,
                        .listener = request->listener,
                        .host = request->host,
                        .repository = request->repository,
                        .reference = request->reference,
                        .user = request->user,
                        .user_agent = request->user_agent,
                        .credentials = request->credentials,
                        .failed = request->status < 100 || request->status >= 400,
                        .range = *request->range != '\0',
                };

                if (registry_when_fits(when, &facts))
                        return request;
        }
        return NULL;
}

size_t registry_log_count(const struct registry_log_copy *copy, const struct registry_when *when)
{
        const struct registry_request *request = NULL;
        size_t n = 0;

        while ((request = registry_log_find(copy, when, request)))
                n++;
        return n;
}
