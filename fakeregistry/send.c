/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending an answer, as a rule wants it. What a well-formed answer can carry is changed before libmicrohttpd
 * gets it; how it is sent (when, how fast, how far) is decided where it asks for the next bytes of the body;
 * what it would never send is written past it. Every connection has a thread, so that waiting here holds up
 * nobody else; each wait ends when the client leaves, when the registry is stopped, and when the patience of
 * its limits is used up.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "fakeregistry/serve.h"

/* Bytes that are read at once. */
#define BLOCK ((size_t)64 * 1024)

/* ---- waiting ---- */

static int connection_fd(const struct registry_exchange *exchange)
{
        const union MHD_ConnectionInfo *info = http_library()->MHD_get_connection_info(
                exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

        return info ? info->connect_fd : -1;
}

/* Returns 0 when the time is over; -ECANCELED: the registry is stopped; -ECONNRESET: the client has left. */
static int wait_ms(struct registry_exchange *exchange, uint64_t ms)
{
        struct deadline deadline;
        struct pollfd fds[] = {
                {.fd = exchange->registry->stop_fd, .events = POLLIN},
                {.fd = connection_fd(exchange), .events = POLLRDHUP},
        };
        int n;

        if (ms > exchange->patience_ms)
                ms = exchange->patience_ms;
        exchange->patience_ms -= ms;
        deadline = deadline_in_ms(ms);
        /* Our waiting is no silence of the client: without this the connection would count as idle. */
        (void)http_library()->MHD_set_connection_option(exchange->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                                        0U);
        do {
                n = poll(fds, ARRAY_SIZE(fds), deadline_poll_ms(deadline));
        } while (n < 0 && errno == EINTR);
        (void)http_library()->MHD_set_connection_option(exchange->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                                        (unsigned)exchange->registry->config.limits.idle_s);
        if (n <= 0)
                return n < 0 ? -errno : 0;
        if (fds[0].revents)
                exchange->record.end = REGISTRY_END_STOPPED;
        return fds[0].revents ? -ECANCELED : -ECONNRESET;
}

/* ---- the body ---- */

/* Ends the connection at once, so that the client sees a reset. */
static void reset(struct registry_exchange *exchange)
{
        const struct sockaddr nothing = {.sa_family = AF_UNSPEC};

        (void)connect(connection_fd(exchange), &nothing, sizeof(nothing));
}

static ssize_t cut(struct registry_exchange *exchange)
{
        exchange->record.end = REGISTRY_END_CUT;
        if (exchange->act.cut.reset)
                reset(exchange);
        return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* How many bytes may be sent from @at on until something happens. */
static size_t until_next(const struct registry_exchange *exchange, uint64_t at, size_t max)
{
        const struct registry_act *act = &exchange->act;
        uint64_t most = exchange->answer.length - at;

        if (most > max)
                most = max;
        if (act->cut.there && act->cut.after > at && act->cut.after - at < most)
                most = act->cut.after - at;
        if (act->stall.there && !exchange->stalled && act->stall.after > at && act->stall.after - at < most)
                most = act->stall.after - at;
        /* Twenty pieces a second. */
        if (act->bytes_per_s && act->bytes_per_s / 20 < most)
                most = act->bytes_per_s / 20 ? act->bytes_per_s / 20 : 1;
        return (size_t)most;
}

/* Waits until it is time for the byte at @at. */
static int drip(struct registry_exchange *exchange, uint64_t at)
{
        uint64_t due_ms = at * 1000 / exchange->act.bytes_per_s, now = monotonic_ns();

        if (!exchange->started_ns)
                exchange->started_ns = now;
        due_ms += exchange->started_ns / 1000000;
        now /= 1000000;
        return due_ms > now && exchange->patience_ms > 0 ? wait_ms(exchange, due_ms - now) : 0;
}

static int stall(struct registry_exchange *exchange)
{
        const struct registry_stall *how = &exchange->act.stall;

        exchange->stalled = true;
        return wait_ms(exchange, how->for_ms ? how->for_ms : UINT64_MAX);
}

/* Reads a piece of the body, which the rule may have corrupted. */
static ssize_t read_piece(struct registry_exchange *exchange, uint64_t offset, char *to, size_t len)
{
        const struct registry_number *corrupt = &exchange->act.corrupt_at;
        ssize_t n = registry_content_read(&exchange->answer.content, offset, to, len);

        if (n > 0 && corrupt->there && corrupt->value >= offset && corrupt->value < offset + (uint64_t)n)
                to[corrupt->value - offset] ^= 0x01;
        return n;
}

static ssize_t send_piece(void *cls, uint64_t at, char *to, size_t max)
{
        struct registry_exchange *exchange = cls;
        const struct registry_act *act = &exchange->act;
        ssize_t n;

        if (at >= exchange->answer.length)
                return MHD_CONTENT_READER_END_OF_STREAM;
        if (act->stall.there && !exchange->stalled && at >= act->stall.after) {
                if (stall(exchange) < 0)
                        return MHD_CONTENT_READER_END_WITH_ERROR;
                if (act->stall.then_close)
                        return cut(exchange);
        }
        if (act->cut.there && at >= act->cut.after)
                return cut(exchange);
        if (act->bytes_per_s && drip(exchange, at) < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        n = read_piece(exchange, exchange->answer.offset + at, to, until_next(exchange, at, max));
        if (n < 0)
                return MHD_CONTENT_READER_END_WITH_ERROR;
        exchange->record.bytes += (uint64_t)n;
        return n;
}

/* ---- what the rule changes ---- */

static int redirect(struct registry_exchange *exchange)
{
        const struct registry_redirect *how = &exchange->act.redirect;
        const struct registry_endpoint *endpoint =
                how->listener ? registry_find_endpoint(exchange->registry, how->listener) : exchange->endpoint;
        unsigned status = exchange->act.status ? exchange->act.status : 307;
        CLEANUP(cleanup_free) char *base = registry_base_url(endpoint);
        CLEANUP(cleanup_free) char *url = NULL;
        int r;

        if (!base || asprintf(&url, "%s%s", base, how->path ? how->path : exchange->record.path) < 0) {
                url = NULL;
                return -ENOMEM;
        }
        r = registry_answer_error(&exchange->answer, status, NULL, NULL);
        registry_content_clear(&exchange->answer.content);
        exchange->answer.length = 0;
        if (r < 0)
                return r;
        return registry_answer_header(&exchange->answer, "Location", how->location ? how->location : url) &&
                               registry_answer_header(&exchange->answer, "Content-Type", NULL)
                       ? 0
                       : -ENOMEM;
}

/* The status and all that belongs to it. */
static int change_status(struct registry_exchange *exchange)
{
        const struct registry_act *act = &exchange->act;
        int r = 0;

        if (act->expire_token && *exchange->record.token) {
                registry_access_void(exchange->registry->access, exchange->record.token);
                exchange->verdict = REGISTRY_INVALID_TOKEN;
                r = registry_answer_refuse(exchange);
        }
        if (r < 0)
                return r;
        if (act->redirect.there)
                return redirect(exchange);
        if (act->status < 400 && act->status) {
                exchange->answer.status = act->status;
                return 0;
        }
        if (!act->status)
                return 0;
        r = registry_answer_error(&exchange->answer, act->status, act->code, act->message);
        return r == 0 && act->status == 401 ? registry_answer_challenge(exchange) : r;
}

static int change_content(struct registry_exchange *exchange)
{
        const struct registry_act *act = &exchange->act;
        struct registry_answer *answer = &exchange->answer;
        int r = 0;

        if (act->serve && answer->status < 300)
                r = registry_answer_serve(exchange, act->serve);
        if (r < 0 && r != -ENOMEM)
                r = registry_answer_error(answer, 500, NULL,
                                          "the rule serves what the repository does not have");
        if (act->body) {
                registry_content_clear(&answer->content);
                answer->content.text = strdup(act->body);
                answer->content.size = strlen(act->body);
                r = answer->content.text ? 0 : -ENOMEM;
        }
        if (act->truncate_to.there && act->truncate_to.value < answer->content.size)
                answer->content.size = act->truncate_to.value;
        if (act->lengthen_by) {
                /* Text ends where it ends; what stands behind it comes from the store's reader. */
                char *longer = answer->content.text && act->lengthen_by < (1U << 24)
                                       ? calloc(1, answer->content.size + act->lengthen_by)
                                       : NULL;

                if (longer) {
                        memcpy(longer, answer->content.text, answer->content.size);
                        free(answer->content.text);
                        answer->content.text = longer;
                }
                if (longer || !answer->content.text)
                        answer->content.size += act->lengthen_by;
        }
        answer->offset = 0;
        answer->length = answer->content.size;
        return r;
}

static int change_headers(struct registry_exchange *exchange)
{
        const struct registry_act *act = &exchange->act;
        bool changed =
                !act->media_type || registry_answer_header(&exchange->answer, "Content-Type", act->media_type);

        for (size_t i = 0; i < act->n_headers; i++)
                changed &=
                        registry_answer_header(&exchange->answer, act->headers[i].name, act->headers[i].value);
        return changed ? 0 : -ENOMEM;
}

/* The part that was asked for. */
static int apply_range(struct registry_exchange *exchange)
{
        struct registry_answer *answer = &exchange->answer;
        const char *range =
                http_library()->MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Range");
        uint64_t size = answer->content.size;
        char text[100];
        int r;

        if (!range || !answer->ranges || answer->status != 200 || exchange->act.ignore_range)
                return 0;
        r = registry_range_parse(range, size, &answer->offset, &answer->length);
        if (r == -ERANGE) {
                snprintf(text, sizeof(text), "bytes */%" PRIu64, size);
                r = registry_answer_error(answer, 416, NULL, NULL);
                return r == 0 && registry_answer_header(answer, "Content-Range", text) ? 0 : -ENOMEM;
        }
        if (r == 0)
                return 0;
        answer->status = 206;
        snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, answer->offset,
                 answer->offset + answer->length - 1, size);
        return registry_answer_header(answer, "Content-Range", text) ? 0 : -ENOMEM;
}

static int change(struct registry_exchange *exchange)
{
        int r = change_status(exchange);

        if (r == 0)
                r = change_content(exchange);
        if (r == 0)
                r = apply_range(exchange);
        return r < 0 ? r : change_headers(exchange);
}

/* ---- past libmicrohttpd ---- */

static ssize_t write_some(struct registry_exchange *exchange, const char *data, size_t len)
{
        const union MHD_ConnectionInfo *info = http_library()->MHD_get_connection_info(
                exchange->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        ssize_t n;

        if (!info || !info->tls_session) {
                n = send(connection_fd(exchange), data, len, MSG_NOSIGNAL);
                return n < 0 ? -errno : n;
        }
        n = http_library()->gnutls_record_send(info->tls_session, data, len);
        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
                return -EAGAIN;
        return n < 0 ? -EIO : n;
}

/* A few hundred bytes, which a socket takes at once. */
static void write_by_hand(struct registry_exchange *exchange, const char *data, size_t len)
{
        struct deadline deadline = deadline_in_ms(10000);

        while (len > 0) {
                ssize_t n = write_some(exchange, data, len);

                if (n == -EAGAIN)
                        n = wait_fd(connection_fd(exchange), POLLOUT, deadline) < 0 ? -EIO : 0;
                if (n < 0)
                        return;
                data += n;
                len -= (size_t)n;
        }
}

static char *head_text(const struct registry_answer *answer)
{
        char *text = NULL;
        size_t len = 0;
        FILE *stream = open_memstream(&text, &len);

        if (!stream)
                return NULL;
        fprintf(stream, "HTTP/1.1 %u %s\r\n", answer->status,
                http_library()->MHD_get_reason_phrase_for(answer->status));
        for (size_t i = 0; i < answer->n_headers; i++)
                fprintf(stream, "%s: %s\r\n", answer->headers[i].name, answer->headers[i].value);
        fprintf(stream, "Content-Length: %" PRIu64 "\r\n\r\n", answer->length);
        return memstream_close(stream, &text);
}

/* Raw bytes, or a part of the head. Then the connection is closed. */
static enum MHD_Result send_by_hand(struct registry_exchange *exchange)
{
        const struct registry_act *act = &exchange->act;
        CLEANUP(cleanup_free) char *head = act->raw ? NULL : head_text(&exchange->answer);
        const char *text = act->raw ? act->raw : head;
        size_t len = text ? strlen(text) : 0;

        if (act->cut.there && act->cut.in_headers && act->cut.after < len)
                len = act->cut.after;
        write_by_hand(exchange, text, len);
        exchange->sent = true;
        exchange->record.end = REGISTRY_END_CUT;
        exchange->record.status = act->raw ? 0 : exchange->answer.status;
        if (act->cut.reset)
                reset(exchange);
        return MHD_NO;
}

/* ---- all of it ---- */

static bool add_headers(struct MHD_Response *response, const struct registry_answer *answer)
{
        bool added = true;

        for (size_t i = 0; i < answer->n_headers; i++)
                added &= http_library()->MHD_add_response_header(response, answer->headers[i].name,
                                                                 answer->headers[i].value) == MHD_YES;
        return added;
}

/*
 * A false Content-Length: the true one is kept from libmicrohttpd, which then ends the body with the
 * connection.
 */
static bool set_false_length(struct MHD_Response *response, uint64_t length)
{
        const enum MHD_ResponseFlags flags =
                MHD_RF_INSANITY_HEADER_CONTENT_LENGTH | MHD_RF_HTTP_1_0_COMPATIBLE_STRICT;
        char text[30];

        snprintf(text, sizeof(text), "%" PRIu64, length);
        return http_library()->MHD_set_response_options(response, flags, MHD_RO_END) == MHD_YES &&
               http_library()->MHD_add_response_header(response, "Content-Length", text) == MHD_YES;
}

enum MHD_Result registry_send(struct registry_exchange *exchange)
{
        const struct registry_act *act = &exchange->act;
        const struct registry_number *false_length = &act->content_length;
        struct MHD_Response *response;
        enum MHD_Result queued = MHD_NO;

        if (change(exchange) < 0 || (act->delay_ms && wait_ms(exchange, act->delay_ms) < 0))
                return MHD_NO;
        if (act->raw || (act->cut.there && act->cut.in_headers))
                return send_by_hand(exchange);
        response = http_library()->MHD_create_response_from_callback(
                false_length->there ? MHD_SIZE_UNKNOWN : exchange->answer.length, BLOCK, send_piece, exchange,
                NULL);
        if (!response)
                return MHD_NO;
        exchange->record.status = exchange->answer.status;
        if (add_headers(response, &exchange->answer) &&
            (!false_length->there || set_false_length(response, false_length->value)))
                queued = http_library()->MHD_queue_response(exchange->connection, exchange->answer.status,
                                                            response);
        http_library()->MHD_destroy_response(response);
        return queued;
}
