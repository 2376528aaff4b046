/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server for the suite's own tests: it knows Initialize and Shutdown, refuses everything else, and misbehaves
 * as its first argument says. It stands for a server that is not skopeo: test-server MODE --sockfd 3.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "protocol/packet.h"

#define INITIALIZED "{\"success\":true,\"value\":\"0.2.8\",\"pipeid\":0,\"error_code\":\"\",\"error\":\"\"}"
#define REFUSED "{\"success\":false,\"value\":null,\"pipeid\":0,\"error_code\":\"other\",\"error\":\"no\"}"
/* What breaks terminals, XML, YAML and TAP, once in a text of JSON and once as bytes that are no UTF-8. */
#define HOSTILE                                                                \
        "{\"success\":true,\"value\":\"\\u001b[2J]]>&<x y='\\\"'># TODO \\\\ " \
        "\\u0000\\ufffe\xef\xbf\xbe\\n...\\n1..9\","                           \
        "\"pipeid\":0,\"error\":\"\"}"
#define HOSTILE_BYTES "\033]0;x\007 <![CDATA[ \xff\xfe\xc0\x80 ]]> # SKIP \\ \"\n...\n---\nok 1"

static const char *mode;
static bool initialized;

static bool is_mode(const char *name)
{
        return strcmp(mode, name) == 0;
}

/* Leaves behind a process with a session of its own that nothing of ours holds open. */
static void leave_process(void)
{
        if (fork() != 0)
                return;
        setsid();
        for (int fd = 0; fd < 64; fd++)
                close(fd);
        for (;;)
                pause();
}

static void leave_file(const char *variable)
{
        CLEANUP(cleanup_free) char *path = NULL;
        int fd;

        if (asprintf(&path, "%s/left-behind", getenv(variable)) < 0) {
                path = NULL;
                return;
        }
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
                close(fd);
}

static void misbehave_at_start(void)
{
        if (is_mode("exit"))
                exit(4);
        if (is_mode("hang"))
                for (;;)
                        pause();
        if (is_mode("file-in-tmp"))
                leave_file("TMPDIR");
        if (is_mode("file-in-home"))
                leave_file("HOME");
        if (is_mode("stderr"))
                fputs("a warning that nobody wanted\n", stderr);
        if (is_mode("panic-text"))
                fputs("panic: runtime error: index out of range [0] with length 0\n", stderr);
        if (is_mode("hostile-stderr"))
                fputs(HOSTILE_BYTES "\n", stderr);
}

static void misbehave_after_initialize(void)
{
        if (is_mode("process"))
                leave_process();
        if (is_mode("dies"))
                raise(SIGKILL);
}

/* The reply; NULL for none. */
static const char *answer(const char *request)
{
        if (strstr(request, "Shutdown"))
                exit(0);
        if (!strstr(request, "\"Initialize\"") || initialized) {
                if (is_mode("descriptor"))
                        (void)!dup(STDERR_FILENO);
                return is_mode("hostile") ? HOSTILE : is_mode("hostile-bytes") ? HOSTILE_BYTES : REFUSED;
        }
        initialized = true;
        if (is_mode("silent"))
                return NULL;
        if (is_mode("garbage"))
                return "garbage \033[31m";
        if (is_mode("no-version"))
                return "{\"success\":true,\"value\":\"0.2\",\"pipeid\":0,\"error\":\"\"}";
        if (is_mode("old"))
                return "{\"success\":true,\"value\":\"0.2.1\",\"pipeid\":0,\"error\":\"\"}";
        if (is_mode("fails"))
                return REFUSED;
        return INITIALIZED;
}

static int serve(int socket)
{
        CLEANUP(cleanup_packet) struct packet packet = {0};
        struct cip_error error;

        for (;;) {
                struct pollfd fds = {.fd = socket, .events = POLLIN};
                const char *reply;
                int r;

                if (poll(&fds, 1, -1) < 0)
                        return 1;
                r = packet_receive(socket, &packet, &error);
                if (r == -EAGAIN)
                        continue;
                if (r <= 0)
                        break;
                reply = answer(packet.data);
                if (reply)
                        packet_send(socket, reply, strlen(reply), NULL, 0);
                if (reply && strcmp(reply, INITIALIZED) == 0)
                        misbehave_after_initialize();
        }
        while (is_mode("deaf"))
                pause();
        return is_mode("status") ? 3 : 0;
}

int main(int argc, char **argv)
{
        if (argc != 4 || strcmp(argv[2], "--sockfd") != 0) {
                fprintf(stderr, "test-server: usage: test-server MODE --sockfd N\n");
                return 1;
        }
        mode = argv[1];
        misbehave_at_start();
        return serve(atoi(argv[3]));
}
