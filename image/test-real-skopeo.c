/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real skopeo opens every good fixture, serves all of it, and says what this room says: manifest and config
 * byte for byte, digests, blobs. It refuses every broken fixture in the method that the table names, in the
 * same words where they are not the proxy's own. The program is CIP_TEST_SKOPEO, else skopeo on PATH; without
 * one the test is skipped (exit status 77). It talks by packets alone.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/child.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "image/digest.h"
#include "image/fixture.h"
#include "image/source.h"
#include "protocol/message.h"
#include "protocol/packet.h"

#define EXIT_SKIP 77
#define PATIENCE_MS 60000
#define READ_MAX ((size_t)128 * 1024 * 1024)

static unsigned n_failures;

__attribute__((format(printf, 2, 3))) static void fail(const struct fixture *fixture, const char *format, ...)
{
        va_list args;

        printf("FAILED: %s: ", fixture ? fixture->name : "skopeo");
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        putchar('\n');
        n_failures++;
}

/* ---- one call ---- */

static struct packet packet; /* the last answer */

/* Receives an answer. False, and a failure noted, when none comes. */
static bool receive(int socket, struct reply *ret)
{
        struct cip_error error = {0};
        int r = wait_fd(socket, POLLIN, deadline_in_ms(PATIENCE_MS));

        if (r > 0)
                r = packet_receive(socket, &packet, &error);
        if (r > 0)
                r = reply_parse(packet.data, packet.len, ret, &error) < 0 ? -EBADMSG : 1;
        if (r > 0)
                return true;
        fail(NULL, "no answer: %d %s", r, error.message);
        return false;
}

static bool call(int socket, struct reply *ret, const char *format, ...) __attribute__((format(printf, 3, 4)));

static bool call(int socket, struct reply *ret, const char *format, ...)
{
        char text[4096];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (packet_send(socket, text, strlen(text), NULL, 0) < 0) {
                fail(NULL, "cannot send %s", text);
                return false;
        }
        return receive(socket, ret);
}

/* A value through a pipe, with FinishPipe. *@ret_error is what either said, NULL for none. */
static bool call_piped(int socket, const char *request, char **ret_data, size_t *ret_len, char **ret_error)
{
        CLEANUP(cleanup_reply) struct reply first = {0};
        CLEANUP(cleanup_reply) struct reply finish = {0};
        CLEANUP_FD int fd = -1;
        char text[128];
        int r;

        *ret_data = NULL;
        *ret_error = NULL;
        if (!call(socket, &first, "%s", request))
                return false;
        if (!first.success) {
                *ret_error = strdup(first.error);
                return true;
        }
        if (packet.n_fds != 1) {
                fail(NULL, "%zu descriptors came with %s", packet.n_fds, request);
                return false;
        }
        fd = steal_fd(&packet.fds[0]);
        snprintf(text, sizeof(text), "{\"method\":\"FinishPipe\",\"args\":[%" PRIu32 "]}", first.pipeid);
        r = packet_send(socket, text, strlen(text), NULL, 0);
        if (r == 0)
                r = read_to_end(fd, READ_MAX, deadline_in_ms(PATIENCE_MS), ret_data, ret_len);
        if (r < 0 || !receive(socket, &finish)) {
                fail(NULL, "the pipe of %s: %d", request, r);
                return false;
        }
        if (!finish.success)
                *ret_error = strdup(finish.error);
        return true;
}

/* ---- one fixture ---- */

struct subject {
        const struct fixture *fixture;
        int socket;
        uint64_t id;
        struct image *image; /* our view of it */
};

/*
 * Compares what a method sent with what we would. @ours NULL: we refuse, and @our_error says why. Returns
 * whether skopeo served it.
 */
