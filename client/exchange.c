/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests out, replies in, and the one place where a session waits. Replies are matched to requests by their
 * order. While it waits it watches all there is to watch: the socket, the server's life, its stderr, the cancel
 * descriptor, the pipes of the blobs that are read, and the deadlines.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/fd.h"
#include "client/session.h"

/* ---- calls and answers ---- */

void answer_clear(struct answer *answer)
{
        reply_clear(&answer->reply);
        free(answer->text);
        fd_close(answer->fds[0]);
        fd_close(answer->fds[1]);
        *answer = (struct answer)ANSWER_NONE;
}

void call_free(struct call *call)
{
        if (call->blob)
                call->blob->call = NULL;
        free(call->what);
        free(call->text);
        free(call);
}
DEFINE_CLEANUP(struct call *, call_free);

void call_abandon(struct call *call)
{
        call->blob = NULL;
        call->owner = NULL;
        call->on_answer = NULL;
}

int refusal_error(const char *what, enum error_code code, const char *words, struct cip_error *error)
{
        static_assert((int)CIP_CODE_EPIPE == (int)ERROR_CODE_EPIPE &&
                              (int)CIP_CODE_RETRYABLE == (int)ERROR_CODE_RETRYABLE &&
                              (int)CIP_CODE_OTHER == (int)ERROR_CODE_OTHER,
                      "the codes have the same numbers");

        error_set(error, CIP_ERROR_REMOTE, -EREMOTEIO, "%s: %s", what, words);
        if (error)
                error->code = (int)code;
        return -EREMOTEIO;
}

/* ---- requests ---- */

static int new_call(const char *method, struct json_object *args, const char *subject, struct call **ret)
{
        CLEANUP(cleanup_call_free) struct call *call = calloc(1, sizeof(*call));
        CLEANUP(cleanup_json) struct json_object *list = args ? json_object_get(args) : json_object_new_array();

        if (!call || !list)
                return -ENOMEM;
        call->method = method_find(method);
        if (asprintf(&call->what, "%s%s%s", method, subject ? " " : "", subject ? subject : "") < 0) {
                call->what = NULL;
                return -ENOMEM;
        }
        if (request_format(method, list, &call->text, &call->len) < 0)
                return -ENOMEM;
        *ret = STEAL(call);
        return 0;
}

/* Sends what is not sent yet, as far as the socket takes it. */
static int flush_calls(struct cip_session *session)
{
        for (struct call *call = session->first; call; call = call->next) {
                int r;

                if (!call->text)
                        continue;
                if (session->server_ended)
                        return session_break_ended(session);
                r = packet_send(session->socket, call->text, call->len, NULL, 0);
                if (r == -EAGAIN)
                        return 0;
                if (r == -EPIPE || r == -ECONNRESET) {
                        session->server_ended = true;
                        return session_break_ended(session);
                }
                if (r < 0)
                        return session_break(session, CIP_ERROR_LOCAL, r, "%s: cannot send the request: %s",
                                             call->what, strerrordesc_np(-r));
                SESSION_LOG(session, transcript_packet, ">", call->text, call->len, NULL, 0);
                free(call->text);
                call->text = NULL;
        }
        return 0;
}

static int give_reason(const struct cip_session *session, int r, struct cip_error *error)
{
        if (r < 0 && error)
                *error = session->reason;
        return r;
}

int session_submit(struct cip_session *session, const char *method, struct json_object *args,
                   const char *subject, struct call **ret, struct cip_error *error)
{
        struct call *call;
        int r = session_check(session, error);

        if (r < 0)
                return r;
        r = new_call(method, args, subject, &call);
        if (r < 0) {
                error_set_errno(error, CIP_ERROR_LOCAL, r, "%s", method);
                return r;
        }
        if (call->len > PACKET_REQUEST_MAX) {
                error_set(error, CIP_ERROR_LOCAL, -EMSGSIZE,
                          "%s: a request of %zu bytes is more than the %d that a server reads", method,
                          call->len, PACKET_REQUEST_MAX);
                call_free(call);
                return -EMSGSIZE;
        }
        if (session->last) {
                session->last->next = call;
        } else {
                session->first = call;
                call->since = monotonic_ns();
        }
        session->last = call;
        r = flush_calls(session);
        if (r < 0)
                return give_reason(session, r, error);
        if (ret)
                *ret = call;
        return 0;
}

/* ---- replies ---- */

static struct call *pop_call(struct cip_session *session)
{
        struct call *call = session->first;

        session->first = call->next;
        if (session->first)
                session->first->since = monotonic_ns();
        else
                session->last = NULL;
        return call;
}

