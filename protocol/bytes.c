/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcrypto has the base64, which is lenient: what it takes as blanks and stray padding is refused here.
 */
#include "protocol/bytes.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "protocol/message.h"

static struct json_object *new_base64(const char *data, size_t len)
{
        CLEANUP(cleanup_free) char *text = malloc(len / 3 * 4 + 5);

        if (!text)
                return NULL;
        return json_object_new_string_len(
                text, EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data, (int)len));
}

void bytes_to_json(struct json_object *object, const char *text_key, const char *base64_key, const char *data,
                   size_t len)
{
        if (!memchr(data, '\0', len) && text_is_utf8(data, len))
                json_add_member(object, text_key, json_object_new_string_len(data, (int)len));
        else
                json_add_member(object, base64_key, new_base64(data, len));
}

int base64_decode(const char *text, size_t len, char **ret, size_t *ret_len)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        size_t padding = 0;
        char *data;

        while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
                padding++;
        if (len % 4 || strspn(text, alphabet) != len - padding)
                return -EINVAL;
        data = malloc(len / 4 * 3 + 1);
        if (!data)
                return -ENOMEM;
        if (len && EVP_DecodeBlock((unsigned char *)data, (const unsigned char *)text, (int)len) < 0) {
                free(data);
                return -EINVAL;
        }
        *ret = data;
        *ret_len = len / 4 * 3 - padding;
        data[*ret_len] = '\0';
        return 0;
}

/* The string under @key; NULL: there is none. */
static const char *string_of(struct json_object *object, const char *key, size_t *ret_len)
{
        struct json_object *member = json_object_object_get(object, key);

        if (!json_object_is_type(member, json_type_string))
                return NULL;
        *ret_len = (size_t)json_object_get_string_len(member);
        return json_object_get_string(member);
}

int bytes_from_json(struct json_object *object, const char *text_key, const char *base64_key, char **ret,
                    size_t *ret_len)
{
        size_t len;
        const char *text = string_of(object, text_key, &len), *base64;
        int r;

        if (text) {
                *ret = malloc(len + 1);
                if (!*ret)
                        return -ENOMEM;
                memcpy(*ret, text, len + 1);
                *ret_len = len;
                return 1;
        }
        base64 = string_of(object, base64_key, &len);
        if (!base64)
                return 0;
        r = base64_decode(base64, len, ret, ret_len);
        return r < 0 ? r : 1;
}
