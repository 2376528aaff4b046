/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the client and another server, with rules. Which rule acts, and what it does, is the fake's own code: this
 * file has the session that it works on, whose answers are the other server's. A pipe whose data a rule changes is
 * read ahead a little into a file, from where it is sent on step by step; all other pipes are the server's own.
 */
#include "fakeproxy/alter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "fakeproxy/server.h"
#include "image/config.h"

/* Bytes of a changed pipe that are read ahead of what was sent on. */
#define AHEAD ((uint64_t)1024 * 1024)

/* A pipe of the server's whose data are changed. */
struct feed {
        struct feed *next;
        int from;          /* -1: at its end */
        int spool;         /* where its data wait. Borrowed from the pipe */
        struct pipe *pipe; /* what the client reads; NULL: it is done with, and the rest is thrown away */
};

/* A pipe that the server opened, as rules count them. */
struct opened {
        uint32_t id;
        unsigned number;
};

/* What a rule does, with the answer that it does it to; kept as the queue of packets refers to it. */
struct kept {
        struct kept *next;
        struct rule_do act;
        char *text;
};

struct alter {
        struct server server; /* what the rules' code works on; its socket is the client's */
        struct options options;
        const struct scenario *scenario;
        int up; /* the other server's socket; -1: closed */
        struct child *child;
        bool child_ended;
        int status;

        struct request request; /* the one that is being served; its text is server.packet */
        struct rule_packet asked;
        bool to_send, awaits; /* it waits to be sent on; its answer is awaited */
        char *forward;        /* what is sent on in place of its text; NULL: its text */
        size_t forward_len;
        struct packet reply; /* the server's packet */
        bool has_reply;      /* it is there, and not yet judged */
        bool passes;         /* it is to be handed on as it is */
        struct pipe *finishing;

        struct feed *feeds;
        struct opened *opened;
        size_t n_opened;
        struct kept *kept;
        bool client_ended;
};

static const struct rule_do empty_answer = {.empty_packet = true};

/* ---- rules ---- */

static const struct rule *match(struct alter *a, const struct rule_packet *packet)
{
        return rules_match(a->server.rules, a->server.n_rules, a->server.states, packet);
}

static void fired(struct alter *a, const struct rule *rule)
{
        size_t i = (size_t)(rule - a->server.rules);

        a->server.states[i].fired++;
        verdict_fired(a->server.verdict, i);
}

/* An event that is no request. */
static void happens(struct alter *a, enum rule_event event, unsigned pipe)
{
        const struct rule_packet packet = {.event = event,
                                           .initialized = a->server.initialized,
                                           .pipe = pipe,
                                           .serial = ++a->server.n_events};
        const struct rule *rule = match(a, &packet);

        if (!rule)
                return;
        fired(a, rule);
        rule_act(&a->server, &rule->act);
}

/* Which pipe of the session has this id now, counted from 1 on; 0: none. */
static unsigned pipe_number(const struct alter *a, struct json_object *id_argument)
{
        uint64_t id;

        if (!json_get_uint(id_argument, UINT32_MAX, &id))
                return 0;
        for (size_t i = a->n_opened; i > 0; i--)
                if (a->opened[i - 1].id == id)
                        return a->opened[i - 1].number;
        return 0;
}

/* What the request is about, as rules ask it. */
static void find_subject(struct alter *a)
{
        const struct method *method = method_find(a->request.method);
        struct json_object *first = json_object_array_get_idx(a->request.args, 0);
        struct rule_packet *packet = &a->asked;

        if (!method || method->n_arguments == 0)
                return;
        if (method->arguments[0] == ARGUMENT_REFERENCE && json_object_is_type(first, json_type_string))
                packet->image = json_object_get_string(first);
        if (method->arguments[0] == ARGUMENT_PIPE)
                packet->pipe = pipe_number(a, first);
        if (method->arguments[0] != ARGUMENT_IMAGE ||
            !json_get_uint(first, JSON_INTEGER_MAX, &packet->image_id))
                return;
        for (size_t i = 0; i < a->server.n_images; i++)
                if (a->server.images[i].id == packet->image_id)
                        packet->image = a->server.images[i].reference;
}

