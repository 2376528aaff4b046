/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of data: blobs, and the other values that come by pipe. docs/protocol.md#data-pipes
 *
 * A pipe of GetBlob's kind has no end before FinishPipe, and while FinishPipe is under way the server does
 * nothing else. So FinishPipe is sent when all bytes of a known size were read, at once where the size is not
 * known, and when a pipe was silent for a while, as its source may have ended early; reading goes on meanwhile.
 * Where another answer is waited for behind it, the data in its way is put into a file without a name. Both
 * pipes of GetRawBlob end by themselves. Only here is it decided that data is what it should be.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "client/session.h"
#include "image/manifest.h"

/* A pipe's capacity, where the kernel allows it, and the size from which it matters. */
#define PIPE_CAPACITY (1024 * 1024)
#define PIPE_SMALL 65536

/* How long the end of a server may come behind that of its pipes. */
#define DEATH_MS 200

/* The largest text on an error pipe. */
#define ERROR_TEXT_MAX 65536

#define SPILL_CHUNK 16384

/* ---- ends ---- */

static ssize_t blob_outcome(const struct cip_blob *blob, struct cip_error *error)
{
        if (blob->result < 0 && error)
                *error = blob->reason;
        return blob->result;
}

/* As session_submit for this blob's pipe. @on_answer NULL: nobody asks for what it says. */
static int send_finish(struct cip_blob *blob, int (*on_answer)(struct call *, struct answer *))
{
        CLEANUP(cleanup_json) struct json_object *args = json_object_new_array();
        struct call *call;
        int r;

        blob->finish_sent = true;
        json_add_item(args, json_object_new_uint64(blob->pipeid));
        if (!args)
                return session_break(blob->session, CIP_ERROR_LOCAL, -ENOMEM, "FinishPipe: out of memory");
        r = session_submit(blob->session, "FinishPipe", args, blob->what, &call, NULL);
        if (r < 0 && !blob->session->broken)
                return session_break(blob->session, CIP_ERROR_LOCAL, r, "FinishPipe: out of memory");
        if (r < 0 || !on_answer)
                return r;
        call->blob = blob;
        call->on_answer = on_answer;
        blob->call = call;
        return 0;
}

/* Closes the pipes, and lets the server know. */
static void drop_pipes(struct cip_blob *blob)
{
        fd_clear(&blob->data_fd);
        fd_clear(&blob->error_fd);
        fd_clear(&blob->spill_fd);
        if (blob->call) {
                call_abandon(blob->call);
                blob->call = NULL;
        } else if (blob->state == BLOB_PIPED && !blob->finish_sent && !blob->session->broken) {
                send_finish(blob, NULL);
        }
}

static void end_transcript(const struct cip_blob *blob, const char *how)
{
        SESSION_LOG(blob->session, transcript_pipe, blob->what, blob->bytes, blob->digest, how);
}

