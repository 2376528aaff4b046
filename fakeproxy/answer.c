/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an answer to packets: the reply's text in the order and with the escapes of Go, what behaviours and a
 * rule change of it, descriptors of every wrong kind, and the queue of packets that the socket did not take
 * yet.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "fakeproxy/go.h"
#include "fakeproxy/server.h"
#include "image/config.h"

void answer_clear(struct answer *answer)
{
        for (size_t i = 0; i < answer->n_fds; i++)
                fd_close(answer->fds[i]);
        json_object_put(answer->value);
        free(answer->error);
        *answer = (struct answer){0};
}

void answer_refuse(struct answer *answer, const struct rule_do *rule)
{
        if (!rule->fail)
                return;
        answer_clear(answer);
        answer_fail(answer, rule->fail_code ? (enum error_code)rule->fail_code : ERROR_CODE_OTHER, "%s",
                    rule->fail);
}

void outgoing_free(struct outgoing *outgoing)
{
        if (!outgoing)
                return;
        for (size_t i = 0; i < outgoing->n_fds; i++)
                fd_close(outgoing->fds[i]);
        free(outgoing->fds);
        free(outgoing->data);
        free(outgoing);
}

/* ---- the text ---- */

static bool has_error_code(const struct server *server)
{
        bool has = version_compare(server->options->emulation.protocol, VERSION_ERROR_CODE) >= 0;

        return (has && !server->b.omits_error_code) || server->b.adds_error_code;
}

static struct json_object *answer_object(const struct server *server, struct answer *answer)
{
        struct json_object *object = json_object_new_object();
        bool success = answer->success || server->b.succeeds_on_failure;
        bool lean = server->b.omits_null_members;
        const char *error = answer->success || server->b.fails_without_text ? "" : answer->error;

        if (!object)
                return NULL;
        if (!lean || success)
                json_add_member(object, "success", json_object_new_boolean(success));
        if (!lean || answer->value)
                json_add_member_or_null(object, "value", json_object_get(answer->value));
        if (!lean || answer->pipeid)
                json_add_member(object, "pipeid", json_object_new_int64(answer->pipeid));
        if (has_error_code(server) && (!lean || answer->code))
                json_add_member(object, "error_code", json_object_new_string(error_code_name(answer->code)));
        if (!lean || (error && *error))
                json_add_member(object, "error", go_string(error ? error : ""));
        return object;
}

static void merge(struct json_object *object, const char *text)
{
        struct json_object *more CLEANUP(cleanup_json) = NULL;

        if (json_parse(text, strlen(text), 64, &more, NULL) < 0 || !json_object_is_type(more, json_type_object))
                return;
        json_object_object_foreach (more, key, value)
                json_object_object_add(object, key, json_object_get(value));
}

static void remove_members(struct json_object *object, const char *names)
{
        char *copy CLEANUP(cleanup_free) = strdup(names);
        char *state, *name;

        if (!copy)
                return;
        for (name = strtok_r(copy, " ", &state); name; name = strtok_r(NULL, " ", &state))
                json_object_object_del(object, name);
}

/* The reply's bytes, up to cutting and padding. */
static int answer_text(const struct server *server, struct answer *answer, const struct rule_do *rule,
                       char **ret, size_t *ret_len)
{
        struct json_object *object CLEANUP(cleanup_json) = NULL;

        if (rule && rule->reply.data) {
                *ret = malloc(rule->reply.len + 1);
                if (!*ret)
                        return -ENOMEM;
                memcpy(*ret, rule->reply.data, rule->reply.len + 1);
                *ret_len = rule->reply.len;
                return 0;
        }
        object = answer_object(server, answer);
        if (!object)
                return -ENOMEM;
        if (rule && rule->merge)
                merge(object, rule->merge);
        if (rule && rule->remove)
                remove_members(object, rule->remove);
        return json_format_go(object, ret, ret_len);
}

/* White space up to @size, then a cut at @cut; 0 is neither. */
static int resize(char **text, size_t *len, size_t size, size_t cut)
{
        if (size > *len) {
                char *grown = realloc(*text, size + 1);

                if (!grown)
                        return -ENOMEM;
                memset(grown + *len, ' ', size - *len);
                grown[size] = '\0';
                *text = grown;
                *len = size;
        }
        if (cut && cut < *len)
                *len = cut;
        return 0;
}