/* ---- pipes ---- */

/* A file without a name for what is read ahead. */
static int open_spool(void)
{
        const char *folder = getenv("TMPDIR");
        int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        return fd < 0 ? -errno : fd;
}

/*
 * Puts a pipe of ours in the place of *@fd, whose data go through a rule's steps. NULL: it stays as it is, which is
 * said on stderr, as the scenario is not played then.
 */
static struct pipe *change_pipe(struct alter *a, int *fd, uint32_t id)
{
        struct pipe **link = &a->server.pipes, *pipe = NULL;
        struct feed *feed = calloc(1, sizeof(*feed));
        int spool = open_spool(), read_fd, r = feed ? spool : -ENOMEM;

        if (r >= 0)
                r = pipe_new(0, &pipe, &read_fd);
        if (r < 0) {
                fprintf(stderr, "cip-fakeproxy: cannot change a pipe: %s\n", strerrordesc_np(-r));
                fd_close(spool < 0 ? -1 : spool);
                free(feed);
                return NULL;
        }
        (void)fd_set_nonblocking(*fd, true);
        *feed = (struct feed){.next = a->feeds, .from = *fd, .spool = spool, .pipe = pipe};
        a->feeds = feed;
        pipe->source_fd = spool;
        pipe->grows = true;
        pipe->id = id;
        pipe->seed = a->server.options->seed;
        pipe->number = a->server.n_numbered;
        while (*link)
                link = &(*link)->next;
        *link = pipe;
        *fd = read_fd;
        return pipe;
}

static void drop_pipe(struct alter *a, struct pipe *pipe)
{
        struct pipe **link = &a->server.pipes;

        pipe_seen(&a->server, pipe);
        for (struct feed *feed = a->feeds; feed; feed = feed->next)
                if (feed->pipe == pipe)
                        feed->pipe = NULL;
        for (struct pipe *other = a->server.pipes; other; other = other->next)
                if (other->error_pipe == pipe)
                        other->error_pipe = NULL;
        while (*link && *link != pipe)
                link = &(*link)->next;
        if (*link)
                *link = pipe->next;
        pipe_free(pipe);
}

/* Reads on, as far as it is wanted. What nobody reads any more is thrown away, so that the server comes to an end. */
static void feed_read(struct alter *a, struct feed *feed)
{
        struct pipe *pipe = feed->pipe;
        ssize_t n;

        if (pipe && pipe->done && pipe->reader_gone) {
                fd_clear(&feed->from);
                return;
        }
        n = read(feed->from, a->server.buffer, 65536);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0 && pipe && !pipe->done && write_all(feed->spool, a->server.buffer, (size_t)n) == 0) {
                pipe->size += (uint64_t)n;
                return;
        }
        if (n > 0 && (!pipe || pipe->done))
                return;
        if (n > 0)
                pipe_end(pipe, ERROR_CODE_OTHER, "the interposer's file is full");
        if (pipe)
                pipe->grows = false;
        if (n <= 0)
                fd_clear(&feed->from);
}

static bool feed_wants(const struct feed *feed)
{
        const struct pipe *pipe = feed->pipe;

        return feed->from >= 0 && (!pipe || pipe->done || pipe->size - pipe->offset < AHEAD);
}

static void end_process(struct alter *a, const struct pipe *pipe)
{
        if (pipe->exit_signal)
                end_by_signal(&a->server, pipe->exit_signal);
        a->server.ended = true;
        a->server.status = pipe->exit_status;
}

static void pump(struct alter *a)
{
        uint64_t now = monotonic_ns();
        struct pipe *next;

        for (struct feed *feed = a->feeds; feed; feed = feed->next)
                if (feed_wants(feed))
                        feed_read(a, feed);
        for (struct pipe *pipe = a->server.pipes; pipe; pipe = next) {
                next = pipe->next;
                if (pipe_wants_room(pipe, now))
                        (void)pipe_pump(pipe, a->server.buffer);
                if (pipe->ends_process)
                        end_process(a, pipe);
                if (pipe->done && !pipe->id && pipe->write_fd < 0)
                        drop_pipe(a, pipe);
        }
}