/* Takes the descriptors out of the packet. Only read ends of pipes may have come. */
static int take_fds(struct cip_session *session, struct answer *answer)
{
        struct packet *packet = &session->packet;
        const char *what = session->first->what;

        if (packet->n_fds > ARRAY_SIZE(answer->fds))
                return session_break(session, CIP_ERROR_PROTOCOL, -EBADMSG,
                                     "%s: %zu descriptors came with the reply", what, packet->n_fds);
        for (size_t i = 0; i < packet->n_fds; i++) {
                const char *kind = fd_kind(packet->fds[i]);
                int r;

                if (strcmp(kind, "pipe-read") != 0)
                        return session_break(session, CIP_ERROR_PROTOCOL, -EBADMSG,
                                             "%s: a descriptor came that is not the read end of a pipe (%s)",
                                             what, kind);
                r = fd_set_nonblocking(packet->fds[i], true);
                if (r < 0)
                        return session_break(session, CIP_ERROR_LOCAL, r, "%s: cannot use the pipe", what);
                answer->fds[i] = steal_fd(&packet->fds[i]);
        }
        return 0;
}

static int read_answer(struct cip_session *session, struct answer *answer)
{
        struct packet *packet = &session->packet;
        struct call *call = session->first;
        struct cip_error error = {0};
        int r = reply_parse(packet->data, packet->len, &answer->reply, &error);

        if (r == 0)
                r = reply_check(&answer->reply, call->method, session->version, packet->n_fds, &error);
        /* A refusal in a wrong form has a reason all the same. */
        if (r == -EBADMSG && answer->reply.error && *answer->reply.error)
                error_append(&error, "; the server says: %s", answer->reply.error);
        if (r == -ENOMEM)
                return session_break(session, CIP_ERROR_LOCAL, r, "%s: out of memory", call->what);
        if (r < 0)
                return session_break(session, CIP_ERROR_PROTOCOL, r, "%s: %s", call->what, error.message);
        answer->text = strndup(packet->data, packet->len);
        if (!answer->text)
                return session_break(session, CIP_ERROR_LOCAL, -ENOMEM, "%s: out of memory", call->what);
        return take_fds(session, answer);
}

/* Nobody asks for this one any more: a pipe that came is closed, and finished so that the server forgets it. */
static int clean_up_after(struct cip_session *session, struct answer *answer)
{
        CLEANUP(cleanup_json) struct json_object *args = NULL;
        uint32_t pipeid = answer->reply.pipeid;

        answer_clear(answer);
        if (pipeid == 0)
                return 0;
        args = json_object_new_array();
        json_add_item(args, json_object_new_uint64(pipeid));
        if (args && session_submit(session, "FinishPipe", args, NULL, NULL, NULL) == 0)
                return 0;
        return session->broken ? session->reason.errnum
                               : session_break(session, CIP_ERROR_LOCAL, -ENOMEM, "FinishPipe: out of memory");
}

static int deal_with_packet(struct cip_session *session)
{
        CLEANUP_ANSWER struct answer answer = ANSWER_NONE;
        struct packet *packet = &session->packet;
        struct call *call = session->first;
        int r;

        SESSION_LOG(session, transcript_packet, "<", packet->data, packet->len, packet->fds, packet->n_fds);
        if (!call || call->text || (call->method && call->method->value == VALUE_NO_REPLY))
                return session_break(session, CIP_ERROR_PROTOCOL, -EBADMSG,
                                     "%s sent a reply that nothing asked for", session->name);
        r = read_answer(session, &answer);
        if (r < 0)
                return r;
        call = pop_call(session);
        /* From here on the blob, if there is one, has no call under way. */
        if (call->blob)
                call->blob->call = NULL;
        if (call->on_answer)
                r = call->on_answer(call, &answer);
        else
                r = clean_up_after(session, &answer);
        call->blob = NULL;
        call_free(call);
        return r;
}

/* Whether something is under way that the server's end leaves undone. Shutdown is answered by it. */
static bool awaits_reply(const struct cip_session *session)
{
        const struct call *call = session->first;

        return call && !(call->method && call->method->value == VALUE_NO_REPLY);
}

/* Takes in all packets that are there, also those that a server sent before it ended. */
static int receive_all(struct cip_session *session)
{
        bool reset = false;

        while (!session->server_ended) {
                struct cip_error error = {0};
                int r = packet_receive(session->socket, &session->packet, &error);

                if (r == -EAGAIN)
                        return 0;
                if (r == -ECONNRESET && !reset) {
                        /* It ended with requests unread. Its replies to those before come behind this error. */
                        reset = true;
                        continue;
                }
                if (r == 0 || r == -ECONNRESET) {
                        session->server_ended = true;
                        break;
                }
                if (r < 0)
                        return session_break(session, r == -EBADMSG ? CIP_ERROR_PROTOCOL : CIP_ERROR_LOCAL, r,
                                             "a reply could not be received: %s", error.message);
                r = deal_with_packet(session);
                packet_clear(&session->packet);
                /* A packet too many can wait until the next time. */
                if (r < 0 || !session->first)
                        return r;
        }
        return awaits_reply(session) ? session_break_ended(session) : 0;
}

