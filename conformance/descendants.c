/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding children by /proc with nothing but system calls: this runs in a signal handler too, when the runner
 * has been killed and nothing may stay.
 */
#include "conformance/descendants.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* As getdents64(2) has it. */
struct kernel_entry {
        uint64_t inode;
        int64_t offset;
        unsigned short size;
        unsigned char type;
        char name[];
};

/* Read in a signal handler. */
static volatile pid_t spared;

void descendants_spare(pid_t pid)
{
        spared = pid;
}

/* A decimal number; 0 where @text begins with none. */
static pid_t number(const char *text)
{
        pid_t value = 0;

        while (*text >= '0' && *text <= '9')
                value = value * 10 + (*text++ - '0');
        return value;
}

/* Whether the process behind /proc's entry @name is a child of ours that runs; its name goes to @ret_name. */
static bool is_child(int proc, const char *name, char ret_name[DESCENDANT_NAME_SIZE])
{
        size_t len = strlen(name);
        char path[32], text[512];
        const char *begin, *end;
        ssize_t n;
        int fd;

        if (len > 20)
                return false;
        stpcpy(stpcpy(path, name), "/stat");
        fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (n <= 0)
                return false;
        /* PID (NAME) STATE PARENT .. */
        text[n] = '\0';
        begin = strchr(text, '(');
        end = strrchr(text, ')');
        if (!begin || !end || end < begin || strlen(end) < 5 || end[2] == 'Z' || number(end + 4) != getpid())
                return false;
        if (ret_name) {
                len = (size_t)(end - begin - 1);
                len = len < DESCENDANT_NAME_SIZE ? len : DESCENDANT_NAME_SIZE - 1;
                memcpy(ret_name, begin + 1, len);
                ret_name[len] = '\0';
        }
        return true;
}

/* Sends @signal_number (0: none) to each child that is not spared. Returns how many there were. */
static size_t signal_children(int signal_number, char ret_name[DESCENDANT_NAME_SIZE])
{
        _Alignas(struct kernel_entry) char buffer[4096];
        int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        size_t found = 0;
        long n;

        while (proc >= 0 && (n = syscall(SYS_getdents64, proc, buffer, sizeof(buffer))) > 0) {
                for (long at = 0; at < n;) {
                        const struct kernel_entry *entry = (const void *)(buffer + at);
                        pid_t pid = number(entry->name);

                        at += entry->size;
                        if (pid > 1 && pid != spared && is_child(proc, entry->name, ret_name) &&
                            kill(pid, signal_number) == 0)
                                found++;
                }
        }
        if (proc >= 0)
                close(proc);
        return found;
}

bool descendants_gone(void)
{
        pid_t pid;

        do
                pid = waitpid(-1, NULL, WNOHANG);
        while (pid > 0);
        return pid < 0 ? errno == ECHILD : spared && signal_children(0, NULL) == 0;
}

size_t descendants_end(char ret_name[DESCENDANT_NAME_SIZE])
{
        size_t n = 0;

        /* Each that dies hands its own children to us, so that the next round finds them. */
        while (!descendants_gone()) {
                n += signal_children(SIGKILL, ret_name);
                if (waitpid(-1, NULL, 0) < 0 && errno == ECHILD)
                        break;
        }
        return n;
}

void descendants_end_all(void)
{
        spared = 0;
        descendants_end(NULL);
}