/* ---- requests ---- */

/* Shutdown has no answer that a rule could wait for. */
static void shut_down(struct alter *a)
{
        struct answer answer = {.success = true, .none = true};
        const struct rule *rule;

        a->asked.outcome = OUTCOME_SUCCESS;
        rule = match(a, &a->asked);
        if (rule)
                fired(a, rule);
        answer_send(&a->server, &answer, rule ? &rule->act : NULL);
        a->to_send = !a->server.ended && !a->server.b.ignores_shutdown;
        a->server.ended_by = "shutdown";
}

static void request_ends(struct alter *a)
{
        request_clear(&a->request);
        packet_clear(&a->server.packet);
        free(STEAL(a->forward));
        a->asked = (struct rule_packet){0};
        a->to_send = a->awaits = false;
        a->finishing = NULL;
}

/* What is sent on in the request's place. */
static int replace_text(struct alter *a, const struct rule_do *rule)
{
        const char *at = a->server.packet.data, *end = at + a->server.packet.len, *found;
        size_t len = strlen(rule->replace);
        FILE *to = open_memstream(&a->forward, &a->forward_len);

        if (!to)
                return -ENOMEM;
        while ((found = memmem(at, (size_t)(end - at), rule->replace, len))) {
                fwrite(at, 1, (size_t)(found - at), to);
                fputs(rule->by, to);
                at = found + len;
        }
        fwrite(at, 1, (size_t)(end - at), to);
        return memstream_close(to, &a->forward) ? 0 : -ENOMEM;
}

static void client_asks(struct alter *a)
{
        struct server *server = &a->server;
        const struct packet *packet = &server->packet;
        bool is_request = request_parse(packet->data, packet->len, &a->request, NULL) == 0;
        struct answer answer = {0};
        const struct rule *rule;

        server->n_packets++;
        verdict_call(server->verdict, is_request ? a->request.method : "", packet->n_fds);
        a->asked = (struct rule_packet){.data = packet->data,
                                        .len = packet->len,
                                        .n_fds = packet->n_fds,
                                        .number = server->n_packets,
                                        .serial = ++server->n_events,
                                        .method = is_request ? a->request.method : NULL,
                                        .args = a->request.args,
                                        .initialized = server->initialized};
        if (is_request)
                find_subject(a);
        rule = match(a, &a->asked);
        if (rule && rule->act.no_execution) {
                fired(a, rule);
                answer_send(server, &answer, &rule->act);
                request_ends(a);
                return;
        }
        if (rule && rule->act.replace && replace_text(a, &rule->act) < 0)
                fputs("cip-fakeproxy: cannot change a request: out of memory\n", stderr);
        if (rule && rule->act.become_first)
                behaviours_add(&server->b, rule->act.become_first);
        a->to_send = true;
        if (is_request && !strcmp(a->request.method, "Shutdown"))
                shut_down(a);
        if (!a->to_send)
                request_ends(a);
}

/* The changed pipe that FinishPipe is for. */
static struct pipe *pipe_to_finish(const struct alter *a)
{
        uint64_t id;

        if (!a->asked.method || strcmp(a->asked.method, "FinishPipe") != 0 ||
            !json_get_uint(json_object_array_get_idx(a->request.args, 0), UINT32_MAX, &id) || id == 0)
                return NULL;
        for (struct pipe *pipe = a->server.pipes; pipe; pipe = pipe->next)
                if (pipe->id == id && !pipe->was_finished)
                        return pipe;
        return NULL;
}

/* Hands the request on. */
static void send_request(struct alter *a)
{
        const struct packet *packet = &a->server.packet;
        int r = packet_send(a->up, a->forward ? a->forward : packet->data,
                            a->forward ? a->forward_len : packet->len, packet->fds, packet->n_fds);

        if (r == -EAGAIN)
                return;
        a->to_send = false;
        if (r < 0 || (a->asked.method && !strcmp(a->asked.method, "Shutdown"))) {
                request_ends(a);
                return;
        }
        a->awaits = true;
        a->finishing = pipe_to_finish(a);
        if (a->finishing)
                a->finishing->was_finished = true;
        if (a->finishing && !a->finishing->done)
                happens(a, EVENT_FINISH_WAIT, a->finishing->number);
}

