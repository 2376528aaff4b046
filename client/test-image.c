/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: that each version's best way is taken to manifest, config and layers, what can be checked of them is,
 * and what they cannot be is refused.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/testing.h"
#include "client/session.h"
#include "client/test-server.h"
#include "image/manifest.h"

/* ---- the servers ---- */

/* docker's schema 2, converted: the digest is of something that never comes. */
static bool convert(struct server *server, const char *method)
{
        (void)method;
        server->manifest = "converted";
        server->config = "rewritten-config";
        server->manifest_digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
        return false;
}

static bool convert_badly(struct server *server, const char *method)
{
        convert(server, method);
        server->config = "config";
        return false;
}

static bool corrupt_annotated(struct server *server, const char *method)
{
        convert(server, method);
        server->manifest = "annotated";
        return false;
}

static bool no_digest(struct server *server, const char *method)
{
        (void)method;
        server->manifest_digest = "sha256:tomorrow";
        return false;
}

/* As released servers do: the config is read and written anew. */
static bool rewrite_config(struct server *server, const char *method)
{
        (void)method;
        server->config = "rewritten-config";
        return false;
}

static bool no_config(struct server *server, const char *method)
{
        (void)method;
        server->config = "small";
        return false;
}

static bool artifact(struct server *server, const char *method)
{
        server->manifest = "artifact";
        if (strcmp(method, "GetFullConfig") != 0)
                return false;
        server_refuse(server, "unsupported image-specific operation on artifact");
        return true;
}

static bool no_manifest(struct server *server, const char *method)
{
        (void)method;
        server->manifest = "config";
        return false;
}

static bool large_manifest(struct server *server, const char *method)
{
        server->value_plan.extra = strcmp(method, "GetManifest") == 0 ? 5 * 1024 * 1024 : 0;
        return false;
}

static bool odd_layers(struct server *server, const char *method)
{
        if (strcmp(method, "GetLayerInfo") != 0)
                return false;
        server_reply(server, "[{\"digest\":\"nonsense\",\"size\":1,\"media_type\":\"x\"}]", 0, NULL, 0);
        return true;
}

static bool many_layers(struct server *server, const char *method)
{
        char *text = malloc(300000);
        int n = 0;

        if (strcmp(method, "GetLayerInfo") != 0) {
                free(text);
                return false;
        }
        for (int i = 0; i < 900; i++)
                n += sprintf(text + n, "%s{\"digest\":\"%s\",\"size\":%d,\"media_type\":\"x\"}", i ? "," : "[",
                             served("small")->digest, i);
        sprintf(text + n, "]");
        server_reply(server, text, 0, NULL, 0);
        free(text);
        return true;
}

static const struct script scripts[] = {
        {.name = "0.2.3", .version = "0.2.3"},
        {.name = "0.2.4", .version = "0.2.4"},
        {.name = "0.2.5", .version = "0.2.5"},
        {.name = "0.2.6", .version = "0.2.6"},
        {.name = "0.2.7", .version = "0.2.7"},
        {.name = "0.2.8", .version = "0.2.8"},
        {.name = "convert", .hook = convert},
        {.name = "convert-badly", .hook = convert_badly},
        {.name = "corrupt-annotated", .hook = corrupt_annotated},
        {.name = "corrupt-manifest", .value_plan = {.corrupt = true}},
        {.name = "cut-manifest", .value_plan = {.cut = true, .cut_at = 20}},
        {.name = "failed-manifest", .value_plan = {.cut = true, .cut_at = 20, .error = "registry went away"}},
        {.name = "end-open", .value_plan = {.end_open = true}},
        {.name = "no-digest", .hook = no_digest},
        {.name = "no-manifest", .hook = no_manifest},
        {.name = "large-manifest", .hook = large_manifest},
        {.name = "rewrite-config", .hook = rewrite_config},
        {.name = "rewrite-config-0.2.3", .version = "0.2.3", .hook = rewrite_config},
        {.name = "no-config", .hook = no_config},
        {.name = "artifact", .hook = artifact},
        {.name = "odd-layers", .version = "0.2.5", .hook = odd_layers},
        {.name = "many-layers", .version = "0.2.6", .hook = many_layers},
};

