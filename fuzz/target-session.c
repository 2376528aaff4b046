/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session of libcip with a hostile server, in one process, in virtual time and over virtual descriptors. The
 * input is a program: what the client does, then one thing after another that the server does whenever the
 * client waits. When the program is over the server is a good one, so that a short input gets far. What the
 * client takes for good must be what was asked for; no descriptor stays; no wait goes past its deadlines.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "client/session.h"
#include "fuzz/target.h"
#include "fuzz/virtual-fd.h"
#include "fuzz/virtual.h"
#include "image/digest.h"

#define REQUEST_TIMEOUT_MS 20000
#define STALL_TIMEOUT_MS 30000
#define LAYER_SIZE 6000   /* more than a virtual pipe holds */
#define KERNEL_FDS_MAX 32 /* of the kernel's own libcip opens few: a file for what it puts aside */
#define PIPES_MAX 16
#define WAITING_MAX 16

/* The image that a good server has. */
static struct {
        char layer[LAYER_SIZE], layer_size[16], layer_digest[DIGEST_TEXT_SIZE];
        char config[512], config_digest[DIGEST_TEXT_SIZE];
        char manifest[1024], manifest_digest[DIGEST_TEXT_SIZE];
        char infos[256];
} image;

static void make_image(void)
{
        for (size_t i = 0; i < sizeof(image.layer); i++)
                image.layer[i] = (char)(i * 7 + i / 251);
        snprintf(image.layer_size, sizeof(image.layer_size), "%d", LAYER_SIZE);
        digest_of(DIGEST_SHA256, image.layer, sizeof(image.layer), image.layer_digest);
        snprintf(image.config, sizeof(image.config),
                 "{\"created\":\"2024-01-01T00:00:00Z\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":"
                 "{},"
                 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}",
                 image.layer_digest);
        digest_of(DIGEST_SHA256, image.config, strlen(image.config), image.config_digest);
        snprintf(image.manifest, sizeof(image.manifest),
                 "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":"
                 "{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
                 "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
                 "\"size\":%d}]}",
                 image.config_digest, strlen(image.config), image.layer_digest, LAYER_SIZE);
        digest_of(DIGEST_SHA256, image.manifest, strlen(image.manifest), image.manifest_digest);
        snprintf(image.infos, sizeof(image.infos),
                 "[{\"digest\":\"%s\",\"size\":%d,\"media_type\":\"application/vnd.oci.image.layer.v1.tar\"}]",
                 image.layer_digest, LAYER_SIZE);
}

/* ---- the server ---- */

/* A write end, and what a good server still has to write there. */
struct outflow {
        int fd;
        uint32_t pipeid; /* 0: ends by itself */
        const char *data;
        size_t len;
};

/* What the client asked. */
struct asked {
        struct request request;
        enum method_id id; /* METHODS: it is none of the protocol's */
};

struct hostile {
        struct target_input program;
        int socket;
        const char *version;
        struct outflow flows[PIPES_MAX];
        size_t n_flows;
        uint32_t next_pipeid;
        struct asked *waiting[WAITING_MAX]; /* without an answer, oldest first */
        size_t n_waiting;
        bool shut_down;
};

/*
 * Requests that were parsed before. A good client sends the same few again and again, and what they say does
 * not change; those come first, as they do in any corpus, and stay for good.
 */
static struct {
        char text[128];
        size_t len;
        struct asked asked;
} parsed[32];
static size_t n_parsed;

static bool is_parsed(const struct asked *asked)
{
        return asked >= &parsed[0].asked && asked <= &parsed[ARRAY_SIZE(parsed) - 1].asked;
}

static struct asked *parse_request(const char *data, size_t len)
{
        struct cip_error error = {0};
        const struct method *method;
        struct asked *asked;

        for (size_t i = 0; i < n_parsed; i++)
                if (len == parsed[i].len && memcmp(data, parsed[i].text, len) == 0)
                        return &parsed[i].asked;
        if (n_parsed < ARRAY_SIZE(parsed) && len <= sizeof(parsed[0].text)) {
                memcpy(parsed[n_parsed].text, data, len);
                parsed[n_parsed].len = len;
                asked = &parsed[n_parsed++].asked;
        } else {
                asked = calloc(1, sizeof(*asked));
                target_that(asked, "no memory");
        }
        target_that(request_parse(data, len, &asked->request, &error) == 0, "the client sent no request: %s",
                    error.message);
        method = method_find(asked->request.method);
        asked->id = method ? method->id : METHODS;
        return asked;
}

static void drop_request(struct hostile *server)
{
        struct asked *asked = server->waiting[0];

        server->n_waiting--;
        for (size_t i = 0; i < server->n_waiting; i++)
                server->waiting[i] = server->waiting[i + 1];
        if (is_parsed(asked))
                return;
        request_clear(&asked->request);
        free(asked);
}