/* ---- answers ---- */

static struct json_object *member(struct json_object *object, const char *name)
{
        return json_object_is_type(object, json_type_object) ? json_object_object_get(object, name) : NULL;
}

static void learn_image(struct alter *a, uint64_t id)
{
        struct server *server = &a->server;
        struct open_image *grown = reallocarray(server->images, server->n_images + 1, sizeof(*server->images));

        if (!grown)
                return;
        server->images = grown;
        grown[server->n_images++] =
                (struct open_image){.id = id, .reference = a->asked.image ? strdup(a->asked.image) : NULL};
}

static void forget_image(struct alter *a, uint64_t id)
{
        struct server *server = &a->server;

        for (size_t i = 0; i < server->n_images; i++)
                if (server->images[i].id == id) {
                        free(server->images[i].reference);
                        server->images[i] = server->images[--server->n_images];
                        return;
                }
}

static void learn_pipe(struct alter *a, uint32_t id)
{
        struct opened *grown = reallocarray(a->opened, a->n_opened + 1, sizeof(*grown));

        a->server.n_numbered++;
        if (!grown)
                return;
        a->opened = grown;
        grown[a->n_opened++] = (struct opened){id, a->server.n_numbered};
}

/* What a successful answer changes in the session. */
static void learn(struct alter *a, struct json_object *reply, uint32_t pipe_id)
{
        const struct method *method = a->asked.method ? method_find(a->asked.method) : NULL;
        uint64_t id;

        if (a->reply.n_fds > 0)
                learn_pipe(a, pipe_id);
        if (!method)
                return;
        if (method->id == METHOD_INITIALIZE)
                a->server.initialized = true;
        else if (method->value == VALUE_IMAGE || method->value == VALUE_IMAGE_OPTIONAL) {
                if (json_get_uint(member(reply, "value"), JSON_INTEGER_MAX, &id) && id > 0)
                        learn_image(a, id);
        } else if (method->id == METHOD_CLOSE_IMAGE) {
                forget_image(a, a->asked.image_id);
        }
}

/* The server's text as the rule changes its members; what is no object is changed by nothing but raw text. */
static int change_text(const struct alter *a, struct json_object *reply, const struct rule_do *rule, char **ret,
                       size_t *ret_len)
{
        struct json_object *more CLEANUP(cleanup_json) = NULL;
        char *names CLEANUP(cleanup_free) = rule->remove ? strdup(rule->remove) : NULL;
        char *at = NULL;

        if ((!rule->merge && !rule->remove) || !json_object_is_type(reply, json_type_object)) {
                *ret = malloc(a->reply.len + 1);
                if (!*ret)
                        return -ENOMEM;
                memcpy(*ret, a->reply.data, a->reply.len + 1);
                *ret_len = a->reply.len;
                return 0;
        }
        if (rule->merge && json_parse(rule->merge, strlen(rule->merge), 64, &more, NULL) == 0 &&
            json_object_is_type(more, json_type_object)) {
                json_object_object_foreach (more, key, value)
                        json_object_object_add(reply, key, json_object_get(value));
        }
        for (const char *name = names ? strtok_r(names, " ", &at) : NULL; name; name = strtok_r(NULL, " ", &at))
                json_object_object_del(reply, name);
        return json_format_go(reply, ret, ret_len);
}

static struct kept *keep_act(struct alter *a, const struct rule_do *rule, struct json_object *reply)
{
        struct kept *kept = calloc(1, sizeof(*kept));
        size_t len = 0;

        if (!kept)
                return NULL;
        kept->act = *rule;
        if (!rule->reply.data) {
                if (change_text(a, reply, rule, &kept->text, &len) < 0) {
                        free(kept);
                        return NULL;
                }
                kept->act.reply = (struct bytes){kept->text, len};
        }
        kept->act.merge = kept->act.remove = NULL;
        kept->next = a->kept;
        a->kept = kept;
        return kept;
}