/* ---- descriptors ---- */

static int ended_pipe(void)
{
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -1;
        close(fds[1]);
        return fds[0];
}

static int memory_file(void)
{
        int fd = memfd_create("cip-fakeproxy", MFD_CLOEXEC);

        if (fd >= 0 && (write(fd, "fake", 4) != 4 || lseek(fd, 0, SEEK_SET) < 0)) {
                close(fd);
                return -1;
        }
        return fd;
}

static int one_socket(void)
{
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
                return -1;
        close(fds[1]);
        return fds[0];
}

/* A write end whose reader is a descriptor of ours that stays open to the end: the leak is the fault's own. */
static int write_end(void)
{
        int fds[2];

        return pipe2(fds, O_CLOEXEC) < 0 ? -1 : fds[1];
}

/* What stands in the place of a faithful descriptor; -1: it failed. */
static int replacement(const struct server *server, enum rule_descriptors kind)
{
        switch (kind) {
        case DESCRIPTORS_OWN_SOCKET:
                return fcntl(server->socket, F_DUPFD_CLOEXEC, 0);
        case DESCRIPTORS_FILE:
                return memory_file();
        case DESCRIPTORS_DIRECTORY:
                return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        case DESCRIPTORS_SOCKET:
                return one_socket();
        case DESCRIPTORS_WRITE_END:
                return write_end();
        case DESCRIPTORS_DEVICE:
                return open("/dev/zero", O_RDONLY | O_CLOEXEC);
        default:
                return ended_pipe();
        }
}

static void add_fd(struct outgoing *outgoing, int take_fd)
{
        if (take_fd >= 0)
                outgoing->fds[outgoing->n_fds++] = take_fd;
}

/* Which kinds change how many there are, and which change each. */
static bool is_number(enum rule_descriptors kind)
{
        return kind == DESCRIPTORS_FAITHFUL || kind == DESCRIPTORS_NONE || kind == DESCRIPTORS_FIRST_ONLY ||
               kind == DESCRIPTORS_ONE_EXTRA || kind == DESCRIPTORS_MANY_EXTRA || kind == DESCRIPTORS_COUNT;
}

/* How many of @n faithful descriptors are kept, and how many there are with those that are added. */
static size_t count_fds(const struct rule_do *rule, enum rule_descriptors kind, size_t n, size_t *ret_all)
{
        size_t keep = kind == DESCRIPTORS_NONE ? 0 : kind == DESCRIPTORS_FIRST_ONLY && n > 1 ? 1 : n;

        *ret_all = kind == DESCRIPTORS_ONE_EXTRA ? n + 1 : kind == DESCRIPTORS_MANY_EXTRA ? n + 200 : keep;
        if (kind == DESCRIPTORS_COUNT) {
                *ret_all = (size_t)rule->n_descriptors;
                keep = n < *ret_all ? n : *ret_all;
        }
        return keep;
}

/* Fills in the descriptors, which leaves @answer without any. */
static void fill_fds(const struct server *server, struct outgoing *outgoing, struct answer *answer,
                     const struct rule_do *rule)
{
        enum rule_descriptors kind = rule ? rule->descriptors : DESCRIPTORS_FAITHFUL;
        size_t all, keep = count_fds(rule, kind, answer->n_fds, &all);

        for (size_t i = 0; i < answer->n_fds; i++) {
                int fd = steal_fd(&answer->fds[i]);

                if (!is_number(kind) || i >= keep) {
                        fd_close(fd);
                        fd = is_number(kind) ? -1 : replacement(server, kind);
                }
                add_fd(outgoing, fd);
        }
        if (!is_number(kind) && answer->n_fds == 0)
                add_fd(outgoing, replacement(server, kind));
        answer->n_fds = 0;
        for (size_t n = keep; is_number(kind) && n < all; n++)
                add_fd(outgoing, ended_pipe());
}

/* ---- the queue ---- */