/* Takes in a request, if there is one. */
static bool take_request(struct hostile *server)
{
        static struct packet packet; /* its memory is used again */
        struct cip_error error;
        int r;

        if (server->socket < 0 || server->n_waiting == WAITING_MAX)
                return false;
        r = packet_receive(server->socket, &packet, &error);
        if (r == -EAGAIN)
                return false;
        if (r <= 0) {
                fd_clear(&server->socket);
                return true;
        }
        target_that(packet.n_fds == 0, "the client sent a descriptor");
        server->waiting[server->n_waiting++] = parse_request(packet.data, packet.len);
        return true;
}

static int new_pipe(struct hostile *server, uint32_t pipeid, const char *data, size_t len)
{
        int ends[2];

        if (server->n_flows == PIPES_MAX || virtual_pipe(ends) < 0)
                return virtual_open(VIRTUAL_ZERO);
        server->flows[server->n_flows++] = (struct outflow){ends[1], pipeid, data, len};
        return ends[0];
}

static void close_flow(struct hostile *server, size_t i)
{
        fd_close(server->flows[i].fd);
        server->flows[i] = server->flows[--server->n_flows];
}

static void send_reply(struct hostile *server, const char *text, size_t len, int *fds, size_t n_fds)
{
        int r = server->socket < 0 ? -EPIPE : packet_send(server->socket, text, len, fds, n_fds);

        if (r == -EPIPE || r == -ECONNRESET)
                fd_clear(&server->socket);
        for (size_t i = 0; i < n_fds; i++)
                fd_close(fds[i]);
}

/* What a good server answers: the value's text, and the data of its pipe (NULL: none). */
struct good {
        const char *value;
        const char *data;
        size_t len;
};

static struct good blob_of(const char *digest)
{
        if (strcmp(digest, image.layer_digest) == 0)
                return (struct good){image.layer_size, image.layer, sizeof(image.layer)};
        if (strcmp(digest, image.config_digest) == 0)
                return (struct good){"-1", image.config, strlen(image.config)};
        return (struct good){NULL, NULL, 0};
}

static struct good good_answer(const struct hostile *server, const struct asked *asked, char value[512])
{
        const char *text = "null";
        struct good good = {value, NULL, 0};

        switch (asked->id) {
        case METHOD_INITIALIZE:
                snprintf(value, 512, "\"%s\"", server->version);
                return good;
        case METHOD_OPEN_IMAGE:
        case METHOD_OPEN_IMAGE_OPTIONAL:
                text = "1";
                break;
        case METHOD_GET_LAYER_INFO:
                text = image.infos;
                break;
        case METHOD_GET_MANIFEST:
                snprintf(value, 512, "\"%s\"", image.manifest_digest);
                return (struct good){value, image.manifest, strlen(image.manifest)};
        case METHOD_GET_FULL_CONFIG:
        case METHOD_GET_CONFIG:
                good = (struct good){value, image.config, strlen(image.config)};
                break;
        case METHOD_GET_LAYER_INFO_PIPED:
                good = (struct good){value, image.infos, strlen(image.infos)};
                break;
        case METHOD_GET_BLOB:
        case METHOD_GET_RAW_BLOB:
                return blob_of(json_object_get_string(json_object_array_get_idx(asked->request.args, 1)));
        default:
                break;
        }
        snprintf(value, 512, "%s", text);
        return good;
}

/* FinishPipe is answered when all was written. False: not yet. */
static bool finish(struct hostile *server, const struct request *request)
{
        uint32_t id = (uint32_t)json_object_get_int64(json_object_array_get_idx(request->args, 0));

        for (size_t i = 0; i < server->n_flows; i++) {
                if (server->flows[i].pipeid != id)
                        continue;
                if (server->flows[i].len)
                        return false;
                close_flow(server, i);
                break;
        }
        return true;
}

