/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare measure for a run of the suite: starts a server, asks it for its version, closes the socket and waits
 * for its end, so many times, one after another. Prints the seconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
        fprintf(stderr, "bench-startstop: %s: %s\n", what, strerror(errno));
        exit(2);
}

static void once(char *const *argv)
{
        static const char request[] = "{\"method\":\"Initialize\",\"args\":[]}";
        char reply[4096];
        int pair[2], status;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                die("socketpair");
        pid = fork();
        if (pid < 0)
                die("fork");
        if (pid == 0) {
                dup2(pair[1], 0);
                execvp(argv[0], argv);
                _exit(127);
        }
        close(pair[1]);
        if (send(pair[0], request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
            recv(pair[0], reply, sizeof(reply), 0) <= 0)
                die("the server does not answer");
        close(pair[0]);
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                die("the server ended badly");
}

int main(int argc, char **argv)
{
        int times = argc > 2 ? atoi(argv[1]) : 0; /* NOLINT(cert-err34-c) */
        double start;

        if (times < 1) {
                fputs("usage: bench-startstop TIMES COMMAND ..\n", stderr);
                return 2;
        }
        start = now();
        for (int i = 0; i < times; i++)
                once(argv + 2);
        printf("%.3f\n", now() - start);
        return 0;
}