static void enqueue(struct server *server, struct outgoing *take_outgoing)
{
        struct outgoing **link = &server->out;

        while (*link)
                link = &(*link)->next;
        *link = take_outgoing;
}

static struct outgoing *outgoing_new(const char *data, size_t len)
{
        struct outgoing *outgoing = calloc(1, sizeof(*outgoing));

        if (!outgoing)
                return NULL;
        outgoing->data = malloc(len + 1);
        outgoing->fds = calloc(PACKET_FDS_MAX, sizeof(*outgoing->fds));
        if (!outgoing->data || !outgoing->fds) {
                outgoing_free(outgoing);
                return NULL;
        }
        memcpy(outgoing->data, data, len);
        outgoing->len = len;
        return outgoing;
}

static void enqueue_all(struct server *server, const struct bytes *packets)
{
        for (; packets && packets->data; packets++) {
                struct outgoing *outgoing = outgoing_new(packets->data, packets->len);

                if (outgoing)
                        enqueue(server, outgoing);
        }
}

/* Whether another request waits behind the one that is being answered. */
static bool more_waits(const struct server *server)
{
        struct pollfd poll_fd = {.fd = server->socket, .events = POLLIN};

        return poll(&poll_fd, 1, 0) == 1 && !(poll_fd.revents & POLLHUP);
}

/* The order of replies, as answers_out_of_order has it. */
static void enqueue_reply(struct server *server, struct outgoing *take_outgoing)
{
        if (server->b.answers_out_of_order && !server->kept && more_waits(server)) {
                server->kept = take_outgoing;
                return;
        }
        enqueue(server, take_outgoing);
        if (server->kept)
                enqueue(server, STEAL(server->kept));
}

/* A reply that the socket can never take. */
static bool too_large(struct server *server, struct outgoing *outgoing)
{
        static const char message[] = "the reply is too large for the socket";
        struct answer answer = {0};
        char *text;
        size_t len;

        if (server->b.dies_of_large_replies) {
                go_log("fatal", "writing to socket: write unixpacket @: sendmsg: message too long");
                server_end(server, 1);
                return false;
        }
        answer_fail(&answer, ERROR_CODE_OTHER, "%s", message);
        if (answer_text(server, &answer, NULL, &text, &len) < 0) {
                answer_clear(&answer);
                server_end(server, 1);
                return false;
        }
        answer_clear(&answer);
        free(outgoing->data);
        outgoing->data = text;
        outgoing->len = len;
        return true;
}

/* An end that is behind all that goes to stderr. */
static bool waits_for_flood(const struct server *server, const struct outgoing *outgoing)
{
        const struct rule_do *then = outgoing->then;

        return server->flood > 0 && then && (then->exit || then->signal || then->panic);
}

/* A pause begins when all before it has gone. */
static bool is_due(const struct server *server, struct outgoing *outgoing)
{
        if (waits_for_flood(server, outgoing))
                return false;
        if (outgoing->pause_ns)
                outgoing->not_before_ns = monotonic_ns() + outgoing->pause_ns;
        outgoing->pause_ns = 0;
        if (outgoing->after_pipe && !outgoing->after_pipe->done)
                return false;
        return !outgoing->not_before_ns || outgoing->not_before_ns <= monotonic_ns();
}

uint64_t outgoing_wake_ns(const struct server *server)
{
        if (!server->out || (server->out->after_pipe && !server->out->after_pipe->done) ||
            waits_for_flood(server, server->out))
                return UINT64_MAX;
        return server->out->not_before_ns;
}

static void end_as_told(struct server *server, const struct rule_do *rule);

bool outgoing_flush(struct server *server)
{
        while (server->out && is_due(server, server->out)) {
                struct outgoing *first = server->out;
                int r;

                if (first->is_pause || first->then) {
                        server->out = first->next;
                        if (first->then)
                                end_as_told(server, first->then);
                        outgoing_free(first);
                        if (server->ended)
                                return false;
                        continue;
                }
                session_answers(server);
                r = packet_send(server->socket, first->data, first->len, first->fds, first->n_fds);
                if (r == -EAGAIN)
                        return true;
                if (r == -EMSGSIZE) {
                        if (!too_large(server, first))
                                return false;
                        continue;
                }
                if (r < 0) {
                        go_log("fatal", "writing to socket: write unixpacket @: sendmsg: %s",
                               r == -EPIPE ? "broken pipe" : strerrordesc_np(-r));
                        server->ended_by = "end-of-input";
                        server_end(server, 1);
                        return false;
                }
                server->out = first->next;
                outgoing_free(first);
        }
        return true;
}

