/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake's event loop with a hostile client, in one process and in virtual time. The input is a program:
 * which release is emulated, then one thing after another that the client does whenever the fake waits:
 * requests good and bad, descriptors, pipes read, left and closed. Each reply has the protocol's shape (pure
 * versions), data that FinishPipe calls good is what was asked for, nothing is left open when the fake has
 * ended, and it ends when its client has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/tmpdir.h"
#include "fakeproxy/options.h"
#include "fakeproxy/server.h"
#include "fuzz/target.h"
#include "fuzz/virtual.h"
#include "image/fixture.h"

#define PIPES_MAX 32
#define ASKED_MAX 64
#define FDS_MAX 256  /* both sides' together */
#define STEPS_MAX 40 /* what a session does not show by then it hardly shows */

static const char *const versions[] = {"0.2.8", "0.2.3", "0.2.6", "0.2.7", "1.9.3", "1.18.0", "1.22.0"};
#define N_PURE 4 /* versions of the protocol; the rest are releases, with their defects */

/* The folder of the images stands in the place of '@'. */
static const char *const images[] = {"oci:@/layers-1:latest",
                                     "oci:@/docker:latest",
                                     "oci:@/index",
                                     "oci:@/broken-size:latest",
                                     "oci:@/blob-65537:latest",
                                     "oci:@/none",
                                     "dir:@/none",
                                     "none",
                                     ""};
static char *folder;

static void remove_folder(void)
{
        tmpdir_remove(folder);
}

static void prepare(void)
{
        static const char *const names[] = {"layers-1", "docker", "index", "broken-size", "blob-65537"};
        struct cip_error error;
        char path[256];

        target_that(tmpdir_new("cip-fuzz", &folder, &error) == 0, "%s", error.message);
        atexit(remove_folder);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
                target_that(fixture_write_oci(fixture_find(names[i]), path, "latest", &error) == 0, "%s",
                            error.message);
        }
}

/* ---- the client ---- */

struct hostile {
        struct target_input program;
        int socket;
        struct version version;
        bool pure;
        const struct method
                *asked[ASKED_MAX]; /* without a reply yet, oldest first; NULL: it was no good request */
        size_t n_asked;
        struct {
                int fd;
                uint32_t id;
        } pipes[PIPES_MAX];
        size_t n_pipes;
        uint32_t last_id;
        unsigned steps;
};

static void close_pipe(struct hostile *client, size_t i)
{
        fd_close(client->pipes[i].fd);
        client->pipes[i] = client->pipes[--client->n_pipes];
}

static void keep_pipe(struct hostile *client, int fd, uint32_t id)
{
        if (client->n_pipes == PIPES_MAX)
                close_pipe(client, 0);
        client->pipes[client->n_pipes].fd = fd;
        client->pipes[client->n_pipes++].id = id;
}

/*
 * Replies that were parsed before: a server says the same few again and again. Each has one place by its text,
 * and keeps it for good.
 */
static struct {
        char text[256];
        size_t len;
        struct reply reply;
} parsed[256];

static size_t place_of(const char *text, size_t len)
{
        uint64_t hash = len, eight;

        for (size_t i = 0; i + sizeof(eight) <= len; i += sizeof(eight)) {
                memcpy(&eight, text + i, sizeof(eight));
                hash = (hash ^ eight) * UINT64_C(0x9e3779b97f4a7c15);
                hash ^= hash >> 29;
        }
        return hash % ARRAY_SIZE(parsed);
}

/* What the text says: a reply from above, or @own, which is the caller's to clear. */
static const struct reply *parse_reply(const char *text, size_t len, struct reply *own)
{
        size_t i = place_of(text, len);
        struct cip_error error;

        if (parsed[i].len == len && memcmp(parsed[i].text, text, len) == 0)
                return &parsed[i].reply;
        target_that(reply_parse(text, len, own, &error) == 0, "a reply is broken: %s", error.message);
        if (parsed[i].len > 0 || len > sizeof(parsed[i].text))
                return own;
        memcpy(parsed[i].text, text, len);
        parsed[i].len = len;
        parsed[i].reply = *own;
        *own = (struct reply){0};
        return &parsed[i].reply;
}

