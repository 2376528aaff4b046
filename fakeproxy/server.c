/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one poll over the socket and the pipes that are being filled. Requests are served one at a
 * time, in order, and not while a reply waits to be sent or FinishPipe waits for its writer; pipes go on all the
 * while. Nothing that a client does ends it but its going, or what skopeo would end of too.
 */
#include "fakeproxy/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "fakeproxy/go.h"
#include "fakeproxy/hoard.h"

void server_end(struct server *server, int status)
{
        uint64_t other = status ? server->b.error_exit_status : server->b.exit_status;

        if (server->b.waits_for_pipes_at_end && status == 0) {
                server->input_ended = true;
                return;
        }
        server->ended = true;
        server->status = other ? (int)other : status;
}

/* ---- reading requests ---- */

/* Fills in the packet from a stream socket, where a read is what comes. As packet_receive in what it returns. */
static int receive_stream(struct server *server)
{
        struct packet *packet = &server->packet;
        ssize_t n;

        packet_clear(packet);
        if (!packet->data) {
                packet->data = malloc(PACKET_REQUEST_MAX + 1);
                if (!packet->data)
                        return -ENOMEM;
                packet->allocated = PACKET_REQUEST_MAX + 1;
        }
        do
                n = recv(server->socket, packet->data, PACKET_REQUEST_MAX, MSG_DONTWAIT);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        packet->len = (size_t)n;
        packet->data[n] = '\0';
        return n > 0;
}

/* Blanks the second of two equal keys, so that the first one wins. */
static void hide_second_key(char *data, size_t len, const char *key)
{
        char *first = memmem(data, len, key, strlen(key));
        char *second = first ? memmem(first + 1, len - (size_t)(first + 1 - data), key, strlen(key)) : NULL;

        if (second)
                second[1] = '_';
}

/* The number of bytes of the first JSON value, where text behind it is ignored. */
static size_t first_value_len(const char *data, size_t len)
{
        struct json_tokener *tokener = json_tokener_new();
        size_t ret = len;

        if (!tokener)
                return len;
        json_object_put(json_tokener_parse_ex(tokener, data, (int)len));
        if (json_tokener_get_error(tokener) == json_tokener_success)
                ret = json_tokener_get_parse_end(tokener);
        json_tokener_free(tokener);
        return ret;
}

/* What a fault has against a request that a faithful server takes; NULL: nothing. */
static const char *fault_in_request(const struct server *server, struct json_object *object)
{
        bool has_args = false;

        if (!json_object_is_type(object, json_type_object))
                return server->b.refuses_invalid_utf8 ? "invalid UTF-8" : NULL;
        json_object_object_foreach (object, key, value) {
                bool known = request_key_is(key, "method") || request_key_is(key, "args");
                bool exact = !strcmp(key, "method") || !strcmp(key, "args");

                if (server->b.refuses_unknown_keys && !known)
                        return "json: unknown field";
                if (server->b.matches_keys_exactly && known && !exact)
                        return "json: missing field";
                has_args |= value && request_key_is(key, "args");
        }
        return server->b.refuses_missing_args && !has_args ? "json: missing args" : NULL;
}

/* Reads the request that the packet holds. Returns 0, or a negative errno with @error. */
static int parse(struct server *server, size_t len, struct request *ret, struct cip_error *error)
{
        char *data = server->packet.data;
        struct json_object *object CLEANUP(cleanup_json) = NULL;
        char *problem CLEANUP(cleanup_free) = NULL;
        const struct behaviours *b = &server->b;
        const char *fault;
        int r;

        if (b->first_key_wins) {
                hide_second_key(data, len, "\"method\"");
                hide_second_key(data, len, "\"args\"");
        }
        if (b->accepts_trailing_text)
                len = first_value_len(data, len);
        problem = go_json_problem(data, len);
        if (problem)
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "%s", problem);
        r = request_parse(data, len, ret, error);
        if (r < 0)
                return r;
        if (b->nesting_at_most && json_parse(data, len, (int)b->nesting_at_most, &object, error) < 0) {
                request_clear(ret);
                return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "exceeded max depth");
        }
        if (!b->refuses_invalid_utf8 && !b->refuses_unknown_keys && !b->matches_keys_exactly &&
            !b->refuses_missing_args)
                return 0;
        if (!object)
                (void)json_parse(data, len, 10000, &object, NULL);
        fault = fault_in_request(server, object);
        if (!fault)
                return 0;
        request_clear(ret);
        return error_set(error, CIP_ERROR_PROTOCOL, -EBADMSG, "%s", fault);
}