/* ---- what a rule does ---- */

void end_by_signal(struct server *server, int number)
{
        sigset_t set;

        if (number != SIGSTOP)
                session_ended(server, "signal", 128 + number);
        signal(number, SIG_DFL);
        sigemptyset(&set);
        sigaddset(&set, number);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        raise(number);
}

static const struct behaviours stays = {
        .ignores_shutdown = true, .ignores_end_of_input = true, .ignores_empty_packet = true};

static void end_as_told(struct server *server, const struct rule_do *rule)
{
        if (rule->become)
                behaviours_add(&server->b, rule->become);
        if (server->b.dies_of_sigpipe)
                signal(SIGPIPE, SIG_DFL);
        if (rule->stop_reading)
                server->stopped_reading = true;
        if (rule->ignore_end)
                behaviours_add(&server->b, &stays);
        server->ignores_signals |= rule->ignore_signals;
        if (rule->ignore_signals) {
                signal(SIGTERM, SIG_IGN);
                signal(SIGINT, SIG_IGN);
        }
        if (rule->close_socket) {
                shutdown(server->socket, SHUT_RDWR);
                server->input_ended = true;
        }
        if (rule->panic) {
                session_ended(server, "exit", 2);
                go_panic(PANIC_OTHER);
        }
        if (rule->signal)
                end_by_signal(server, rule->signal);
        if (rule->exit) {
                server->ended = true;
                server->status = rule->exit_status;
        }
}

static void enqueue_pause(struct server *server, uint64_t ms)
{
        struct outgoing *pause = ms ? outgoing_new("", 0) : NULL;

        if (!pause)
                return;
        pause->is_pause = true;
        pause->pause_ns = ms * 1000000;
        enqueue(server, pause);
}

/* Where the queue is empty the end comes at once, else when all before it has gone. */
static void enqueue_end(struct server *server, const struct rule_do *rule)
{
        struct outgoing *end;

        enqueue_pause(server, rule->delay_after_ms);
        end = outgoing_new("", 0);
        if (!end)
                return;
        end->then = rule;
        enqueue(server, end);
        outgoing_flush(server);
}

/* What a rule does at once. */
static void write_stderr(struct server *server, const struct rule_do *rule)
{
        if (rule->stderr_text)
                (void)write_all(STDERR_FILENO, rule->stderr_text, strlen(rule->stderr_text));
        server->flood += rule->stderr_flood;
}

void rule_act(struct server *server, const struct rule_do *rule)
{
        write_stderr(server, rule);
        enqueue_pause(server, rule->delay_ms);
        enqueue_all(server, rule->before);
        enqueue_all(server, rule->after);
        enqueue_end(server, rule);
}

/*
 * A process that keeps write ends open when this one has gone. It ends with its readers, or after a minute, and
 * holds nothing else of ours.
 */
static void hold_pipes(const struct answer *answer)
{
        struct pollfd fds[2] = {{.fd = answer->pipe ? answer->pipe->write_fd : -1},
                                {.fd = answer->errors ? answer->errors->write_fd : -1}};
        uint64_t end = monotonic_ns() + UINT64_C(60000000000);
        int first, second;

        if ((fds[0].fd < 0 && fds[1].fd < 0) || fork() != 0)
                return;
        first = fds[0].fd < fds[1].fd ? fds[0].fd : fds[1].fd;
        second = fds[0].fd < fds[1].fd ? fds[1].fd : fds[0].fd;
        if (first > 0)
                close_range(0, (unsigned)first - 1, 0);
        if (second > first + 1)
                close_range(first < 0 ? 0 : (unsigned)first + 1, (unsigned)second - 1, 0);
        close_range((unsigned)second + 1, ~0U, 0);
        while ((fds[0].fd >= 0 || fds[1].fd >= 0) && monotonic_ns() < end) {
                if (poll(fds, 2, 1000) <= 0)
                        continue;
                for (int i = 0; i < 2; i++)
                        if (fds[i].revents)
                                fds[i].fd = -1;
        }
        _exit(0);
}

