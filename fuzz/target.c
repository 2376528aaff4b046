/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the in-process targets share: how they tell what is wrong, how they compare, and how they take an input
 * apart.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "fuzz/target.h"

/* Of those beyond nobody knows. */
#define FDS_MAX 512

void target_fail(const char *format, ...)
{
        va_list args;

        fputs("oracle: ", stderr);
        va_start(args, format);
        /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is right above */
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        abort();
}

bool target_same_json(struct json_object *a, struct json_object *b)
{
        return json_object_equal(a, b) == 1;
}

/*
 * One call for all of them: /proc would cost as much as a whole session. Descriptors are given out from below.
 */
size_t target_count_fds_below(size_t end)
{
        static struct pollfd fds[FDS_MAX];
        size_t n = end;

        for (size_t i = 0; i < end; i++)
                fds[i] = (struct pollfd){.fd = (int)i};
        target_that(poll(fds, end, 0) >= 0, "cannot look at the descriptors: %s", strerror(errno));
        for (size_t i = 0; i < end; i++)
                n -= (fds[i].revents & POLLNVAL) != 0;
        return n;
}

size_t target_count_fds(void)
{
        return target_count_fds_below(FDS_MAX);
}

void target_file_open(struct target_file *file, const void *data, size_t size)
{
        file->fd = memfd_create("input", MFD_CLOEXEC);
        target_that(file->fd >= 0 && write_all(file->fd, data, size) == 0, "cannot keep the input: %s",
                    strerror(errno));
        snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

void target_file_close(struct target_file *file)
{
        fd_close(file->fd);
        file->fd = -1;
}

uint8_t input_byte(struct target_input *input)
{
        if (input->size == 0)
                return 0;
        input->size--;
        return *input->data++;
}

unsigned input_below(struct target_input *input, unsigned bound)
{
        return input_byte(input) % bound;
}

size_t input_size(struct target_input *input, size_t max)
{
        size_t low = input_byte(input), size = low | (size_t)input_byte(input) << 8;

        return size <= max ? size : max;
}

const uint8_t *input_bytes(struct target_input *input, size_t *size)
{
        const uint8_t *bytes = input->data;

        if (*size > input->size)
                *size = input->size;
        input->data += *size;
        input->size -= *size;
        return bytes;
}

const uint8_t *input_rest(struct target_input *input, size_t *ret_size)
{
        *ret_size = input->size;
        return input_bytes(input, ret_size);
}
