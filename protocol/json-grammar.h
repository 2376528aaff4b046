/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a text is JSON, by the letter of RFC 8259, without building anything of it.
 */
#ifndef PROTOCOL_JSON_GRAMMAR_H
#define PROTOCOL_JSON_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>

/* Go's encoding/json gives up past this. */
#define JSON_DEPTH_MAX 10000

struct json_judgement {
        size_t right; /* how many bytes may be the beginning of JSON */
        int deepest;  /* how deep they nest at most */
        bool whole;   /* all of them are one value */
};

/*
 * Judges @len bytes: one value, white space around it allowed, valid UTF-8 only, nested at most @depth deep (and
 * JSON_DEPTH_MAX). What ends too early is right and not whole.
 */
struct json_judgement json_judge(const char *data, size_t len, int depth);

#endif