/* Answers the oldest request well, but for what @mutate writes into the text: bytes at an offset. */
static bool answer_well(struct hostile *server, struct target_input *mutate)
{
        const struct asked *asked = server->n_waiting ? server->waiting[0] : NULL;
        bool raw = asked && asked->id == METHOD_GET_RAW_BLOB;
        char value[512], text[1024];
        struct good good;
        int fds[2];
        size_t n_fds = 0, len;
        uint32_t pipeid = 0;

        if (!asked)
                return false;
        if (asked->id == METHOD_SHUTDOWN) {
                fd_clear(&server->socket);
                drop_request(server);
                return true;
        }
        if (asked->id == METHOD_FINISH_PIPE && !finish(server, &asked->request))
                return false;
        good = good_answer(server, asked, value);
        if (good.value && good.data) {
                pipeid = raw ? 0 : server->next_pipeid++;
                fds[n_fds++] = new_pipe(server, pipeid, good.data, good.len);
                if (raw)
                        fds[n_fds++] = new_pipe(server, 0, "", 0);
        }
        len = (size_t)snprintf(text, sizeof(text),
                               "{\"success\":%s,\"value\":%s,\"pipeid\":%u%s,\"error\":\"%s\"}",
                               good.value ? "true" : "false", good.value ? good.value : "null", pipeid,
                               good.value ? ",\"error_code\":\"\"" : ",\"error_code\":\"other\"",
                               good.value ? "" : "no such blob");
        if (mutate) {
                size_t at = input_size(mutate, len - 1), size = input_below(mutate, 16);
                const uint8_t *bytes = input_bytes(mutate, &size);

                memcpy(text + at, bytes, size < len - at ? size : len - at);
        }
        send_reply(server, text, len, fds, n_fds);
        drop_request(server);
        return true;
}

/* A packet that is all the input's, with descriptors of any kind. */
static void answer_raw(struct hostile *server, struct target_input *program)
{
        int fds[4];
        size_t n = input_below(program, 5), len;
        const uint8_t *text;

        for (size_t i = 0; i < n; i++) {
                switch (input_below(program, 5)) {
                case 0:
                        fds[i] = virtual_open(VIRTUAL_ZERO);
                        break;
                case 1:
                        fds[i] = virtual_open(VIRTUAL_DIRECTORY);
                        break;
                case 2:
                        fds[i] = virtual_open(VIRTUAL_NULL);
                        break;
                case 3:
                        fds[i] = server->socket >= 0 ? fcntl(server->socket, F_DUPFD_CLOEXEC, 0) : -1;
                        if (fds[i] >= 0)
                                break;
                        /* fallthrough */
                default:
                        fds[i] = new_pipe(server, server->next_pipeid, image.layer, sizeof(image.layer));
                }
        }
        len = input_size(program, 2048);
        text = input_bytes(program, &len);
        send_reply(server, (const char *)text, len, fds, n);
        if (server->n_waiting)
                drop_request(server);
}

/* Writes what pipes take of the data that is due. */
static bool pump(struct hostile *server)
{
        for (size_t i = 0; i < server->n_flows; i++) {
                struct outflow *flow = &server->flows[i];
                ssize_t n = flow->len ? write(flow->fd, flow->data, flow->len) : 0;

                if (n > 0) {
                        flow->data += n;
                        flow->len -= (size_t)n;
                        return true;
                }
                if (n < 0 && errno != EAGAIN)
                        flow->len = 0;
                if (flow->len == 0 && flow->pipeid == 0) {
                        close_flow(server, i);
                        return true;
                }
        }
        return false;
}

/* One of the open pipes is treated badly. */
static void hurt_pipe(struct hostile *server, struct target_input *program)
{
        struct outflow *flow;
        size_t which = input_byte(program), size;
        const uint8_t *bytes;

        if (server->n_flows == 0)
                return;
        which %= server->n_flows;
        flow = &server->flows[which];
        switch (input_below(program, 4)) {
        case 0:
                close_flow(server, which);
                break;
        case 1: /* it ends early, though nobody says so */
                flow->len = 0;
                break;
        case 2:
                size = input_below(program, 32);
                bytes = input_bytes(program, &size);
                if (write(flow->fd, bytes, size) < 0)
                        flow->len = 0;
                break;
        default: /* something is left out */
                size = input_byte(program);
                size = size < flow->len ? size : flow->len;
                flow->data += size;
                flow->len -= size;
        }
}

/* The next thing that the server does. */
static bool act(void *data)
{
        struct hostile *server = data;
        struct target_input *program = &server->program;

        while (take_request(server))
                ;
        if (program->size == 0)
                return pump(server) || answer_well(server, NULL);
        switch (input_below(program, 8)) {
        case 0:
                answer_well(server, NULL);
                break;
        case 1:
                answer_well(server, program);
                break;
        case 2:
                answer_raw(server, program);
                break;
        case 3:
                pump(server);
                break;
        case 4:
                hurt_pipe(server, program);
                break;
        case 5:
                virtual_sleep((uint64_t)input_byte(program) * 100000000);
                break;
        case 6:
                if (server->n_waiting)
                        drop_request(server); /* it is never answered */
                break;
        default:
                if (input_below(program, 4) == 0)
                        fd_clear(&server->socket);
        }
        return true;
}

/* ---- the client ---- */