/* Whether a packet's text says success: true. */
static bool says_success(const char *text, size_t len)
{
        struct json_object *object CLEANUP(cleanup_json) = NULL;

        return json_parse(text, len, 64, &object, NULL) == 0 && json_object_is_type(object, json_type_object) &&
               json_object_get_boolean(json_object_object_get(object, "success"));
}

/* The rest of a reply that goes in two packets. */
static void split(struct server *server, struct outgoing *outgoing, size_t at)
{
        struct outgoing *rest;

        if (at == 0 || at >= outgoing->len)
                return;
        rest = outgoing_new(outgoing->data + at, outgoing->len - at);
        if (!rest)
                return;
        outgoing->len = at;
        enqueue(server, rest);
}

/* A client that waits for a reply that there is no memory for is better off with none. */
static void end_without_memory(struct server *server)
{
        fputs("cip-fakeproxy: out of memory\n", stderr);
        server->ended = true;
        server->status = 2;
}

/* The reply alone. */
static void send_reply(struct server *server, struct answer *answer, const struct rule_do *rule)
{
        struct outgoing *outgoing;
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len, pad = rule && rule->pad_to ? rule->pad_to : server->b.pad_replies_to;
        size_t cut = rule && rule->cut_at ? rule->cut_at : server->b.cut_replies_at;

        if (!answer->success && server->b.fails_with_pipe && answer->n_fds == 0) {
                answer->fds[0] = ended_pipe();
                answer->n_fds = 1;
        }
        if (answer_text(server, answer, rule, &text, &len) < 0 || resize(&text, &len, pad, cut) < 0) {
                end_without_memory(server);
                return;
        }
        if (server->b.sends_newlines && resize(&text, &len, len + 2, 0) == 0)
                memcpy(text + len - 2, "\n\0", 2);
        outgoing = outgoing_new(text, rule && rule->empty_packet ? 0 : len);
        if (!outgoing) {
                end_without_memory(server);
                return;
        }
        fill_fds(server, outgoing, answer, rule);
        if (server->verdict)
                verdict_answer(server->verdict, says_success(text, len));
        if (server->b.request_delay_ms && !(rule && rule->delay_ms))
                outgoing->not_before_ns = monotonic_ns() + server->b.request_delay_ms * 1000000;
        if (server->b.writes_before_reply)
                outgoing->after_pipe = answer->pipe;
        enqueue_reply(server, outgoing);
        if (rule)
                split(server, outgoing, rule->split_at);
}

/* What fits an empty pipe is there before the reply is, so that closing it unread is no error. */
static void write_ahead(struct server *server, struct answer *answer)
{
        struct pipe *pipe = answer->pipe;

        if (pipe && pipe->size <= PIPE_DEFAULT && !server->b.writes_one_pipe_at_a_time &&
            pipe_wants_room(pipe, 0))
                (void)pipe_pump(pipe, server->buffer);
}

void answer_send(struct server *server, struct answer *answer, const struct rule_do *rule)
{
        if (rule)
                write_stderr(server, rule);
        if (rule && rule->data && answer->pipe)
                answer->pipe->step = rule->data;
        if (rule && rule->errors && answer->errors) {
                answer->errors->step = rule->errors;
                answer->errors->held = false;
        }
        write_ahead(server, answer);
        if (rule && rule->child_holds_pipe)
                hold_pipes(answer);
        if (rule) {
                enqueue_pause(server, rule->delay_ms);
                enqueue_all(server, rule->before);
        }
        if (!answer->none && !(rule && rule->no_reply))
                send_reply(server, answer, rule);
        if (rule)
                enqueue_all(server, rule->after);
        answer_clear(answer);
        if (rule)
                enqueue_end(server, rule);
        else
                outgoing_flush(server);
}
