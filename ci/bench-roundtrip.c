/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a request and its reply take through libcip and a server, beside a bare ping-pong of packets of the
 * same sizes between two processes. Both are measured in turn, several times, so that what else the machine
 * does strikes both; the medians are printed, in microseconds.
 */
#include <cip.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 21
#define CALLS 2000

/* The cheapest request that takes an argument and has an answer with text in it. */
#define METHOD "CloseImage"
#define ARGS "[999]"
#define REQUEST "{\"method\":\"" METHOD "\",\"args\":" ARGS "}"

static double now_us(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static void die(const char *what)
{
        fprintf(stderr, "bench-roundtrip: %s: %s\n", what, strerror(errno));
        exit(2);
}

/* One client round: microseconds for each call. The size of the reply goes to *@ret_reply_len. */
static double client_round(struct cip_session *session, size_t *ret_reply_len)
{
        static struct cip_error error;
        char *reply = NULL;
        double start = now_us();

        for (int i = 0; i < CALLS; i++) {
                free(reply);
                if (cip_call(session, METHOD, ARGS, &reply, NULL, &error) != -EREMOTEIO) {
                        fprintf(stderr, "bench-roundtrip: %s\n", error.message);
                        exit(2);
                }
        }
        *ret_reply_len = strlen(reply);
        free(reply);
        return (now_us() - start) / CALLS;
}

static void echo(int fd, size_t reply_len)
{
        char request[4096], reply[4096];

        memset(reply, 'x', sizeof(reply));
        while (recv(fd, request, sizeof(request), 0) > 0)
                if (send(fd, reply, reply_len, MSG_NOSIGNAL) < 0)
                        break;
        _exit(0);
}

static double bare_round(int fd, size_t reply_len)
{
        char request[] = REQUEST, reply[4096];
        double start = now_us();

        for (int i = 0; i < CALLS; i++)
                if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0 ||
                    recv(fd, reply, sizeof(reply), 0) != (ssize_t)reply_len)
                        die("ping-pong");
        return (now_us() - start) / CALLS;
}

/*
 * Both servers on one processor and both clients on the other, so that like is compared with like: left alone, the
 * scheduler puts the bare pair on one processor and a server that does some work on another.
 */
static void sit_on(int processor)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET(processor, &set);
        (void)sched_setaffinity(0, sizeof(set), &set);
}

static int by_size(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static double median(double *values)
{
        qsort(values, ROUNDS, sizeof(*values), by_size);
        return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
        static struct cip_error error;
        struct cip_options *options;
        struct cip_session *session;
        double client[ROUNDS], bare[ROUNDS];
        size_t reply_len;
        int pair[2];
        pid_t pid;

        if (argc < 2) {
                fputs("usage: bench-roundtrip SERVER ..\n", stderr);
                return 2;
        }
        if (cip_options_new(&options) < 0 ||
            cip_options_set_command(options, (const char *const *)argv + 1) < 0)
                die("options");
        sit_on(1);
        if (cip_session_open(options, &session, &error) < 0) {
                fprintf(stderr, "bench-roundtrip: %s\n", error.message);
                return 2;
        }
        sit_on(0);
        client_round(session, &reply_len);

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                die("socketpair");
        pid = fork();
        if (pid < 0)
                die("fork");
        if (pid == 0) {
                close(pair[0]);
                sit_on(1);
                echo(pair[1], reply_len);
        }
        close(pair[1]);
        bare_round(pair[0], reply_len);

        for (int i = 0; i < ROUNDS; i++) {
                bare[i] = bare_round(pair[0], reply_len);
                client[i] = client_round(session, &reply_len);
        }
        close(pair[0]);
        waitpid(pid, NULL, 0);
        cip_session_free(session);
        cip_options_free(options);
        printf("%.2f %.2f\n", median(client), median(bare));
        return 0;
}
