/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the in-process targets have in common. A target is a file target-NAME.c with LLVMFuzzerTestOneInput,
 * which libFuzzer, AFL++ (persistent mode, by its libFuzzer driver) and replay.c call alike, and the folder
 * corpus/NAME. What is wrong beyond a crash is told by these functions, which end the process as a crash does.
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns 0; -1: the input is nothing for this target and need not be kept. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is wrong, and aborts. */
void target_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define target_that(condition, ...)               \
        do {                                      \
                if (!(condition))                 \
                        target_fail(__VA_ARGS__); \
        } while (0)

/* Whether two JSON values are the same, numbers by their value. */
bool target_same_json(struct json_object *a, struct json_object *b);

/* The number of this process's descriptors; to be the same before and after an input. */
size_t target_count_fds(void);

/* Of those with a number below @end, which costs less where an input opens few; at most 512. */
size_t target_count_fds_below(size_t end);

/* A file without a name that holds @size bytes of @data, and a path under which it can be opened. */
struct target_file {
        int fd;
        char path[32]; /* "/proc/self/fd/N" */
};

void target_file_open(struct target_file *file, const void *data, size_t size);
void target_file_close(struct target_file *file);

/*
 * Takes an input apart, from its beginning: numbers and pieces of it. Behind the end everything is 0 and empty,
 * so that every input is a program.
 */
struct target_input {
        const uint8_t *data;
        size_t size;
};

uint8_t input_byte(struct target_input *input);

/* 0 to @bound - 1; @bound of 1 to 256. */
unsigned input_below(struct target_input *input, unsigned bound);

/* Two bytes, little end first, at most @max. */
size_t input_size(struct target_input *input, size_t max);

/* The next @size bytes, or what is left; *@size becomes how many there are. */
const uint8_t *input_bytes(struct target_input *input, size_t *size);

/* All that is left. */
const uint8_t *input_rest(struct target_input *input, size_t *ret_size);

#endif
