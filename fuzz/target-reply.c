/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies as a client reads them, of every method and version. The input is the method, the version, the number
 * of descriptors, and the packet. What is accepted and written again is accepted, and the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "protocol/message.h"
#include "protocol/method.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct target_input input = {data, size};
        const struct method *method = &methods[input_below(&input, METHODS)];
        struct version version = {0, 2, 1 + input_below(&input, 8)};
        size_t n_fds = input_below(&input, 4), len;
        CLEANUP(cleanup_reply) struct reply first = {0};
        CLEANUP(cleanup_reply) struct reply second = {0};
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        bool good;

        data = input_rest(&input, &size);
        if (reply_parse((const char *)data, size, &first, &error) < 0) {
                target_that(*error.message, "a reply was refused without a word");
                return 0;
        }
        good = reply_check(&first, method, version, n_fds, &error) == 0;
        target_that(!good || first.success || first.value == NULL, "a failure with a value is accepted");
        target_that(!good || first.success == (*first.error == '\0'),
                    "success and error contradict each other");
        target_that(!good || n_fds == 0 || first.success, "a failure with descriptors is accepted");
        target_that(reply_format(&first, &text, &len) == 0, "cannot write what was read");
        if (len == size && memcmp(text, data, len) == 0)
                return 0; /* the same text reads the same */
        target_that(reply_parse(text, len, &second, &error) == 0, "what was written is refused: %s",
                    error.message);
        target_that(first.success == second.success && first.pipeid == second.pipeid &&
                            first.error_code == second.error_code && strcmp(first.error, second.error) == 0 &&
                            target_same_json(first.value, second.value),
                    "the reply became another one: %s", text);
        target_that(!good || reply_check(&second, method, version, n_fds, &error) == 0,
                    "what was accepted is refused when it is written again: %s", error.message);
        return 0;
}