/* Gives the answer the server's descriptors, and pipes of ours where their data are changed. */
static void change_fds(struct alter *a, const struct rule_do *rule, uint32_t id, struct answer *answer)
{
        for (size_t i = 0; i < a->reply.n_fds && i < ARRAY_SIZE(answer->fds); i++)
                answer->fds[answer->n_fds++] = steal_fd(&a->reply.fds[i]);
        if (answer->n_fds > 0 && (rule->data || (rule->errors && answer->n_fds > 1)))
                answer->pipe = change_pipe(a, &answer->fds[0], id);
        if (!answer->pipe)
                return;
        answer->pipe->verdict_number = verdict_pipe(a->server.verdict, id);
        if (answer->n_fds > 1)
                answer->errors = change_pipe(a, &answer->fds[1], id);
        if (answer->errors) {
                answer->pipe->closes_when_done = answer->errors->closes_when_done = true;
                answer->pipe->error_pipe = answer->errors;
                answer->errors->held = true;
                answer->errors->number = 0;
        }
}

/* A failure in the place of the server's answer, with an error code where the server has them. */
static void refuse_instead(struct alter *a, const struct rule_do *rule, struct json_object *reply)
{
        struct answer answer = {0};

        a->server.b.omits_error_code = !member(reply, "error_code");
        answer_refuse(&answer, rule);
        answer_send(&a->server, &answer, rule);
}

static void change_answer(struct alter *a, const struct rule *rule, struct json_object *reply, uint32_t id)
{
        struct kept *kept = rule->act.fail ? NULL : keep_act(a, &rule->act, reply);
        struct answer answer = {.success = true, .pipeid = id};

        if (rule->act.fail) {
                refuse_instead(a, &rule->act, reply);
        } else if (kept) {
                change_fds(a, &rule->act, id, &answer);
                answer_send(&a->server, &answer, &kept->act);
        }
        packet_clear(&a->reply);
        a->has_reply = false;
}

/* How the changed pipe ended is a part of FinishPipe's answer. Returns whether that is all of it. */
static bool finish_changed_pipe(struct alter *a, struct answer *ret)
{
        struct pipe *pipe = a->finishing;
        bool failed = pipe && pipe->error;

        if (failed)
                answer_fail(ret, pipe->code, "%s", pipe->error);
        if (pipe)
                drop_pipe(a, pipe);
        a->finishing = NULL;
        return failed;
}

/* The answer to the request is there. */
static void answered(struct alter *a)
{
        struct json_object *reply CLEANUP(cleanup_json) = NULL;
        struct answer failure = {0};
        const struct rule *rule;
        uint64_t id = 0;
        bool failed, success;

        (void)json_parse(a->reply.data, a->reply.len, 64, &reply, NULL);
        (void)json_get_uint(member(reply, "pipeid"), UINT32_MAX, &id);
        failed = finish_changed_pipe(a, &failure);
        success = !failed && json_object_get_boolean(member(reply, "success"));
        if (success)
                learn(a, reply, (uint32_t)id);
        a->asked.outcome = success ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
        rule = match(a, &a->asked);
        if (rule)
                fired(a, rule);
        if (failed) {
                packet_clear(&a->reply);
                a->has_reply = false;
                answer_send(&a->server, &failure, rule ? &rule->act : NULL);
        } else if (rule) {
                change_answer(a, rule, reply, (uint32_t)id);
        } else {
                verdict_answer(a->server.verdict, success);
                a->passes = true;
        }
        answer_clear(&failure);
        request_ends(a);
}

/* Hands the server's packet on as it is, behind all that waits. */
static void pass_on(struct alter *a)
{
        int r;

        if (!a->passes || a->server.out)
                return;
        r = packet_send(a->server.socket, a->reply.data, a->reply.len, a->reply.fds, a->reply.n_fds);
        if (r == -EAGAIN)
                return;
        a->passes = a->has_reply = false;
        packet_clear(&a->reply);
}

