/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server check is, and what it can do. A check runs in a process of its own with a fresh server, a fresh
 * folder and a closed world; the functions below speak raw packets to the server. One that does not get what
 * the check needs reports the shortfall and ends the process: a check's code is a straight line.
 */
#ifndef CONFORMANCE_CHECK_H
#define CONFORMANCE_CHECK_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "conformance/observe.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/packet.h"
#include "protocol/version.h"

enum check_level {
        LEVEL_MUST,   /* the manual says so, or every client depends on it */
        LEVEL_SHOULD, /* falling short hurts people */
        LEVEL_INFO,   /* records what this server does (check_record); never falls short */
};

struct check_context;

/* One row of a group's table. */
struct check {
        const char *id; /* "pipes/finish-waits-for-writer" */
        enum check_level level;
        struct version since;  /* the first version that it holds for; VERSION_OLDEST where it always did */
        struct version until;  /* the first that it holds for no more; {0}: it still does */
        const char *requires;  /* one sentence, in the present tense: what a server does */
        const char *reference; /* rules of docs/protocol.md, separated by blanks (rules.h): "packet-limit" */
        void (*run)(struct check_context *c);
        bool own_start;     /* the check calls check_start itself; else the server is up and initialized */
        unsigned timeout_s; /* seconds that it may take where --timeout does not say; 0: as long as most */
        const void *detail; /* what else its catalogue knows of it */
};

struct check_group {
        const char *name;  /* "pipes": the id's part before the slash */
        const char *about; /* one sentence */
        const struct check *checks;
        const size_t *n_checks;
        bool opt_in;       /* its checks run only where a filter names the group */
        bool needs_docker; /* they are skipped where the server has no docker transport */
};

/* Every group, in the order of reports. One file each: conformance/checks-NAME.c */
extern const struct check_group check_groups[];
extern const size_t n_check_groups;

/* ---- starting the server ---- */

enum server_socket {
        SERVER_SEQPACKET,
        SERVER_STREAM,
        SERVER_NOTHING, /* /dev/null in the socket's place; the rest are in it likewise */
        SERVER_CLOSED,
        SERVER_FILE,
        SERVER_FOLDER,
        SERVER_PIPE,
        SERVER_TERMINAL,
        SERVER_DATAGRAM,    /* a socket of the internet, without a connection */
        SERVER_UNCONNECTED, /* a socket of the right kind that has no other end */
};

struct server_start {
        const char *const *global_flags; /* before the subcommand, NULL-terminated, may be NULL */
        const char *const *flags;        /* behind it, likewise */
        const char *sockfd;              /* value of --sockfd; NULL: no such flag, the socket is fd 0 */
        int socket_target;               /* the socket's number in the server, for --sockfd N (else 0) */
        enum server_socket socket;
        bool no_initialize; /* leave Initialize to the check */
        bool no_subcommand; /* global_flags alone: `skopeo --help` */
        int stdout_fd;      /* borrowed; 0: standard output is /dev/null */
        int more_fd;        /* borrowed; 0: none. One more descriptor for the server .. */
        int more_target;    /* .. and the number that it has there */
        /* NULL-terminated, may be NULL: "NAME=VALUE" in the place of the world's, "NAME" for none. */
        const char *const *environment;
};

/*
 * Starts the server; NULL: as usual, with Initialize. A check without own_start finds this done. May be called
 * again after check_stop.
 */
void check_start(struct check_context *c, const struct server_start *start);

/*
 * Closes our end if it is open, waits for the server's end, and returns its wait status. Fails the check where
 * the server does not end.
 */
int check_stop(struct check_context *c);

/* Only waits. For a server that should end by itself. */
int check_wait_exit(struct check_context *c);

/*
 * Says how the server is to end: the closing questions want this exit status (by default 0, after end of
 * input); -1: any. This and the two below hold for the server that runs, or for the next one before check_start;
 * with the next server after that they are forgotten.
 */
void check_expect_exit(struct check_context *c, int status);

/*
 * Says that the server may write to stderr. Without it any text there falls short; a Go panic or a data race
 * does so always.
 */
void check_expect_stderr(struct check_context *c);

/* Says that descriptors of the server are open at the check's end on purpose. */
void check_expect_open(struct check_context *c);

/* The server's process, and our end of the socket (owned by the context; check_hang_up closes it). */
pid_t check_server_pid(struct check_context *c);
int check_socket(struct check_context *c);
void check_hang_up(struct check_context *c);

/* The version that the server announced ({0} before Initialize). */
struct version check_version(struct check_context *c);

/* What the server has written to stderr so far (its tail). */
const char *check_stderr(struct check_context *c);

/* How many pipes, sockets and files (not directories, devices, Go's own epoll and eventfd) it has open. */
size_t check_server_fds(struct check_context *c);

/* What the server, with all that it started, has in use now. */
void check_server_use(struct check_context *c, struct process_use *ret);

/* Whether it has ended, without waiting. */
bool check_has_ended(struct check_context *c);

