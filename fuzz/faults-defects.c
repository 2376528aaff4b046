/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with one defect of each kind that a sweep of faults (fuzz/faults) looks for, each in a place that is
 * reached only when an allocation fails: inject-defects KIND [FILE]. The sweep's own test wants each to be found.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* Not on the stack, where a stale pointer would hide a leak. */
static char *volatile kept;

static void crash(const char *file)
{
        (void)file;
        memcpy(kept, "nobody looked whether there is room", 36);
}

static void leak_memory(const char *file)
{
        (void)file;
        kept = strdup("this is lost with the next line");
        kept = NULL;
}

static void leak_descriptor(const char *file)
{
        (void)file;
        kept = dup(STDERR_FILENO) < 0 ? NULL : kept;
}

static void hang(const char *file)
{
        (void)file;
        for (;;)
                pause();
}

static void leave_file(const char *file)
{
        char name[4096];
        int fd;

        snprintf(name, sizeof(name), "%s.tmp", file);
        fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        close(fd);
}

static void leave_process(const char *file)
{
        (void)file;
        if (fork() == 0)
                hang(NULL);
}

static void say_nothing(const char *file)
{
        (void)file;
        exit(2);
}

static void blame(const char *file)
{
        (void)file;
        fprintf(stderr, "it was the server\n");
        exit(1);
}

static void lie(const char *file)
{
        (void)file;
        printf("fine, but not the same\n");
        exit(0);
}

/* The layout that is there has an index.json afterwards that is none. */
static void damage(const char *file)
{
        int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);

        close(fd);
}

static const struct {
        const char *name;
        void (*go_wrong)(const char *file);
} defects[] = {
        {"crash", crash},        {"memory", leak_memory}, {"descriptor", leak_descriptor},
        {"hang", hang},          {"file", leave_file},    {"process", leave_process},
        {"silent", say_nothing}, {"blame", blame},        {"lie", lie},
        {"layout", damage},      {"none", NULL},
};

int main(int argc, char **argv)
{
        for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(defects); i++) {
                if (strcmp(defects[i].name, argv[1]) != 0)
                        continue;
                kept = malloc(64);
                if (kept) {
                        free(kept);
                        printf("fine\n");
                        return 0;
                }
                if (defects[i].go_wrong)
                        defects[i].go_wrong(argc > 2 ? argv[2] : "");
                fprintf(stderr, "out of memory\n");
                return 2;
        }
        for (size_t i = 0; i < ARRAY_SIZE(defects); i++)
                puts(defects[i].name);
        return argc > 1 ? 2 : 0;
}