/* Reads a blob to its end, and judges what came where it ended well. */
static void read_blob(struct cip_blob *blob, const char *want, size_t want_len)
{
        CLEANUP(cleanup_free) char *got = malloc(want_len + 1);
        struct cip_error error = {0};
        size_t len = 0;
        ssize_t n;

        target_that(got, "no memory");
        while ((n = cip_blob_read(blob, got + len, want_len + 1 - len, &error)) > 0) {
                len += (size_t)n;
                if (len > want_len)
                        return; /* too much: it will not end well, and need not be read */
        }
        target_that(n == 0 || *error.message, "a blob failed without a word");
        target_that(n < 0 || (len == want_len && memcmp(got, want, len) == 0),
                    "a blob ended well, and is not what was asked for");
}

static void fetch_blob(struct cip_image *opened, const char *digest, int64_t size, unsigned flags)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *blob = NULL;
        bool layer = digest == image.layer_digest;

        if (cip_blob_open(opened, digest, size, flags, &blob, NULL) == 0)
                read_blob(blob, layer ? image.layer : image.config, layer ? LAYER_SIZE : strlen(image.config));
}

static void two_at_once(struct cip_image *opened, unsigned flags)
{
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *layer = NULL;
        CLEANUP(cleanup_cip_blob_close) struct cip_blob *config = NULL;

        if (cip_blob_open(opened, image.layer_digest, LAYER_SIZE, flags, &layer, NULL) < 0 ||
            cip_blob_open(opened, image.config_digest, (int64_t)strlen(image.config), flags, &config, NULL) < 0)
                return;
        read_blob(config, image.config, strlen(image.config));
        read_blob(layer, image.layer, sizeof(image.layer));
}

static void use_image(struct cip_image *opened, unsigned what)
{
        unsigned flags = what & 1 ? CIP_BLOB_SERVER_VERIFIED : 0;
        const struct cip_layer *layers;
        const char *text, *digest;
        size_t len, n;

        switch (what / 2) {
        case 0:
                fetch_blob(opened, image.layer_digest, LAYER_SIZE, flags);
                break;
        case 1:
                fetch_blob(opened, image.config_digest, -1, flags);
                break;
        case 2:
                if (cip_image_manifest(opened, &text, &len, &digest, NULL) == 0 &&
                    cip_image_manifest_verified(opened) && strcmp(digest, image.manifest_digest) == 0)
                        target_that(len == strlen(image.manifest) && memcmp(text, image.manifest, len) == 0,
                                    "a manifest was verified, and is not what its digest says");
                if (cip_image_config(opened, &text, &len, NULL) == 0)
                        target_that(len > 0, "a config is empty");
                break;
        case 3:
                if (cip_image_layers(opened, &layers, &n, NULL) == 0)
                        for (size_t i = 0; i < n; i++)
                                target_that(layers[i].size >= -1 && layers[i].digest,
                                            "a layer lacks something");
                break;
        default:
                two_at_once(opened, flags);
        }
}

static void run_client(int socket, unsigned what)
{
        struct cip_options *options;
        struct cip_session *session = NULL;
        struct cip_image *opened = NULL;
        struct cip_error error = {0};

        target_that(cip_options_new(&options) == 0, "no memory");
        cip_options_set_request_timeout(options, REQUEST_TIMEOUT_MS);
        cip_options_set_stall_timeout(options, STALL_TIMEOUT_MS);
        if (session_from_socket(options, socket, NULL, &session, &error) < 0)
                target_that(*error.message, "a session failed without a word");
        cip_options_free(options);
        if (!session)
                return;
        if (cip_image_open(session, "oci:/i:latest", &opened, &error) == 0) {
                use_image(opened, what);
                cip_image_close(opened, NULL);
        }
        cip_session_close(session, &error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const versions[] = {"0.2.8", "0.2.3", "0.2.6", "0.2.7"};
        struct target_input input = {data, size};
        static size_t fds; /* of the kernel's, as they were before the first input */
        struct hostile server = {.next_pipeid = 5};
        unsigned what = input_below(&input, 10);
        int sockets[2];

        if (!*image.manifest) {
                make_image();
                fds = target_count_fds_below(KERNEL_FDS_MAX);
        }
        server.version = versions[input_below(&input, ARRAY_SIZE(versions))];
        server.program = input;
        virtual_fds_begin();
        target_that(virtual_socketpair(sockets) == 0, "no socket: %s", strerror(errno));
        server.socket = sockets[1];
        /*
         * Every answer and every byte may come just before its deadline: each thing that the server does gives
         * one.
         */
        virtual_begin(act, &server, ((uint64_t)size + 20) * (REQUEST_TIMEOUT_MS + STALL_TIMEOUT_MS) * 1000000);
        run_client(sockets[0], what);
        virtual_end();
        while (server.n_waiting)
                drop_request(&server);
        while (server.n_flows)
                close_flow(&server, 0);
        if (server.socket >= 0)
                fd_close(server.socket);
        target_that(virtual_count_fds() == 0 && target_count_fds_below(KERNEL_FDS_MAX) == fds,
                    "a descriptor is left open");
        return 0;
}