static const char *const versions[] = {"0.2.3", "0.2.4", "0.2.5", "0.2.6", "0.2.7", "0.2.8"};

/* ---- helpers ---- */

#define ck_assert_error(error, class_, word)                                                                 \
        do {                                                                                                 \
                ck_assert_msg((error).error_class == (class_), "class %d: %s", (error).error_class,          \
                              (error).message);                                                              \
                ck_assert_msg(strstr((error).message, (word)), "no \"%s\" in: %s", (word), (error).message); \
        } while (0)

struct subject {
        struct cip_session *session;
        struct cip_image *image;
        struct cip_error error;
};

static struct subject subject_open(const char *script)
{
        struct subject subject = {.session = test_session(script)};

        subject.image = test_image(subject.session);
        return subject;
}

static void subject_close(struct subject *subject)
{
        int r = cip_image_close(subject->image, &subject->error);

        ck_assert_msg(r == 0, "%s", subject->error.message);
        r = cip_session_close(subject->session, &subject->error);
        ck_assert_msg(r == 0, "%s", subject->error.message);
        test_no_children();
}

static void manifest_fails(const char *script, int errnum, enum cip_error_class class, const char *word)
{
        struct subject subject = subject_open(script);
        const char *text;

        /* The second time too: nothing that is wrong is kept. */
        for (int i = 0; i < 2; i++) {
                int r = cip_image_manifest(subject.image, &text, NULL, NULL, &subject.error);

                ck_assert_errno(r, errnum);
                ck_assert_error(subject.error, class, word);
        }
        subject_close(&subject);
}

static void wants_config(struct subject *subject, const char *name)
{
        const char *text;
        size_t len;
        int r = cip_image_config(subject->image, &text, &len, &subject->error);

        ck_assert_msg(r == 0, "%s", subject->error.message);
        ck_assert_int_eq(len, served(name)->len);
        ck_assert_str_eq(text, served(name)->data);
}

/* ---- opening ---- */

START_TEST(an_image_opens_and_closes_with_every_version)
{
        struct subject subject = subject_open(versions[_i]);

        subject_close(&subject);
        ck_assert_ok(cip_image_close(NULL, NULL));
}
END_TEST

START_TEST(a_missing_image_is_the_servers_error)
{
        struct subject subject = subject_open(versions[_i]);
        struct cip_image *image;

        ck_assert_errno(cip_image_open(subject.session, "missing", &image, &subject.error), -EREMOTEIO);
        ck_assert_error(subject.error, CIP_ERROR_REMOTE, "no such image");
        ck_assert_int_eq(subject.error.code,
                         strcmp(versions[_i], "0.2.8") == 0 ? CIP_CODE_OTHER : CIP_CODE_NONE);
        subject_close(&subject);
}
END_TEST

START_TEST(an_image_may_be_missing_where_the_version_can_tell)
{
        struct subject subject = subject_open(versions[_i]);
        struct cip_image *image = subject.image;
        int r = cip_image_open_optional(subject.session, "missing", &image, &subject.error);

        if (strcmp(versions[_i], "0.2.3") == 0) {
                ck_assert_errno(r, -ENOTSUP);
                ck_assert_error(subject.error, CIP_ERROR_LOCAL, "0.2.3");
        } else {
                ck_assert_ok(r);
                ck_assert_ptr_null(image);
                ck_assert_ok(cip_image_open_optional(subject.session, "ref", &image, &subject.error));
                ck_assert_ptr_nonnull(image);
                ck_assert_ok(cip_image_close(image, &subject.error));
        }
        subject_close(&subject);
}
END_TEST

/* ---- manifest ---- */