static bool compare(const struct subject *subject, const char *method, const char *ours, size_t len,
                    const char *our_error, bool same_words)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *error = NULL;
        char request[128];
        size_t data_len = 0;

        snprintf(request, sizeof(request), "{\"method\":\"%s\",\"args\":[%" PRIu64 "]}", method, subject->id);
        if (!call_piped(subject->socket, request, &data, &data_len, &error))
                return false;
        if (error && ours)
                fail(subject->fixture, "%s is refused: %s", method, error);
        else if (!error && !ours)
                fail(subject->fixture, "%s is served; we say: %s", method, our_error);
        else if (!ours && same_words && strcmp(error, our_error) != 0)
                fail(subject->fixture, "%s is refused with '%s'; we say '%s'", method, error, our_error);
        else if (ours && (!data || data_len != len || memcmp(data, ours, len) != 0))
                fail(subject->fixture, "%s sends other bytes than we do: %s", method, data ? data : "");
        return !error;
}

static bool check_manifest(const struct subject *subject)
{
        CLEANUP(cleanup_reply) struct reply reply = {0};
        struct cip_error error = {0};
        bool loaded = image_load(subject->image, &error) == 0;
        size_t len;
        const char *text = image_manifest(subject->image, &len);

        if (!compare(subject, "GetManifest", loaded ? text : NULL, len, error.message, true) || !loaded)
                return false;
        /* The digest comes with the answer; the pipe is dropped, which ends it. */
        if (!call(subject->socket, &reply, "{\"method\":\"GetManifest\",\"args\":[%" PRIu64 "]}", subject->id))
                return false;
        packet_clear(&packet);
        if (!json_object_is_type(reply.value, json_type_string) ||
            strcmp(json_object_get_string(reply.value), image_digest(subject->image)) != 0)
                fail(subject->fixture, "GetManifest tells the digest %s, and we %s",
                     json_object_to_json_string(reply.value), image_digest(subject->image));
        return true;
}

static bool check_config(const struct subject *subject)
{
        CLEANUP(cleanup_free) char *whole = NULL;
        CLEANUP(cleanup_free) char *member = NULL;
        struct cip_error error = {0};
        size_t whole_len = 0, member_len = 0;
        int r = image_read_oci_config(subject->image, false, &whole, &whole_len, &error);

        if (r == 0 && image_read_oci_config(subject->image, true, &member, &member_len, &error) < 0)
                fail(subject->fixture, "we have no config member: %s", error.message);
        /* What an artifact is called in the message depends on the release. */
        compare(subject, "GetConfig", member, member_len, error.message, !subject->fixture->artifact);
        return compare(subject, "GetFullConfig", whole, whole_len, error.message, !subject->fixture->artifact);
}

/* Whether a layer comes whole. */
static bool check_layer(const struct subject *subject, const struct content *layer)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *error = NULL;
        enum digest_algorithm algorithm = DIGEST_SHA256;
        char request[512], digest[DIGEST_TEXT_SIZE];
        size_t len = 0;

        snprintf(request, sizeof(request), "{\"method\":\"GetBlob\",\"args\":[%" PRIu64 ",\"%s\",%" PRIi64 "]}",
                 subject->id, layer->digest, layer->size);
        if (!call_piped(subject->socket, request, &data, &len, &error))
                return false;
        if (error) {
                if (subject->fixture->good)
                        fail(subject->fixture, "GetBlob is refused: %s", error);
                return false;
        }
        digest_parse(layer->digest, &algorithm);
        if (digest_of(algorithm, data, len, digest) < 0 || strcmp(digest, layer->digest) != 0)
                fail(subject->fixture, "GetBlob sent %zu bytes of digest %s", len, digest);
        return true;
}

static const char *first_refusal(const struct subject *subject)
{
        const struct manifest *manifest;

        if (!check_manifest(subject))
                return "GetManifest";
        if (!check_config(subject) && !subject->fixture->artifact)
                return "GetFullConfig";
        manifest = image_parsed_manifest(subject->image);
        for (size_t i = 0; i < manifest->n_entries; i++) {
                if (!check_layer(subject, &manifest->entries[i]))
                        return "GetBlob";
        }
        return NULL;
}

