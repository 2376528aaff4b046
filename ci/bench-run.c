/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command, with this process's descriptors and standing between it and its starter unseen, and appends to
 * a file what it took: its seconds, and the most memory that it had resident, in KiB. That is its VmHWM, read at
 * its exit, where ptrace(2) stops it: what wait4(2) tells is mixed with its children's. The exit status is the
 * command's.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static _Noreturn void die(const char *what)
{
        fprintf(stderr, "bench-run: %s: %s\n", what, strerror(errno));
        exit(2);
}

static long high_water(pid_t pid)
{
        char path[64], line[256];
        long kib = -1;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
        file = fopen(path, "re");
        if (!file)
                die(path);
        while (kib < 0 && fgets(line, sizeof(line), file))
                if (strncmp(line, "VmHWM:", 6) == 0)
                        kib = strtol(line + 6, NULL, 10);
        fclose(file);
        return kib;
}

/* Waits for the end, and passes on whatever stops the command before. Returns the wait status. */
static int watch(pid_t pid, long *ret_kib)
{
        int status, passed_on;

        if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(uintptr_t)PTRACE_O_TRACEEXIT) < 0)
                die("ptrace");
        for (;;) {
                if (waitpid(pid, &status, 0) < 0)
                        die("waitpid");
                if (!WIFSTOPPED(status))
                        return status;
                passed_on = 0;
                if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8)))
                        *ret_kib = high_water(pid);
                else if (status >> 16 == 0)
                        passed_on = WSTOPSIG(status);
                ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)passed_on);
        }
}

int main(int argc, char **argv)
{
        double start = now();
        char line[100];
        long kib = -1;
        int fd, status;
        pid_t pid;

        if (argc < 3) {
                fputs("usage: bench-run FILE COMMAND ..\n", stderr);
                return 2;
        }
        errno = posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ);
        if (errno != 0)
                die(argv[2]);
        /* The socket must not stay open here, or its other end would never see the server go. */
        close(0);
        status = watch(pid, &kib);
        snprintf(line, sizeof(line), "%.4f %ld\n", now() - start, kib);
        fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
        if (fd < 0 || write(fd, line, strlen(line)) < 0)
                die(argv[1]);
        close(fd);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
