/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a session: the server, the requests under way in the order in which they were sent, and the one
 * wait in which everything happens. Requests may be sent while others are unanswered; the server answers in
 * order. session.c starts and ends it, exchange.c sends, receives and waits, blob.c reads the pipes.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <json-c/json.h>
#include <poll.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "client/cip.h"
#include "client/sigpipe.h"
#include "image/digest.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/packet.h"
#include "protocol/transcript.h"

/* A reply, with the descriptors that came along. */
struct answer {
        struct reply reply;
        char *text; /* as it came, NUL-terminated */
        int fds[2]; /* owned; -1 where there is none */
};

void answer_clear(struct answer *answer);
#define CLEANUP_ANSWER CLEANUP(answer_clear)
#define ANSWER_NONE               \
        {                         \
                .fds = { -1, -1 } \
        }

/* A request that is not answered yet. */
struct call {
        struct call *next;
        const struct method *method; /* NULL: one that the protocol does not know */
        char *what;                  /* for messages: "GetBlob sha256:.." */
        char *text;                  /* the request; NULL once it is sent */
        size_t len;
        uint64_t since; /* when the server had nothing before it; 0: not yet */
        /*
         * What happens with the answer, of which it may take what it likes; the call is freed afterwards.
         * Returns 0, or a negative errno when it broke the session. NULL: nobody asks any more, and where a
         * pipe comes, it is finished.
         */
        int (*on_answer)(struct call *call, struct answer *answer);
        void *owner;           /* on_answer's */
        struct cip_blob *blob; /* that it is for, or NULL */
};

struct cip_session {
        unsigned references; /* the caller's, and one for each image and blob */
        struct child *child; /* NULL: there is only a socket (tests) */
        char *name;          /* the command's, for messages */
        int socket;
        int cancel_fd;
        struct transcript *transcript;
        struct version version;
        char version_text[VERSION_TEXT_SIZE];
        uint64_t request_timeout_ms, stall_timeout_ms; /* 0: for ever */
        uint64_t silence_ms; /* a pipe that was silent for so long may have ended early: FinishPipe tells */

        struct call *first, *last;
        struct cip_blob *blobs;
        struct packet packet;
        struct pollfd *pollfds;
        size_t n_pollfds;

        bool server_ended; /* its socket or itself */
        bool broken;
        struct cip_error reason;
        char *stderr_copy;
};

/*
 * A line of the transcript, where there is one: SESSION_LOG(session, transcript_note, "..") The caller's
 * descriptor may be a pipe whose reader is gone.
 */
#define SESSION_LOG(session, function, ...)                           \
        do {                                                          \
                struct sigpipe_hold log_hold;                         \
                                                                      \
                if ((session)->transcript) {                          \
                        sigpipe_hold(&log_hold);                      \
                        function((session)->transcript, __VA_ARGS__); \
                        sigpipe_release(&log_hold, true);             \
                }                                                     \
        } while (0)

/* ---- session.c ---- */

/*
 * A session on a socket whose other end is a server that was started already, NULL where nothing watches it.
 * Owns both, also on failure. Does the handshake.
 */
int session_from_socket(const struct cip_options *options, int take_socket, struct child *take_child,
                        struct cip_session **ret, struct cip_error *error);

struct cip_session *session_ref(struct cip_session *session);
void session_unref(struct cip_session *session);
DEFINE_CLEANUP(struct cip_session *, session_unref);

/* 0, or -ENOTCONN and the first reason where it is broken. */
int session_check(const struct cip_session *session, struct cip_error *error);

/*
 * Breaks it: the server is killed, what is under way is forgotten, and every later call fails with this reason.
 * Returns @errnum. A second reason is ignored.
 */
