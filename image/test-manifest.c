/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests: what is told apart, what is refused and how, the conversion of docker's schema 2 byte for byte as
 * skopeo prints it, and which entry of a list a platform gets.
 */
#include "image/manifest.h"

#include "base/testing.h"
#include "image/digest.h"

#define D1 "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#define D2 "sha256:deb230b21e0d7ef6a0a2d65a19599d4251b5f08888a5155882fbef2ef71e1e11"
#define CONTENT(type, digest, size) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size "}"
#define CONFIG CONTENT(MEDIA_OCI_CONFIG, D1, "7")
#define IMAGE(members) "{\"schemaVersion\":2," members "}"

static int parse(const char *text, struct manifest **ret, struct cip_error *error)
{
        return manifest_parse(text, strlen(text), ret, error);
}

static const struct {
        const char *text;
        enum manifest_kind kind;
        size_t n_entries;
} kinds[] = {
        {IMAGE("\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":" CONFIG
               ",\"layers\":[" CONTENT(MEDIA_OCI_LAYER, D2, "29") "]"),
         MANIFEST_OCI, 1},
        {IMAGE("\"config\":" CONFIG ",\"layers\":[]"), MANIFEST_OCI, 0},
        {IMAGE("\"config\":" CONFIG ",\"layers\":null"), MANIFEST_OCI, 0},
        {IMAGE("\"config\":" CONFIG), MANIFEST_OCI, 0},
        {IMAGE("\"config\":" CONTENT(MEDIA_DOCKER_CONFIG, D1, "7") ",\"layers\":[]"), MANIFEST_DOCKER, 0},
        {IMAGE("\"mediaType\":\"" MEDIA_DOCKER_MANIFEST
               "\",\"config\":" CONTENT(MEDIA_DOCKER_CONFIG, D1, "7") ",\"layers\":[]"),
         MANIFEST_DOCKER, 0},
        {IMAGE("\"manifests\":[" CONTENT(MEDIA_OCI_MANIFEST, D1, "7") "," CONTENT(MEDIA_OCI_MANIFEST, D2,
                                                                                  "0") "]"),
         MANIFEST_OCI_INDEX, 2},
        {IMAGE("\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[]"), MANIFEST_OCI_INDEX, 0},
        {IMAGE("\"mediaType\":\"" MEDIA_DOCKER_LIST "\",\"manifests\":[]"), MANIFEST_DOCKER_LIST, 0},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", MANIFEST_DOCKER_1, 0},
        {" {\"schemaVersion\":2,\"unknown\":[1,{}],\"manifests\":[]}\n", MANIFEST_OCI_INDEX, 0},
};

START_TEST(kinds_are_told_apart)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        struct cip_error error = {0};

        ck_assert_errno(parse(kinds[_i].text, &manifest, &error), 0);
        ck_assert_int_eq(manifest->kind, kinds[_i].kind);
        ck_assert_uint_eq(manifest->n_entries, kinds[_i].n_entries);
}
END_TEST

START_TEST(all_that_is_needed_is_read)
{
        static const char text[] =
                "{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"digest\":\"" D1
                "\",\"size\":9007199254740991,\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\","
                "\"variant\":\"v8\"},\"annotations\":{\"org.opencontainers.image.ref.name\":\"a tag\"}}]}";
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;

        ck_assert_ok(parse(text, &manifest, NULL));
        ck_assert_str_eq(manifest->entries[0].media_type, MEDIA_OCI_MANIFEST);
        ck_assert_str_eq(manifest->entries[0].digest, D1);
        ck_assert_int_eq(manifest->entries[0].size, (INT64_C(1) << 53) - 1);
        ck_assert_str_eq(manifest->entries[0].architecture, "arm64");
        ck_assert_str_eq(manifest->entries[0].os, "linux");
        ck_assert_str_eq(manifest->entries[0].variant, "v8");
        ck_assert_str_eq(manifest->entries[0].ref_name, "a tag");
}
END_TEST

