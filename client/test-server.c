/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server of the proxy protocol for unit tests, in one process with a thread for each pipe that is being
 * filled. docs/protocol.md is what it follows; a script's hook and plans are what it does otherwise.
 */
#include "client/test-server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "client/cip.h"
#include "image/digest.h"

#define PIPES_MAX 64

/* ---- the image ---- */

static struct served_blob blobs[] = {
        {.name = "small"},    {.name = "large"},     {.name = "empty"},
        {.name = "third"},    {.name = "config"},    {.name = "rewritten-config"},
        {.name = "manifest"}, {.name = "converted"}, {.name = "annotated"},
        {.name = "artifact"},
};

static struct served_blob *find_blob(const char *name)
{
        for (size_t i = 0; i < ARRAY_SIZE(blobs); i++)
                if (strcmp(blobs[i].name, name) == 0)
                        return &blobs[i];
        fprintf(stderr, "no blob %s\n", name);
        _exit(99);
}

static void fill_blob(const char *name, const char *data, size_t len)
{
        struct served_blob *blob = find_blob(name);

        blob->data = malloc(len + 1);
        blob->len = len;
        for (size_t i = 0; i < len; i++)
                blob->data[i] = data ? data[i] : (char)(i * 31 + (i >> 8) * 7 + (i >> 16));
        blob->data[len] = '\0';
        digest_of(DIGEST_SHA256, blob->data, len, blob->digest);
}

/* A manifest of three layers and the config @config, with something more in front of its end. */
static void fill_manifest(const char *name, const char *config, const char *config_type, const char *more)
{
        const struct served_blob *layers[] = {find_blob("small"), find_blob("large"), find_blob("third")};
        char text[4096];
        int n = snprintf(text, sizeof(text),
                         "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\","
                         "\"config\":{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
                         config_type, find_blob(config)->digest, find_blob(config)->len);

        for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
                n += snprintf(text + n, sizeof(text) - (size_t)n,
                              "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"%s\","
                              "\"size\":%zu}",
                              i ? "," : "", layers[i]->digest, layers[i]->len);
        n += snprintf(text + n, sizeof(text) - (size_t)n, "]%s}", more);
        fill_blob(name, text, (size_t)n);
}

static void fill_blobs(void)
{
        static const char config[] = "{ \"architecture\": \"amd64\", \"os\": \"linux\" }";
        static const char rewritten[] = "{\"architecture\":\"amd64\",\"os\":\"linux\"}";
        static const char oci_config[] = "application/vnd.oci.image.config.v1+json";

        if (find_blob("small")->data)
                return;
        fill_blob("small", "hello layer\n", 12);
        fill_blob("large", NULL, 3UL * 1024 * 1024);
        fill_blob("empty", "", 0);
        fill_blob("third", NULL, 200000);
        fill_blob("config", config, strlen(config));
        fill_blob("rewritten-config", rewritten, strlen(rewritten));
        fill_manifest("manifest", "config", oci_config, "");
        fill_manifest("converted", "rewritten-config", oci_config, "");
        fill_manifest("annotated", "config", oci_config, ",\"annotations\":{\"a\":\"b\"}");
        fill_manifest("artifact", "empty", "application/vnd.oci.empty.v1+json", "");
}

const struct served_blob *served(const char *name)
{
        fill_blobs();
        return find_blob(name);
}

static const struct served_blob *find_digest(const char *digest)
{
        for (size_t i = 0; i < ARRAY_SIZE(blobs); i++)
                if (strcmp(blobs[i].digest, digest) == 0)
                        return &blobs[i];
        return NULL;
}

/* ---- words ---- */

_Noreturn void server_die(const char *words, int status)
{
        fputs(words, stderr);
        fflush(stderr);
        _exit(status);
}

_Noreturn void server_hang(void)
{
        for (;;)
                pause();
}

void server_send(const char *text, const int *fds, size_t n_fds)
{
        int r;

        do {
                r = packet_send(0, text, strlen(text), fds, n_fds);
                if (r == -EAGAIN)
                        wait_fd(0, POLLOUT, DEADLINE_NEVER);
        } while (r == -EAGAIN);
        if (r < 0 && r != -EPIPE)
                server_die("server: cannot send\n", 99);
}