START_TEST(the_manifest_comes_whole_and_once)
{
        struct subject subject = subject_open(versions[_i]);
        const char *text, *again, *digest;
        size_t len;

        ck_assert_ok(cip_image_manifest(subject.image, &text, &len, &digest, &subject.error));
        ck_assert_int_eq(len, served("manifest")->len);
        ck_assert_str_eq(text, served("manifest")->data);
        ck_assert_str_eq(digest, served("manifest")->digest);
        ck_assert(cip_image_manifest_verified(subject.image));
        ck_assert_ok(cip_image_manifest(subject.image, &again, NULL, NULL, &subject.error));
        ck_assert_ptr_eq(text, again);
        subject_close(&subject);
}
END_TEST

START_TEST(a_converted_manifest_is_taken_and_not_called_verified)
{
        struct subject subject = subject_open("convert");
        const char *text, *digest;

        ck_assert_ok(cip_image_manifest(subject.image, &text, NULL, &digest, &subject.error));
        ck_assert_str_eq(digest, "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        ck_assert(!cip_image_manifest_verified(subject.image));
        wants_config(&subject, "rewritten-config");
        subject_close(&subject);
}
END_TEST

START_TEST(a_manifest_that_is_not_right_is_refused)
{
        manifest_fails("corrupt-annotated", -EBADMSG, CIP_ERROR_PROTOCOL, "does not have the digest");
        manifest_fails("corrupt-manifest", -EBADMSG, CIP_ERROR_PROTOCOL, "no manifest");
        manifest_fails("cut-manifest", -EBADMSG, CIP_ERROR_PROTOCOL, "no manifest");
        manifest_fails("failed-manifest", -EREMOTEIO, CIP_ERROR_REMOTE, "registry went away");
        manifest_fails("no-digest", -EBADMSG, CIP_ERROR_PROTOCOL, "sha256:tomorrow");
        manifest_fails("no-manifest", -EBADMSG, CIP_ERROR_PROTOCOL, "GetManifest");
        manifest_fails("large-manifest", -EFBIG, CIP_ERROR_PROTOCOL, "more than 4194304 bytes");
}
END_TEST

START_TEST(a_pipe_that_stays_open_is_at_its_end_when_finish_pipe_says_so)
{
        struct subject subject = subject_open("end-open");
        const char *text;

        ck_assert_ok(cip_image_manifest(subject.image, &text, NULL, NULL, &subject.error));
        ck_assert_str_eq(text, served("manifest")->data);
        subject_close(&subject);
}
END_TEST

/* ---- config ---- */

START_TEST(the_config_comes_whole)
{
        struct subject subject = subject_open(versions[_i]);

        wants_config(&subject, "config");
        wants_config(&subject, "config");
        subject_close(&subject);
}
END_TEST

START_TEST(a_config_that_the_server_wrote_anew_comes_as_it_was)
{
        struct subject subject = subject_open(_i ? "rewrite-config" : "rewrite-config-0.2.3");

        wants_config(&subject, "config");
        subject_close(&subject);
}
END_TEST

START_TEST(the_config_of_an_artifact_comes_as_a_blob)
{
        struct subject subject = subject_open("artifact");

        wants_config(&subject, "empty");
        subject_close(&subject);
}
END_TEST

START_TEST(a_config_that_is_not_right_is_refused)
{
        struct subject subject = subject_open("convert-badly");
        const char *text;

        ck_assert_errno(cip_image_config(subject.image, &text, NULL, &subject.error), -EBADMSG);
        ck_assert_error(subject.error, CIP_ERROR_PROTOCOL, "converted manifest");
        subject_close(&subject);
        subject = subject_open("no-config");
        ck_assert_errno(cip_image_config(subject.image, &text, NULL, &subject.error), -EBADMSG);
        ck_assert_error(subject.error, CIP_ERROR_PROTOCOL, "no config");
        subject_close(&subject);
}
END_TEST

/* ---- layers ---- */

START_TEST(layers_come_by_the_best_way_that_there_is)
{
        static const char *const types[] = {MEDIA_OCI_LAYER, MEDIA_OCI_LAYER, "by-reply",
                                            "by-reply",      "by-pipe",       "by-pipe"};
        static const char *const names[] = {"small", "large", "third"};
        struct subject subject = subject_open(versions[_i]);
        const struct cip_layer *layers;
        size_t n;

        ck_assert_ok(cip_image_layers(subject.image, &layers, &n, &subject.error));
        ck_assert_int_eq(n, ARRAY_SIZE(names));
        for (size_t i = 0; i < n; i++) {
                ck_assert_str_eq(layers[i].digest, served(names[i])->digest);
                ck_assert_int_eq(layers[i].size, served(names[i])->len);
                ck_assert_str_eq(layers[i].media_type, types[_i]);
        }
        ck_assert_ok(cip_image_layers(subject.image, &layers, &n, &subject.error));
        subject_close(&subject);
}
END_TEST

START_TEST(a_list_of_layers_larger_than_32_kib_comes_whole)
{
        struct subject subject = subject_open("many-layers");
        const struct cip_layer *layers;
        size_t n;

        ck_assert_ok(cip_image_layers(subject.image, &layers, &n, &subject.error));
        ck_assert_int_eq(n, 900);
        ck_assert_int_eq(layers[899].size, 899);
        subject_close(&subject);
}
END_TEST

START_TEST(layers_that_are_not_right_are_refused)
{
        struct subject subject = subject_open("odd-layers");
        const struct cip_layer *layers;
        size_t n;

        ck_assert_errno(cip_image_layers(subject.image, &layers, &n, &subject.error), -EBADMSG);
        ck_assert_error(subject.error, CIP_ERROR_PROTOCOL, "GetLayerInfo");
        subject_close(&subject);
        subject = subject_open("cut-manifest");
        ck_assert_errno(cip_image_layers(subject.image, &layers, &n, &subject.error), -EBADMSG);
        ck_assert_error(subject.error, CIP_ERROR_PROTOCOL, "GetLayerInfoPiped");
        subject_close(&subject);
}
END_TEST

int main(int argc, char **argv)
{
        Suite *suite = suite_create("client/image");
        const int n_versions = ARRAY_SIZE(versions);
        TCase *tcase;

        if (argc > 2 && strcmp(argv[1], "server") == 0)
                return server_main(argc, argv, scripts, ARRAY_SIZE(scripts));
        tcase = testing_case(suite, "opening");
        tcase_add_loop_test(tcase, an_image_opens_and_closes_with_every_version, 0, n_versions);
        tcase_add_loop_test(tcase, a_missing_image_is_the_servers_error, 0, n_versions);
        tcase_add_loop_test(tcase, an_image_may_be_missing_where_the_version_can_tell, 0, n_versions);
        tcase = testing_case(suite, "manifest");
        tcase_add_loop_test(tcase, the_manifest_comes_whole_and_once, 0, n_versions);
        tcase_add_test(tcase, a_converted_manifest_is_taken_and_not_called_verified);
        tcase_add_test(tcase, a_manifest_that_is_not_right_is_refused);
        tcase_add_test(tcase, a_pipe_that_stays_open_is_at_its_end_when_finish_pipe_says_so);
        tcase = testing_case(suite, "config");
        tcase_add_loop_test(tcase, the_config_comes_whole, 0, n_versions);
        tcase_add_loop_test(tcase, a_config_that_the_server_wrote_anew_comes_as_it_was, 0, 2);
        tcase_add_test(tcase, the_config_of_an_artifact_comes_as_a_blob);
        tcase_add_test(tcase, a_config_that_is_not_right_is_refused);
        tcase = testing_case(suite, "layers");
        tcase_add_loop_test(tcase, layers_come_by_the_best_way_that_there_is, 0, n_versions);
        tcase_add_test(tcase, a_list_of_layers_larger_than_32_kib_comes_whole);
        tcase_add_test(tcase, layers_that_are_not_right_are_refused);
        return testing_main(suite);
}