static void server_says(struct alter *a)
{
        struct pollfd poll_fd = {.fd = a->up, .events = POLLRDHUP};
        struct answer answer = {.success = true};
        int r = packet_receive(a->up, &a->reply, NULL);

        if (r == -EAGAIN)
                return;
        if (r == 1) {
                a->has_reply = true;
                a->passes = !a->awaits;
        } else if (r == 0 && poll(&poll_fd, 1, 0) == 0) {
                answer_send(&a->server, &answer, &empty_answer);
        } else {
                fd_clear(&a->up);
                if (!a->server.out && !a->passes)
                        (void)shutdown(a->server.socket, SHUT_RDWR);
        }
}

/* ---- the ends ---- */

/* The client is gone: the server is to know, also one that waits for its data to be read. */
static void client_gone(struct alter *a)
{
        a->client_ended = true;
        fd_clear(&a->up);
        for (struct feed *feed = a->feeds; feed; feed = feed->next)
                fd_clear(&feed->from);
}

static void client_ends(struct alter *a)
{
        struct pollfd poll_fd = {.fd = a->server.socket, .events = POLLRDHUP};
        bool hung_up = poll(&poll_fd, 1, 0) == 1;

        happens(a, hung_up ? EVENT_END_OF_INPUT : EVENT_EMPTY_PACKET, 0);
        if (hung_up ? a->server.b.ignores_end_of_input : a->server.b.ignores_empty_packet) {
                a->client_ended = hung_up;
                return;
        }
        if (a->server.ended)
                return;
        a->server.ended_by = hung_up ? "end-of-input" : "empty-packet";
        if (hung_up && (poll_fd.revents & POLLHUP))
                client_gone(a);
        else if (hung_up)
                (void)shutdown(a->up, SHUT_WR);
        else
                (void)packet_send(a->up, "", 0, NULL, 0);
        a->client_ended = hung_up;
}

static void client_says(struct alter *a)
{
        int r = packet_receive(a->server.socket, &a->server.packet, NULL);

        if (r == 1)
                client_asks(a);
        else if (r != -EAGAIN)
                client_ends(a);
}

static void child_ends(struct alter *a)
{
        if (child_wait(a->child, (struct deadline){0}, &a->status) < 0)
                return;
        a->child_ended = true;
        child_reap(a->child);
}

static void pass_signal(struct alter *a)
{
        struct signalfd_siginfo info;

        if (read(a->server.signals, &info, sizeof(info)) != sizeof(info) || a->server.ignores_signals)
                return;
        if (!a->child_ended && child_pid(a->child) > 0)
                (void)kill(child_pid(a->child), (int)info.ssi_signo);
        if (a->child_ended)
                a->server.ended = true;
}

/* ---- the loop ---- */

/* The fixed part of what is polled; pipes and feeds follow. */
enum {
        POLL_CLIENT,
        POLL_SERVER,
        POLL_CHILD,
        POLL_SIGNALS,
        POLL_STDERR,
        POLL_FIXED,
};

static bool may_ask(const struct alter *a)
{
        return !a->to_send && !a->awaits && !a->has_reply && !a->server.out && !a->server.stopped_reading &&
               !a->server.input_ended && !a->client_ended && a->up >= 0;
}

static bool wants_room(const struct alter *a)
{
        return a->server.out ? outgoing_wake_ns(&a->server) == 0 : a->passes;
}

static int timeout_ms(const struct alter *a)
{
        uint64_t wake = outgoing_wake_ns(&a->server), now = monotonic_ns();

        if (!a->server.out || wake == 0)
                wake = UINT64_MAX;
        if (verdict_wake_ns(a->server.verdict) < wake)
                wake = verdict_wake_ns(a->server.verdict);
        for (const struct pipe *pipe = a->server.pipes; pipe; pipe = pipe->next)
                if (!pipe->done && pipe->wake_ns && pipe->wake_ns < wake)
                        wake = pipe->wake_ns;
        if (wake == UINT64_MAX)
                return -1;
        return wake <= now ? 0 : (int)((wake - now + 999999) / 1000000);
}

