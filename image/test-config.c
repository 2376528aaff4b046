/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configs come out as real servers send them: the expected texts were taken from skopeo 1.22.0.
 */
#include "image/config.h"

#include "base/cleanup.h"
#include "base/testing.h"
#include "protocol/message.h"

static const struct {
        const char *from, *to, *member;
} good[] = {
        /* members in Go's order, unknown ones lost, maps sorted, text escaped */
        {"{\"created\":\"2020-01-01T00:00:00Z\",\"author\":\"a\",\"architecture\":\"amd64\",\"os.version\":"
         "\"1\","
         "\"os.features\":[\"x\"],\"variant\":\"v\",\"os\":\"linux\",\"moby.buildkit.x\":\"y\",\"config\":{"
         "\"User\":"
         "\"u\",\"ExposedPorts\":{\"80/tcp\":{}},\"Env\":[\"A=<b>\"],\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"],"
         "\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/"
         "\",\"Labels\":{\"z\":\"1\",\"b\":\"2\"},\"StopSignal\":\"TERM\","
         "\"ArgsEscaped\":true,\"Healthcheck\":{\"Test\":[\"x\"]}},\"rootfs\":{\"type\":\"layers\",\"diff_"
         "ids\":"
         "[\"sha256:1\"]},\"history\":[{\"created\":\"2020-01-01T00:00:00Z\",\"created_by\":\"x\",\"author\":"
         "\"y\","
         "\"comment\":\"z\",\"empty_layer\":true}]}",
         "{\"created\":\"2020-01-01T00:00:00Z\",\"author\":\"a\",\"architecture\":\"amd64\",\"os\":\"linux\","
         "\"os.version\":\"1\",\"os.features\":[\"x\"],\"variant\":\"v\",\"config\":{\"User\":\"u\","
         "\"ExposedPorts\":{\"80/"
         "tcp\":{}},\"Env\":[\"A=\\u003cb\\u003e\"],\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"],"
         "\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/"
         "\",\"Labels\":{\"b\":\"2\",\"z\":\"1\"},\"StopSignal\":\"TERM\","
         "\"ArgsEscaped\":true},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:1\"]},\"history\":[{"
         "\"created\":\"2020-01-01T00:00:00Z\",\"created_by\":\"x\",\"author\":\"y\",\"comment\":\"z\","
         "\"empty_layer\":true}]}",
         "{\"User\":\"u\",\"ExposedPorts\":{\"80/"
         "tcp\":{}},\"Env\":[\"A=\\u003cb\\u003e\"],\"Entrypoint\":[\"e\"],"
         "\"Cmd\":[\"c\"],\"Volumes\":{\"/v\":{}},\"WorkingDir\":\"/\",\"Labels\":{\"b\":\"2\",\"z\":\"1\"},"
         "\"StopSignal\":\"TERM\",\"ArgsEscaped\":true}"},
        /* what is always there */
        {"{}", "{\"architecture\":\"\",\"os\":\"\",\"config\":{},\"rootfs\":{\"type\":\"\",\"diff_ids\":null}}",
         "{}"},
        {"{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":null,\"rootfs\":{\"type\":\"layers\","
         "\"diff_ids\":[]},\"history\":[]}",
         "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
         "\"diff_ids\":[]}}",
         "{}"},
        /* keys without regard to case; empty members of config are left out */
        {"{\"OS\":\"linux\",\"Config\":{\"user\":\"\",\"env\":[],\"LABELS\":{\"a/b\":\"c/d\"}}}",
         "{\"architecture\":\"\",\"os\":\"linux\",\"config\":{\"Labels\":{\"a/b\":\"c/d\"}},\"rootfs\":{"
         "\"type\":\"\",\"diff_ids\":null}}",
         "{\"Labels\":{\"a/b\":\"c/d\"}}"},
        {"null",
         "{\"architecture\":\"\",\"os\":\"\",\"config\":{},\"rootfs\":{\"type\":\"\",\"diff_ids\":null}}",
         "{}"},
};

START_TEST(a_config_is_written_as_servers_write_it)
{
        CLEANUP(cleanup_free) char *whole = NULL;
        CLEANUP(cleanup_free) char *member = NULL;
        struct cip_error error = {0};
        size_t len;

        ck_assert_ok(config_to_oci(good[_i].from, strlen(good[_i].from), false, &whole, &len, &error));
        ck_assert_str_eq(whole, good[_i].to);
        ck_assert_uint_eq(len, strlen(whole));
        ck_assert_ok(config_to_oci(good[_i].from, strlen(good[_i].from), true, &member, &len, &error));
        ck_assert_str_eq(member, good[_i].member);
}
END_TEST

START_TEST(what_was_written_once_stays_the_same)
{
        CLEANUP(cleanup_free) char *again = NULL;
        size_t len;

        ck_assert_ok(config_to_oci(good[_i].to, strlen(good[_i].to), false, &again, &len, NULL));
        ck_assert_str_eq(again, good[_i].to);
}
END_TEST