static void check_opened(struct subject *subject, const char *reference)
{
        CLEANUP(cleanup_image_free) struct image *image = NULL;
        CLEANUP(cleanup_reply) struct reply reply = {0};
        struct cip_error error = {0};
        const char *refused_by;

        if (image_open_unread(reference, NULL, &image, NULL, &error) < 0) {
                fail(subject->fixture, "we refuse it: %s", error.message);
                return;
        }
        subject->image = image;
        refused_by = first_refusal(subject);
        if (!subject->fixture->good && (!refused_by || strcmp(refused_by, subject->fixture->refused_by) != 0))
                fail(subject->fixture, "refused by %s instead of %s", refused_by ? refused_by : "nothing",
                     subject->fixture->refused_by);
        if (call(subject->socket, &reply, "{\"method\":\"CloseImage\",\"args\":[%" PRIu64 "]}", subject->id) &&
            !reply.success)
                fail(subject->fixture, "CloseImage is refused: %s", reply.error);
}

static void check_reference(int socket, const struct fixture *fixture, const char *reference)
{
        CLEANUP(cleanup_reply) struct reply reply = {0};
        struct subject subject = {fixture, socket};
        unsigned before = n_failures;

        if (!call(socket, &reply, "{\"method\":\"OpenImage\",\"args\":[\"%s\"]}", reference))
                return;
        if (!reply.success || !json_get_uint(reply.value, UINT64_MAX, &subject.id))
                fail(fixture, "OpenImage is refused: %s", reply.error);
        else
                check_opened(&subject, reference);
        printf("%s: %s as %.3s\n", n_failures == before ? "ok" : "FAILED", fixture->name, reference);
}

/* By its tag, except where it is not found so; and as a dir: folder where it fits in one. */
static void check_fixture(int socket, const struct fixture *fixture, const char *folder)
{
        CLEANUP(cleanup_free) char *oci = NULL;
        CLEANUP(cleanup_free) char *dir = NULL;
        struct cip_error error = {0};

        if (asprintf(&oci, "oci:%s/oci-%s%s", folder, fixture->name, fixture->docker ? "" : ":latest") < 0 ||
            asprintf(&dir, "dir:%s/dir-%s", folder, fixture->name) < 0) {
                fail(fixture, "no memory");
                return;
        }
        {
                CLEANUP(cleanup_free) char *path = NULL;
                CLEANUP(cleanup_free) char *tag = NULL;

                if (oci_reference_parse(oci + 4, &path, &tag, &error) < 0 ||
                    fixture_write_oci(fixture, path, "latest", &error) < 0 ||
                    (!fixture->list && fixture_write_dir(fixture, dir + 4, &error) < 0)) {
                        fail(fixture, "%s", error.message);
                        return;
                }
        }
        check_reference(socket, fixture, oci);
        if (!fixture->list)
                check_reference(socket, fixture, dir);
}

/* ---- skopeo ---- */

static int run(int socket, struct child *child)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_reply) struct reply reply = {0};
        int status = -1;

        if (tmpdir_new("cip-test", &folder, NULL) < 0 || !call(socket, &reply, "{\"method\":\"Initialize\"}"))
                return EXIT_FAILURE;
        printf("protocol %s\n", json_object_to_json_string(reply.value));
        for (size_t i = 0; i < n_fixtures; i++)
                check_fixture(socket, &fixtures[i], folder);
        shutdown(socket, SHUT_RDWR);
        child_wait(child, deadline_in_ms(PATIENCE_MS), &status);
        if (status != 0)
                fail(NULL, "it ended with the wait status %d: %s", status, child_stderr(child, NULL));
        return n_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
        const char *program = getenv("CIP_TEST_SKOPEO");
        const char *argv[] = {program && *program ? program : "skopeo", "--insecure-policy",
                              "experimental-image-proxy", NULL};
        CLEANUP(cleanup_child_free) struct child *child = NULL;
        CLEANUP_FD int ours = -1, theirs = -1;
        struct cip_error error = {0};
        int sockets[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return EXIT_FAILURE;
        ours = sockets[0];
        theirs = sockets[1];
        r = child_start(&(struct child_spec){.argv = argv, .fds = &(struct child_fd){theirs, 0}, .n_fds = 1},
                        &child, &error);
        if (r < 0) {
                puts(error.message);
                return r == -ENOENT && !(program && *program) ? EXIT_SKIP : EXIT_FAILURE;
        }
        fd_clear(&theirs);
        r = run(ours, child);
        packet_free(&packet);
        return r;
}