/* Seconds that the check may take in all. */
double check_timeout(struct check_context *c);

/* Writes no transcript from here on: for what is said so often that it would fill a disk. */
void check_end_transcript(struct check_context *c);

/* ---- talking ---- */

/* A reply, read leniently: only the checks of the reply's shape are strict. Zero-initialise; reused freely. */
struct answer {
        struct packet packet;     /* the text, and the descriptors (owned) */
        struct json_object *json; /* the whole object */
        bool success;
        struct json_object *value; /* borrowed from json; NULL for null */
        uint64_t pipeid;           /* 0 where missing */
        const char *error;         /* "" where missing; borrowed */
        const char *error_code;    /* NULL where missing; borrowed */
};

void answer_clear(struct answer *answer);
#define CLEANUP_ANSWER CLEANUP(answer_clear)

/* Sends bytes as one packet, with borrowed descriptors. */
void check_send(struct check_context *c, const void *data, size_t len, const int *fds, size_t n_fds);

/* Sends a request whose args are the formatted JSON text, such as "[%" PRIu64 ", \"%s\"]"; NULL: no args. */
void check_request(struct check_context *c, const char *method, const char *args_format, ...)
        __attribute__((format(printf, 3, 4)));

/* Receives one reply. Fails where the server ends, stays silent, or sends what is no JSON object. */
void check_answer(struct check_context *c, struct answer *ret);

/* True when the server closed the socket or ended; false when a packet is there. Fails when neither comes. */
bool check_is_hung_up(struct check_context *c);

/* True when no packet comes while the server is seen to be idle (asleep, no CPU time used) for a while. */
bool check_is_silent(struct check_context *c);

/* Request and reply. */
void check_call(struct check_context *c, struct answer *ret, const char *method, const char *args_format, ...)
        __attribute__((format(printf, 4, 5)));

/* The same, and fails unless it succeeds, or is refused with a not empty error. */
void check_call_ok(struct check_context *c, struct answer *ret, const char *method, const char *args_format,
                   ...) __attribute__((format(printf, 4, 5)));
void check_call_refused(struct check_context *c, struct answer *ret, const char *method,
                        const char *args_format, ...) __attribute__((format(printf, 4, 5)));

/* OpenImage that must succeed; the image's id. */
uint64_t check_open_image(struct check_context *c, const char *reference);

/* Shows that the server still serves: a call that is refused, with an answer. */
void check_still_serves(struct check_context *c);

/* ---- pipes ---- */

/* Reads exactly @len bytes, or to the end. Returns how many came. Fails at the deadline. */
size_t check_read(struct check_context *c, int fd, void *buffer, size_t len);

/* Reads to EOF. The caller frees. */
void check_read_to_end(struct check_context *c, int fd, char **ret, size_t *ret_len);

/*
 * The usual end of a piped value: sends FinishPipe, reads the pipe (taken out of @piped and closed) to EOF
 * meanwhile, receives the answer to FinishPipe into @ret_finish. The caller frees *@ret.
 */
void check_read_and_finish(struct check_context *c, struct answer *piped, struct answer *ret_finish, char **ret,
                           size_t *ret_len);

/* ---- the world ---- */

/* The check's own folder, gone afterwards. */
const char *check_folder(struct check_context *c);

/*
 * The fixture as an OCI layout in the check's folder: "oci:DIR:latest". Valid to the check's end. Its files are hard
 * links to what other checks use too: whoever changes one replaces it (sample_write_file), and never writes into it.
 */
const char *check_fixture(struct check_context *c, const char *name);

/*
 * The fixture as an archive in the check's folder, with the tag "latest": "oci-archive:FILE", where @transport is
 * "oci-archive" or "docker-archive" and FILE ends in /@name. One that ends in .gz is compressed.
 */
const char *check_fixture_archive(struct check_context *c, const char *fixture, const char *transport,
                                  const char *name);

/* The path of that layout, so that a check can break something in it. */
const char *check_fixture_path(struct check_context *c, const char *name);

/* Its manifest, parsed: digests and sizes to ask for. Valid to the check's end. */
const struct manifest *check_fixture_manifest(struct check_context *c, const char *name);

/* Text with the check's lifetime. */
const char *check_text(struct check_context *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- the verdict ---- */

/* Falls short: what was expected and what came. Does not return. */
void check_fail(struct check_context *c, const char *format, ...)
        __attribute__((format(printf, 2, 3), noreturn));

#define check_that(c, condition, ...)                 \
        do {                                          \
                if (!(condition))                     \
                        check_fail((c), __VA_ARGS__); \
        } while (0)

/* The harness could not tell (status `error`). Does not return. */
void check_error(struct check_context *c, const char *format, ...)
        __attribute__((format(printf, 2, 3), noreturn));

/* Does not apply here, and why (status `skip`). Does not return. */
void check_skip(struct check_context *c, const char *format, ...)
        __attribute__((format(printf, 2, 3), noreturn));

/* For LEVEL_INFO: what this server does, in a few words. */
void check_record(struct check_context *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
