/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one poll over the socket and the pipes that are being filled. Requests are served one at a
 * time, in order, and not while a reply waits to be sent or FinishPipe waits for its writer; pipes go on all the
 * while. Nothing that a client does ends it but its going, or what skopeo would end of too.
 */
#include "fakeproxy/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "fakeproxy/go.h"

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
                bool known = !strcasecmp(key, "method") || !strcasecmp(key, "args");
                bool exact = !strcmp(key, "method") || !strcmp(key, "args");

                if (server->b.refuses_unknown_keys && !known)
                        return "json: unknown field";
                if (server->b.matches_keys_exactly && known && !exact)
                        return "json: missing field";
                has_args |= value && !strcasecmp(key, "args");
        }
        return server->b.refuses_missing_args && !has_args ? "json: missing args" : NULL;
}

/* Reads the request that the packet holds. Returns 0, or a negative errno with @error. */
static int parse(struct server *server, size_t len, struct request *ret, struct cip_error *error)
{
        char *data = server->packet.data;
        struct json_object *object CLEANUP(cleanup_json) = NULL;
        const struct behaviours *b = &server->b;
        const char *fault;
        int r;

        if (b->first_key_wins) {
                hide_second_key(data, len, "\"method\"");
                hide_second_key(data, len, "\"args\"");
        }
        if (b->accepts_trailing_text)
                len = first_value_len(data, len);
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
}

/* FinishPipe has to wait: a rule may have something to say. */
static void finish_waits(struct server *server)
{
        const struct rule_packet event = {
                .event = EVENT_FINISH_WAIT, .initialized = server->initialized, .serial = ++server->n_events};
        const struct rule *rule = rules_match(server->rules, server->n_rules, server->states, &event);

        if (rule)
                rule_act(server, &rule->act);
}

/* A packet that is no request. */
static void refuse(struct server *server, const char *why, struct answer *answer)
{
        if (server->b.panics_on_garbage)
                go_panic(PANIC_OTHER);
        if (server->b.ends_on_garbage)
                server_end(server, 1);
        answer->none = server->b.ends_on_garbage || server->b.ignores_garbage;
        answer_fail(answer, ERROR_CODE_OTHER, "invalid request: %s", why);
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
        const struct rule *rule = rules_match(server->rules, server->n_rules, server->states, &packet);
        struct answer answer = {0};

        if (rule && rule->act.no_execution) {
                answer_send(server, &answer, &rule->act);
                return;
        }
        if (rule && rule->act.become_first)
                behaviours_add(&server->b, rule->act.become_first);
        if (wrong)
                refuse(server, wrong, &answer);
        else
                method_execute(server, request, &answer);
        packet.outcome = answer.success || answer.later ? OUTCOME_SUCCESS : OUTCOME_FAILURE;
        rule = rules_match(server->rules, server->n_rules, server->states, &packet);
        leak_for_failure(server, &answer);
        if (answer.later && !rule) {
                finish_waits(server);
                return;
        }
        if (answer.later) {
                for (struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                        pipe->finish_waits = false;
                answer.success = true;
                answer.later = false;
        }
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
                rule_act(server, &rule->act);
                if (server->ended)
                        return;
        }
        if (!hung_up && server->b.ignores_empty_packet)
                return;
        if (hung_up && server->b.ignores_end_of_input)
                server->input_ended = true;
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

        for (struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (is_writable(server, pipe, waits, now))
                        progress |= pipe_pump(pipe, server->buffer);
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

                        finish_pipe(server, pipe, &answer);
                        answer_send(server, &answer, NULL);
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
        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                if (!pipe->done && pipe->wake_ns && pipe->wake_ns < wake)
                        wake = pipe->wake_ns;
        if (wake == UINT64_MAX || wake == 0)
                return -1;
        return wake <= now ? 0 : (int)((wake - now + 999999) / 1000000);
}

/* Waits for an event. Returns those of the socket. */
static short wait_for_events(struct server *server, bool waits)
{
        struct pollfd *fds CLEANUP(cleanup_free) = NULL;
        struct pollfd few[16];
        struct pollfd *all = few;
        uint64_t now = server->pipes ? monotonic_ns() : 0;
        nfds_t n = 1, room = ARRAY_SIZE(few);
        bool sees_socket = !server->input_ended;

        few[0] = (struct pollfd){.fd = sees_socket ? server->socket : -1};
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
        return all[0].revents;
}

static void loop(struct server *server)
{
        while (!server->ended) {
                bool progress = server->pipes && pump_all(server), waits;
                short events;

                answer_finished(server);
                reap_pipes(server);
                if (server->input_ended && all_done(server) && !server->b.ignores_end_of_input) {
                        server->b.waits_for_pipes_at_end = false;
                        server_end(server, 0);
                }
                if (server->ended || !outgoing_flush(server))
                        break;
                waits = server->pipes && finish_is_waited_for(server);
                events = wait_for_events(server, waits);
                if (events & POLLIN)
                        receive_and_serve(server);
                else if (events & (POLLHUP | POLLERR) && !progress && !server->b.ignores_end_of_input) {
                        /* Nobody is left to take the reply that is due. */
                        if (!server->stopped_reading)
                                go_log("fatal", "writing to socket: write unixpacket @: sendmsg: broken pipe");
                        server_end(server, server->stopped_reading ? 0 : 1);
                }
        }
}

/* ---- start and end ---- */

static void leave_file(void)
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

static void start_faults(struct server *server)
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
                rule_act(server, &rule->act);
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
        images_free(server);
        packet_free(&server->packet);
        free(server->buffer);
        free(server->states);
        fd_close(server->socket);
}

int server_run(const struct options *options, int take_socket)
{
        struct server server = {.socket = take_socket, .options = options, .b = options->emulation.behaviours};
        int type = 0;
        socklen_t len = sizeof(type);

        if (options->fault) {
                behaviours_add(&server.b, &options->fault->with);
                server.rules = options->fault->rules;
                server.n_rules = options->fault->n_rules;
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
        } else {
                start_faults(&server);
                loop(&server);
        }
        server_clear(&server);
        return server.status;
}
