/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server whose every text is hostile: its version, its help, its stderr, and the errors and values of its
 * replies, one after the other, with a very long one among them. Called as skopeo is. For test-reports.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/test-hostile.h"
#include "protocol/packet.h"

#define LONG_LINE ((size_t)1024 * 1024)
#define LONG_REPLY ((size_t)100 * 1024)

static void print_all(FILE *out)
{
        CLEANUP(cleanup_free) char *line = calloc(1, LONG_LINE);

        /* In one piece: stderr has no buffer. */
        if (line)
                fwrite(memset(line, 'F', LONG_LINE), 1, LONG_LINE, out);
        fputc('\n', out);
        for (size_t i = 0; i < N_HOSTILE_TEXTS; i++)
                fprintf(out, "%s\n", hostile_texts[i]);
}

/* A reply that fails, or one that succeeds with a text that nobody wants; bytes that are no UTF-8 stay as they are. */
static char *make_reply(size_t number)
{
        struct json_object *reply = json_object_new_object();
        const char *text = hostile_texts[number % N_HOSTILE_TEXTS];
        CLEANUP(cleanup_free) char *long_text = NULL;
        bool success = number % 3 == 2;
        char *json;

        if (number % (N_HOSTILE_TEXTS + 1) == N_HOSTILE_TEXTS && (long_text = calloc(1, LONG_REPLY + 1)))
                text = memset(long_text, 'F', LONG_REPLY);
        json_object_object_add(reply, "success", json_object_new_boolean(success));
        json_object_object_add(reply, "value", success ? json_object_new_string(text) : NULL);
        json_object_object_add(reply, "pipeid", json_object_new_int(0));
        json_object_object_add(reply, "error_code", json_object_new_string(success ? "" : text));
        json_object_object_add(reply, "error", json_object_new_string(success ? "" : text));
        json = strdup(json_object_to_json_string_ext(reply, JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(reply);
        return json;
}

static int serve(int socket)
{
        /* Each server begins at another text. */
        size_t number = (size_t)getpid();
        CLEANUP(cleanup_packet) struct packet packet = {0};
        struct cip_error error;

        for (;; number++) {
                struct pollfd fds = {.fd = socket, .events = POLLIN};
                CLEANUP(cleanup_free) char *reply = NULL;
                int r;

                if (poll(&fds, 1, -1) < 0)
                        return 1;
                r = packet_receive(socket, &packet, &error);
                if (r == -EAGAIN)
                        continue;
                if (r <= 0 || strstr(packet.data, "Shutdown"))
                        return r < 0 ? 1 : 0;
                reply = strstr(packet.data, "Initialize") ? strdup("{\"success\":true,\"value\":\"0.2.8\","
                                                                   "\"pipeid\":0,\"error_code\":\"\","
                                                                   "\"error\":\"\"}")
                                                          : make_reply(number);
                if (reply)
                        packet_send(socket, reply, strlen(reply), NULL, 0);
        }
}

int main(int argc, char **argv)
{
        int socket = 0;

        for (int i = 1; i < argc && argv[i]; i++) {
                if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "--help") == 0) {
                        print_all(stdout);
                        return 0;
                }
                if (strcmp(argv[i], "--sockfd") == 0 && argv[i + 1])
                        socket = atoi(argv[i + 1]);
        }
        print_all(stderr);
        return serve(socket);
}