static bool has_codes(const struct server *server)
{
        struct version version;

        return version_parse(server->version, &version) == 0 &&
               version_compare(version, VERSION_ERROR_CODE) >= 0;
}

static void send_reply(const struct reply *reply, const int *fds, size_t n_fds)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;

        if (reply_format(reply, &text, &len) < 0)
                server_die("server: no memory\n", 99);
        server_send(text, fds, n_fds);
}

void server_reply(struct server *server, const char *value, uint32_t pipeid, const int *fds, size_t n_fds)
{
        CLEANUP(cleanup_json) struct json_object *parsed = json_tokener_parse(value);
        char none[] = "";
        struct reply reply = {
                .success = true,
                .value = parsed,
                .pipeid = pipeid,
                .has_error_code = has_codes(server),
                .error = none,
        };

        send_reply(&reply, fds, n_fds);
}

void server_refuse(struct server *server, const char *words)
{
        CLEANUP(cleanup_free) char *copy = strdup(words);
        struct reply reply = {
                .has_error_code = has_codes(server),
                .error_code = strstr(words, "retry") ? ERROR_CODE_RETRYABLE : ERROR_CODE_OTHER,
                .error = copy,
        };

        send_reply(&reply, NULL, 0);
}

/* ---- pipes ---- */

/* One that is being filled. */
struct stream {
        bool used;
        pthread_t thread;
        struct plan plan;
        const char *data;
        size_t len;
        bool raw;
        int data_fd, error_fd;
        bool broken;
        sem_t finishing; /* posted when FinishPipe has come */
};

static struct stream streams[PIPES_MAX];

static void write_bytes(struct stream *stream, const char *data, size_t len)
{
        while (len > 0 && !stream->broken) {
                ssize_t n = write(stream->data_fd, data, len);

                if (n < 0 && errno != EINTR)
                        stream->broken = true;
                if (n > 0) {
                        data += n;
                        len -= (size_t)n;
                }
        }
}

/* A child that has all descriptors but the socket, until the pipe's reader has gone. */
static void leave_child(const struct stream *stream)
{
        struct pollfd pollfd = {.fd = stream->data_fd};

        if (fork() != 0)
                return;
        close(0);
        poll(&pollfd, 1, 60000);
        _exit(0);
}

static void write_data(struct stream *stream)
{
        static const char more[4096];
        const struct plan *plan = &stream->plan;
        size_t len = plan->cut ? plan->cut_at : stream->len;
        char changed;

        if (plan->late) {
                while (sem_wait(&stream->finishing) < 0)
                        ;
                wait_fd(0, POLLIN, DEADLINE_NEVER);
        }
        if (plan->corrupt && len > 0) {
                changed = (char)(stream->data[0] ^ 1);
                write_bytes(stream, &changed, 1);
                write_bytes(stream, stream->data + 1, len - 1);
        } else {
                write_bytes(stream, stream->data, len);
        }
        for (size_t left = plan->extra; left > 0 && !stream->broken; left -= left < 4096 ? left : 4096)
                write_bytes(stream, more, left < 4096 ? left : 4096);
        if (plan->orphan)
                leave_child(stream);
        if (plan->die)
                server_die("out of everything\n", 2);
        if (plan->hang)
                server_hang();
}

static void *fill_pipe(void *data)
{
        struct stream *stream = data;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;

        write_data(stream);
        if (!stream->raw)
                return NULL;
        fd_clear(&stream->data_fd);
        if (stream->plan.garbage_error)
                write_all(stream->error_fd, "oops", 4);
        else if (stream->plan.unknown_code)
                dprintf(stream->error_fd, "{\"code\":\"quota\",\"message\":\"no more today\"}");
        else if (stream->plan.error &&
                 pipe_error_format(ERROR_CODE_RETRYABLE, stream->plan.error, &text, &len) == 0)
                write_all(stream->error_fd, text, len);
        fd_clear(&stream->error_fd);
        return NULL;
}

static void start_stream(struct stream *stream)
{
        sem_init(&stream->finishing, 0, 0);
        if (pthread_create(&stream->thread, NULL, fill_pipe, stream) != 0)
                server_die("server: no thread\n", 99);
        if (stream->raw)
                pthread_detach(stream->thread);
}

