/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker's schema 1 as servers take it: the expected texts were taken from skopeo 1.22.0.
 */
#include "image/schema-1.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "image/config.h"
#include "protocol/message.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

/* An entry of the history: @members without the braces, written as text in JSON with ' for \". */
#define ENTRY(members) "{\"v1Compatibility\":\"{" members "}\"}"
#define LAYER(digest) "{\"blobSum\":\"" digest "\"}"
#define MANIFEST(layers, history) "{\"schemaVersion\":1,\"fsLayers\":[" layers "],\"history\":[" history "]}"

static void read_quoted(const char *text, struct json_object **ret)
{
        CLEANUP(cleanup_free) char *json = malloc(strlen(text) * 2 + 1);
        char *to = json;

        ck_assert_ptr_nonnull(json);
        for (; *text; text++) {
                if (*text == '\'')
                        *to++ = '\\';
                *to++ = *text == '\'' ? '"' : *text;
        }
        ck_assert_ok(json_parse(json, (size_t)(to - json), 100, ret, NULL));
}

static const struct {
        const char *manifest;
        const char *digests[3]; /* bottom first, ended by NULL */
        const char *config;     /* as it is sent */
} good[] = {
        {MANIFEST(LAYER("x"), ENTRY("'id':'" A "','created':'1970-01-01T00:00:00Z'")),
         {"x"},
         "{\"created\":\"1970-01-01T00:00:00Z\",\"architecture\":\"\",\"os\":\"\",\"config\":{},"
         "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"\"]},"
         "\"history\":[{\"created\":\"1970-01-01T00:00:00Z\"}]}"},
        /* the topmost entry is the config; an empty layer has no diff_id, but is told */
        {MANIFEST(LAYER("top") "," LAYER("base"),
                  ENTRY("'id':'" B "','parent':'" A
                        "','created':'2020-01-02T03:04:05.100Z','author':'me','comment':'c','throwaway':true,"
                        "'container_config':{'Cmd':['/bin/"
                        "sh','-c','x']},'config':{'Env':['A=b'],'Hostname':'h'},"
                        "'os':'linux','architecture':'amd64','Size':3") "," ENTRY("'id':'" A
                                                                                  "','created':'2020-01-02T03:"
                                                                                  "04:05Z','container_config':{"
                                                                                  "'Cmd':['first']}")),
         {"base", "top"},
         "{\"created\":\"2020-01-02T03:04:05.1Z\",\"author\":\"me\",\"architecture\":\"amd64\",\"os\":"
         "\"linux\","
         "\"config\":{\"Env\":[\"A=b\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"\"]},\"history\":["
         "{\"created\":\"2020-01-02T03:04:05Z\",\"created_by\":\"first\"},"
         "{\"created\":\"2020-01-02T03:04:05.1Z\",\"created_by\":\"/bin/sh -c x\",\"author\":\"me\","
         "\"comment\":\"c\",\"empty_layer\":true}]}"},
        /* of two entries with the same id in a row the lower one counts */
        {MANIFEST(LAYER("x") "," LAYER("y"),
                  ENTRY("'id':'" A "','author':'1'") "," ENTRY("'id':'" A "','author':'2'")),
         {"y"},
         "{\"author\":\"2\",\"architecture\":\"\",\"os\":\"\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
         "\"diff_ids\":[\"\"]},\"history\":[{\"created\":\"0001-01-01T00:00:00Z\",\"author\":\"2\"}]}"},
        /* a config of an old docker has a time; a rootfs or history of its own is not believed */
        {MANIFEST(LAYER(""),
                  ENTRY("'id':'" A "','docker_version':'1.8.2','throwaway':true,'rootfs':3,'history':4")),
         {""},
         "{\"created\":\"0001-01-01T00:00:00Z\",\"architecture\":\"\",\"os\":\"\",\"config\":{},"
         "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null},"
         "\"history\":[{\"created\":\"0001-01-01T00:00:00Z\",\"empty_layer\":true}]}"},
};

START_TEST(a_config_is_made_up_of_the_history)
{
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        CLEANUP(cleanup_schema_1_free) struct schema_1 *schema_1 = NULL;
        CLEANUP(cleanup_free) char *docker = NULL;
        CLEANUP(cleanup_free) char *config = NULL;
        const struct content *layers;
        struct cip_error error = {0};
        size_t len, n;

        read_quoted(good[_i].manifest, &json);
        ck_assert_ok(schema_1_read(json, &schema_1, &error));
        layers = schema_1_layers(schema_1, &n);
        for (size_t i = 0; i < n; i++) {
                ck_assert_str_eq(layers[i].digest, good[_i].digests[i]);
                ck_assert_str_eq(layers[i].media_type, "");
                ck_assert_int_eq(layers[i].size, -1);
        }
        ck_assert_ptr_null(good[_i].digests[n]);
        ck_assert_ok(schema_1_config(schema_1, &docker, &len, &error));
        ck_assert_uint_eq(len, strlen(docker));
        ck_assert_ok(config_to_oci(docker, len, false, &config, &len, &error));
        ck_assert_str_eq(config, good[_i].config);
}
END_TEST