static const struct {
        const char *text, *word;
} bad[] = {
        {"", "unexpected end of JSON input"},
        {"{\"schemaVersion\":2,\"mani", "unexpected end of JSON input"},
        {"[]", "not a JSON object"},
        {"null", "not a JSON object"},
        {"{}", "schemaVersion"},
        {"{\"schemaVersion\":3,\"manifests\":[]}", "schemaVersion"},
        {"{\"schemaVersion\":\"2\",\"manifests\":[]}", "schemaVersion"},
        {"{\"schemaVersion\":2}", "no config and no manifests"},
        {IMAGE("\"mediaType\":7,\"manifests\":[]"), "mediaType is not a string"},
        {IMAGE("\"mediaType\":\"text/plain\",\"manifests\":[]"), "unsupported manifest MIME type: text/plain"},
        {IMAGE("\"mediaType\":\"" MEDIA_OCI_INDEX "\\u0000\",\"manifests\":[]"), "contains a NUL"},
        {IMAGE("\"config\":" CONFIG ",\"layers\":[],\"manifests\":[]"), "ambiguous"},
        {IMAGE("\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":" CONFIG ",\"manifests\":[]"), "ambiguous"},
        {IMAGE("\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":" CONFIG ",\"fsLayers\":[]"), "ambiguous"},
        {IMAGE("\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"layers\":[]"), "config is not an object"},
        {IMAGE("\"manifests\":{}"), "manifests is not an array"},
        {IMAGE("\"manifests\":[null]"), "manifests[0] is not an object"},
        {IMAGE("\"manifests\":[{\"mediaType\":\"x\",\"size\":1}]"), "manifests[0] has no digest"},
        {IMAGE("\"manifests\":[{\"digest\":\"" D1 "\",\"size\":1}]"), "manifests[0] has no mediaType"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "-1") "]"), "manifests[0] has no size"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "1.5") "]"), "manifests[0] has no size"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "9007199254740992") "]"), "manifests[0] has no size"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "\"1\"") "]"), "manifests[0] has no size"},
        {IMAGE("\"manifests\":[" CONTENT("x", "sha256:../../etc", "1") "]"), "invalid checksum digest length"},
        {IMAGE("\"manifests\":[" CONTENT("x", "sha256:abc", "1") "]"), "invalid checksum digest length"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "1,\"platform\":[]") "]"), "platform is not an object"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "1,\"platform\":{\"os\":1}") "]"), "os is not a string"},
        {IMAGE("\"manifests\":[" CONTENT("x", D1, "1,\"annotations\":1") "]"), "annotations is not an object"},
        {IMAGE("\"config\":" CONFIG ",\"layers\":[" CONTENT("x", D1, "1") ",3]"), "layers[1] is not an object"},
        {IMAGE("\"manifests\":[]") "x", ""},
        {"{\"schemaVersion\":2,\"manifests\":[],\"a\":\"\xff\"}", ""},
};

START_TEST(what_is_no_manifest_is_refused_with_a_reason)
{
        struct manifest *manifest = NULL;
        struct cip_error error = {0};

        ck_assert_errno(parse(bad[_i].text, &manifest, &error), -EBADMSG);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_msg(strstr(error.message, bad[_i].word) != NULL, "%s", error.message);
        ck_assert_errno(parse(bad[_i].text, &manifest, NULL), -EBADMSG);
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
        char text[4096] = "{\"schemaVersion\":2,\"a\":";
        struct manifest *manifest = NULL;

        memset(text + strlen(text), '[', 2000);
        ck_assert_errno(parse(text, &manifest, NULL), -EBADMSG);
}
END_TEST

#define DOCKER(layers)                                                                           \
        "{\n \"schemaVersion\": 2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST                        \
        "\",\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"size\":229,\"digest\":\"" D1 \
        "\"},\"layers\":[" layers "]}"
#define FOREIGN "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

/* As skopeo 1.9.3, 1.18.0 and 1.22.0 print it. */
START_TEST(schema_2_is_converted_as_skopeo_does)
{
        static const char docker[] =
                DOCKER("{\"size\":29,\"digest\":\"" D2 "\",\"mediaType\":\"" MEDIA_DOCKER_LAYER_GZIP
                       "\",\"annotations\":{\"lost\":\"x\"}}," CONTENT(
                               MEDIA_DOCKER_LAYER, D1, "1024") ",{\"mediaType\":\"" FOREIGN
                                                               "\",\"size\":29,\"digest\":\"" D2
                                                               "\",\"urls\":[\"https://x/?a&b<\"]}");
        static const char oci[] =
                "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{"
                "\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"" D1
                "\",\"size\":229},"
                "\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"" D2
                "\",\"size\":29},{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"" D1
                "\",\"size\":1024},{\"mediaType\":\"application/"
                "vnd.oci.image.layer.nondistributable.v1.tar+gzip\","
                "\"digest\":\"" D2 "\",\"size\":29,\"urls\":[\"https://x/?a\\u0026b\\u003c\"]}]}";
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;

        ck_assert_ok(parse(docker, &manifest, NULL));
        ck_assert_ok(manifest_to_oci(manifest, docker, strlen(docker), &text, &len, NULL));
        ck_assert_str_eq(text, oci);
        ck_assert_uint_eq(len, strlen(oci));
}
END_TEST

