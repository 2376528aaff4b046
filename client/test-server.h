/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server of the client's unit tests: the test program runs itself again as `PROGRAM server SCRIPT`, and
 * serves a small image of its own on descriptor 0. It is faithful but for what the script changes. It knows
 * packets and messages, and nothing of the client's inside.
 */
#ifndef CLIENT_TEST_SERVER_H
#define CLIENT_TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/message.h"
#include "protocol/packet.h"

/* What is in the image. Digests are made when it is first asked for. */
struct served_blob {
        const char *name;
        char digest[160];
        char *data;
        size_t len;
};

/* "manifest", "config", "small" (12 bytes), "large" (3 MiB), "empty", "third" (200,000 bytes). */
const struct served_blob *served(const char *name);

/* How the data of a pipe departs from what it should be. All zero: not at all. */
struct plan {
        bool cut; /* it ends after @cut_at bytes.. */
        size_t cut_at;
        bool hang;          /* ..or rather, nothing comes after them, for ever */
        bool die;           /* ..or the server ends there, with status 2 */
        bool orphan;        /* ..and a child of it keeps the pipes open */
        size_t extra;       /* so many bytes more */
        bool corrupt;       /* one byte is another */
        const char *error;  /* what FinishPipe or the error pipe says */
        bool garbage_error; /* the error pipe holds no JSON */
        bool unknown_code;  /* the error pipe holds a code of a later protocol */
        bool lies;          /* the reply announces one byte more */
        bool unknown;       /* the reply announces -1 */
        bool end_open;      /* FinishPipe answers, and the pipe stays open */
        bool late;          /* the data comes only when a request waits behind its FinishPipe */
};

struct server {
        const char *version;
        struct packet packet;
        struct request request;
        size_t nth;                  /* of this request, from 1 */
        size_t images, pipes;        /* how many are open */
        struct plan plan;            /* of GetBlob and GetRawBlob */
        struct plan value_plan;      /* of all else that is piped */
        const char *manifest_digest; /* NULL: the right one */
        const char *manifest;        /* the names of blobs to serve.. */
        const char *config;          /* ..as these */
        int argc;
        char **argv;
};

/* One way to serve. */
struct script {
        const char *name;
        const char *version; /* what Initialize says; NULL: 0.2.8 */
        /* Before each request is served: true when it was dealt with. NULL: nothing to change. */
        bool (*hook)(struct server *server, const char *method);
        struct plan plan;
        struct plan value_plan;
};

/* main of the server: picks argv[2] of @scripts and serves until its end. Returns the exit status. */
int server_main(int argc, char **argv, const struct script *scripts, size_t n_scripts);

/* For hooks. Packets go out whole or the server ends with status 99. */
void server_send(const char *text, const int *fds, size_t n_fds);
void server_reply(struct server *server, const char *value, uint32_t pipeid, const int *fds, size_t n_fds);
void server_refuse(struct server *server, const char *words);
_Noreturn void server_die(const char *words, int status);
_Noreturn void server_hang(void);

/* ---- the test's side ---- */

struct cip_options;
struct cip_session;
struct cip_image;

/* Options for `this program server SCRIPT`. Deadlines are long ones. */
struct cip_options *test_options(const char *script);

/* A session with SCRIPT, and its image "ref" open. */
struct cip_session *test_session(const char *script);
struct cip_image *test_image(struct cip_session *session);

/* Wants no child of this process to be left. */
void test_no_children(void);

#endif
