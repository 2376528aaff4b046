/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of bytes in JSON: any bytes come back, and what is no base64 is refused.
 */
#include "protocol/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"

static const struct {
        const char *data;
        size_t len;
        const char *json;
} examples[] = {
        {"", 0, "{\"a\":\"\"}"},
        {"plain \xc3\xa4", 8, "{\"a\":\"plain \xc3\xa4\"}"},
        {"\0", 1, "{\"b\":\"AA==\"}"},
        {"\xff\xfe", 2, "{\"b\":\"\\/\\/4=\"}"},
        {"\xff"
         "ab",
         3, "{\"b\":\"\\/2Fi\"}"},
};

START_TEST(bytes_come_back_as_they_were)
{
        struct json_object *object = json_object_new_object();
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len = 99;

        bytes_to_json(object, "a", "b", examples[_i].data, examples[_i].len);
        ck_assert_str_eq(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), examples[_i].json);
        ck_assert_int_eq(bytes_from_json(object, "a", "b", &data, &len), 1);
        ck_assert_uint_eq(len, examples[_i].len);
        ck_assert_mem_eq(data, examples[_i].data, len);
        ck_assert_int_eq(data[len], 0);
        json_object_put(object);
}
END_TEST

START_TEST(what_is_no_base64_is_refused)
{
        static const char *const bad[] = {"A", "AA=", "A===", "====", "AA==AA==", "A A=", "AA==\n", "AA-_"};
        char *data;
        size_t len;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ck_assert_int_eq(base64_decode(bad[i], strlen(bad[i]), &data, &len), -EINVAL);
}
END_TEST

START_TEST(a_member_that_is_no_string_is_none)
{
        struct json_object *object = json_tokener_parse("{\"a\":1,\"b\":null}");
        char *data;
        size_t len;

        ck_assert_int_eq(bytes_from_json(object, "a", "b", &data, &len), 0);
        json_object_put(object);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("bytes");
        TCase *tcase = testing_case(suite, "bytes");

        tcase_add_loop_test(tcase, bytes_come_back_as_they_were, 0, ARRAY_SIZE(examples));
        tcase_add_test(tcase, what_is_no_base64_is_refused);
        tcase_add_test(tcase, a_member_that_is_no_string_is_none);
        return testing_main(suite);
}