static int blob_fail(struct cip_blob *blob, enum cip_error_class error_class, int errnum, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* Ends the blob badly; the session goes on. Returns @errnum. */
static int blob_fail(struct cip_blob *blob, enum cip_error_class error_class, int errnum, const char *format,
                     ...)
{
        CLEANUP(cleanup_free) char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                text = NULL;
        va_end(arguments);
        error_set(&blob->reason, error_class, errnum, "%s: %s", blob->what, text ? text : "out of memory");
        blob->result = errnum;
        end_transcript(blob, "failed");
        drop_pipes(blob);
        return errnum;
}

/* The server's own words. */
static int blob_refused(struct cip_blob *blob, enum error_code code, const char *words)
{
        blob_fail(blob, CIP_ERROR_REMOTE, -EREMOTEIO, "%s", words);
        blob->reason.code = (int)code;
        return -EREMOTEIO;
}

static int fail_too_long(struct cip_blob *blob)
{
        return blob_fail(blob, CIP_ERROR_PROTOCOL, -EBADMSG, "more than %" PRId64 " bytes came", blob->size);
}

static bool is_short(const struct cip_blob *blob)
{
        return blob->size >= 0 && blob->bytes < (uint64_t)blob->size;
}

static int check_digest(struct cip_blob *blob)
{
        char found[DIGEST_TEXT_SIZE];
        int r;

        if (!blob->hash)
                return 0;
        r = digest_finish(blob->hash, found);
        if (r < 0)
                return blob_fail(blob, CIP_ERROR_LOCAL, r, "the digest could not be computed");
        if (strcmp(found, blob->digest) != 0)
                return blob_fail(blob, CIP_ERROR_PROTOCOL, -EBADMSG, "the data that came has the digest %s",
                                 found);
        return 0;
}

/*
 * A server that dies closes its pipes, which looks like an end where nothing else tells; its socket follows
 * within a moment. Returns 0 where it lives or where that does not matter.
 */
static int check_alive(struct cip_blob *blob, struct cip_error *error)
{
        struct cip_session *session = blob->session;
        struct wait wait = {.fd = -1};
        int r = 0;

        if (blob->state != BLOB_RAW || !(is_short(blob) || (blob->size < 0 && !blob->hash)))
                return 0;
        wait.until = deadline_in_ms(is_short(blob) ? DEATH_MS : DEATH_MS / 10);
        do
                r = session_wait(session, &wait, error);
        while (r == 0 && !session->server_ended && !deadline_passed(wait.until));
        if (r == 0 && session->server_ended) {
                r = session_break_ended(session);
                if (error)
                        *error = session->reason;
        }
        return r;
}

/* Everything has come, and the server has no complaint: is it what it should be? Ends the blob. */
static int conclude(struct cip_blob *blob, struct cip_error *error)
{
        int r = check_alive(blob, error);

        if (r < 0)
                return r;
        if (is_short(blob))
                r = blob_fail(blob, CIP_ERROR_PROTOCOL, -EBADMSG,
                              "the data ended after %" PRIu64 " of %" PRId64 " bytes", blob->bytes, blob->size);
        else
                r = check_digest(blob);
        if (r == 0) {
                blob->result = 0;
                end_transcript(blob, "eof");
                drop_pipes(blob);
        }
        return (int)blob_outcome(blob, error);
}

/* ---- the server's answers ---- */

static int on_finished(struct call *call, struct answer *answer)
{
        struct cip_blob *blob = call->blob;

        if (answer->reply.success)
                blob->finished = true;
        else
                blob_refused(blob, answer->reply.error_code, answer->reply.error);
        return 0;
}

/* FinishPipe, of which the answer ends the blob. */
static int finish(struct cip_blob *blob)
{
        return blob->finish_sent ? 0 : send_finish(blob, on_finished);
}

static void take_announced_size(struct cip_blob *blob, const struct method *method, struct json_object *value)
{
        int64_t announced;

        if (!method || method->value != VALUE_SIZE)
                return;
        /* A large pipe spares many a wait; where the kernel refuses one, nothing is lost. */
        announced = json_object_get_int64(value);
        if (announced < 0 || announced > PIPE_SMALL)
                fcntl(blob->data_fd, F_SETPIPE_SZ, PIPE_CAPACITY);
        if (announced < 0)
                return;
        if (blob->size < 0)
                blob->size = announced;
        else if (blob->size != announced)
                blob_fail(blob, CIP_ERROR_PROTOCOL, -EBADMSG,
                          "the server says that it has %" PRId64 " bytes, not %" PRId64, announced, blob->size);
}

static int on_opened(struct call *call, struct answer *answer)
{
        struct cip_blob *blob = call->blob;

        blob->data_fd = steal_fd(&answer->fds[0]);
        blob->error_fd = steal_fd(&answer->fds[1]);
        blob->pipeid = answer->reply.pipeid;
        blob->answer = *answer;
        *answer = (struct answer)ANSWER_NONE;
        blob->state = blob->error_fd >= 0 ? BLOB_RAW : blob->data_fd >= 0 ? BLOB_PIPED : BLOB_PLAIN;
        if (!blob->answer.reply.success) {
                blob_refused(blob, blob->answer.reply.error_code, blob->answer.reply.error);
                return 0;
        }
        if (blob->state == BLOB_PLAIN) {
                blob->result = 0;
                return 0;
        }
        take_announced_size(blob, call->method, blob->answer.reply.value);
        if (blob->result == 1 && blob->state == BLOB_PIPED && blob->size <= 0)
                return finish(blob);
        return 0;
}

/* ---- data in ---- */

int blob_took(struct cip_blob *blob, const void *data, size_t n, struct cip_error *error)
{
        struct cip_session *session = blob->session;
        int r = 0;

        blob->bytes += n;
        blob->idle_since = 0;
        if (session->first && session->first->blob == blob)
                session->first->since = monotonic_ns();
        if (blob->hash && data)
                r = digest_update(blob->hash, data, n);
        if (r < 0) {
                blob_fail(blob, CIP_ERROR_LOCAL, r, "the digest could not be computed");
                return (int)blob_outcome(blob, error);
        }
        if (blob->state == BLOB_PIPED && blob->size >= 0 && blob->bytes >= (uint64_t)blob->size) {
                r = finish(blob);
                if (r < 0 && error)
                        *error = session->reason;
        }
        return r;
}

/* What was put aside comes first. */
static ssize_t read_spilled(struct cip_blob *blob, void *buffer, size_t size)
{
        uint64_t left = blob->spill_end - blob->spill_start;
        ssize_t n = pread(blob->spill_fd, buffer, size < left ? size : (size_t)left, (off_t)blob->spill_start);

        if (n <= 0)
                return n < 0 ? -errno : -EIO;
        blob->spill_start += (uint64_t)n;
        if (blob->spill_start == blob->spill_end) {
                /* Its room is given back; that this can fail does no harm. */
                if (ftruncate(blob->spill_fd, 0) == 0)
                        blob->spill_start = blob->spill_end = 0;
        }
        return n;
}

/* read(2) of the stream: bytes, 0 at its end, -EAGAIN, or another negative errno. */
static ssize_t read_data(struct cip_blob *blob, void *buffer, size_t size)
{
        ssize_t n;

        if (blob->spill_start < blob->spill_end)
                return read_spilled(blob, buffer, size);
        if (blob->data_fd < 0)
                return 0;
        do
                n = read(blob->data_fd, buffer, size);
        while (n < 0 && errno == EINTR);
        return n < 0 ? -errno : n;
}

/* 1: there is data; 0: the end; -EAGAIN. Nothing is taken. */
static ssize_t peek_data(const struct cip_blob *blob)
{
        struct pollfd pollfd = {.fd = blob->data_fd, .events = POLLIN};

        if (blob->spill_start < blob->spill_end)
                return 1;
        if (blob->data_fd < 0)
                return 0;
        if (poll(&pollfd, 1, 0) <= 0)
                return -EAGAIN;
        /* Only hung up: empty, and nobody is left to write. */
        return pollfd.revents & POLLIN ? 1 : 0;
}

/* Takes at most @size bytes, and never more than belong to the blob. */
static ssize_t take_data(struct cip_blob *blob, void *buffer, size_t size)
{
        bool known = blob->size >= 0;
        char extra;

        if (known && !is_short(blob)) {
                ssize_t n = read_data(blob, &extra, 1);

                return n > 0 ? fail_too_long(blob) : n;
        }
        if (!buffer)
                return peek_data(blob);
        if (known && size > (uint64_t)blob->size - blob->bytes)
                size = (size_t)((uint64_t)blob->size - blob->bytes);
        return read_data(blob, buffer, size);
}

/* ---- going on ---- */

/* Takes in what the error pipe says. At its end, what it said ends the blob. */
static void read_error_pipe(struct cip_blob *blob)
{
        CLEANUP(cleanup_free) char *words = NULL;
        struct pipe_error said;
        struct cip_error error = {0};
        ssize_t n = 1;
        int r;

        while (blob->error_fd >= 0 && n > 0 && blob->error_len < ERROR_TEXT_MAX) {
                if (!blob->error_text)
                        blob->error_text = malloc(ERROR_TEXT_MAX);
                if (!blob->error_text) {
                        blob_fail(blob, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
                        return;
                }
                n = read(blob->error_fd, blob->error_text + blob->error_len, ERROR_TEXT_MAX - blob->error_len);
                if (n > 0)
                        blob->error_len += (size_t)n;
                else if (n == 0)
                        fd_clear(&blob->error_fd);
        }
        if (blob->error_len == 0 || (blob->error_fd >= 0 && blob->error_len < ERROR_TEXT_MAX))
                return;
        r = pipe_error_parse(blob->error_text, blob->error_len, &said, &error);
        if (r < 0) {
                blob_fail(blob, r == -ENOMEM ? CIP_ERROR_LOCAL : CIP_ERROR_PROTOCOL, r, "error pipe: %s",
                          error.message);
                return;
        }
        words = said.message;
        blob_refused(blob, said.code, words);
}

static bool is_silent(const struct cip_blob *blob)
{
        return deadline_passed(blob_wake(blob));
}

/* No data now, or, where @ended, never again. Returns as blob_step. */
static ssize_t go_on_without_data(struct cip_blob *blob, bool ended, struct cip_error *error)
{
        int r = 0;

        if (ended && blob->data_fd >= 0) {
                fd_clear(&blob->data_fd);
                /* The server has a new span of time to say how it went. */
                blob->idle_since = 0;
        }
        if (blob->idle_since == 0)
                blob->idle_since = monotonic_ns();
        if (blob->state == BLOB_RAW) {
                read_error_pipe(blob);
                if (blob->result == 1 && ended && blob->error_fd < 0)
                        return conclude(blob, error);
                /* All that it wrote was read, and a child of it may hold the pipes open for ever. */
                if (blob->result == 1 && blob->session->server_ended) {
                        r = session_break_ended(blob->session);
                        if (error)
                                *error = blob->session->reason;
                }
        } else if (blob->finished) {
                /* All was written before that was said, so an empty pipe is the end as well. */
                return conclude(blob, error);
        } else if (ended || is_silent(blob)) {
                r = finish(blob);
                if (r < 0 && error)
                        *error = blob->session->reason;
        }
        if (r < 0)
                return r;
        return blob->result == 1 ? -EAGAIN : blob_outcome(blob, error);
}

ssize_t blob_step(struct cip_blob *blob, void *buffer, size_t size, struct cip_error *error)
{
        ssize_t n;
        int r;

        if (blob->result != 1)
                return blob_outcome(blob, error);
        r = session_check(blob->session, error);
        if (r < 0)
                return r;
        if (blob->state == BLOB_OPENING)
                return -EAGAIN;
        n = take_data(blob, buffer, size);
        if (blob->result != 1)
                return blob_outcome(blob, error);
        if (n == 0 || n == -EAGAIN)
                return go_on_without_data(blob, n == 0, error);
        if (n < 0) {
                blob_fail(blob, CIP_ERROR_LOCAL, (int)n, "the pipe cannot be read: %s",
                          strerrordesc_np((int)-n));
                return blob_outcome(blob, error);
        }
        if (buffer) {
                r = blob_took(blob, buffer, (size_t)n, error);
                if (r < 0)
                        return r;
        }
        return n;
}

static struct deadline idle_deadline(const struct cip_blob *blob, uint64_t ms)
{
        if (blob->result != 1 || blob->idle_since == 0 || ms == 0 ||
            ms > (UINT64_MAX - blob->idle_since) / 1000000)
                return DEADLINE_NEVER;
        return (struct deadline){blob->idle_since + ms * 1000000};
}

struct deadline blob_deadline(const struct cip_blob *blob)
{
        /* With an answer under way, the deadline of the answers holds. */
        return blob->call ? DEADLINE_NEVER : idle_deadline(blob, blob->session->stall_timeout_ms);
}

struct deadline blob_wake(const struct cip_blob *blob)
{
        if (blob->state != BLOB_PIPED || blob->finish_sent)
                return DEADLINE_NEVER;
        return idle_deadline(blob, blob->session->silence_ms);
}

int blob_break_stalled(struct cip_blob *blob)
{
        struct cip_session *session = blob->session;
        char of[32] = "";

        if (blob->size >= 0)
                snprintf(of, sizeof(of), " of %" PRId64, blob->size);
        return session_break(session, CIP_ERROR_TRANSPORT, -ETIMEDOUT,
                             "%s: no data came for %g seconds, after %" PRIu64 "%s bytes", blob->what,
                             (double)session->stall_timeout_ms / 1000, blob->bytes, of);
}

int blob_wait(struct cip_blob *blob, int fd, short events, struct cip_error *error)
{
        struct cip_blob *const blobs[] = {blob};

        return session_wait(
                blob->session,
                &(struct wait){
                        .blobs = blobs, .n_blobs = 1, .until = DEADLINE_NEVER, .fd = fd, .events = events},
                error);
}

/* ---- data that is in the way ---- */

bool blob_holds_up(const struct cip_blob *blob)
{
        return blob->result == 1 && blob->state == BLOB_PIPED && blob->finish_sent && !blob->finished &&
               blob->data_fd >= 0 && !blob->spill_eof;
}

static int make_spill_file(void)
{
        const char *folder = secure_getenv("TMPDIR");
        int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

        if (fd < 0)
                fd = memfd_create("cip-blob", MFD_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int spill_failed(struct cip_blob *blob, int r)
{
        return session_break(blob->session, CIP_ERROR_LOCAL, r, "%s: its data cannot be put aside: %s",
                             blob->what, strerrordesc_np(-r));
}

static int spill_chunk(struct cip_blob *blob, const char *data, size_t n)
{
        while (n > 0) {
                ssize_t written = pwrite(blob->spill_fd, data, n, (off_t)blob->spill_end);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written <= 0)
                        return written < 0 ? -errno : -EIO;
                blob->spill_end += (uint64_t)written;
                data += written;
                n -= (size_t)written;
        }
        return 0;
}

int blob_spill(struct cip_blob *blob)
{
        char chunk[SPILL_CHUNK];
        ssize_t n;
        int r;

        if (blob->spill_fd < 0) {
                blob->spill_fd = make_spill_file();
                if (blob->spill_fd < 0)
                        return spill_failed(blob, blob->spill_fd);
        }
        for (int i = 0; i < PIPE_CAPACITY / SPILL_CHUNK; i++) {
                n = read(blob->data_fd, chunk, sizeof(chunk));
                if (n <= 0)
                        break;
                r = spill_chunk(blob, chunk, (size_t)n);
                if (r < 0)
                        return spill_failed(blob, r);
                if (blob->session->first && blob->session->first->blob == blob)
                        blob->session->first->since = monotonic_ns();
                if (blob->size >= 0 &&
                    blob->bytes + blob->spill_end - blob->spill_start > (uint64_t)blob->size) {
                        fail_too_long(blob);
                        return 0;
                }
        }
        blob->spill_eof = n == 0;
        return 0;
}

/* ---- opening and closing ---- */

static int new_blob(struct cip_session *session, int64_t size, const char *digest, unsigned flags,
                    struct cip_blob **ret)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = calloc(1, sizeof(*blob));
        enum digest_algorithm algorithm;

        if (!blob)
                return -ENOMEM;
        blob->session = session_ref(session);
        blob->data_fd = blob->error_fd = blob->spill_fd = -1;
        blob->answer = (struct answer)ANSWER_NONE;
        blob->size = size;
        blob->flags = flags;
        blob->result = 1;
        blob->next = session->blobs;
        if (blob->next)
                blob->next->previous = blob;
        session->blobs = blob;
        if (digest && digest_parse(digest, &algorithm)) {
                blob->digest = strdup(digest);
                if (!blob->digest || digest_new(algorithm, &blob->hash) < 0)
                        return -ENOMEM;
        }
        *ret = STEAL(blob);
        return 0;
}

int blob_open_call(struct cip_session *session, const char *method, struct json_object *args,
                   const char *subject, int64_t size, const char *digest, unsigned flags, struct cip_blob **ret,
                   struct cip_error *error)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = NULL;
        struct call *call;
        int r = session_check(session, error);

        if (r < 0)
                return r;
        r = new_blob(session, size, digest, flags, &blob);
        if (r == 0 && asprintf(&blob->what, "%s%s%s", method, subject ? " " : "", subject ? subject : "") < 0) {
                blob->what = NULL;
                r = -ENOMEM;
        }
        if (r < 0) {
                error_set_errno(error, CIP_ERROR_LOCAL, r, "%s", method);
                return r;
        }
        r = session_submit(session, method, args, subject, &call, error);
        if (r < 0)
                return r;
        call->blob = blob;
        call->on_answer = on_opened;
        blob->call = call;
        *ret = STEAL(blob);
        return 0;
}

int blob_wait_opened(struct cip_blob *blob, struct cip_error *error)
{
        while (blob->state == BLOB_OPENING && blob->result == 1) {
                int r = blob_wait(blob, -1, 0, error);

                if (r < 0)
                        return r;
        }
        return blob->result < 0 ? (int)blob_outcome(blob, error) : 0;
}

void cip_blob_close(struct cip_blob *blob)
{
        struct cip_session *session;

        if (!blob)
                return;
        session = blob->session;
        if (blob->result == 1) {
                if (blob->state != BLOB_OPENING)
                        end_transcript(blob, "closed");
                drop_pipes(blob);
        }
        if (blob->previous)
                blob->previous->next = blob->next;
        else
                session->blobs = blob->next;
        if (blob->next)
                blob->next->previous = blob->previous;
        answer_clear(&blob->answer);
        digest_free(blob->hash);
        free(blob->error_text);
        free(blob->digest);
        free(blob->what);
        free(blob);
        session_unref(session);
}

/* GetBlob wants a size, and the manifest knows it. */
static int look_up_size(struct cip_image *image, const char *digest, int64_t *ret, struct cip_error *error)
{
        const struct manifest *manifest;
        int r = image_need_manifest(image, error);

        if (r < 0)
                return r;
        manifest = image->parsed;
        for (size_t i = 0; i <= manifest->n_entries; i++) {
                const struct content *content = i ? &manifest->entries[i - 1] : &manifest->config;

                if (content->digest && strcmp(content->digest, digest) == 0) {
                        *ret = content->size;
                        return 0;
                }
        }
        return error_set(error, CIP_ERROR_LOCAL, -ENOTSUP,
                         "GetBlob needs the size of %s, which the manifest does not name", digest);
}

static int make_blob_args(const struct cip_image *image, const char *digest, int64_t size, bool raw,
                          struct json_object **ret)
{
        CLEANUP(cleanup_json) struct json_object *args = json_object_new_array();

        json_add_item(args, json_object_new_uint64(image->id));
        json_add_item(args, json_object_new_string(digest));
        if (!raw)
                json_add_item(args, json_object_new_int64(size));
        if (!args)
                return -ENOMEM;
        *ret = STEAL(args);
        return 0;
}

static int check_blob_arguments(const char *digest, int64_t size, unsigned flags, struct cip_error *error)
{
        if (!digest_parse(digest, NULL))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "\"%s\" is no digest: sha256: or sha512: and lower-case hex digits", digest);
        if (size < -1 || size > (int64_t)JSON_INTEGER_MAX)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "%" PRId64 " is no size of a blob", size);
        if (flags & ~(unsigned)(CIP_BLOB_NONBLOCK | CIP_BLOB_UNVERIFIED | CIP_BLOB_SERVER_VERIFIED))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "unknown flags 0x%x", flags);
        return 0;
}