#define FIELD "json: cannot unmarshal number into Go struct field "

static const struct {
        const char *manifest, *message;
} bad[] = {
        {MANIFEST("", ""), "no FSLayers in manifest"},
        {"{\"schemaVersion\":1}", "no FSLayers in manifest"},
        {MANIFEST(LAYER("x"), ""), "length of history not equal to number of layers"},
        {MANIFEST("", ENTRY("")), "length of history not equal to number of layers"},
        {"{\"schemaVersion\":1,\"fsLayers\":3}", FIELD "Schema1.fsLayers of type []manifest.Schema1FSLayers"},
        {"{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":3}]}",
         FIELD "Schema1FSLayers.fsLayers.blobSum of type digest.Digest"},
        {"{\"schemaVersion\":1,\"fsLayers\":[3]}", FIELD "Schema1.fsLayers of type []manifest.Schema1FSLayers"},
        {"{\"schemaVersion\":1,\"history\":[{\"v1Compatibility\":3}]}",
         FIELD "Schema1History.history.v1Compatibility of type string"},
        {MANIFEST(LAYER("x"), "null"), "parsing v2s1 history entry 0: unexpected end of JSON input"},
        {MANIFEST(LAYER("x"), "{\"v1Compatibility\":\"{\"}"),
         "parsing v2s1 history entry 0: unexpected end of JSON input"},
        {MANIFEST(LAYER("x"), "{\"v1Compatibility\":\"3\"}"),
         "parsing v2s1 history entry 0: json: cannot unmarshal number into Go value of type "
         "manifest.Schema1V1Compatibility"},
        {MANIFEST(LAYER("x"), "{\"v1Compatibility\":\"null\"}"), "image ID \"\" is invalid"},
        {MANIFEST(LAYER("x"), ENTRY("")), "image ID \"\" is invalid"},
        {MANIFEST(LAYER("x"), ENTRY("'id':'" A "a'")), "image ID \"" A "a\" is invalid"},
        {MANIFEST(LAYER("x"), ENTRY("'id':3")),
         "parsing v2s1 history entry 0: " FIELD "Schema1V1Compatibility.id of type string"},
        {MANIFEST(LAYER("x"), ENTRY("'container_config':{'Cmd':3}")),
         "parsing v2s1 history entry 0: " FIELD
         "schema1V1CompatibilityContainerConfig.container_config.Cmd of type []string"},
        {MANIFEST(LAYER("x"), ENTRY("'container_config':{'Cmd':[3]}")),
         "parsing v2s1 history entry 0: " FIELD
         "schema1V1CompatibilityContainerConfig.container_config.Cmd of type string"},
        {MANIFEST(LAYER("x"), ENTRY("'created':3")),
         "parsing v2s1 history entry 0: Time.UnmarshalJSON: input is not a JSON string"},
        {MANIFEST(LAYER("x"), ENTRY("'id':'" A "','parent':'" B "'")),
         "Invalid parent ID in the base layer of the image"},
        {MANIFEST(LAYER("x") "," LAYER("y"), ENTRY("'id':'" A "','parent':'" C "'") "," ENTRY("'id':'" B "'")),
         "Invalid parent ID. Expected " B ", got \"" C "\""},
        {MANIFEST(LAYER("x") "," LAYER("y") "," LAYER("z"),
                  ENTRY("'id':'" A "'") "," ENTRY("'id':'" B "'") "," ENTRY("'id':'" A "'")),
         "ID " A " appears multiple times in manifest"},
        {"{\"schemaVersion\":1,\"layers\":[],\"manifests\":[],\"config\":{}}",
         "rejecting ambiguous manifest, unexpected fields []string{\"config\", \"layers\", \"manifests\"} in "
         "supposedly application/vnd.docker.distribution.manifest.v1+prettyjws"},
};

START_TEST(what_does_not_hang_together_is_refused_as_servers_do)
{
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        struct schema_1 *schema_1 = NULL;
        struct cip_error error = {0};

        read_quoted(bad[_i].manifest, &json);
        ck_assert_errno(schema_1_read(json, &schema_1, &error), -EBADMSG);
        ck_assert_ptr_null(schema_1);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_str_eq(error.message, bad[_i].message);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("schema-1");
        TCase *tcase = testing_case(suite, "schema-1");

        tcase_add_loop_test(tcase, a_config_is_made_up_of_the_history, 0, ARRAY_SIZE(good));
        tcase_add_loop_test(tcase, what_does_not_hang_together_is_refused_as_servers_do, 0, ARRAY_SIZE(bad));
        return testing_main(suite);
}