/* Replies with pipes, and fills them. */
static void reply_with_data(struct server *server, const char *value, const struct plan *plan, const char *data,
                            size_t len, bool raw)
{
        size_t id = 1;
        int ends[2], fds[2] = {-1, -1};
        struct stream *stream;

        while (id < PIPES_MAX && streams[id].used)
                id++;
        if (id == PIPES_MAX)
                server_die("server: too many pipes\n", 99);
        stream = &streams[id];
        *stream = (struct stream){true, .plan = *plan, .data = data, .len = len, .raw = raw, .error_fd = -1};
        if (pipe2(ends, O_CLOEXEC) < 0)
                server_die("server: no pipe\n", 99);
        fds[0] = ends[0];
        stream->data_fd = ends[1];
        if (raw) {
                if (pipe2(ends, O_CLOEXEC) < 0)
                        server_die("server: no pipe\n", 99);
                fds[1] = ends[0];
                stream->error_fd = ends[1];
        }
        server_reply(server, value, raw ? 0 : (uint32_t)id, fds, raw ? 2 : 1);
        fd_close(fds[0]);
        fd_close(fds[1]);
        server->pipes += !raw;
        start_stream(stream);
}

static void finish_pipe(struct server *server)
{
        uint64_t id = 0;
        struct stream *stream;

        json_get_uint(json_object_array_get_idx(server->request.args, 0), PIPES_MAX - 1, &id);
        stream = &streams[id];
        if (!stream->used || stream->raw) {
                server_refuse(server, "finishpipe: no active pipe");
                return;
        }
        sem_post(&stream->finishing);
        pthread_join(stream->thread, NULL);
        if (!stream->plan.end_open)
                fd_clear(&stream->data_fd);
        stream->used = false;
        server->pipes--;
        if (stream->plan.error)
                server_refuse(server, stream->plan.error);
        else if (stream->broken)
                server_refuse(server, "write |1: broken pipe");
        else
                server_reply(server, "null", 0, NULL, 0);
}

/* ---- methods ---- */

static const char *argument_text(const struct server *server, size_t i)
{
        const char *text = json_object_get_string(json_object_array_get_idx(server->request.args, i));

        return text ? text : "";
}

static void open_image(struct server *server, bool optional)
{
        bool missing = strcmp(argument_text(server, 0), "missing") == 0;
        char id[32];

        if (missing && !optional) {
                server_refuse(server, "reading manifest: no such image");
                return;
        }
        server->images += !missing;
        snprintf(id, sizeof(id), "%zu", missing ? (size_t)0 : server->images);
        server_reply(server, id, 0, NULL, 0);
}

static void get_blob(struct server *server, bool raw)
{
        const struct served_blob *blob = find_digest(argument_text(server, 1));
        const struct plan *plan = &server->plan;
        char size[32];

        if (!blob) {
                server_refuse(server, "no such blob, retry later");
                return;
        }
        if (!raw &&
            json_object_get_int64(json_object_array_get_idx(server->request.args, 2)) != (int64_t)blob->len)
                server_die("server: GetBlob with a wrong size\n", 99);
        snprintf(size, sizeof(size), "%zd", plan->unknown ? (ssize_t)-1 : (ssize_t)blob->len + plan->lies);
        reply_with_data(server, size, plan, blob->data, blob->len, raw);
}

static void get_manifest(struct server *server)
{
        const struct served_blob *manifest = find_blob(server->manifest ? server->manifest : "manifest");
        char value[200];

        snprintf(value, sizeof(value), "\"%s\"",
                 server->manifest_digest ? server->manifest_digest : manifest->digest);
        reply_with_data(server, value, &server->value_plan, manifest->data, manifest->len, false);
}

static void get_layers(struct server *server, bool piped)
{
        static char text[4096];
        struct served_blob *layers[] = {find_blob("small"), find_blob("large"), find_blob("third")};
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n,
                                      "%s{\"digest\":\"%s\",\"size\":%zu,\"media_type\":\"by-%s\"}",
                                      i ? "," : "[", layers[i]->digest, layers[i]->len,
                                      piped ? "pipe" : "reply");
        n += (size_t)snprintf(text + n, sizeof(text) - n, "]");
        if (piped)
                reply_with_data(server, "null", &server->value_plan, text, n, false);
        else
                server_reply(server, text, 0, NULL, 0);
}