int cip_blob_open(struct cip_image *image, const char *digest, int64_t size, unsigned flags,
                  struct cip_blob **ret, struct cip_error *error)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = NULL;
        CLEANUP(cleanup_json) struct json_object *args = NULL;
        struct cip_session *session = image->session;
        bool raw = !(flags & CIP_BLOB_SERVER_VERIFIED) &&
                   version_compare(session->version, methods[METHOD_GET_RAW_BLOB].since) >= 0;
        int r = session_check_cancel(session, error);

        if (r == 0)
                r = check_blob_arguments(digest, size, flags, error);
        if (r == 0 && !raw && size < 0)
                r = look_up_size(image, digest, &size, error);
        if (r < 0)
                return r;
        if (make_blob_args(image, digest, size, raw, &args) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "blob %s", digest);
        r = blob_open_call(session, raw ? "GetRawBlob" : "GetBlob", args, digest, size,
                           flags & CIP_BLOB_UNVERIFIED ? NULL : digest, flags, &blob, error);
        if (r == 0 && !(flags & CIP_BLOB_NONBLOCK))
                r = blob_wait_opened(blob, error);
        if (r < 0)
                return r;
        *ret = STEAL(blob);
        return 0;
}

/* ---- reading ---- */

ssize_t cip_blob_read(struct cip_blob *blob, void *buffer, size_t size, struct cip_error *error)
{
        struct cip_blob *const blobs[] = {blob};
        struct wait wait = {.blobs = blobs, .n_blobs = 1, .until = DEADLINE_NEVER, .fd = -1};
        bool looked = false;

        if (size == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "no room to read into");
        if (blob->result == 1) {
                /* A blob that flows fast never waits, and is cancelled all the same. */
                int r = session_check_cancel(blob->session, error);

                if (r < 0)
                        return r;
        }
        for (;;) {
                ssize_t n = blob_step(blob, buffer, size, error);
                int r;

                if (n != -EAGAIN)
                        return n;
                if (blob->flags & CIP_BLOB_NONBLOCK) {
                        if (looked)
                                return -EAGAIN;
                        looked = true;
                        wait.until = (struct deadline){0};
                }
                r = session_wait(blob->session, &wait, error);
                if (r < 0)
                        return r;
        }
}