/* ---- waiting ---- */

/* Which descriptor a place in the poll list is for. */
enum place {
        PLACE_SOCKET,
        PLACE_PROCESS,
        PLACE_CANCEL,
        PLACE_STDERR,
        PLACE_EXTRA,
        PLACE_BLOBS, /* from here on the waited blobs' two each, then those that hold up the server */
};

static int need_pollfds(struct cip_session *session, const struct wait *wait)
{
        size_t n = PLACE_BLOBS + 2 * wait->n_blobs;
        struct pollfd *grown;

        for (const struct cip_blob *blob = session->blobs; blob; blob = blob->next)
                n++;
        if (n <= session->n_pollfds)
                return 0;
        grown = reallocarray(session->pollfds, n, sizeof(*grown));
        if (!grown)
                return session_break(session, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        session->pollfds = grown;
        session->n_pollfds = n;
        return 0;
}

static bool is_waited_for(const struct wait *wait, const struct cip_blob *blob)
{
        for (size_t i = 0; i < wait->n_blobs; i++)
                if (wait->blobs[i] == blob)
                        return true;
        return false;
}

static bool wants_answer(const struct wait *wait)
{
        bool wants = wait->for_answer;

        for (size_t i = 0; i < wait->n_blobs; i++)
                wants |= wait->blobs[i]->call != NULL;
        return wants;
}

/* Whether the server must be relieved of this blob's data so that what is waited for can come. */
static bool is_in_the_way(const struct wait *wait, const struct cip_blob *blob)
{
        return wants_answer(wait) && blob_holds_up(blob) && !is_waited_for(wait, blob);
}

static size_t fill_pollfds(const struct cip_session *session, const struct wait *wait)
{
        struct pollfd *pollfds = session->pollfds;
        bool unsent = session->last && session->last->text;
        size_t n = PLACE_BLOBS;

        pollfds[PLACE_SOCKET] = (struct pollfd){session->server_ended ? -1 : session->socket,
                                                (short)(POLLIN | (unsent ? POLLOUT : 0)), 0};
        pollfds[PLACE_PROCESS] = (struct pollfd){
                session->child && !session->server_ended ? child_pidfd(session->child) : -1, POLLIN, 0};
        pollfds[PLACE_CANCEL] = (struct pollfd){session->cancel_fd, POLLIN, 0};
        pollfds[PLACE_STDERR] =
                (struct pollfd){session->child ? child_stderr_fd(session->child) : -1, POLLIN, 0};
        pollfds[PLACE_EXTRA] = (struct pollfd){wait->fd, wait->events, 0};
        for (size_t i = 0; i < wait->n_blobs; i++) {
                pollfds[n++] = (struct pollfd){wait->blobs[i]->data_fd, POLLIN, 0};
                pollfds[n++] = (struct pollfd){wait->blobs[i]->error_fd, POLLIN, 0};
        }
        for (const struct cip_blob *blob = session->blobs; blob; blob = blob->next)
                if (is_in_the_way(wait, blob))
                        pollfds[n++] = (struct pollfd){blob->data_fd, POLLIN, 0};
        return n;
}

struct deadline session_answer_deadline(const struct cip_session *session)
{
        const struct call *call = session->first;
        uint64_t ms;

        if (!call)
                return DEADLINE_NEVER;
        /* FinishPipe takes as long as data flows. */
        ms = call->method && call->method->id == METHOD_FINISH_PIPE ? session->stall_timeout_ms
                                                                    : session->request_timeout_ms;
        if (ms == 0 || ms > (UINT64_MAX - call->since) / 1000000)
                return DEADLINE_NEVER;
        return (struct deadline){call->since + ms * 1000000};
}

static int break_late(struct cip_session *session)
{
        const struct call *call = session->first;
        bool finish = call->method && call->method->id == METHOD_FINISH_PIPE;
        uint64_t ms = finish ? session->stall_timeout_ms : session->request_timeout_ms;

        return session_break(session, CIP_ERROR_TRANSPORT, -ETIMEDOUT, "%s: %s for %g seconds", call->what,
                             finish ? "no answer and no data came" : "no answer came", (double)ms / 1000);
}

/* Breaks the session where a deadline of those that were waited for has passed. */
static int check_deadlines(struct cip_session *session, const struct wait *wait)
{
        if (wants_answer(wait) && deadline_passed(session_answer_deadline(session)))
                return break_late(session);
        for (size_t i = 0; i < wait->n_blobs; i++)
                if (deadline_passed(blob_deadline(wait->blobs[i])))
                        return blob_break_stalled(wait->blobs[i]);
        return 0;
}

static struct deadline next_deadline(const struct cip_session *session, const struct wait *wait)
{
        struct deadline next = wait->until;

        if (wants_answer(wait))
                next = deadline_min(next, session_answer_deadline(session));
        for (size_t i = 0; i < wait->n_blobs; i++) {
                next = deadline_min(next, blob_deadline(wait->blobs[i]));
                next = deadline_min(next, blob_wake(wait->blobs[i]));
        }
        return next;
}

static int break_cancelled(struct cip_session *session)
{
        return session_break(session, CIP_ERROR_LOCAL, -ECANCELED, "cancelled");
}

/* Deals with what poll found. */
static int deal_with_events(struct cip_session *session, const struct wait *wait, size_t n)
{
        const struct pollfd *pollfds = session->pollfds;
        size_t place = PLACE_BLOBS + 2 * wait->n_blobs;
        int r = 0;

        if (pollfds[PLACE_CANCEL].revents)
                return break_cancelled(session);
        if (pollfds[PLACE_STDERR].revents)
                child_read_stderr(session->child);
        for (struct cip_blob *blob = session->blobs; blob && r == 0 && place < n; blob = blob->next)
                if (blob->data_fd >= 0 && blob->data_fd == pollfds[place].fd && pollfds[place++].revents)
                        r = blob_spill(blob);
        if (r == 0 && (pollfds[PLACE_SOCKET].revents || pollfds[PLACE_PROCESS].revents))
                r = receive_all(session);
        if (r == 0 && pollfds[PLACE_PROCESS].revents && !session->server_ended) {
                /* It is gone, though somebody else may still hold its socket. */
                session->server_ended = true;
                if (awaits_reply(session))
                        r = session_break_ended(session);
        }
        return r;
}

/* One round of flushing, polling and dealing with what happened. */
static int wait_round(struct cip_session *session, const struct wait *wait)
{
        size_t n;
        int events;
        int r = need_pollfds(session, wait);

        if (r == 0)
                r = flush_calls(session);
        if (r < 0)
                return r;
        n = fill_pollfds(session, wait);
        events = poll(session->pollfds, n, deadline_poll_ms(next_deadline(session, wait)));
        if (events < 0 && errno != EINTR)
                return session_break(session, CIP_ERROR_LOCAL, -errno, "poll: %s", strerrordesc_np(errno));
        if (events <= 0)
                return check_deadlines(session, wait);
        r = deal_with_events(session, wait, n);
        if (r == 0 && events == (session->pollfds[PLACE_STDERR].revents != 0))
                r = check_deadlines(session, wait);
        return r;
}

int session_wait(struct cip_session *session, const struct wait *wait, struct cip_error *error)
{
        int r = session_check(session, error);

        return r < 0 ? r : give_reason(session, wait_round(session, wait), error);
}

int session_check_cancel(struct cip_session *session, struct cip_error *error)
{
        struct pollfd pollfd = {.fd = session->cancel_fd, .events = POLLIN};
        int r = session_check(session, error);

        if (r < 0 || session->cancel_fd < 0 || poll(&pollfd, 1, 0) <= 0)
                return r;
        return give_reason(session, break_cancelled(session), error);
}

/* ---- a call that is waited for ---- */

struct asked {
        struct answer *answer;
        bool done;
};

static int take_answer(struct call *call, struct answer *answer)
{
        struct asked *asked = call->owner;

        *asked->answer = *answer;
        *answer = (struct answer)ANSWER_NONE;
        asked->done = true;
        return 0;
}

int session_call(struct cip_session *session, const char *method, struct json_object *args, const char *subject,
                 struct answer *ret, struct cip_error *error)
{
        CLEANUP_ANSWER struct answer answer = ANSWER_NONE;
        struct asked asked = {.answer = &answer};
        struct wait wait = {.for_answer = true, .until = DEADLINE_NEVER, .fd = -1};
        struct call *call;
        int r = session_submit(session, method, args, subject, &call, error);

        if (r < 0)
                return r;
        call->owner = &asked;
        call->on_answer = take_answer;
        while (!asked.done) {
                r = session_wait(session, &wait, error);
                /* Broken, the session has forgotten the call. */
                if (r < 0)
                        return r;
        }
        if (!answer.reply.success)
                r = refusal_error(method, answer.reply.error_code, answer.reply.error, error);
        *ret = answer;
        answer = (struct answer)ANSWER_NONE;
        return r;
}