/* Takes in a reply, if there is one, and judges it. */
static bool take_reply(struct hostile *client)
{
        static struct packet packet; /* its memory is used again */
        CLEANUP(cleanup_reply) struct reply own = {0};
        const struct reply *reply;
        const struct method *method;
        struct cip_error error;
        int r;

        if (client->socket < 0)
                return false;
        r = packet_receive(client->socket, &packet, &error);
        if (r == -EAGAIN)
                return false;
        if (r <= 0) {
                fd_clear(&client->socket);
                return true;
        }
        target_that(client->n_asked > 0, "a reply came that nobody had asked for");
        method = client->asked[0];
        client->n_asked--;
        for (size_t i = 0; i < client->n_asked; i++)
                client->asked[i] = client->asked[i + 1];
        reply = parse_reply(packet.data, packet.len, &own);
        if (client->pure)
                target_that(reply_check(reply, method, client->version, packet.n_fds, &error) == 0,
                            "a reply breaks the protocol: %s", error.message);
        for (size_t i = 0; i < packet.n_fds; i++)
                keep_pipe(client, steal_fd(&packet.fds[i]), reply->pipeid);
        client->last_id = reply->pipeid ? reply->pipeid : client->last_id;
        return true;
}

static void send_request(struct hostile *client, const struct method *method, const void *text, size_t len,
                         unsigned n_fds)
{
        int fds[8] = {0};
        int r;

        if (client->socket < 0 || client->n_asked == ASKED_MAX)
                return;
        for (unsigned i = 0; i < n_fds; i++)
                fds[i] = fcntl(client->socket, F_DUPFD_CLOEXEC, 0);
        r = packet_send(client->socket, text, len, fds, n_fds);
        for (unsigned i = 0; i < n_fds; i++)
                fd_close(fds[i]);
        if (r == 0 && len > 0 && !(method && method->id == METHOD_SHUTDOWN))
                client->asked[client->n_asked++] = method;
}

/* One argument of the right kind, mostly with a value that means something. */
static int print_argument(struct hostile *client, struct target_input *program, enum argument_kind kind,
                          char *ret, size_t size)
{
        static const char *const blobs[] = {
                "sha256:2ddd6209bf6398e18de39299b39f2c04a8b1f24e507147b8f1759b8bf643ead7",
                "sha256:51fcc83fb38c18424c9024f63d34a1484a55abf35b89d1f3c3b2334a1205d5c4", "sha256:00", "x"};
        unsigned value = input_byte(program);
        const char *text;
        size_t mark;

        switch (kind) {
        case ARGUMENT_REFERENCE:
                text = images[value % ARRAY_SIZE(images)];
                mark = strcspn(text, "@");
                return snprintf(ret, size, "\"%.*s%s%s\"", (int)mark, text, text[mark] ? folder : "",
                                text[mark] ? text + mark + 1 : "");
        case ARGUMENT_DIGEST:
                return snprintf(ret, size, "\"%s\"", blobs[value % ARRAY_SIZE(blobs)]);
        case ARGUMENT_PIPE:
                return snprintf(ret, size, "%u", value & 1 ? client->last_id : value / 2);
        case ARGUMENT_SIZE:
                return snprintf(ret, size, "%u", value * value * 7);
        case ARGUMENT_IMAGE:
        default:
                return snprintf(ret, size, "%u", value % 5);
        }
}

/* A request of the table, with good arguments, or one too few or too many. */
static void ask(struct hostile *client, struct target_input *program)
{
        const struct method *method = &methods[input_below(program, METHODS)];
        size_t n = method->n_arguments + (input_below(program, 16) == 0);
        char text[512];
        int len = snprintf(text, sizeof(text), "{\"method\":\"%s\",\"args\":[", method->name);

        for (size_t i = 0; i < n; i++) {
                len += snprintf(text + len, sizeof(text) - (size_t)len, "%s", i ? "," : "");
                len += print_argument(client, program,
                                      i < method->n_arguments ? method->arguments[i] : ARGUMENT_IMAGE,
                                      text + len, sizeof(text) - (size_t)len);
        }
        len += snprintf(text + len, sizeof(text) - (size_t)len, "]}");
        send_request(client, method, text, (size_t)len, 0);
}

