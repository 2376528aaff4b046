/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare measure for fetching a blob: one process writes so many bytes into a pipe, another reads them and
 * computes their SHA-256, as fast as that goes. Prints the seconds. With a path it writes that file's content,
 * else zeros.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[128 * 1024];

static double now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
        fprintf(stderr, "bench-pipe: %s: %s\n", what, strerror(errno));
        exit(2);
}

static void fill(int fd, int file)
{
        ssize_t n;

        while ((n = read(file, buffer, 65536)) > 0)
                for (ssize_t done = 0, m; done < n; done += m) {
                        m = write(fd, buffer + done, (size_t)(n - done));
                        if (m < 0)
                                _exit(1);
                }
        _exit(n < 0);
}

int main(int argc, char **argv)
{
        EVP_MD_CTX *hash = EVP_MD_CTX_new();
        int fds[2], file, status;
        ssize_t n;
        double start;
        pid_t pid;

        if (argc != 2) {
                fputs("usage: bench-pipe FILE\n", stderr);
                return 2;
        }
        file = open(argv[1], O_RDONLY | O_CLOEXEC);
        if (file < 0)
                die(argv[1]);
        if (!hash || !EVP_DigestInit_ex(hash, EVP_sha256(), NULL))
                die("SHA-256");
        start = now();
        if (pipe2(fds, O_CLOEXEC) < 0)
                die("pipe");
        pid = fork();
        if (pid < 0)
                die("fork");
        if (pid == 0) {
                close(fds[0]);
                fill(fds[1], file);
        }
        close(fds[1]);
        while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
                if (!EVP_DigestUpdate(hash, buffer, (size_t)n))
                        die("SHA-256");
        if (n < 0)
                die("read");
        if (waitpid(pid, &status, 0) < 0 || status != 0)
                die("the writer failed");
        printf("%.4f\n", now() - start);
        EVP_MD_CTX_free(hash);
        close(fds[0]);
        close(file);
        return 0;
}