/* ---- serving one packet ---- */

/* What came with it: closed at once, unless a fault keeps them. False: it ends the server. */
static bool drop_descriptors(struct server *server)
{
        struct packet *packet = &server->packet;

        if (packet->n_fds > 0 && server->b.dies_of_received_fds) {
                server_end(server, 1);
                return false;
        }
        for (size_t i = 0; i < packet->n_fds && !server->b.keeps_received_fds; i++)
                fd_close(packet->fds[i]);
        packet->n_fds = 0;
        return true;
}

static void leak_for_failure(const struct server *server, const struct answer *answer)
{
        int fds[2];

        if (server->b.leaks_per_failure && !answer->success && !answer->later)
                (void)!pipe2(fds, O_CLOEXEC);
        if (server->b.leaks_threads && !answer->success && !answer->later)
                hoard_thread();
}

static void rule_fired(struct server *server, const struct rule *rule)
{
        size_t i = (size_t)(rule - server->rules);

        server->states[i].fired++;
        verdict_fired(server->verdict, i);
}

static void act_on_event(struct server *server, const struct rule *rule)
{
        rule_fired(server, rule);
        rule_act(server, &rule->act);
}

/* The number of the pipe that FinishPipe's argument names; 0: none. */
static unsigned pipe_number(const struct server *server, struct json_object *args)
{
        uint64_t id;

        if (!json_get_uint(json_object_array_get_idx(args, 0), UINT32_MAX, &id) || id == 0)
                return 0;
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (pipe->id == id)
                        return pipe->number;
        return 0;
}

/* What a request is about, as rules ask it. */
static void find_subject(const struct server *server, const struct request *request, struct rule_packet *packet)
{
        const struct method *method = method_find(request->method);
        struct json_object *first = json_object_array_get_idx(request->args, 0);

        if (!method || method->n_arguments == 0)
                return;
        if (method->arguments[0] == ARGUMENT_REFERENCE && json_object_is_type(first, json_type_string))
                packet->image = json_object_get_string(first);
        if (method->arguments[0] == ARGUMENT_PIPE)
                packet->pipe = pipe_number(server, request->args);
        if (method->arguments[0] != ARGUMENT_IMAGE ||
            !json_get_uint(first, JSON_INTEGER_MAX, &packet->image_id))
                return;
        for (size_t i = 0; i < server->n_images; i++)
                if (server->images[i].id == packet->image_id)
                        packet->image = server->images[i].reference;
}

/* FinishPipe has to wait: a rule may have something to say. */
static void finish_waits(struct server *server, unsigned pipe)
{
        const struct rule_packet event = {.event = EVENT_FINISH_WAIT,
                                          .initialized = server->initialized,
                                          .pipe = pipe,
                                          .serial = ++server->n_events};
        const struct rule *rule = rules_match(server->rules, server->n_rules, server->states, &event);

        if (rule)
                act_on_event(server, rule);
}

static void finishing_clear(struct finishing *finishing)
{
        free(finishing->data);
        free(finishing->method);
        json_object_put(finishing->args);
        *finishing = (struct finishing){0};
}

/* Copies what rules are to be asked about, as the packet's buffer may be needed before the answer is there. */
static void keep_finishing(struct server *server, const struct rule_packet *packet)
{
        struct finishing *finishing = &server->finishing;

        finishing_clear(finishing);
        if (server->n_rules == 0)
                return;
        finishing->packet = *packet;
        finishing->data = malloc(packet->len + 1);
        finishing->method = strdup(packet->method);
        finishing->args = json_object_get(packet->args);
        if (!finishing->data || !finishing->method) {
                finishing_clear(finishing);
                return;
        }
        memcpy(finishing->data, packet->data, packet->len);
        finishing->packet.data = finishing->data;
        finishing->packet.method = finishing->method;
}