static void ask_raw(struct hostile *client, struct target_input *program)
{
        CLEANUP(cleanup_request) struct request request = {0};
        unsigned n_fds = input_below(program, 8);
        size_t len = input_size(program, 4096);
        const uint8_t *text = input_bytes(program, &len);
        bool good = request_parse((const char *)text, len, &request, NULL) == 0;

        if (good && !client->pure && strcmp(request.method, "FinishPipe") == 0 &&
            json_object_array_length(request.args) == 0)
                return; /* releases end by a panic there, which would be the end of this process */
        send_request(client, good ? method_find(request.method) : NULL, text, len, n_fds);
}

static void read_pipe(struct hostile *client, size_t i, size_t size)
{
        char buffer[65536];
        int flags = fcntl(client->pipes[i].fd, F_GETFL);
        ssize_t n;

        fcntl(client->pipes[i].fd, F_SETFL, flags | O_NONBLOCK);
        n = read(client->pipes[i].fd, buffer, size < sizeof(buffer) ? size : sizeof(buffer));
        if (n == 0 || (n < 0 && errno != EAGAIN))
                close_pipe(client, i);
}

/* The next thing that the client does. At the end of its program it reads what there is, and hangs up. */
static bool act(void *data)
{
        struct hostile *client = data;
        struct target_input *program = &client->program;
        size_t which;

        while (take_reply(client))
                ;
        if (client->socket < 0)
                return false;
        if (program->size == 0 || ++client->steps > STEPS_MAX) {
                fd_clear(&client->socket);
                while (client->n_pipes)
                        close_pipe(client, 0);
                return true;
        }
        switch (input_below(program, 8)) {
        case 0:
        case 1:
        case 2:
                ask(client, program);
                break;
        case 3:
                ask_raw(client, program);
                break;
        case 4:
        case 5:
                which = input_byte(program);
                if (client->n_pipes)
                        read_pipe(client, which % client->n_pipes, (size_t)input_byte(program) * 300 + 1);
                break;
        case 6:
                which = input_byte(program);
                if (client->n_pipes)
                        close_pipe(client, which % client->n_pipes);
                break;
        default:
                if (input_below(program, 8) == 0)
                        shutdown(client->socket, SHUT_WR);
        }
        return true;
}

/* The command line of each version, which a session only reads. */
static const struct options *options_of(unsigned which)
{
        static char program[] = "skopeo", emulate[] = "--emulate", policy[] = "--insecure-policy",
                    command[] = "experimental-image-proxy";
        static struct options options[ARRAY_SIZE(versions)];
        static bool parsed_once[ARRAY_SIZE(versions)];
        char *argv[] = {program, emulate, (char *)(uintptr_t)versions[which], policy, command, NULL};
        struct cip_error error;

        if (!parsed_once[which])
                target_that(options_read(ARRAY_SIZE(argv) - 1, argv, &options[which], &error) == 0, "%s",
                            error.message);
        parsed_once[which] = true;
        return &options[which];
}

static void run(struct hostile *client, unsigned which, int take_socket)
{
        const struct options *options = options_of(which);
        int status;

        virtual_begin(act, client, UINT64_C(3600) * 1000000000);
        status = server_run(options, take_socket);
        virtual_end();
        target_that(status == 0 || status == 1 || !client->pure, "the fake ended with status %d", status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct hostile client = {.program = {data, size}};
        unsigned which = input_below(&client.program, ARRAY_SIZE(versions));
        int sockets[2];
        size_t fds;

        if (!folder)
                prepare();
        fds = target_count_fds_below(FDS_MAX);
        client.pure = which < N_PURE;
        if (client.pure)
                version_parse(versions[which], &client.version);
        target_that(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) == 0, "no socket: %s",
                    strerror(errno));
        client.socket = sockets[1];
        run(&client, which, sockets[0]);
        while (take_reply(&client))
                ;
        while (client.n_pipes)
                close_pipe(&client, 0);
        if (client.socket >= 0)
                fd_close(client.socket);
        target_that(target_count_fds_below(FDS_MAX) == fds, "a descriptor is left open");
        return 0;
}
