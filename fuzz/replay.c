/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a target without a fuzzer: gives it each file that the command line names, or that is in a folder that it
 * names. This is how ci/test runs the corpora, under every sanitizer, and how a finding is looked at. With --bench N each
 * input is given N times and the time is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "fuzz/target.h"

/* As the fuzzers' own default would not be: nothing in a corpus is as large. */
#define INPUT_MAX ((size_t)1024 * 1024)

static unsigned long times = 1, n_inputs;

static int run_file(int fd, const char *path)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;
        int r = read_to_end(fd, INPUT_MAX, DEADLINE_NEVER, &data, &len);

        if (r < 0) {
                fprintf(stderr, "cannot read %s: %s\n", path, strerror(-r));
                return 2;
        }
        for (unsigned long i = 0; i < times; i++)
                LLVMFuzzerTestOneInput((const uint8_t *)data, len);
        n_inputs++;
        return 0;
}

static int run_path(const char *path)
{
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct dirent **entries;
        struct stat st;
        int n, status = 0;

        if (fd < 0 || fstat(fd, &st) < 0) {
                fprintf(stderr, "cannot open %s: %s\n", path, strerror(errno));
                return 2;
        }
        if (!S_ISDIR(st.st_mode))
                return run_file(fd, path);
        n = scandir(path, &entries, NULL, alphasort);
        for (int i = 0; i < n; i++) {
                CLEANUP_FD int file = openat(fd, entries[i]->d_name, O_RDONLY | O_CLOEXEC);

                if (file >= 0 && fstat(file, &st) == 0 && S_ISREG(st.st_mode) && status == 0) {
                        fprintf(stderr, "%s\n", entries[i]->d_name); /* the last one is the one that crashed */
                        status = run_file(file, entries[i]->d_name);
                }
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return status;
}

int main(int argc, char **argv)
{
        uint64_t start;
        int first = 1;

        if (argc > 2 && strcmp(argv[1], "--bench") == 0) {
                times = strtoul(argv[2], NULL, 10);
                first = 3;
        }
        if (first >= argc || argv[first][0] == '-') {
                fprintf(stderr, "Usage: %s [--bench N] FILE|FOLDER ..\n", argv[0]);
                return 2;
        }
        start = monotonic_ns();
        for (int i = first; i < argc; i++) {
                int status = run_path(argv[i]);

                if (status != 0)
                        return status;
        }
        if (n_inputs == 0) {
                fprintf(stderr, "there is no input\n");
                return 2;
        }
        printf("%lu inputs, %.0f runs a second\n", n_inputs,
               (double)(n_inputs * times) * 1e9 / (double)(monotonic_ns() - start + 1));
        return 0;
}