#define WITH_URLS(urls) \
        DOCKER("{\"mediaType\":\"" FOREIGN "\",\"size\":29,\"digest\":\"" D2 "\",\"urls\":" urls "}")

START_TEST(urls_that_are_no_texts_are_not_converted)
{
        static const struct {
                const char *text, *words;
        } cases[] = {
                {WITH_URLS("7"), "urls of layer 0 are not an array"},
                {WITH_URLS("[\"a\",7]"), "urls of layer 0 are not all strings"},
                {WITH_URLS("[]"), NULL},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
                CLEANUP(cleanup_free) char *text = NULL;
                struct cip_error error = {0};
                size_t len;
                int r;

                ck_assert_ok(parse(cases[i].text, &manifest, NULL));
                r = manifest_to_oci(manifest, cases[i].text, strlen(cases[i].text), &text, &len, &error);
                ck_assert_int_eq(r, cases[i].words ? -EBADMSG : 0);
                if (cases[i].words)
                        ck_assert_ptr_nonnull(strstr(error.message, cases[i].words));
                else
                        ck_assert_ptr_null(strstr(text, "urls"));
        }
}
END_TEST

START_TEST(a_converted_manifest_names_the_converted_config)
{
        static const char docker[] = DOCKER(""), config[] = "{\"os\": \"linux\", \"container\": \"lost\"}";
        static const char written[] =
                "{\"architecture\":\"\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"\","
                "\"diff_ids\":null}}";
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL, *oci = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        char digest[DIGEST_TEXT_SIZE];
        size_t len;

        ck_assert_ok(parse(docker, &manifest, NULL));
        ck_assert_ok(manifest_to_oci_with_config(manifest, docker, strlen(docker), config, strlen(config),
                                                 &text, &len, NULL));
        ck_assert_ok(parse(text, &oci, NULL));
        ck_assert_ok(digest_of(DIGEST_SHA256, written, strlen(written), digest));
        ck_assert_str_eq(oci->config.digest, digest);
        ck_assert_int_eq(oci->config.size, (int64_t)strlen(written));
}
END_TEST

START_TEST(oci_is_handed_out_byte_for_byte)
{
        static const char text[] = " " IMAGE("\"config\":" CONFIG ",  \"layers\":[],\"layers\":[]") "\n";
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *copy = NULL;
        size_t len;

        ck_assert_ok(parse(text, &manifest, NULL));
        ck_assert_ok(manifest_to_oci(manifest, text, strlen(text), &copy, &len, NULL));
        ck_assert_str_eq(copy, text);
        ck_assert_uint_eq(len, strlen(text));
}
END_TEST

static const struct {
        const char *text, *message;
} unconvertible[] = {
        {"{\"schemaVersion\":1}",
         "unsupported legacy manifest MIME type: application/vnd.docker.distribution.manifest.v1+json"},
        {"{\"schemaVersion\":2,\"manifests\":[]}",
         "unsupported manifest MIME type: application/vnd.oci.image.index.v1+json"},
        {DOCKER(CONTENT("application/x-odd", D1, "1")),
         "unsupported docker v2s2 media type: \"application/x-odd\""},
};

START_TEST(what_servers_do_not_convert_is_not_converted)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        struct cip_error error = {0};
        char *text;
        size_t len;

        ck_assert_ok(parse(unconvertible[_i].text, &manifest, NULL));
        ck_assert_errno(manifest_to_oci(manifest, unconvertible[_i].text, strlen(unconvertible[_i].text), &text,
                                        &len, &error),
                        -ENOTSUP);
        ck_assert_str_eq(error.message, unconvertible[_i].message);
}
END_TEST