static size_t fill_polls(const struct alter *a, struct pollfd *polls)
{
        uint64_t now = monotonic_ns();
        size_t n = POLL_FIXED;

        polls[POLL_CLIENT] = (struct pollfd){.fd = a->client_ended ? -1 : a->server.socket,
                                             .events = may_ask(a)      ? POLLIN
                                                       : wants_room(a) ? POLLOUT
                                                                       : 0};
        polls[POLL_SERVER] = (struct pollfd){.fd = a->to_send || !a->has_reply ? a->up : -1,
                                             .events = a->to_send ? POLLIN | POLLOUT : POLLIN};
        if (a->has_reply)
                polls[POLL_SERVER].events = POLLOUT;
        polls[POLL_CHILD] =
                (struct pollfd){.fd = a->child_ended ? -1 : child_pidfd(a->child), .events = POLLIN};
        polls[POLL_SIGNALS] = (struct pollfd){.fd = a->server.signals, .events = POLLIN};
        polls[POLL_STDERR] = (struct pollfd){.fd = a->server.flood ? STDERR_FILENO : -1, .events = POLLOUT};
        for (const struct pipe *pipe = a->server.pipes; pipe; pipe = pipe->next)
                if (pipe_wants_room(pipe, now))
                        polls[n++] = (struct pollfd){.fd = pipe->write_fd, .events = POLLOUT};
        for (const struct feed *feed = a->feeds; feed; feed = feed->next)
                if (feed_wants(feed))
                        polls[n++] = (struct pollfd){.fd = feed->from, .events = POLLIN};
        return n;
}

/* What of a flood stderr takes now. */
static void write_flood(struct server *server)
{
        char text[4096];
        size_t len = server->flood < sizeof(text) ? (size_t)server->flood : sizeof(text);
        ssize_t n;

        memset(text, 'x', sizeof(text));
        for (size_t i = 79; i < sizeof(text); i += 80)
                text[i] = '\n';
        n = write(STDERR_FILENO, text, len);
        if (n < 0 && errno != EINTR)
                server->flood = 0;
        else if (n > 0)
                server->flood -= (uint64_t)n;
}

/* What can be done without waiting for an event. */
static void progress(struct alter *a)
{
        pump(a);
        if (a->server.ended)
                return;
        if (!outgoing_flush(&a->server))
                return;
        if (a->to_send && a->up >= 0)
                send_request(a);
        if (a->has_reply && a->awaits && !(a->finishing && !a->finishing->done))
                answered(a);
        pass_on(a);
        if (a->server.input_ended && a->up >= 0) /* a rule has closed the client's socket */
                client_gone(a);
        verdict_write(a->server.verdict, false);
}

/* Whether the server's end can be passed on: nothing of it is on its way that the client could take now. */
static bool is_over(const struct alter *a)
{
        struct pollfd said = {.fd = a->up, .events = POLLIN};

        if (a->server.ended)
                return true;
        if (!a->child_ended || a->server.out || a->passes || (a->has_reply && a->awaits && !a->client_ended) ||
            (a->up >= 0 && !a->client_ended && poll(&said, 1, 0) > 0))
                return false;
        for (const struct feed *feed = a->feeds; feed; feed = feed->next) {
                struct pollfd more = {.fd = feed->from, .events = POLLIN};

                if (feed_wants(feed) && poll(&more, 1, 0) > 0)
                        return false;
        }
        for (const struct pipe *pipe = a->server.pipes; pipe; pipe = pipe->next) {
                struct pollfd room = {.fd = pipe->write_fd, .events = POLLOUT};

                if (pipe_wants_room(pipe, monotonic_ns()) && poll(&room, 1, 0) > 0)
                        return false;
        }
        return true;
}