int cip_blobs_wait(struct cip_blob *const *blobs, size_t n, int timeout_ms, struct cip_error *error)
{
        struct wait wait = {
                .blobs = blobs,
                .n_blobs = n,
                .until = timeout_ms < 0 ? DEADLINE_NEVER : deadline_in_ms((uint64_t)timeout_ms),
                .fd = -1,
        };

        for (size_t i = 0; i < n; i++)
                if (blobs[i]->session != blobs[0]->session)
                        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "the blobs are of several sessions");
        if (n == 0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "no blobs to wait for");
        for (;;) {
                int r;

                for (size_t i = 0; i < n; i++) {
                        if (blob_step(blobs[i], NULL, 0, NULL) == -EAGAIN)
                                continue;
                        r = session_check(blobs[0]->session, error);
                        return r < 0 ? r : 1;
                }
                if (deadline_passed(wait.until))
                        return 0;
                r = session_wait(blobs[0]->session, &wait, error);
                if (r < 0)
                        return r;
        }
}

int blob_read_all(struct cip_blob *blob, size_t max, char **ret, size_t *ret_len, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t allocated = 0;
        size_t len = 0;
        ssize_t n = 1;

        while (n > 0) {
                if (allocated - len < 2) {
                        size_t more = allocated ? 2 * allocated : 16384;
                        char *grown = realloc(data, more);

                        if (!grown)
                                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "%s", blob->what);
                        data = grown;
                        allocated = more;
                }
                n = cip_blob_read(blob, data + len, allocated - len - 1, error);
                if (n < 0)
                        return (int)n;
                len += (size_t)n;
                if (len > max)
                        return error_set(error, CIP_ERROR_PROTOCOL, -EFBIG, "%s: more than %zu bytes came",
                                         blob->what, max);
        }
        data[len] = '\0';
        *ret = STEAL(data);
        *ret_len = len;
        return 0;
}

int64_t cip_blob_size(const struct cip_blob *blob)
{
        return blob->size;
}

uint64_t cip_blob_bytes(const struct cip_blob *blob)
{
        return blob->bytes;
}
