/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every behaviour, each alone, goes through whole sessions in a process of its own: each method, with right and
 * wrong arguments, and pipes that are read and finished. What comes of it is the suite's matter, which has a
 * check for each; here the server must not crash. One that does not answer, or goes on after the end of its
 * input, is ended.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/scenario.h"
#include "fakeproxy/server.h"
#include "image/fixture.h"
#include "image/source.h"
#include "protocol/message.h"
#include "protocol/packet.h"

#define CALL(method, args) "{\"method\":\"" method "\",\"args\":[" args "]}"

/* For an answer, and for the end. The first answer that does not come is the last one that is waited for. */
#define PATIENCE_MS 2000

/* $digest and $size: the layer's; $pipe: the last one that came; $archives: a folder. */
static const char *const whole[] = {
        CALL("Initialize", ""),
        CALL("OpenImage", "\"fake:tar\""),
        CALL("GetManifest", "1"),
        CALL("FinishPipe", "$pipe"),
        CALL("GetFullConfig", "1"),
        CALL("FinishPipe", "$pipe"),
        CALL("GetConfig", "1"),
        CALL("FinishPipe", "$pipe"),
        CALL("GetLayerInfo", "1"),
        CALL("GetLayerInfoPiped", "1"),
        CALL("FinishPipe", "$pipe"),
        CALL("GetBlob", "1,\"$digest\",$size"),
        CALL("FinishPipe", "$pipe"),
        CALL("FinishPipe", "$pipe"),
        CALL("GetRawBlob", "1,\"$digest\""),
        CALL("CloseImage", "1"),
        CALL("GetManifest", "1"),
        CALL("CloseImage", "1"),
        CALL("Shutdown", ""),
        NULL,
};

static const char *const wrong[] = {
        CALL("GetManifest", "1"),
        "no JSON",
        "[]",
        "{\"method\":\"Initialize\"} behind",
        CALL("Initialize", ""),
        CALL("Initialize", ""),
        CALL("Nonsense", ""),
        CALL("OpenImage", ""),
        CALL("OpenImage", "7"),
        CALL("OpenImage", "\"nonsense:x\""),
        CALL("OpenImage", "\"oci:/nowhere\""),
        CALL("OpenImageOptional", "\"oci:/nowhere\""),
        CALL("OpenImageOptional", "\"oci-archive:/nowhere\""),
        CALL("OpenImage", "\"oci-archive:$archives/oci.tar:none\""),
        CALL("OpenImage", "\"docker-archive:$archives/docker.tgz\""),
        CALL("OpenImage", "\"fake:docker-list\""),
        CALL("OpenImage", "\"fake:artifact\""),
        CALL("GetManifest", "1"),
        CALL("GetManifest", "1"),
        CALL("GetManifest", "1.5"),
        CALL("GetManifest", "-1"),
        CALL("GetManifest", "\"1\""),
        CALL("GetManifest", "0"),
        CALL("GetManifest", "1,2"),
        CALL("GetFullConfig", "2"),
        CALL("GetBlob", "1,\"sha256:00\",1"),
        CALL("GetBlob", "1,\"$digest\",1"),
        CALL("GetBlob", "1,\"sha256:0000000000000000000000000000000000000000000000000000000000000000\",1"),
        CALL("GetRawBlob", "1,5"),
        CALL("FinishPipe", ""),
        CALL("FinishPipe", "0"),
        CALL("FinishPipe", "999"),
        CALL("CloseImage", "99"),
        NULL,
};

static char *archives; /* a folder with some, and for what is left */
static char digest[DIGEST_TEXT_SIZE];
static int64_t layer_size;

/* The layer that the sessions ask for, and archives. */
static void prepare(void)
{
        struct image *image CLEANUP(cleanup_image_free) = NULL;
        const struct content *layer;
        struct cip_error error = {0};
        char path[4096];

        ck_assert_ok(tmpdir_new("broken", &archives, &error));
        snprintf(path, sizeof(path), "%s/layout", archives);
        ck_assert_ok(fixture_write_oci(fixture_find("tar"), path, NULL, &error));
        snprintf(path, sizeof(path), "oci:%s/layout", archives);
        ck_assert_ok(image_open(path, NULL, &image, &error));
        layer = &image_parsed_manifest(image)->entries[0];
        snprintf(digest, sizeof(digest), "%s", layer->digest);
        layer_size = layer->size;
        snprintf(path, sizeof(path), "%s/oci.tar", archives);
        ck_assert_ok(fixture_write_oci_archive(fixture_find("tar"), path, "v1", false, &error));
        snprintf(path, sizeof(path), "%s/docker.tgz", archives);
        ck_assert_ok(fixture_write_docker_archive(fixture_find("tar"), path, "a:v1", true, &error));
}

/* Reads what there is: most pipes end only when they are finished. */
static void read_pipes(struct packet *packet)
{
        char buffer[65536];

        for (size_t i = 0; i < packet->n_fds; i++) {
                (void)fd_set_nonblocking(packet->fds[i], true);
                while (read(packet->fds[i], buffer, sizeof(buffer)) > 0)
                        ;
        }
}

