/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The object of GetRawBlob's error pipe. What was read and is written again reads the same.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "protocol/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct pipe_error first = {0}, second = {0};
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};
        size_t len;

        if (pipe_error_parse((const char *)data, size, &first, &error) < 0)
                return 0;
        target_that(first.code != ERROR_CODE_NONE, "an error without a code is accepted");
        target_that(pipe_error_format(first.code, first.message, &text, &len) == 0,
                    "cannot write what was read");
        target_that(pipe_error_parse(text, len, &second, &error) == 0, "what was written is refused: %s",
                    error.message);
        target_that(first.code == second.code && strcmp(first.message, second.message) == 0,
                    "the error became another one");
        free(first.message);
        free(second.message);
        return 0;
}