static int step(struct alter *a, struct pollfd **polls, struct cip_error *error)
{
        size_t n = POLL_FIXED;
        struct pollfd *grown;

        for (const struct pipe *pipe = a->server.pipes; pipe; pipe = pipe->next)
                n++;
        for (const struct feed *feed = a->feeds; feed; feed = feed->next)
                n++;
        grown = reallocarray(*polls, n, sizeof(*grown));
        if (!grown)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot hand packets on");
        *polls = grown;
        n = fill_polls(a, grown);
        if (poll(grown, n, timeout_ms(a)) < 0 && errno != EINTR)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot wait for packets");
        if (grown[POLL_SIGNALS].revents)
                pass_signal(a);
        if (grown[POLL_STDERR].revents)
                write_flood(&a->server);
        if (grown[POLL_SERVER].revents & (POLLIN | POLLHUP) && !a->has_reply)
                server_says(a);
        if (grown[POLL_CLIENT].revents & POLLIN && may_ask(a))
                client_says(a);
        else if (grown[POLL_CLIENT].revents & (POLLHUP | POLLERR) && !a->client_ended)
                client_gone(a);
        if (grown[POLL_CHILD].revents)
                child_ends(a);
        return 0;
}

/* ---- start and end ---- */

static int start(struct alter *a, const struct alteration *alteration, struct cip_error *error)
{
        const struct scenario *scenario = alteration->scenario;
        struct server *server = &a->server;
        struct verdict_start begin = {.scenario = scenario->name,
                                      .emulate = scenario->emulate ? scenario->emulate : EMULATE_DEFAULT,
                                      .seed = alteration->seed,
                                      .rules = scenario->rules,
                                      .n_rules = scenario->n_rules};
        sigset_t set;

        a->options = (struct options){.emulation = scenario->emulation, .seed = alteration->seed};
        server->options = &a->options;
        server->b = scenario->with;
        server->rules = scenario->rules;
        server->n_rules = scenario->n_rules;
        server->states = calloc(scenario->n_rules + 1, sizeof(*server->states));
        server->buffer = malloc(PIPE_CHUNK);
        if (!server->states || !server->buffer)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot hand packets on");
        if (alteration->verdict) {
                int r = verdict_new(alteration->verdict, &begin, &server->verdict, error);

                if (r < 0)
                        return r;
        }
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGQUIT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot wait for signals");
        server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (server->signals < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot wait for signals");
        return 0;
}

static void clear(struct alter *a)
{
        struct server *server = &a->server;

        while (server->pipes)
                drop_pipe(a, server->pipes);
        while (server->out) {
                struct outgoing *next = server->out->next;

                outgoing_free(server->out);
                server->out = next;
        }
        outgoing_free(server->kept);
        while (a->feeds) {
                struct feed *next = a->feeds->next;

                fd_close(a->feeds->from);
                free(a->feeds);
                a->feeds = next;
        }
        while (a->kept) {
                struct kept *next = a->kept->next;

                free(a->kept->text);
                free(a->kept);
                a->kept = next;
        }
        request_clear(&a->request);
        free(a->forward);
        packet_free(&a->reply);
        packet_free(&server->packet);
        images_free(server);
        verdict_free(server->verdict);
        free(server->states);
        free(server->buffer);
        free(a->opened);
        fd_close(server->signals);
        fd_close(server->socket);
        fd_close(a->up);
        child_free(a->child);
}

int alter_run(struct alteration *alteration, int *ret_status, struct cip_error *error)
{
        struct alter a = {
                .server = {.socket = alteration->client, .is_stream = alteration->stream, .signals = -1},
                .scenario = alteration->scenario,
                .up = alteration->server,
                .child = alteration->child};
        struct pollfd *polls CLEANUP(cleanup_free) = NULL;
        int r;

        signal(SIGPIPE, SIG_IGN);
        r = start(&a, alteration, error);
        if (r == 0) {
                happens(&a, EVENT_START, 0);
                progress(&a);
        }
        while (r == 0 && !is_over(&a)) {
                r = step(&a, &polls, error);
                progress(&a);
        }
        if (r == 0) {
                *ret_status = a.server.ended ? W_EXITCODE(a.server.status & 0xff, 0) : a.status;
                if (a.server.ended || WIFEXITED(a.status))
                        session_ended(&a.server, a.server.ended_by ? a.server.ended_by : "exit",
                                      WEXITSTATUS(*ret_status));
                else
                        session_ended(&a.server, "signal", 128 + WTERMSIG(a.status));
        }
        clear(&a);
        return r;
}