/* The rule that acts on the answer to a FinishPipe that has waited. */
static const struct rule *match_finished(struct server *server, const struct answer *answer)
{
        struct finishing *finishing = &server->finishing;
        const struct rule *rule;

        if (!finishing->data)
                return NULL;
        finishing->packet.outcome = answer->success ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
        rule = rules_match(server->rules, server->n_rules, server->states, &finishing->packet);
        finishing_clear(finishing);
        if (rule)
                rule_fired(server, rule);
        return rule;
}

/* Whether a rule answers without the request being carried out. */
static bool is_in_place(const struct rule *rule, const struct request *request)
{
        return rule->act.no_execution ||
               (rule->act.fail && !rule->when.outcome && strcmp(request->method, "FinishPipe") != 0);
}

/* A packet that is no request. */
static void refuse(struct server *server, const char *why, struct answer *answer)
{
        if (server->b.panics_on_garbage) {
                session_ended(server, "exit", 2);
                go_panic(PANIC_OTHER);
        }
        if (server->b.ends_on_garbage)
                server_end(server, 1);
        answer->none = server->b.ends_on_garbage || server->b.ignores_garbage;
        answer_fail(answer, ERROR_CODE_OTHER, "invalid request: %s", why);
}

/* Lets the loop end when all that waits to be sent, and pauses, have gone. */
static void end_later(struct server *server)
{
        server->ending = true;
        server->input_ended = true;
}

static void serve_request(struct server *server, struct request *request, const char *wrong, size_t n_fds)
{
        struct rule_packet packet = {.data = server->packet.data,
                                     .len = server->packet.len,
                                     .n_fds = n_fds,
                                     .number = server->n_packets,
                                     .serial = ++server->n_events,
                                     .method = wrong ? NULL : request->method,
                                     .args = request->args,
                                     .initialized = server->initialized};
        const struct rule *rule;
        struct answer answer = {0};

        if (!wrong)
                find_subject(server, request, &packet);
        rule = rules_match(server->rules, server->n_rules, server->states, &packet);
        if (rule && is_in_place(rule, request)) {
                rule_fired(server, rule);
                answer_refuse(&answer, &rule->act);
                answer_send(server, &answer, &rule->act);
                return;
        }
        if (rule && rule->act.become_first)
                behaviours_add(&server->b, rule->act.become_first);
        if (wrong)
                refuse(server, wrong, &answer);
        else
                method_execute(server, request, &answer);
        if (answer.later) {
                keep_finishing(server, &packet);
                finish_waits(server, packet.pipe);
                return;
        }
        packet.outcome = answer.success ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
        rule = rules_match(server->rules, server->n_rules, server->states, &packet);
        if (rule)
                rule_fired(server, rule);
        if (rule)
                answer_refuse(&answer, &rule->act);
        if (rule && server->ended && (rule->act.delay_ms || rule->act.delay_after_ms)) {
                server->ended = false;
                end_later(server);
        }
        leak_for_failure(server, &answer);
        if (server->b.leak_per_request)
                hoard_memory(&server->hoard, server->b.leak_per_request);
        answer_send(server, &answer, rule ? &rule->act : NULL);
}