static unsigned pipe_id(const struct packet *packet)
{
        struct json_object *json CLEANUP(cleanup_json) = NULL;

        if (json_parse(packet->data, packet->len, 100, &json, NULL) < 0 ||
            !json_object_is_type(json, json_type_object))
                return 0;
        return (unsigned)json_object_get_int64(json_object_object_get(json, "pipeid"));
}

/* A request with the words behind a $ in it replaced. */
static void fill_in(const char *text, unsigned id, char *ret, size_t size)
{
        char size_text[32], id_text[32];
        const struct {
                const char *word, *text;
        } words[] = {{"$digest", digest}, {"$size", size_text}, {"$pipe", id_text}, {"$archives", archives}};
        FILE *to = fmemopen(ret, size, "w");

        ck_assert_ptr_nonnull(to);
        snprintf(size_text, sizeof(size_text), "%" PRId64, layer_size);
        snprintf(id_text, sizeof(id_text), "%u", id);
        while (*text) {
                size_t i = 0, plain = strcspn(text, "$");

                fwrite(text, 1, plain, to);
                text += plain;
                while (*text && i < ARRAY_SIZE(words) &&
                       strncmp(text, words[i].word, strlen(words[i].word)) != 0)
                        i++;
                if (*text && i < ARRAY_SIZE(words)) {
                        fputs(words[i].text, to);
                        text += strlen(words[i].word);
                }
        }
        ck_assert_int_eq(fclose(to), 0);
}

static void talk(int socket, const char *const *requests)
{
        struct packet packet CLEANUP(packet_free) = {0};
        int patience = PATIENCE_MS;
        unsigned id = 0;

        for (; *requests; requests++) {
                struct pollfd answered = {.fd = socket, .events = POLLIN};
                char request[1000];

                fill_in(*requests, id, request, sizeof(request));
                if (packet_send(socket, request, strlen(request), NULL, 0) < 0)
                        return;
                if (poll(&answered, 1, patience) != 1)
                        patience = 0;
                else if (packet_receive(socket, &packet, NULL) != 1)
                        return;
                if (pipe_id(&packet))
                        id = pipe_id(&packet);
                read_pipes(&packet);
        }
}

static pid_t serve(struct scenario *scenario, int socket, int other_end)
{
        struct options options = {.scenario = scenario, .insecure_policy = true, .tmpdir = archives};
        struct cip_error error;
        pid_t pid;

        ck_assert_ok(emulation_find(scenario->emulate, &options.emulation, &error));
        fflush(NULL);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
                int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

                /* libcheck's handlers end the whole group. */
                signal(SIGTERM, SIG_DFL);
                signal(SIGINT, SIG_DFL);
                dup2(quiet, STDOUT_FILENO);
                dup2(quiet, STDERR_FILENO);
                fd_close(quiet);
                fd_close(other_end);
                exit(server_run(&options, socket));
        }
        return pid;
}

static void go_through(const char *name, struct scenario *scenario, const char *const *requests)
{
        int sockets[2], life[2], status;
        pid_t pid;

        /* The server holds an end of @life without knowing of it: the other end tells when it is gone. */
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
        ck_assert_int_eq(pipe2(life, O_CLOEXEC), 0);
        pid = serve(scenario, sockets[1], sockets[0]);
        fd_close(sockets[1]);
        fd_close(life[1]);
        talk(sockets[0], requests);
        fd_close(sockets[0]);
        (void)wait_fd(life[0], POLLIN, deadline_in_ms(PATIENCE_MS));
        fd_close(life[0]);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_msg(!WIFSIGNALED(status) || WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGPIPE,
                      "%s: signal %d", name, WTERMSIG(status));
}

/* The behaviour's own member of it, as if a scenario had it. */
static void turn_on(const struct behaviour *behaviour, struct behaviours *all)
{
        char *member = (char *)all + behaviour->offset;

        if (behaviour->is_number)
                *(uint64_t *)(void *)member = strstr(behaviour->name, "leak") ? 100000 : 1;
        else
                *(bool *)(void *)member = true;
}

static void go_through_all(const char *const *requests)
{
        prepare();
        ck_assert_ok(setenv("TMPDIR", archives, 1));
        for (size_t b = 0; b < n_behaviours; b++) {
                struct scenario scenario = {.emulate = "0.2.8"};

                turn_on(&behaviour_table[b], &scenario.with);
                /* A process that outlives its server on purpose would outlive the test. */
                if (!scenario.with.leaves_child)
                        go_through(behaviour_table[b].name, &scenario, requests);
        }
        tmpdir_remove(archives);
}

START_TEST(every_behaviour_goes_through_a_whole_session)
{
        go_through_all(whole);
}
END_TEST

START_TEST(every_behaviour_goes_through_a_session_of_wrong_requests)
{
        go_through_all(wrong);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("behaviours");
        TCase *tcase = testing_case(suite, "behaviours");

        tcase_add_test(tcase, every_behaviour_goes_through_a_whole_session);
        tcase_add_test(tcase, every_behaviour_goes_through_a_session_of_wrong_requests);
        return testing_main(suite);
}