static const struct {
        const char *from, *message;
} bad[] = {
        {"[1,2]", "json: cannot unmarshal array into Go value of type v1.Image"},
        {"\"x\"", "json: cannot unmarshal string into Go value of type v1.Image"},
        {"{\"architecture\":5}",
         "json: cannot unmarshal number into Go struct field Image.architecture of type string"},
        {"{\"config\":[]}", "json: cannot unmarshal array into Go struct field Image.config of type v1.Image"},
        {"{\"config\":{\"Env\":[1]}}",
         "json: cannot unmarshal number into Go struct field Image.Env of type []string"},
        {"{\"config\":{\"Labels\":{\"a\":{}}}}",
         "json: cannot unmarshal object into Go struct field Image.Labels of type map[string]string"},
        {"{\"config\":{\"Volumes\":{\"a\":\"b\"}}}",
         "json: cannot unmarshal string into Go struct field Image.Volumes of type map[string]struct {}"},
        {"{\"history\":[1]}",
         "json: cannot unmarshal number into Go struct field Image.history of type []v1.History"},
        {"{\"history\":[{\"empty_layer\":\"yes\"}]}",
         "json: cannot unmarshal string into Go struct field Image.empty_layer of type bool"},
        {"{\"created\":\"yesterday\"}",
         "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\""},
        {"", "unexpected end of JSON input"},
        {"{\"os\":", "unexpected end of JSON input"},
};

START_TEST(what_is_no_config_is_refused_as_servers_do)
{
        struct cip_error error = {0};
        char *text;
        size_t len;

        ck_assert_errno(config_to_oci(bad[_i].from, strlen(bad[_i].from), false, &text, &len, &error),
                        -EBADMSG);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_str_eq(error.message, bad[_i].message);
}
END_TEST

static const struct {
        const char *from, *to; /* JSON; @to NULL: refused */
} times[] = {
        {"null", "0001-01-01T00:00:00Z"},
        {"\"2020-01-02T03:04:05Z\"", "2020-01-02T03:04:05Z"},
        {"\"2020-01-02T03:04:05.100Z\"", "2020-01-02T03:04:05.1Z"},
        {"\"2020-01-02T03:04:05.000Z\"", "2020-01-02T03:04:05Z"},
        {"\"2020-01-02T03:04:05.1234567891Z\"", "2020-01-02T03:04:05.123456789Z"},
        {"\"2020-01-02T03:04:05.050+05:30\"", "2020-01-02T03:04:05.05+05:30"},
        {"\"2020-01-02T03:04:05+00:00\"", "2020-01-02T03:04:05Z"},
        {"\"2020-01-02T03:04:05-00:00\"", "2020-01-02T03:04:05Z"},
        {"\"2020-02-29T23:59:59Z\"", "2020-02-29T23:59:59Z"},
        {"\"2000-02-29T23:59:59Z\"", "2000-02-29T23:59:59Z"},
        {"\"2020-02-30T03:04:05Z\"", NULL},
        {"\"1900-02-29T03:04:05Z\"", NULL},
        {"\"2021-02-29T03:04:05Z\"", NULL},
        {"\"2020-00-01T03:04:05Z\"", NULL},
        {"\"2020-13-01T03:04:05Z\"", NULL},
        {"\"2020-01-00T03:04:05Z\"", NULL},
        {"\"2020-01-02T24:00:00Z\"", NULL},
        {"\"2020-01-02T03:04:05\"", NULL},
        {"\"2020-01-02T03:04:05.Z\"", NULL},
        {"\"2020-01-02T03:04:05Zx\"", NULL},
        {"\"2020-01-02T03:04:05+1:00\"", NULL},
        {"\"2020-01-02 03:04:05Z\"", NULL},
        {"\"2020-01-02\"", NULL},
        {"\"yesterday\"", NULL},
        {"\"\"", NULL},
        {"3", NULL},
};

START_TEST(a_time_is_written_as_servers_write_it)
{
        CLEANUP(cleanup_json) struct json_object *json = json_tokener_parse(times[_i].from);
        CLEANUP(cleanup_free) char *text = NULL;
        struct cip_error error = {0};

        ck_assert_errno(time_to_go(json, &text, &error), times[_i].to ? 0 : -EBADMSG);
        if (times[_i].to)
                ck_assert_str_eq(text, times[_i].to);
        else
                ck_assert_msg(strstr(error.message, "parsing time") || strstr(error.message, "JSON string"),
                              "%s", error.message);
}
END_TEST

START_TEST(text_is_escaped_as_go_does)
{
        CLEANUP(cleanup_json)
        struct json_object *json =
                json_object_new_string("</&>\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xa7\"\\\n\x01\xc3\xa4");
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;

        ck_assert_ok(json_format_go(json, &text, &len));
        ck_assert_str_eq(text,
                         "\"\\u003c/\\u0026\\u003e\\u2028\\u2029\xe2\x80\xa7\\\"\\\\\\n\\u0001\xc3\xa4\"");
        ck_assert_uint_eq(len, strlen(text));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("config");
        TCase *tcase = testing_case(suite, "config");

        tcase_add_loop_test(tcase, a_config_is_written_as_servers_write_it, 0, ARRAY_SIZE(good));
        tcase_add_loop_test(tcase, what_was_written_once_stays_the_same, 0, ARRAY_SIZE(good));
        tcase_add_loop_test(tcase, what_is_no_config_is_refused_as_servers_do, 0, ARRAY_SIZE(bad));
        tcase_add_loop_test(tcase, a_time_is_written_as_servers_write_it, 0, ARRAY_SIZE(times));
        tcase_add_test(tcase, text_is_escaped_as_go_does);
        return testing_main(suite);
}