static void serve_method(struct server *server, const struct method *method)
{
        const struct served_blob *config = find_blob(server->config ? server->config : "config");
        char version[VERSION_TEXT_SIZE + 2];

        switch (method->id) {
        case METHOD_INITIALIZE:
                snprintf(version, sizeof(version), "\"%s\"", server->version);
                server_reply(server, version, 0, NULL, 0);
                break;
        case METHOD_OPEN_IMAGE:
        case METHOD_OPEN_IMAGE_OPTIONAL:
                open_image(server, method->id == METHOD_OPEN_IMAGE_OPTIONAL);
                break;
        case METHOD_CLOSE_IMAGE:
                server->images--;
                server_reply(server, "null", 0, NULL, 0);
                break;
        case METHOD_GET_MANIFEST:
                get_manifest(server);
                break;
        case METHOD_GET_CONFIG:
        case METHOD_GET_FULL_CONFIG:
                reply_with_data(server, "null", &server->value_plan, config->data, config->len, false);
                break;
        case METHOD_GET_BLOB:
        case METHOD_GET_RAW_BLOB:
                get_blob(server, method->id == METHOD_GET_RAW_BLOB);
                break;
        case METHOD_GET_LAYER_INFO:
        case METHOD_GET_LAYER_INFO_PIPED:
                get_layers(server, method->id == METHOD_GET_LAYER_INFO_PIPED);
                break;
        case METHOD_FINISH_PIPE:
                finish_pipe(server);
                break;
        default:
                server_die("server: what?\n", 99);
        }
}

static void serve_request(struct server *server)
{
        const struct method *method = method_find(server->request.method);
        struct version version;

        if (method && method->id == METHOD_SHUTDOWN) {
                if (server->pipes > 0)
                        server_die("server: a pipe was not finished\n", 3);
                _exit(0);
        }
        if (!method || (version_parse(server->version, &version) == 0 && method->id != METHOD_INITIALIZE &&
                        version_compare(version, method->since) < 0))
                server_refuse(server, "unknown method");
        else
                serve_method(server, method);
}

static void serve(struct server *server, const struct script *script)
{
        struct cip_error error = {0};

        for (;;) {
                int r = packet_receive(0, &server->packet, &error);

                if (r == -EAGAIN) {
                        wait_fd(0, POLLIN, DEADLINE_NEVER);
                        continue;
                }
                if (r <= 0)
                        return;
                if (request_parse(server->packet.data, server->packet.len, &server->request, &error) < 0)
                        server_die("server: a request that is none\n", 99);
                server->nth++;
                if (!script->hook || !script->hook(server, server->request.method))
                        serve_request(server);
                request_clear(&server->request);
        }
}

int server_main(int argc, char **argv, const struct script *scripts, size_t n_scripts)
{
        struct server server = {.argc = argc, .argv = argv};

        signal(SIGPIPE, SIG_IGN);
        fill_blobs();
        for (size_t i = 0; i < n_scripts; i++) {
                if (strcmp(scripts[i].name, argv[2]) != 0)
                        continue;
                server.version = scripts[i].version ? scripts[i].version : "0.2.8";
                server.plan = scripts[i].plan;
                server.value_plan = scripts[i].value_plan;
                serve(&server, &scripts[i]);
                packet_free(&server.packet);
                _exit(0);
        }
        fprintf(stderr, "no script %s\n", argv[2]);
        _exit(99);
}

/* ---- the test's side ---- */

struct cip_options *test_options(const char *script)
{
        char path[4096];
        const char *argv[] = {path, "server", script, NULL};
        struct cip_options *options;
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        ck_assert_int_gt(n, 0);
        path[n] = '\0';
        ck_assert_ok(cip_options_new(&options));
        ck_assert_ok(cip_options_set_command(options, argv));
        return options;
}

struct cip_session *test_session(const char *script)
{
        struct cip_options *options = test_options(script);
        struct cip_session *session;
        struct cip_error error = {0};
        int r = cip_session_open(options, &session, &error);

        ck_assert_msg(r == 0, "%s: %s", script, error.message);
        cip_options_free(options);
        return session;
}

struct cip_image *test_image(struct cip_session *session)
{
        struct cip_image *image;
        struct cip_error error = {0};

        ck_assert_ok(cip_image_open(session, "ref", &image, &error));
        return image;
}

void test_no_children(void)
{
        ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
        ck_assert_int_eq(errno, ECHILD);
}
