/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as a server reads them. What was read and is written again reads the same, and what a client writes
 * is read by a server as what was meant.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "protocol/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_request) struct request first = {0};
        CLEANUP(cleanup_request) struct request second = {0};
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error;
        size_t len;

        error.message[0] = '\0';
        if (request_parse((const char *)data, size, &first, &error) < 0) {
                target_that(*error.message, "a request was refused without a word");
                return 0;
        }
        target_that(request_format(first.method, first.args, &text, &len) == 0, "cannot write what was read");
        if (len == size && memcmp(text, data, len) == 0)
                return 0; /* the same text reads the same */
        target_that(request_parse(text, len, &second, &error) == 0, "what was written is refused: %s",
                    error.message);
        target_that(strcmp(first.method, second.method) == 0, "the method became another one");
        target_that(target_same_json(first.args, second.args), "the arguments became others: %s", text);
        return 0;
}