#define ENTRY(architecture, variant, size)                          \
        "{\"mediaType\":\"x\",\"digest\":\"" D1 "\",\"size\":" size \
        ",\"platform\":{\"architecture\":\"" architecture "\",\"os\":\"linux\",\"variant\":\"" variant "\"}}"

static const char list_text[] =
        IMAGE("\"mediaType\":\"" MEDIA_DOCKER_LIST
              "\",\"manifests\":[" ENTRY("arm", "v5", "1") "," ENTRY("arm", "v7", "2") "," ENTRY(
                      "arm64", "v8", "3") "," ENTRY("amd64", "",
                                                    "4") "," ENTRY("amd64", "v3",
                                                                   "5") "," ENTRY("arm", "v6",
                                                                                  "6") "," ENTRY("s390x", "z",
                                                                                                 "7") "]");

static const struct {
        struct platform platform;
        int64_t size; /* tells which entry it is; 0: none */
} picks[] = {
        {{"amd64", "linux", NULL}, 4},   {{"amd64", NULL, NULL}, 4},      {{"amd64", "linux", "v3"}, 5},
        {{"amd64", "linux", "v4"}, 4},   {{"arm64", "linux", NULL}, 3},   {{"arm64", "linux", "v8"}, 3},
        {{"arm64", "linux", "v9"}, 0},   {{"arm", "linux", "v7"}, 2},     {{"arm", "linux", "v6"}, 6},
        {{"arm", "linux", "v8"}, 2},     {{"arm", "linux", NULL}, 2},     {{"arm", "linux", "v5"}, 1},
        {{"riscv64", "linux", NULL}, 0}, {{"amd64", "windows", NULL}, 0}, {{"s390x", "linux", NULL}, 0},
};

START_TEST(a_platform_gets_the_best_entry_for_it)
{
        CLEANUP(cleanup_manifest_free) struct manifest *list = NULL;
        const struct content *entry = NULL;
        struct cip_error error = {0};

        ck_assert_ok(parse(list_text, &list, NULL));
        ck_assert_errno(manifest_pick(list, &picks[_i].platform, &entry, &error), picks[_i].size ? 0 : -ENOENT);
        ck_assert_int_eq(entry ? entry->size : 0, picks[_i].size);
        if (!entry)
                ck_assert_msg(
                        strncmp(error.message, "no image found in manifest list for architecture \"", 50) == 0,
                        "%s", error.message);
}
END_TEST

START_TEST(an_index_entry_without_platform_is_for_everybody_but_after_all_others)
{
        static const char text[] =
                IMAGE("\"manifests\":[" CONTENT("x", D1, "1") "," ENTRY("amd64", "", "2") "]");
        CLEANUP(cleanup_manifest_free) struct manifest *list = NULL;
        const struct content *entry;

        ck_assert_ok(parse(text, &list, NULL));
        ck_assert_ok(manifest_pick(list, &(struct platform){"amd64", "linux", NULL}, &entry, NULL));
        ck_assert_int_eq(entry->size, 2);
        ck_assert_ok(manifest_pick(list, &(struct platform){"s390x", "linux", NULL}, &entry, NULL));
        ck_assert_int_eq(entry->size, 1);
        ck_assert_ok(manifest_pick(list, NULL, &entry, NULL));
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("manifest");
        TCase *tcase = testing_case(suite, "manifest");

        tcase_add_loop_test(tcase, kinds_are_told_apart, 0, ARRAY_SIZE(kinds));
        tcase_add_test(tcase, all_that_is_needed_is_read);
        tcase_add_loop_test(tcase, what_is_no_manifest_is_refused_with_a_reason, 0, ARRAY_SIZE(bad));
        tcase_add_test(tcase, deep_nesting_is_refused);
        tcase_add_test(tcase, schema_2_is_converted_as_skopeo_does);
        tcase_add_test(tcase, urls_that_are_no_texts_are_not_converted);
        tcase_add_test(tcase, a_converted_manifest_names_the_converted_config);
        tcase_add_test(tcase, oci_is_handed_out_byte_for_byte);
        tcase_add_loop_test(tcase, what_servers_do_not_convert_is_not_converted, 0, ARRAY_SIZE(unconvertible));
        tcase_add_loop_test(tcase, a_platform_gets_the_best_entry_for_it, 0, ARRAY_SIZE(picks));
        tcase_add_test(tcase, an_index_entry_without_platform_is_for_everybody_but_after_all_others);
        return testing_main(suite);
}