static void serve(struct server *server)
{
        struct request request CLEANUP(cleanup_request) = {0};
        struct packet *packet = &server->packet;
        size_t n_fds = packet->n_fds;
        size_t at_most = server->b.request_buffer ? server->b.request_buffer : PACKET_REQUEST_MAX;
        struct cip_error error = {0};
        int r;

        server->n_packets++;
        if (!drop_descriptors(server))
                return;
        r = parse(server, packet->len < at_most ? packet->len : at_most, &request, &error);
        verdict_call(server->verdict, r == 0 ? request.method : "", n_fds);
        if (server->options->debug && r == 0)
                go_log("debug", "Executing method %s", request.method);
        if (server->b.writes_on_stderr)
                fputs("a line on stderr\n", stderr);
        if (server->b.writes_on_stdout)
                (void)!write(STDOUT_FILENO, "a line on stdout\n", 17);
        serve_request(server, &request, r < 0 ? error.message : NULL, n_fds);
        if (server->b.serve_at_most && server->n_packets >= server->b.serve_at_most && !server->ended)
                server_end(server, 1);
}

/* ---- the end of input ---- */

static bool is_hung_up(const struct server *server)
{
        struct pollfd poll_fd = {.fd = server->socket, .events = POLLRDHUP};

        return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

static void input_ends(struct server *server)
{
        bool hung_up = is_hung_up(server);
        const struct rule_packet event = {.event = hung_up ? EVENT_END_OF_INPUT : EVENT_EMPTY_PACKET,
                                          .initialized = server->initialized,
                                          .serial = ++server->n_events};
        const struct rule *rule = rules_match(server->rules, server->n_rules, server->states, &event);

        if (rule) {
                act_on_event(server, rule);
                if (server->ended)
                        return;
        }
        if (!hung_up && server->b.ignores_empty_packet)
                return;
        if (hung_up && server->b.ignores_end_of_input) {
                server->input_ended = true;
                return;
        }
        server->ended_by = hung_up ? "end-of-input" : "empty-packet";
        if (server->out)
                end_later(server);
        else
                server_end(server, 0);
}

/* Throws away what waits behind the packet that was just received. */
static void drop_pipelined(struct server *server)
{
        struct packet more = {0};

        while (!server->is_stream && packet_receive(server->socket, &more, NULL) == 1)
                ;
        packet_free(&more);
}

static void receive_and_serve(struct server *server)
{
        struct cip_error error = {0};
        int r = server->is_stream ? receive_stream(server)
                                  : packet_receive(server->socket, &server->packet, &error);

        if (r == -EAGAIN)
                return;
        if (r == 0) {
                input_ends(server);
                return;
        }
        if (r == -EBADMSG) { /* descriptors that did not fit: the data is lost with them */
                struct answer answer = {0};

                refuse(server, error.message, &answer);
                answer_send(server, &answer, NULL);
                return;
        }
        if (r < 0) {
                go_log("fatal", "reading socket: read unixpacket @->@: recvfrom: %s", strerrordesc_np(-r));
                server_end(server, 1);
                return;
        }
        if (server->b.drops_pipelined_requests)
                drop_pipelined(server);
        serve(server);
}

/* ---- the loop ---- */

static bool finish_is_waited_for(const struct server *server)
{
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (pipe->finish_waits)
                        return true;
        return false;
}

static bool may_serve(const struct server *server, bool waits)
{
        return !server->ended && !server->input_ended && !server->stopped_reading && !server->out &&
               (!waits || server->b.serves_while_finishing);
}

static bool all_done(const struct server *server)
{
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (!pipe->done)
                        return false;
        return true;
}

/* Takes pipes that have ended by themselves out of the list. */
static void reap_pipes(struct server *server)
{
        struct pipe **link = &server->pipes;

        while (*link && !server->out) {
                struct pipe *pipe = *link;

                if (!pipe->done || pipe->id || pipe->write_fd >= 0) {
                        link = &pipe->next;
                        continue;
                }
                for (struct pipe *other = server->pipes; other; other = other->next)
                        if (other->error_pipe == pipe)
                                other->error_pipe = NULL;
                *link = pipe->next;
                pipe_seen(server, pipe);
                pipe_free(pipe);
        }
}

/* Pipes that may be written now: not all, where a fault says so. */
static bool is_writable(const struct server *server, const struct pipe *pipe, bool waits, uint64_t now)
{
        if (server->b.stops_writing_while_finishing && waits)
                return false;
        if (server->b.writes_one_pipe_at_a_time)
                for (const struct pipe *before = server->pipes; before != pipe; before = before->next)
                        if (!before->done)
                                return false;
        return pipe_wants_room(pipe, now);
}

/* Writes what goes. True: something went. */
static bool pump_all(struct server *server)
{
        bool waits = finish_is_waited_for(server), progress = false;
        uint64_t now = monotonic_ns();

        for (struct pipe *pipe = server->pipes; pipe; pipe = pipe->next) {
                uint64_t mib = pipe->written >> 20;

                if (is_writable(server, pipe, waits, now))
                        progress |= pipe_pump(pipe, server->buffer);
                if (server->b.leak_per_mib && pipe->written >> 20 > mib)
                        hoard_memory(&server->hoard, ((pipe->written >> 20) - mib) * server->b.leak_per_mib);
        }
        return progress;
}

/* Answers FinishPipe where the writer is done. */
static void answer_finished(struct server *server)
{
        struct pipe *pipe = server->pipes;

        while (pipe && !server->ended) {
                struct pipe *next = pipe->next;

                if (pipe->finish_waits && (server->b.finish_waits_for_all ? all_done(server) : pipe->done)) {
                        struct answer answer = {0};
                        const struct rule *rule;

                        finish_pipe(server, pipe, &answer);
                        rule = match_finished(server, &answer);
                        if (rule)
                                answer_refuse(&answer, &rule->act);
                        answer_send(server, &answer, rule ? &rule->act : NULL);
                }
                pipe = next;
        }
}

/* Milliseconds until something is to be done without an event; -1: never. */
static int timeout_ms(const struct server *server)
{
        uint64_t wake = outgoing_wake_ns(server), now = monotonic_ns();

        if (server->b.spins)
                return 0;
        if (wake == 0)
                wake = UINT64_MAX; /* it waits for room in the socket */
        if (verdict_wake_ns(server->verdict) < wake)
                wake = verdict_wake_ns(server->verdict);
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (!pipe->done && pipe->wake_ns && pipe->wake_ns < wake)
                        wake = pipe->wake_ns;
        if (wake == UINT64_MAX)
                return -1;
        return wake <= now ? 0 : (int)((wake - now + 999999) / 1000000);
}

/* Brings the verdict up to date, and writes it where that is due or @now. */
static void update_verdict(struct server *server, bool now)
{
        if (!server->verdict || (!now && verdict_wake_ns(server->verdict) > monotonic_ns()))
                return;
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                pipe_seen(server, pipe);
        verdict_images(server->verdict, server->n_images);
        verdict_write(server->verdict, now);
}

void session_answers(struct server *server)
{
        if (verdict_is_small(server->verdict))
                update_verdict(server, true);
}

void session_ended(struct server *server, const char *ended, int status)
{
        update_verdict(server, true);
        verdict_end(server->verdict, ended, status);
}

/* Writes a line of what goes to stderr, which has room for it. */
static void write_flood(struct server *server)
{
        static const char line[] = "time=\"2026-01-01T00:00:00Z\" level=debug msg=\"a line of a flood\"\n";
        char text[4096];
        size_t len = server->flood < sizeof(text) ? (size_t)server->flood : sizeof(text);
        ssize_t n;

        for (size_t i = 0; i < len; i++)
                text[i] = line[i % (sizeof(line) - 1)];
        n = write(STDERR_FILENO, text, len);
        if (n < 0 && errno != EINTR)
                server->flood = 0;
        else if (n > 0)
                server->flood -= (uint64_t)n;
}

/* A signal that would have ended the process: it does, with the verdict written. */
static void take_signal(struct server *server)
{
        struct signalfd_siginfo info;

        if (read(server->signals, &info, sizeof(info)) != (ssize_t)sizeof(info) || server->ignores_signals)
                return;
        end_by_signal(server, (int)info.ssi_signo);
}

/*
 * FinishPipe waits for the reader alone: then the released servers do not look at their socket, and stay when it is
 * closed, until the pipe is closed too.
 */
static bool waits_for_reader(const struct server *server)
{
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (pipe->finish_waits && !pipe->step && !pipe->grows && pipe_wants_room(pipe, 0))
                        return true;
        return false;
}

/* Waits for an event. Returns those of the socket. */
static short wait_for_events(struct server *server, bool waits)
{
        struct pollfd *fds CLEANUP(cleanup_free) = NULL;
        struct pollfd few[16];
        struct pollfd *all = few;
        uint64_t now = server->pipes ? monotonic_ns() : 0;
        nfds_t n = 3, room = ARRAY_SIZE(few);
        bool sees_socket = !server->input_ended;

        if (waits && !server->b.serves_while_finishing && waits_for_reader(server))
                sees_socket = false;
        few[0] = (struct pollfd){.fd = sees_socket ? server->socket : -1};
        few[1] = (struct pollfd){.fd = server->signals, .events = POLLIN};
        few[2] = (struct pollfd){.fd = server->flood ? STDERR_FILENO : -1, .events = POLLOUT};
        if (may_serve(server, waits))
                few[0].events = POLLIN;
        else if (server->out && outgoing_wake_ns(server) == 0)
                few[0].events = POLLOUT;
        for (struct pipe *pipe = server->pipes; pipe; pipe = pipe->next) {
                if (!is_writable(server, pipe, waits, now))
                        continue;
                if (n == room) {
                        struct pollfd *grown = reallocarray(fds, room * 2, sizeof(*grown));

                        if (!grown)
                                break;
                        if (!fds)
                                memcpy(grown, few, sizeof(few));
                        all = fds = grown;
                        room *= 2;
                }
                all[n++] = (struct pollfd){.fd = pipe->write_fd, .events = POLLOUT};
        }
        if (poll(all, n, timeout_ms(server)) <= 0)
                return 0;
        if (all[1].revents)
                take_signal(server);
        if (all[2].revents)
                write_flood(server);
        return all[0].revents;
}

/* A step of a pipe may end the process. */
static void end_by_pipe(struct server *server)
{
        for (const struct pipe *pipe = server->pipes; pipe && !server->ended; pipe = pipe->next) {
                if (!pipe->ends_process)
                        continue;
                outgoing_flush(server);
                if (pipe->exit_signal)
                        end_by_signal(server, pipe->exit_signal);
                server->ended = true;
                server->status = pipe->exit_status;
        }
}

/* The client is gone, and something else than reading is under way. */
static void client_gone(struct server *server)
{
        char byte;

        if (server->b.ignores_end_of_input) {
                if (recv(server->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
                        server->input_ended = true;
                return;
        }
        /* Nobody is left to take the reply that is due. */
        if (!server->stopped_reading)
                go_log("fatal", "writing to socket: write unixpacket @: sendmsg: broken pipe");
        server->ended_by = "end-of-input";
        server_end(server, server->stopped_reading ? 0 : 1);
}

static void loop(struct server *server)
{
        while (!server->ended) {
                bool progress = server->pipes && pump_all(server), waits, had_out;
                short events;

                if (progress)
                        verdict_touch(server->verdict);
                end_by_pipe(server);
                answer_finished(server);
                reap_pipes(server);
                update_verdict(server, false);
                if (server->ending && !server->out)
                        server->ended = true;
                if (server->input_ended && !server->out && all_done(server) &&
                    !server->b.ignores_end_of_input) {
                        server->b.waits_for_pipes_at_end = false;
                        server_end(server, 0);
                }
                had_out = server->out != NULL;
                if (server->ended || !outgoing_flush(server))
                        break;
                /* An end may have waited for that alone: then no event will come. */
                if (had_out && !server->out && server->input_ended)
                        continue;
                waits = server->pipes && finish_is_waited_for(server);
                events = wait_for_events(server, waits);
                if (events & POLLIN)
                        receive_and_serve(server);
                else if (events & (POLLHUP | POLLERR) && !progress)
                        client_gone(server);
        }
}

/* ---- start and end ---- */

void leave_file(void)
{
        char path[4096];
        const char *folder = getenv("TMPDIR");
        int fd;

        if (snprintf(path, sizeof(path), "%s/cip-fakeproxy-left-XXXXXX", folder ? folder : "/tmp") >=
            (int)sizeof(path))
                return;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
                close(fd);
}

/* A process that outlives this one, for a minute at most. */
static void leave_child(void)
{
        pid_t pid = fork();

        if (pid != 0)
                return;
        close_range(0, ~0U, 0);
        alarm(60);
        for (;;)
                pause();
}

static void begin_misbehaving(struct server *server)
{
        const struct rule_packet event = {.event = EVENT_START, .serial = ++server->n_events};
        const struct rule *rule;

        if (server->b.stderr_text)
                fputs(server->b.stderr_text, stderr);
        if (server->b.leaves_file)
                leave_file();
        if (server->b.leaves_child)
                leave_child();
        signal(SIGPIPE, server->b.dies_of_sigpipe ? SIG_DFL : SIG_IGN);
        rule = rules_match(server->rules, server->n_rules, server->states, &event);
        if (rule)
                act_on_event(server, rule);
}

static void server_clear(struct server *server)
{
        while (server->pipes) {
                struct pipe *next = server->pipes->next;

                pipe_free(server->pipes);
                server->pipes = next;
        }
        while (server->out) {
                struct outgoing *next = server->out->next;

                outgoing_free(server->out);
                server->out = next;
        }
        outgoing_free(server->kept);
        close_left_open(server);
        hoard_free(server->hoard);
        images_free(server);
        generated_free(server->generated);
        finishing_clear(&server->finishing);
        verdict_free(server->verdict);
        fd_close(server->signals);
        packet_free(&server->packet);
        free(server->buffer);
        free(server->states);
        fd_close(server->socket);
}

/* The verdict from the start on, and signals taken so that it can be finished. False: it cannot be written. */
static bool begin_verdict(struct server *server)
{
        const struct scenario *scenario = server->options->scenario;
        const struct verdict_start start = {.scenario = scenario ? scenario->name : NULL,
                                            .emulate = server->options->emulation_name,
                                            .seed = server->options->seed,
                                            .rules = server->rules,
                                            .n_rules = server->n_rules};
        static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
        struct cip_error error = {0};
        struct sigaction action;
        sigset_t set;

        if (!server->options->verdict)
                return true;
        if (verdict_new(server->options->verdict, &start, &server->verdict, &error) < 0) {
                fprintf(stderr, "cip-fakeproxy: %s\n", error.message);
                return false;
        }
        sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
                if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL)
                        sigaddset(&set, numbers[i]);
        sigprocmask(SIG_BLOCK, &set, NULL);
        server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return true;
}

int server_run(const struct options *options, int take_socket)
{
        struct server server = {
                .socket = take_socket, .signals = -1, .options = options, .b = options->emulation.behaviours};
        int type = 0;
        socklen_t len = sizeof(type);

        if (options->scenario) {
                server.scenario = options->scenario;
                behaviours_add(&server.b, &options->scenario->with);
                server.rules = options->scenario->rules;
                server.n_rules = options->scenario->n_rules;
                if (options->debug)
                        go_log("debug", "Scenario %s, seed %" PRIu64, options->scenario->name, options->seed);
        }
        (void)getsockopt(take_socket, SOL_SOCKET, SO_TYPE, &type, &len);
        server.is_stream = type == SOCK_STREAM;
        if (server.is_stream && server.b.refuses_stream_sockets) {
                fd_close(take_socket);
                return 1;
        }
        server.states = calloc(server.n_rules + 1, sizeof(*server.states));
        server.buffer = malloc(PIPE_CHUNK);
        if (!server.states || !server.buffer) {
                server.status = 1;
        } else if (!begin_verdict(&server)) {
                server.status = 2;
        } else {
                begin_misbehaving(&server);
                loop(&server);
                session_ended(&server, server.ended_by ? server.ended_by : "exit", server.status);
        }
        server_clear(&server);
        return server.status;
}