int session_break(struct cip_session *session, enum cip_error_class error_class, int errnum, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

/* Breaks it because the server ended, with its status and its last words. Returns -ECONNRESET. */
int session_break_ended(struct cip_session *session);

/* Shutdown, and the wait for the server's end. */
int session_shutdown(struct cip_session *session, struct cip_error *error);

/* ---- exchange.c ---- */

/*
 * Sends a request (or keeps it until the socket takes it). @args is a JSON array, borrowed, NULL for an empty
 * one; @subject says in messages what it is about, NULL: nothing. *@ret, which may be NULL, is the session's.
 * Returns 0, -EMSGSIZE, -ENOMEM, or a negative errno when the session is broken.
 */
int session_submit(struct cip_session *session, const char *method, struct json_object *args,
                   const char *subject, struct call **ret, struct cip_error *error);

/* Calls, and waits for the answer. A refusal is -EREMOTEIO, class `remote`; *@ret is filled in then too. */
int session_call(struct cip_session *session, const char *method, struct json_object *args, const char *subject,
                 struct answer *ret, struct cip_error *error);

void call_free(struct call *call);

/* Forgets whom a call is for: its answer is only cleaned up after. */
void call_abandon(struct call *call);

/* Sets @error from a reply that refuses. Returns -EREMOTEIO. */
int refusal_error(const char *what, enum error_code code, const char *words, struct cip_error *error);

/* What to wait for besides the session itself. */
struct wait {
        struct cip_blob *const *blobs; /* their pipes */
        size_t n_blobs;
        bool for_answer;       /* something waits for an answer of the server */
        struct deadline until; /* when to come back with nothing */
        int fd;                /* -1, or one more descriptor.. */
        short events;          /* ..and what is waited for on it */
};

/*
 * Waits until something happens, and deals with all that concerns the session: packets both ways, stderr,
 * the server's end, cancellation, deadlines. Returns 0: look again; or a negative errno when the session broke
 * or @wait's descriptor failed.
 */
int session_wait(struct cip_session *session, const struct wait *wait, struct cip_error *error);

/* -ECANCELED where the cancel descriptor says so; breaks the session then. */
int session_check_cancel(struct cip_session *session, struct cip_error *error);

/* When the call that the server is at has waited for too long. */
struct deadline session_answer_deadline(const struct cip_session *session);

/* ---- image.c ---- */

struct cip_image {
        struct cip_session *session;
        uint64_t id;

        char *manifest;
        size_t manifest_len;
        char *digest;
        bool verified;
        struct manifest *parsed;

        char *config;
        size_t config_len;

        struct layer_info *infos; /* as cip_layer, which borrows from it; NULL where it borrows from parsed */
        size_t n_infos;
        struct cip_layer *layers;
        size_t n_layers;
};

/* Fetches and checks the manifest, unless it is there. */
int image_need_manifest(struct cip_image *image, struct cip_error *error);

/* ---- blob.c ---- */

DEFINE_CLEANUP(struct cip_blob *, cip_blob_close);

enum blob_state {
        BLOB_OPENING, /* the request is not answered */
        BLOB_PIPED,   /* one pipe, which FinishPipe ends */
        BLOB_RAW,     /* two pipes that end by themselves */
        BLOB_PLAIN,   /* no pipe came, and there is nothing to read */
};

struct cip_blob {
        struct cip_blob *previous, *next; /* in session->blobs */
        struct cip_session *session;
        enum blob_state state;
        unsigned flags;
        struct call *call; /* the opening request, or FinishPipe, until it is answered */
        char *what;        /* for messages */
        int64_t size;      /* -1 unknown */
        uint64_t bytes;    /* read */
        char *digest;      /* to be checked; NULL: not */
        struct digest *hash;

        int data_fd, error_fd;
        uint32_t pipeid;
        bool finish_sent, finished;
        char *error_text;
        size_t error_len;
        int spill_fd; /* a file without a name for what was taken out of the pipe before it was asked for */
        uint64_t spill_start, spill_end;
        bool spill_eof;
        struct answer answer; /* of the opening request, its descriptors taken out */

        uint64_t idle_since; /* when data was waited for and none was there; 0: not since the last came */
        int result;          /* 1: under way, 0: ended well, else a negative errno with reason */
        struct cip_error reason;
};

/*
 * Sends a request whose answer brings data, as a stream of @size bytes (-1 unknown) with @digest (NULL: not to
 * be checked). It waits for nothing.
 */
int blob_open_call(struct cip_session *session, const char *method, struct json_object *args,
                   const char *subject, int64_t size, const char *digest, unsigned flags, struct cip_blob **ret,
                   struct cip_error *error);

/* Waits for the answer to the opening request. A refusal is -EREMOTEIO. */
int blob_wait_opened(struct cip_blob *blob, struct cip_error *error);

/* Reads all of a small stream, at most @max bytes: *@ret is NUL-terminated and the caller's. */
int blob_read_all(struct cip_blob *blob, size_t max, char **ret, size_t *ret_len, struct cip_error *error);

/*
 * Goes on without waiting: as cip_blob_read, except that a NULL @buffer takes no data and returns 1 for some.
 */
ssize_t blob_step(struct cip_blob *blob, void *buffer, size_t size, struct cip_error *error);

/* Waits until blob_step may do more, or @fd (unless -1) has one of @events. */
int blob_wait(struct cip_blob *blob, int fd, short events, struct cip_error *error);

/* Takes note of @n bytes that were taken out of the pipe; @data NULL where they were not seen. */
int blob_took(struct cip_blob *blob, const void *data, size_t n, struct cip_error *error);

/* When it has waited for too long; and when it wants to be looked at again. */
struct deadline blob_deadline(const struct cip_blob *blob);
struct deadline blob_wake(const struct cip_blob *blob);

/* Breaks the session because @blob's data has failed to come. */
int blob_break_stalled(struct cip_blob *blob);

/*
 * Whether the server waits for @blob to be read before it does anything else; and takes what there is out of
 * the pipe then, into a file, so that the server can go on. Returns 0, or a negative errno when the session
 * broke.
 */
bool blob_holds_up(const struct cip_blob *blob);
int blob_spill(struct cip_blob *blob);

#endif
