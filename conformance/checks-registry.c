/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of images in registries: how they are named and found, and what a registry that fails makes of a
 * session. Those that need no fault run on docker-registry too. In the others the image "app" is the one in
 * trouble, and "sound" is pulled afterwards, which shows that the server still serves.
 */
#include <inttypes.h>
#include <string.h>

#include "conformance/context.h"
#include "conformance/groups.h"
#include "conformance/real-registry.h"
#include "conformance/registries.h"
#include "conformance/sample.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define IMAGE_OF(repository_, tag_, fixture_)                                     \
        {                                                                         \
                .repository = (repository_), .tag = (tag_), .fixture = (fixture_) \
        }

/* ---- both registries: names ---- */

static struct either_registry *serve(struct check_context *c, const struct registry_image *images, size_t n)
{
        struct either_registry *either =
                either_start(c, &(struct registry_config){.images = images, .n_images = n});

        registries_serve(c, NULL, NULL);
        return either;
}

static const struct registry_image two_tags[] = {
        IMAGE_OF("app", "latest", "layers-1"),
        IMAGE_OF("app", "other", "gzip"),
};

static void by_tag(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));

        registries_pull(c, either_reference(c, either, "app:other"), "gzip");
}

static void default_tag(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));

        registries_pull(c, either_reference(c, either, "app"), "layers-1");
}

static void by_digest(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));

        registries_pull(c, either_reference(c, either, check_text(c, "app@%s", sample_digest(c, "gzip"))),
                        "gzip");
}

/* What is opened by a tag and the digest of another one. */
static const char *what_was_opened(struct check_context *c, const struct answer *answer)
{
        CLEANUP_ANSWER struct answer manifest = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        const char *digest;
        size_t len;

        check_call(c, &manifest, "GetManifest", "[%s]", json_object_to_json_string(answer->value));
        if (!manifest.success || manifest.packet.n_fds != 1)
                return "opened, without a manifest";
        digest = check_text(c, "%s", json_object_get_string(manifest.value));
        check_read_and_finish(c, &manifest, &finish, &data, &len);
        return !strcmp(digest, sample_digest(c, "gzip"))       ? "the image of the digest"
               : !strcmp(digest, sample_digest(c, "layers-1")) ? "the image of the tag"
                                                               : "another image";
}

static void by_tag_and_digest(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]",
                   either_reference(c, either, check_text(c, "app:latest@%s", sample_digest(c, "gzip"))));
        check_record(c, "%s", answer.success ? what_was_opened(c, &answer) : "refused");
}

static void several(struct check_context *c)
{
        static const struct registry_image images[] = {IMAGE_OF("app", "latest", "layers-1"),
                                                       IMAGE_OF("team/tools", "v1.0", "gzip")};
        struct either_registry *either = serve(c, images, ARRAY_SIZE(images));
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t first = check_open_image(c, either_reference(c, either, "app:latest"));
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        registries_pull(c, either_reference(c, either, "team/tools:v1.0"), "gzip");
        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, first, layer->digest, layer->size), &data, &len);
        sample_check_digest(c, data, len, layer->digest, "the layer of the image that was opened first");
}

static void login_and_tls(struct check_context *c)
{
        static const struct registry_listener listener = {.tls = true};
        static const struct registry_user user = {.name = "tom", .password = "sesame"};
        struct registry_config config = registries_usual;
        struct either_registry *either;

        config.listeners = &listener;
        config.n_listeners = 1;
        config.auth = (struct registry_auth){.kind = REGISTRY_AUTH_BASIC, .users = &user, .n_users = 1};
        either = either_start(c, &config);
        registries_serve(
                c,
                FLAGS("--cert-dir", either_certificates(c, either), "--authfile",
                      registries_file(c, "auth.json", "%s",
                                      registries_auth(c, either_address(either), user.name, user.password))),
                NULL);
        registries_pull(c, either_reference(c, either, "app:latest"), "layers-1");
}

/* ---- both registries: what is not there ---- */

static void refused(struct check_context *c, const char *reference, const char *words)
{
        CLEANUP_ANSWER struct answer answer = {0};

        registries_refused(c, reference, words, &answer);
        check_still_serves(c);
}

static void missing_tag(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));

        refused(c, either_reference(c, either, "app:missing"), "manifest unknown");
}

static const char *const missing_digest_text =
        "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void missing_digest(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));

        refused(c, either_reference(c, either, check_text(c, "app@%s", missing_digest_text)),
                "manifest unknown");
}

static void missing_repository(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));

        refused(c, either_reference(c, either, "missing/app:latest"), "unknown");
}

static void missing_blob(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));
        uint64_t image = check_open_image(c, either_reference(c, either, "app:latest"));

        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, image, missing_digest_text, 10),
                               "a blob that the registry does not have");
        registries_pull(c, either_reference(c, either, "app:other"), "gzip");
}

/* Whether OpenImageOptional answers 0. The refusal, if it is one, in @ret. */
static bool is_zero(struct check_context *c, const char *reference, struct answer *ret)
{
        uint64_t id;

        check_call(c, ret, "OpenImageOptional", "[\"%s\"]", reference);
        return ret->success && json_get_uint(ret->value, JSON_INTEGER_MAX, &id) && id == 0;
}

static void optional_missing(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));
        const char *const names[] = {"app:missing", check_text(c, "app@%s", missing_digest_text)};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                check_that(c, is_zero(c, either_reference(c, either, names[i]), &answer),
                           "OpenImageOptional of %s, which the repository does not have, should succeed with "
                           "0; it %s",
                           names[i], answer.success ? "has another value" : answer.error);
        }
}

static void optional_existing(struct check_context *c)
{
        struct either_registry *either = serve(c, two_tags, ARRAY_SIZE(two_tags));
        CLEANUP_ANSWER struct answer answer = {0};
        bool zero = is_zero(c, either_reference(c, either, "app:latest"), &answer);

        check_that(c, answer.success && !zero,
                   "OpenImageOptional of an image that is there should open it; it %s",
                   answer.success ? "has the value 0" : answer.error);
}

/* ---- both registries: what is got ---- */

/* The entry of the fixture "index" for this machine, and one for another architecture. */
static void find_platforms(struct check_context *c, const struct content **ret_own,
                           const struct content **ret_other)
{
        const struct manifest *index = check_fixture_manifest(c, "index");
        const struct content *other = NULL;
        struct cip_error error = {0};

        if (manifest_pick(index, NULL, ret_own, &error) < 0)
                check_skip(c, "the index of the fixture has no image for this machine: %s", error.message);
        for (size_t i = 0; i < index->n_entries; i++)
                if (strcmp(index->entries[i].architecture, (*ret_own)->architecture) != 0)
                        other = &index->entries[i];
        if (!other)
                check_error(c, "the index of the fixture has images of one architecture only");
        *ret_other = other;
}

static void expect_manifest(struct check_context *c, const char *reference, const char *digest)
{
        uint64_t image = check_open_image(c, reference);
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        sample_check_digest(c, data, len, digest, "the manifest that is picked out of the list");
}

static const struct registry_image list = IMAGE_OF("app", "latest", "index");

static void platform(struct check_context *c)
{
        struct either_registry *either = serve(c, &list, 1);
        const struct content *own, *other;

        find_platforms(c, &own, &other);
        expect_manifest(c, either_reference(c, either, "app:latest"), own->digest);
}

static void start_with(struct check_context *c, const char *const *global_flags)
{
        check_start(c,
                    &(struct server_start){.global_flags = global_flags, .flags = FLAGS("--tls-verify=false")});
        check_expect_open(c);
}

static void platform_by_flag(struct check_context *c)
{
        struct either_registry *either =
                either_start(c, &(struct registry_config){.images = &list, .n_images = 1});
        const struct content *own, *other;

        find_platforms(c, &own, &other);
        start_with(c, FLAGS("--override-os", other->os, "--override-arch", other->architecture,
                            other->variant ? "--override-variant" : NULL, other->variant));
        expect_manifest(c, either_reference(c, either, "app:latest"), other->digest);
}

static void platform_by_digest(struct check_context *c)
{
        struct either_registry *either = serve(c, &list, 1);
        const struct content *own, *other;

        find_platforms(c, &own, &other);
        expect_manifest(c, either_reference(c, either, check_text(c, "app@%s", other->digest)), other->digest);
}

static void platform_missing(struct check_context *c)
{
        struct either_registry *either =
                either_start(c, &(struct registry_config){.images = &list, .n_images = 1});

        start_with(c, FLAGS("--override-arch", "mips64le"));
        sample_must_be_refused(c, "GetManifest",
                               sample_args(c, check_open_image(c, either_reference(c, either, "app:latest"))),
                               "a list without this platform");
        check_still_serves(c);
}

static void docker_manifest(struct check_context *c)
{
        static const struct registry_image image = IMAGE_OF("app", "latest", "docker");
        struct either_registry *either = serve(c, &image, 1);
        uint64_t id = check_open_image(c, either_reference(c, either, "app:latest"));
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        CLEANUP(cleanup_free) char *data = NULL;
        struct cip_error error = {0};
        const char *digest;
        size_t len;

        check_call_ok(c, &answer, "GetManifest", "%s", sample_args(c, id));
        digest = check_text(c, "%s", json_object_get_string(answer.value));
        check_read_and_finish(c, &answer, &finish, &data, &len);
        check_that(c, !strcmp(digest, sample_digest(c, "docker")),
                   "the value of GetManifest should be the digest that the registry has, %s; it is %s",
                   sample_digest(c, "docker"), digest);
        check_that(c, manifest_parse(data, len, &manifest, &error) == 0, "%s", error.message);
        check_that(c, manifest->kind == MANIFEST_OCI, "the manifest should be converted to OCI, it is %s",
                   manifest_kind_media_type(manifest->kind));
}

static void layers(struct check_context *c)
{
        static const struct registry_image images[] = {
                IMAGE_OF("tar", "latest", "tar"), IMAGE_OF("gzip", "latest", "gzip"),
                IMAGE_OF("zstd", "latest", "zstd"), IMAGE_OF("docker", "latest", "docker")};
        struct either_registry *either = serve(c, images, ARRAY_SIZE(images));

        for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
                const struct manifest *manifest = check_fixture_manifest(c, images[i].fixture);
                uint64_t id = check_open_image(c, either_reference(c, either, images[i].repository));

                for (size_t n = 0; n < manifest->n_entries; n++) {
                        const struct content *layer = &manifest->entries[n];
                        CLEANUP(cleanup_free) char *data = NULL;
                        size_t len;

                        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size),
                                        &data, &len);
                        sample_check_digest(c, data, len, layer->digest,
                                            check_text(c, "a layer of %s", images[i].repository));
                }
        }
}

/* ---- the registry in trouble ---- */

static const struct registry_image in_trouble[] = {
        IMAGE_OF("app", "latest", "blob-65537"),
        IMAGE_OF("app", "other", "gzip"),
        IMAGE_OF("sound", "latest", "layers-1"),
};

/* With these rules, and the server for it. @more, which may be NULL: listeners. */
static struct registry *start_in_trouble(struct check_context *c, const struct registry_rule *rules,
                                         size_t n_rules, const struct registry_listener *listeners,
                                         size_t n_listeners)
{
        struct registry *registry = registries_start(c, &(struct registry_config){
                                                                .listeners = listeners,
                                                                .n_listeners = n_listeners,
                                                                .images = in_trouble,
                                                                .n_images = ARRAY_SIZE(in_trouble),
                                                                .rules = rules,
                                                                .n_rules = n_rules,
                                                        });

        registries_serve(c, NULL, NULL);
        /* Newer servers say there when they go on with a blob. */
        check_expect_stderr(c);
        return registry;
}

static const char *app(struct check_context *c, const struct registry *registry)
{
        return registries_reference(c, registry, NULL, "app:latest");
}

static void expect_sound(struct check_context *c, const struct registry *registry)
{
        registries_pull(c, registries_reference(c, registry, NULL, "sound:latest"), "layers-1");
}

/* The arguments of GetBlob for the layer of "app". */
static const char *layer_args(struct check_context *c, uint64_t image)
{
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);

        return sample_blob_args(c, image, layer->digest, layer->size);
}

/*
 * A call whose piped value should not come: what is said instead, by it or by FinishPipe, is in @ret. False:
 * both succeed.
 */
static bool is_refused(struct check_context *c, const char *method, const char *args, struct answer *ret)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        check_call(c, ret, method, "%s", args);
        if (ret->success && ret->packet.n_fds == 1) {
                piped = *ret;
                *ret = (struct answer){0};
                check_read_and_finish(c, &piped, ret, &data, &len);
        }
        return !ret->success;
}

/* What a registry does wrong, and a text that the error must have in it. */
struct trouble {
        struct registry_act act;
        const char *words; /* NULL: any */
};

static const struct registry_rule *rule_for(struct check_context *c, enum registry_kind kind)
{
        const struct trouble *trouble = c->check->detail;
        struct registry_rule *rule = calloc(1, sizeof(*rule));

        if (!rule)
                check_error(c, "out of memory");
        rule->when = (struct registry_when){
                .kind = kind, .repository = "app", .reference = kind == REGISTRY_MANIFEST ? "latest" : NULL};
        rule->act = trouble->act;
        return rule;
}

static void expect_words(struct check_context *c, const struct answer *answer, const char *what)
{
        const struct trouble *trouble = c->check->detail;

        check_that(c, *answer->error, "%s is refused without an error text", what);
        check_that(c, !trouble->words || strstr(answer->error, trouble->words),
                   "the error should say '%s', it says: %s", trouble->words, answer->error);
}

/* By OpenImage, or by GetManifest at the latest. */
static void manifest_in_trouble(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, rule_for(c, REGISTRY_MANIFEST), 1, NULL, 0);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", app(c, registry));
        if (answer.success) {
                const char *args = check_text(c, "[%s]", json_object_to_json_string(answer.value));

                check_that(c, is_refused(c, "GetManifest", args, &answer),
                           "OpenImage or GetManifest should be refused, and both succeed");
        }
        expect_words(c, &answer, "the image");
        expect_sound(c, registry);
}

static void blob_in_trouble(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, rule_for(c, REGISTRY_BLOB), 1, NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer answer = {0};

        check_that(c, is_refused(c, "GetBlob", layer_args(c, image), &answer),
                   "GetBlob or FinishPipe should be refused, and both succeed");
        expect_words(c, &answer, "the layer");
        expect_sound(c, registry);
}

static void config_in_trouble(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, rule_for(c, REGISTRY_BLOB), 1, NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer answer = {0};

        check_that(c, is_refused(c, "GetFullConfig", sample_args(c, image), &answer),
                   "GetFullConfig should be refused, and succeeds");
        expect_words(c, &answer, "the config");
        expect_sound(c, registry);
}

/* What GetRawBlob says in the end is in the error pipe. */
static void raw_blob_in_trouble(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, rule_for(c, REGISTRY_BLOB), 1, NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_free) char *said = NULL;
        size_t len, said_len;

        check_call(c, &answer, "GetRawBlob", "[%" PRIu64 ", \"%s\"]", image, layer->digest);
        if (answer.success) {
                sample_check_pipes(c, &answer, 2);
                check_read_to_end(c, answer.packet.fds[0], &data, &len);
                check_read_to_end(c, answer.packet.fds[1], &said, &said_len);
                check_that(c, said_len > 0,
                           "the error pipe should say why %zu bytes of %" PRId64 " came, it is empty", len,
                           layer->size);
        }
        expect_sound(c, registry);
}

/* A manifest that was asked for by its digest, and is another one. */
static void wrong_manifest(struct check_context *c)
{
        static const struct registry_rule rule = {.when = {.kind = REGISTRY_MANIFEST, .repository = "app"},
                                                  .act = {.serve = "other"}};
        struct registry *registry = start_in_trouble(c, &rule, 1, NULL, 0);
        const char *name = check_text(c, "app@%s", sample_digest(c, "blob-65537"));
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, name));
        check_that(c,
                   !answer.success ||
                           is_refused(c, "GetManifest",
                                      check_text(c, "[%s]", json_object_to_json_string(answer.value)), &answer),
                   "a manifest that does not have the digest by which it was asked for should be refused");
        expect_sound(c, registry);
}

static void other_type(struct check_context *c)
{
        static const struct registry_rule rule = {.when = {.kind = REGISTRY_MANIFEST, .repository = "app"},
                                                  .act = {.media_type = "text/html"}};
        struct registry *registry = start_in_trouble(c, &rule, 1, NULL, 0);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", app(c, registry));
        if (!answer.success)
                check_record(c, "OpenImage refuses it");
        else if (is_refused(c, "GetManifest", check_text(c, "[%s]", json_object_to_json_string(answer.value)),
                            &answer))
                check_record(c, "GetManifest refuses it");
        else
                check_record(c, "taken for a manifest");
        expect_sound(c, registry);
}

/* ---- statuses ---- */

/* The text of the error that the registry sends. */
#define REASON "not on a Sunday"

static const struct status {
        unsigned status;
        const char *repository; /* where the manifest, or the blobs, cannot be had */
        const char *code;       /* since 0.2.8; NULL: either */
        const char *words[3];   /* one of them stands for it in a text, where REASON does not */
} statuses[] = {
        {401, "s401", "other", {"401", "nauthorized", NULL}},
        {403, "s403", "other", {"403", "orbidden", "denied"}},
        {404, "s404", "other", {"404", "ot found", "unknown"}},
        {429, "s429", "retryable", {"429", "oo many requests", "toomanyrequests"}},
        {500, "s500", NULL, {"500", "nternal Server Error", NULL}},
        {502, "s502", "retryable", {"502", "ad Gateway", NULL}},
        {503, "s503", "retryable", {"503", "ervice Unavailable", NULL}},
};

/* A registry that answers so for manifests or blobs, a repository for each status. */
static struct registry *start_statuses(struct check_context *c, enum registry_kind kind)
{
        static const struct registry_header at_once = {"Retry-After", "0"};
        struct registry_rule *rules = calloc(ARRAY_SIZE(statuses), sizeof(*rules));
        struct registry_image *images = calloc(ARRAY_SIZE(statuses) + 1, sizeof(*images));
        struct registry *registry;

        if (!rules || !images)
                check_error(c, "out of memory");
        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                rules[i].when = (struct registry_when){.kind = kind, .repository = statuses[i].repository};
                rules[i].act = (struct registry_act){
                        .status = statuses[i].status, .message = REASON, .headers = &at_once, .n_headers = 1};
                images[i] = (struct registry_image)IMAGE_OF(statuses[i].repository, "latest", "layers-1");
        }
        images[ARRAY_SIZE(statuses)] = (struct registry_image)IMAGE_OF("sound", "latest", "layers-1");
        registry = registries_start(c, &(struct registry_config){.images = images,
                                                                 .n_images = ARRAY_SIZE(statuses) + 1,
                                                                 .rules = rules,
                                                                 .n_rules = ARRAY_SIZE(statuses)});
        registries_serve(c, NULL, NULL);
        return registry;
}

/* Asks for what the registry answers so. False: it is got. */
static bool status_is_refused(struct check_context *c, const struct registry *registry, enum registry_kind kind,
                              const struct status *status, struct answer *ret)
{
        const char *reference = registries_reference(c, registry, NULL, status->repository);
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t image;

        if (kind == REGISTRY_MANIFEST) {
                check_call(c, ret, "OpenImage", "[\"%s\"]", reference);
                return !ret->success;
        }
        image = check_open_image(c, reference);
        return is_refused(c, "GetBlob", sample_blob_args(c, image, layer->digest, layer->size), ret);
}

static const char *kind_text(enum registry_kind kind)
{
        return kind == REGISTRY_MANIFEST ? "a manifest" : "a blob";
}

/* The same, where it must be refused. */
static void expect_refusal(struct check_context *c, const struct registry *registry, enum registry_kind kind,
                           const struct status *status, struct answer *ret)
{
        check_that(c, status_is_refused(c, registry, kind, status, ret) && *ret->error,
                   "%s that the registry answers with %u should be refused, with an error text",
                   kind_text(kind), status->status);
}

static void status_refuses(struct check_context *c, enum registry_kind kind)
{
        struct registry *registry = start_statuses(c, kind);

        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                expect_refusal(c, registry, kind, &statuses[i], &answer);
        }
        expect_sound(c, registry);
}

static void manifest_status(struct check_context *c)
{
        status_refuses(c, REGISTRY_MANIFEST);
}

static void blob_status(struct check_context *c)
{
        status_refuses(c, REGISTRY_BLOB);
}

static bool tells(const char *text, const struct status *status)
{
        for (size_t i = 0; i < ARRAY_SIZE(status->words); i++)
                if (status->words[i] && strstr(text, status->words[i]))
                        return true;
        return strstr(text, REASON);
}

static void status_is_told(struct check_context *c)
{
        static const enum registry_kind kinds[] = {REGISTRY_MANIFEST, REGISTRY_BLOB};

        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                struct registry *registry = start_statuses(c, kinds[k]);

                for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                        CLEANUP_ANSWER struct answer answer = {0};

                        expect_refusal(c, registry, kinds[k], &statuses[i], &answer);
                        check_that(c, tells(answer.error, &statuses[i]),
                                   "the error for %s should tell of the registry's %u, it says: %s",
                                   kind_text(kinds[k]), statuses[i].status, answer.error);
                }
        }
}

/* The registry's own words, which it has for what is the client's fault: 4xx. */
static void reason_is_told(struct check_context *c, enum registry_kind kind)
{
        struct registry *registry = start_statuses(c, kind);

        for (size_t i = 0; i < ARRAY_SIZE(statuses) && statuses[i].status < 500; i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                expect_refusal(c, registry, kind, &statuses[i], &answer);
                check_that(c, strstr(answer.error, REASON),
                           "the error for %s, which the registry answers with %u and '" REASON
                           "', should say that; it says: %s",
                           kind_text(kind), statuses[i].status, answer.error);
        }
}

static void manifest_reason(struct check_context *c)
{
        reason_is_told(c, REGISTRY_MANIFEST);
}

static void blob_reason(struct check_context *c)
{
        reason_is_told(c, REGISTRY_BLOB);
}

/* "401: 1, 429: 5", and what is not refused. */
static void record_tries(struct check_context *c, enum registry_kind kind)
{
        struct registry *registry = start_statuses(c, kind);
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                struct registry_when when = {.kind = kind, .repository = statuses[i].repository};
                CLEANUP_ANSWER struct answer answer = {0};
                bool is = status_is_refused(c, registry, kind, &statuses[i], &answer);

                text = check_text(c, "%s%s%u: %zu%s", text, *text ? ", " : "", statuses[i].status,
                                  registries_count(c, registry, &when), is ? "" : " (not refused)");
        }
        check_record(c, "%s", text);
}

static void manifest_tries(struct check_context *c)
{
        record_tries(c, REGISTRY_MANIFEST);
}

static void blob_tries(struct check_context *c)
{
        record_tries(c, REGISTRY_BLOB);
}

/* That all statuses with this code have it. */
static void codes(struct check_context *c, enum registry_kind kind, const char *code)
{
        struct registry *registry = start_statuses(c, kind);

        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                if (!statuses[i].code || strcmp(statuses[i].code, code) != 0)
                        continue;
                expect_refusal(c, registry, kind, &statuses[i], &answer);
                check_that(c, answer.error_code && !strcmp(answer.error_code, code),
                           "the error_code for %s that the registry answers with %u should be '%s', it is: %s",
                           kind_text(kind), statuses[i].status, code,
                           answer.error_code ? answer.error_code : "missing");
        }
}

static void code_passes(struct check_context *c)
{
        codes(c, REGISTRY_MANIFEST, "retryable");
        codes(c, REGISTRY_BLOB, "retryable");
}

static void code_stays(struct check_context *c)
{
        codes(c, REGISTRY_MANIFEST, "other");
        codes(c, REGISTRY_BLOB, "other");
}

static void code_of_500(struct check_context *c)
{
        struct registry *registry = start_statuses(c, REGISTRY_MANIFEST);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, "s500"));
        check_record(c, "%s", answer.error_code && *answer.error_code ? answer.error_code : "none");
}

/* A connection that is lost in the middle of a blob. */
static void code_of_cut(struct check_context *c)
{
        const struct registry_rule *rule = rule_for(c, REGISTRY_BLOB);
        struct registry *registry = start_in_trouble(c, rule, 1, NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer answer = {0};

        check_that(c, is_refused(c, "GetBlob", layer_args(c, image), &answer),
                   "GetBlob or FinishPipe should be refused, and both succeed");
        check_that(c, answer.error_code && !strcmp(answer.error_code, "retryable"),
                   "the error_code for a lost connection should be 'retryable', it is: %s (%s)",
                   answer.error_code ? answer.error_code : "missing", answer.error);
}

/* ---- trying again ---- */

static void retry_after(struct check_context *c)
{
        static const struct registry_header in_a_second = {"Retry-After", "1"};
        static const struct registry_when manifest = {.kind = REGISTRY_MANIFEST, .repository = "app"};
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_MANIFEST, .repository = "app", .nth = 1},
                .act = {.status = 429, .headers = &in_a_second, .n_headers = 1}};
        struct registry *registry = start_in_trouble(c, &rule, 1, NULL, 0);
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        const struct registry_request *first, *second;

        check_open_image(c, app(c, registry));
        registries_log(c, registry, &log);
        first = registry_log_find(&log, &manifest, NULL);
        second = first ? registry_log_find(&log, &manifest, first) : NULL;
        check_that(c, second, "the manifest should be asked for again");
        /* The client's clock and ours may tick a little apart. */
        check_that(c, second->seconds - first->seconds > 0.99,
                   "after 429 with Retry-After: 1 the manifest should be asked for a second later, it was "
                   "after %.3f s",
                   second->seconds - first->seconds);
}

static void failure_is_forgotten(struct check_context *c)
{
        static const struct registry_rule rules[] = {
                {.when = {.kind = REGISTRY_MANIFEST, .repository = "sound", .nth = 1}, .act = {.status = 503}},
                {.when = {.kind = REGISTRY_BLOB, .repository = "sound", .nth = 1}, .act = {.status = 503}},
        };
        struct registry *registry = start_in_trouble(c, rules, ARRAY_SIZE(rules), NULL, 0);
        const char *reference = registries_reference(c, registry, NULL, "sound:latest");
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image;

        registries_refused(c, reference, NULL, &answer);
        image = check_open_image(c, reference);
        check_that(c, is_refused(c, "GetBlob", sample_blob_args(c, image, layer->digest, layer->size), &answer),
                   "a layer that the registry answers with 503 should be refused");
        expect_sound(c, registry);
}

/* The first connection for the layer is lost in the middle. */
static void blob_goes_on(struct check_context *c)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_BLOB, .repository = "app", .nth = 1},
                .act = {.cut = {.there = true, .after = 30000}}};
        static const struct registry_when rest = {.kind = REGISTRY_BLOB, .repository = "app", .range = true};
        struct registry *registry = start_in_trouble(c, &rule, 1, NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer answer = {0};
        bool lost = is_refused(c, "GetBlob", layer_args(c, image), &answer);

        check_record(c, "%s, %s",
                     registries_count(c, registry, &rest) ? "the rest is asked for" : "not asked again",
                     lost ? "refused" : "whole");
        expect_sound(c, registry);
}

/* How often is asked for what is lost each time. */
static void lost_tries(struct check_context *c)
{
        static const struct {
                const char *name;
                enum registry_kind kind;
                struct registry_cut cut;
        } rows[] = {
                {"manifest closed", REGISTRY_MANIFEST, {.there = true, .after = 50}},
                {"manifest reset", REGISTRY_MANIFEST, {.there = true, .after = 50, .reset = true}},
                {"manifest without a head", REGISTRY_MANIFEST, {.there = true, .in_headers = true}},
                {"blob closed", REGISTRY_BLOB, {.there = true, .after = 1000}},
                {"blob without a head", REGISTRY_BLOB, {.there = true, .in_headers = true}},
        };
        const struct registry_when all = {.repository = "app"};
        struct registry *registry = start_in_trouble(c, NULL, 0, NULL, 0);
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const struct registry_rule rule = {.when = {.kind = rows[i].kind, .repository = "app"},
                                                   .act = {.cut = rows[i].cut}};
                size_t before = registries_count(c, registry, &all);
                CLEANUP_ANSWER struct answer answer = {0};
                bool lost;

                if (registry_set_rules(registry, &rule, 1) < 0)
                        check_error(c, "out of memory");
                check_call(c, &answer, "OpenImage", "[\"%s\"]", app(c, registry));
                lost = !answer.success;
                if (answer.success && rows[i].kind == REGISTRY_BLOB) {
                        /* The manifest was asked for to get there. */
                        before++;
                        lost = is_refused(c, "GetBlob", layer_args(c, json_object_get_uint64(answer.value)),
                                          &answer);
                }
                text = check_text(c, "%s%s%s: %zu%s", text, i ? ", " : "", rows[i].name,
                                  registries_count(c, registry, &all) - before, lost ? "" : " (not refused)");
        }
        check_record(c, "%s", text);
}

/* The rest of a blob is another one's: a server that goes on must not trust it. */
static void rest_is_verified(struct check_context *c)
{
        static const struct registry_rule rules[] = {
                {.when = {.kind = REGISTRY_BLOB, .repository = "app", .nth = 1},
                 .act = {.cut = {.there = true, .after = 30000}}},
                {.when = {.kind = REGISTRY_BLOB, .repository = "app"},
                 .act = {.corrupt_at = REGISTRY_NUMBER(40000)}},
        };
        struct registry *registry = start_in_trouble(c, rules, ARRAY_SIZE(rules), NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer answer = {0};

        check_that(c, is_refused(c, "GetBlob", layer_args(c, image), &answer),
                   "a blob whose rest came wrong after a lost connection should be refused");
        expect_sound(c, registry);
}

/* The same, where the registry sends the whole in place of the rest. */
static void rest_is_the_whole(struct check_context *c)
{
        static const struct registry_rule rules[] = {
                {.when = {.kind = REGISTRY_BLOB, .repository = "app", .nth = 1},
                 .act = {.cut = {.there = true, .after = 30000}}},
                {.when = {.kind = REGISTRY_BLOB, .repository = "app"}, .act = {.ignore_range = true}},
        };
        struct registry *registry = start_in_trouble(c, rules, ARRAY_SIZE(rules), NULL, 0);
        const struct content *layer = sample_layer_of(c, "blob-65537", 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch(c, "GetBlob", layer_args(c, image), &data, &len, &finish);
        if (finish.success)
                sample_check_digest(c, data, len, layer->digest, "a layer that succeeds");
        expect_sound(c, registry);
}

/* ---- other hosts ---- */

static const struct registry_listener two_hosts[] = {{.name = "main"},
                                                     {.name = "store", .address = "127.0.0.2"}};

static void redirected(struct check_context *c, enum registry_kind kind)
{
        const struct registry_rule rule = {.when = {.kind = kind, .listener = "main", .repository = "sound"},
                                           .act = {.redirect = {.there = true, .listener = "store"}}};
        const struct registry_when at_store = {.kind = kind, .listener = "store", .repository = "sound"};
        struct registry *registry = start_in_trouble(c, &rule, 1, two_hosts, ARRAY_SIZE(two_hosts));

        expect_sound(c, registry);
        check_that(c, registries_count(c, registry, &at_store),
                   "%s should be asked for where the registry leads to", kind_text(kind));
}

static void blob_redirect(struct check_context *c)
{
        redirected(c, REGISTRY_BLOB);
}

static void manifest_redirect(struct check_context *c)
{
        redirected(c, REGISTRY_MANIFEST);
}

static const struct registry_rule circle[] = {
        {.when = {.kind = REGISTRY_MANIFEST, .reference = "other"}, .act = {.redirect = {.there = true}}},
        {.when = {.kind = REGISTRY_BLOB, .repository = "app"}, .act = {.redirect = {.there = true}}},
};

static void redirect_circle(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, circle, ARRAY_SIZE(circle), NULL, 0);
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image;

        registries_refused(c, registries_reference(c, registry, NULL, "app:other"), NULL, &answer);
        image = check_open_image(c, app(c, registry));
        check_that(c, is_refused(c, "GetBlob", layer_args(c, image), &answer),
                   "a blob that is redirected in circles should be refused");
        expect_sound(c, registry);
}

static void redirect_limit(struct check_context *c)
{
        static const struct registry_when asked = {.kind = REGISTRY_MANIFEST, .reference = "other"};
        struct registry *registry = start_in_trouble(c, circle, ARRAY_SIZE(circle), NULL, 0);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, "app:other"));
        check_record(c, "%s after %zu requests", answer.success ? "opened" : "refused",
                     registries_count(c, registry, &asked));
}

static void missing_registry(struct check_context *c)
{
        static const struct registry_listener listeners[] = {{.name = "main"}, {.name = "down", .down = true}};
        struct registry *registry = start_in_trouble(c, NULL, 0, listeners, ARRAY_SIZE(listeners));
        CLEANUP_ANSWER struct answer answer = {0};

        registries_refused(c, registries_reference(c, registry, "down", "app:latest"), "connection refused",
                           &answer);
        if (version_compare(check_version(c), VERSION_ERROR_CODE) >= 0)
                check_that(c, answer.error_code && !strcmp(answer.error_code, "retryable"),
                           "the error_code where nobody listens should be 'retryable', it is: %s",
                           answer.error_code ? answer.error_code : "missing");
        expect_sound(c, registry);
}

/* ---- not found, and not known whether ---- */

static void optional_errors(struct check_context *c)
{
        struct registry *registry = start_statuses(c, REGISTRY_MANIFEST);

        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                if (statuses[i].status == 404)
                        continue;
                is_zero(c, registries_reference(c, registry, NULL, statuses[i].repository), &answer);
                check_that(
                        c, !answer.success,
                        "OpenImageOptional should be refused where the registry answers %u, which says nothing "
                        "of an image; it has the value %s",
                        statuses[i].status, json_object_to_json_string(answer.value));
        }
}

static void optional_unknown_name(struct check_context *c)
{
        static const struct registry_rule rule = {.when = {.kind = REGISTRY_MANIFEST, .repository = "app"},
                                                  .act = {.status = 404, .code = "NAME_UNKNOWN"}};
        struct registry *registry = start_in_trouble(c, &rule, 1, NULL, 0);
        CLEANUP_ANSWER struct answer answer = {0};

        check_that(c, is_zero(c, app(c, registry), &answer),
                   "OpenImageOptional should succeed with 0 where the registry says that it has no such "
                   "repository; it %s",
                   answer.success ? "has another value" : answer.error);
        expect_sound(c, registry);
}

static void optional_not_found(struct check_context *c)
{
        static const struct registry_rule rules[] = {
                {.when = {.kind = REGISTRY_MANIFEST, .reference = "manifest"},
                 .act = {.status = 404, .code = "MANIFEST_UNKNOWN"}},
                {.when = {.kind = REGISTRY_MANIFEST, .reference = "name"},
                 .act = {.status = 404, .code = "NAME_UNKNOWN"}},
                {.when = {.kind = REGISTRY_MANIFEST, .reference = "other"},
                 .act = {.status = 404, .code = "UNKNOWN"}},
                {.when = {.kind = REGISTRY_MANIFEST, .reference = "page"},
                 .act = {.status = 404, .body = "<html>not found</html>", .media_type = "text/html"}},
        };
        struct registry *registry = start_in_trouble(c, rules, ARRAY_SIZE(rules), NULL, 0);
        const char *text = "";

        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                const char *tag = rules[i].when.reference;
                CLEANUP_ANSWER struct answer answer = {0};
                bool zero = is_zero(c, registries_reference(c, registry, NULL, check_text(c, "app:%s", tag)),
                                    &answer);

                text = check_text(c, "%s%s%s: %s", text, *text ? ", " : "",
                                  rules[i].act.code ? rules[i].act.code : "a page",
                                  zero             ? "0"
                                  : answer.success ? "an image"
                                                   : "refused");
        }
        check_record(c, "%s", text);
}

/* ---- what the registry is told ---- */

static void user_agent_prefix(struct check_context *c)
{
        struct registry *registry = registries_start(c, NULL);
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};

        start_with(c, FLAGS("--user-agent-prefix", "cip-check/1"));
        registries_pull(c, app(c, registry), "layers-1");
        registries_log(c, registry, &log);
        check_that(c, log.n, "the registry should be asked");
        for (size_t i = 0; i < log.n; i++)
                check_that(c, !strncmp(log.requests[i].user_agent, "cip-check/1 ", 12),
                           "the User-Agent of %s should begin with the prefix, it is: %s", log.requests[i].path,
                           log.requests[i].user_agent);
}

/* Without its version, which each release has another of. */
static void user_agent(struct check_context *c)
{
        static const struct registry_when manifest = {.kind = REGISTRY_MANIFEST, .repository = "app"};
        struct registry *registry = registries_start(c, NULL);
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        const struct registry_request *request;
        int len;

        registries_serve(c, NULL, NULL);
        check_call(c, &answer, "OpenImage", "[\"%s\"]", app(c, registry));
        registries_log(c, registry, &log);
        request = registry_log_find(&log, &manifest, NULL);
        len = request ? (int)strcspn(request->user_agent, "/") : 0;
        check_record(c, "%.*s", request ? len : 9, request ? request->user_agent : "not asked");
}

/* What is asked to open an image, and to open it again. */
static void requests(struct check_context *c)
{
        static const enum registry_kind kinds[] = {REGISTRY_PING, REGISTRY_MANIFEST, REGISTRY_BLOB};
        struct registry *registry = registries_start(c, NULL);
        const char *text = "";

        registries_serve(c, NULL, NULL);
        for (unsigned n = 1; n <= 2; n++) {
                CLEANUP_ANSWER struct answer answer = {0};

                check_call(c, &answer, "OpenImage", "[\"%s\"]", app(c, registry));
                for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                        const struct registry_when when = {.kind = kinds[i]};

                        text = check_text(c, "%s%s%zu %s", text,
                                          i       ? ", "
                                          : n > 1 ? "; then "
                                                  : "",
                                          registries_count(c, registry, &when), registry_kind_name(kinds[i]));
                }
        }
        check_record(c, "%s", text);
}

/* ---- a registry that stalls ---- */

/* Waits until such a request is under way: its answer has begun, and has not ended. */
static void wait_under_way(struct check_context *c, struct registry *registry, const struct registry_when *when)
{
        context_doing(c, "waiting for a request to the registry");
        for (;;) {
                CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
                const struct registry_request *request;

                if (registry_read_log(registry, &log) < 0)
                        check_error(c, "out of memory");
                request = registry_log_find(&log, when, NULL);
                if (request && request->end == REGISTRY_END_UNDER_WAY)
                        return;
                check_that(c, !request, "the registry should stall, the request has ended");
                check_that(c, !deadline_passed(c->deadline), "the registry should be asked");
                (void)context_wait(c, -1, 0, deadline_in_ms(2));
        }
}

/* Longer than a good server needs on any machine. The second is waited for where a server is not good. */
#define BLOB_STALLS_MS 20000
#define MANIFEST_STALLS_MS 3000

static const struct registry_when stalled_blob = {.kind = REGISTRY_BLOB, .repository = "app"};
static const struct registry_when stalled_manifest = {.kind = REGISTRY_MANIFEST, .repository = "app"};
static const struct registry_rule stalls[] = {
        {.when = {.kind = REGISTRY_BLOB, .repository = "app"},
         .act = {.stall = {.there = true, .after = 1000, .for_ms = BLOB_STALLS_MS}}},
        {.when = {.kind = REGISTRY_MANIFEST, .reference = "other"},
         .act = {.stall = {.there = true, .after = 10, .for_ms = MANIFEST_STALLS_MS}}},
};

/* The client leaves. The server ends before the registry goes on. */
static void expect_left(struct check_context *c, struct registry *registry, const struct registry_when *when)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        const struct registry_request *request;

        check_hang_up(c);
        check_wait_exit(c);
        registries_log(c, registry, &log);
        request = registry_log_find(&log, when, NULL);
        check_that(c, request && request->end == REGISTRY_END_LEFT,
                   "the server should end when its client is gone; it waited until the registry went on");
}

static void stall_and_others(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, stalls, ARRAY_SIZE(stalls), NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer blob = {0};

        check_call_ok(c, &blob, "GetBlob", "%s", layer_args(c, image));
        wait_under_way(c, registry, &stalled_blob);
        expect_sound(c, registry);
        wait_under_way(c, registry, &stalled_blob);
}

static void stall_passes(struct check_context *c)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_ANY, .repository = "sound"},
                .act = {.stall = {.there = true, .after = 100, .for_ms = 100}}};
        struct registry *registry = start_in_trouble(c, &rule, 1, NULL, 0);

        expect_sound(c, registry);
}

static void hang_up_in_blob(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, stalls, ARRAY_SIZE(stalls), NULL, 0);
        uint64_t image = check_open_image(c, app(c, registry));
        CLEANUP_ANSWER struct answer blob = {0};

        check_call_ok(c, &blob, "GetBlob", "%s", layer_args(c, image));
        wait_under_way(c, registry, &stalled_blob);
        expect_left(c, registry, &stalled_blob);
}

static void hang_up_in_manifest(struct check_context *c)
{
        struct registry *registry = start_in_trouble(c, stalls, ARRAY_SIZE(stalls), NULL, 0);

        check_expect_exit(c, -1);
        check_request(c, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, "app:other"));
        wait_under_way(c, registry, &stalled_manifest);
        expect_left(c, registry, &stalled_manifest);
}

/* ---- the table ---- */

#define REGISTRY(name, level_, since_, requires_, reference_, run_)                                    \
        .id = "registry/" name, .level = LEVEL_##level_, .since = (since_), .requires = requires_ ".", \
        .reference = (reference_), .run = (run_), .own_start = true

#define FAKE(name, level_, requires_, reference_, run_)                             \
        {                                                                           \
                REGISTRY(name, level_, VERSION_OLDEST, requires_, reference_, run_) \
        }

#define FAKE_SINCE(name, level_, since_, requires_, reference_, run_)       \
        {                                                                   \
                REGISTRY(name, level_, since_, requires_, reference_, run_) \
        }

/* The same on both registries. */
#define BOTH_SINCE(name, level_, since_, requires_, reference_, run_)                                       \
        {REGISTRY(name, level_, since_, requires_, reference_, run_)},                                      \
        {                                                                                                   \
                REGISTRY(name "-real", level_, since_, requires_ ", on docker-registry", reference_, run_), \
                        .detail = on_real_registry                                                          \
        }

#define BOTH(name, level_, requires_, reference_, run_) \
        BOTH_SINCE(name, level_, VERSION_OLDEST, requires_, reference_, run_)

/* A trouble is an act of a rule, or an act and words of the error. */
#define TROUBLE(name, level_, since_, requires_, reference_, run_, words_, ...)                                \
        {                                                                                                      \
                REGISTRY(name, level_, since_, requires_, reference_, run_), .detail = &(const struct trouble) \
                {                                                                                              \
                        .act = {__VA_ARGS__}, .words = (words_)                                                \
                }                                                                                              \
        }

#define MANIFEST(name, requires_, ...)                                                                 \
        TROUBLE(name, MUST, VERSION_OLDEST, requires_, "registry-manifest", manifest_in_trouble, NULL, \
                __VA_ARGS__)

#define BLOB(name, requires_, words_, ...) \
        TROUBLE(name, MUST, VERSION_OLDEST, requires_, "registry-blob", blob_in_trouble, words_, __VA_ARGS__)

#define CUT(after_) .cut = {.there = true, .after = (after_)}
#define RESET(after_) .cut = {.there = true, .after = (after_), .reset = true}

const struct check checks_registry[] = {
        BOTH("by-tag", MUST, "An image of a registry is found by its tag", "registry-tag", by_tag),
        BOTH("default-tag", MUST, "Without a tag and a digest the tag is latest", "registry-latest",
             default_tag),
        BOTH("by-digest", MUST, "An image of a registry is found by its digest", "registry-digest", by_digest),
        BOTH("by-tag-and-digest", INFO, "Records what becomes of a name with a tag and another image's digest",
             "registry-both", by_tag_and_digest),
        BOTH("several", MUST, "Images of several repositories are open side by side", "registry-tag", several),
        BOTH("login-and-tls", MUST, "An image is pulled from a registry with TLS and a login", "registry-tag",
             login_and_tls),
        BOTH("missing-tag", MUST,
             "OpenImage of a tag that the repository does not have is refused, in the registry's words",
             "registry-missing", missing_tag),
        BOTH("missing-digest", MUST,
             "OpenImage of a digest that the repository does not have is refused likewise", "registry-missing",
             missing_digest),
        BOTH("missing-repository", MUST,
             "OpenImage of a repository that the registry does not have is refused likewise",
             "registry-missing", missing_repository),
        BOTH("missing-blob", MUST,
             "A blob that the registry does not have is refused, and the image still serves",
             "registry-missing-blob", missing_blob),
        BOTH_SINCE("optional-missing", MUST, VERSION(0, 2, 4),
                   "OpenImageOptional of a tag or digest that the repository does not have succeeds with 0",
                   "registry-optional", optional_missing),
        BOTH_SINCE("optional-existing", MUST, VERSION(0, 2, 4),
                   "OpenImageOptional of an image that is there opens it", "registry-optional",
                   optional_existing),
        BOTH("platform", MUST, "Out of a registry's list the image for this machine is picked", "registry-list",
             platform),
        BOTH("platform-by-flag", MUST, "Out of a registry's list the image for --override-arch is picked",
             "registry-list", platform_by_flag),
        BOTH("platform-by-digest", MUST,
             "An image of a list is found by its own digest, whatever machine it is for",
             "registry-list-digest", platform_by_digest),
        BOTH("platform-missing", MUST, "A list without this platform has no manifest", "registry-list",
             platform_missing),
        BOTH("docker", MUST, "Docker's schema 2 is converted to OCI, and keeps its digest", "registry-docker",
             docker_manifest),
        BOTH("layers", MUST, "Layers come as the registry has them, whatever they are compressed by",
             "registry-layers", layers),

        FAKE("missing-registry", MUST, "Where no registry listens OpenImage is refused, and says so",
             "registry-down", missing_registry),
        FAKE_SINCE("optional-errors", MUST, VERSION(0, 2, 4),
                   "OpenImageOptional is refused where the registry does not say whether there is an image",
                   "registry-optional-error", optional_errors),
        FAKE_SINCE("optional-unknown-name", SHOULD, VERSION(0, 2, 4),
                   "OpenImageOptional succeeds with 0 where the registry says that it has no such repository",
                   "registry-optional-name", optional_unknown_name),
        FAKE_SINCE("optional-not-found", INFO, VERSION(0, 2, 4),
                   "Records which answers of status 404 OpenImageOptional takes for no image",
                   "registry-optional-404", optional_not_found),

        FAKE("manifest-status", MUST, "A manifest that the registry refuses or fails to give is refused",
             "registry-status", manifest_status),
        FAKE("blob-status", MUST, "A blob that the registry refuses or fails to give is refused",
             "registry-status", blob_status),
        FAKE("status-is-told", SHOULD, "An error tells of the registry's status", "registry-status-told",
             status_is_told),
        FAKE("manifest-reason", SHOULD, "An error about a manifest has the registry's own words",
             "registry-reason", manifest_reason),
        FAKE("blob-reason", SHOULD, "An error about a blob has the registry's own words", "registry-reason",
             blob_reason),
        FAKE("manifest-tries", INFO, "Records how often a manifest is asked for, by the registry's status",
             "registry-tries", manifest_tries),
        FAKE("blob-tries", INFO, "Records how often a blob is asked for, by the registry's status",
             "registry-tries", blob_tries),
        FAKE("lost-tries", INFO, "Records how often is asked for what is lost each time", "registry-lost-tries",
             lost_tries),
        FAKE_SINCE("code-retryable", MUST, VERSION_ERROR_CODE,
                   "429, 502 and 503 have the error_code `retryable`", "registry-code code-retryable",
                   code_passes),
        FAKE_SINCE("code-other", MUST, VERSION_ERROR_CODE, "401, 403 and 404 have the error_code `other`",
                   "registry-code code-other", code_stays),
        FAKE_SINCE("code-of-500", INFO, VERSION_ERROR_CODE, "Records which error_code 500 has",
                   "registry-code-500", code_of_500),
        TROUBLE("code-of-cut", SHOULD, VERSION_ERROR_CODE,
                "A connection that is closed in the middle of a blob has the error_code `retryable`",
                "registry-code-lost", code_of_cut, NULL, CUT(1000)),
        TROUBLE("code-of-reset", SHOULD, VERSION_ERROR_CODE,
                "A connection that is reset in the middle of a blob has the error_code `retryable`",
                "registry-code-lost", code_of_cut, NULL, RESET(1000)),
        FAKE("retry-after", SHOULD,
             "After 429 with Retry-After a manifest is asked for again, and not before that time",
             "registry-retry-after", retry_after),
        FAKE("failure-is-forgotten", MUST, "What failed once is asked for anew by the next call",
             "registry-forgotten", failure_is_forgotten),

        MANIFEST("manifest-cut", "A manifest whose connection is closed in the middle is refused", CUT(50)),
        MANIFEST("manifest-reset", "A manifest whose connection is reset in the middle is refused", RESET(50)),
        MANIFEST("manifest-head-cut", "A manifest whose connection is closed within the head is refused",
                 .cut = {.there = true, .after = 30, .in_headers = true}),
        MANIFEST("manifest-garbage", "An answer that is no HTTP is refused", .raw = "SSH-2.0-x\r\n"),
        MANIFEST("manifest-page", "A page in place of a manifest is refused",
                 .body = "<html>Please log in</html>", .media_type = "text/html"),
        MANIFEST("manifest-truncated", "A manifest that ends too soon is refused",
                 .truncate_to = REGISTRY_NUMBER(100)),
        MANIFEST("manifest-too-large", "A manifest of more than 4 MiB is refused",
                 .lengthen_by = UINT64_C(5) * 1024 * 1024),
        FAKE("manifest-of-other-digest", MUST,
             "A manifest that does not have the digest by which it was asked for is refused",
             "registry-verified", wrong_manifest),
        FAKE("manifest-of-other-type", INFO, "Records what becomes of a manifest that is said to be a page",
             "registry-type", other_type),

        BLOB("blob-cut", "A blob whose connection is closed in the middle is never a success", NULL, CUT(1000)),
        BLOB("blob-reset", "A blob whose connection is reset in the middle is never a success", NULL,
             RESET(1000)),
        BLOB("blob-short", "A blob that is shorter than its length says is never a success", NULL,
             .content_length = REGISTRY_NUMBER(70000)),
        BLOB("blob-clipped", "A blob that is longer than its length says is never a success",
             "sha256:", .content_length = REGISTRY_NUMBER(1000)),
        BLOB("blob-truncated", "A blob that ends too soon is refused by its digest",
             "sha256:", .truncate_to = REGISTRY_NUMBER(65536)),
        BLOB("blob-lengthened", "A blob with a byte more is refused by its digest",
             "sha256:", .lengthen_by = 1),
        BLOB("blob-corrupt", "A blob with a wrong byte is refused by its digest",
             "sha256:", .corrupt_at = REGISTRY_NUMBER(65536)),
        BLOB("blob-page", "A page in place of a blob is refused by its digest",
             "sha256:", .body = "<html>Please log in</html>", .media_type = "text/html"),
        TROUBLE("config-corrupt", MUST, VERSION_OLDEST, "A config with a wrong byte is refused",
                "registry-config", config_in_trouble, NULL, .corrupt_at = REGISTRY_NUMBER(10)),
        TROUBLE("config-cut", MUST, VERSION_OLDEST,
                "A config whose connection is closed in the middle is refused", "registry-config",
                config_in_trouble, NULL, CUT(10)),
        TROUBLE("raw-blob-cut", MUST, VERSION(0, 2, 8),
                "GetRawBlob tells in its error pipe that the connection was closed in the middle",
                "registry-raw", raw_blob_in_trouble, NULL, CUT(1000)),

        FAKE("blob-goes-on", INFO,
             "Records whether the rest of a blob is asked for when its connection is lost", "registry-rest",
             blob_goes_on),
        FAKE("rest-is-verified", MUST, "A blob whose rest comes wrong after a lost connection is refused",
             "registry-rest-verified", rest_is_verified),
        FAKE("rest-is-the-whole", MUST,
             "A blob that comes whole in place of the rest is refused, or is the right one in the end",
             "registry-rest-verified", rest_is_the_whole),

        FAKE("blob-redirect", MUST, "A blob is got from another host that the registry leads to",
             "registry-redirect", blob_redirect),
        FAKE("manifest-redirect", MUST, "A manifest is got from another host that the registry leads to",
             "registry-redirect", manifest_redirect),
        FAKE("redirect-circle", MUST, "Redirects in circles are refused in the end", "registry-circle",
             redirect_circle),
        FAKE("redirect-limit", INFO, "Records after how many requests redirects in circles are refused",
             "registry-circle-length", redirect_limit),

        FAKE_SINCE("user-agent-prefix", MUST, VERSION(0, 2, 8),
                   "The User-Agent of each request begins with what --user-agent-prefix says",
                   "registry-user-agent-prefix", user_agent_prefix),
        FAKE("user-agent", INFO, "Records the product that the User-Agent names", "registry-user-agent",
             user_agent),
        FAKE("requests", INFO, "Records what is asked to open an image, once and twice", "registry-requests",
             requests),

        FAKE("stall-and-others", MUST, "While a blob stalls the server serves other images", "registry-stall",
             stall_and_others),
        FAKE("stall-passes", MUST, "What stalls and then goes on is whole", "registry-stall-passes",
             stall_passes),
        FAKE("hang-up-in-blob", MUST, "A server whose client leaves while a blob stalls ends at once",
             "registry-hang-up", hang_up_in_blob),
        FAKE("hang-up-in-manifest", SHOULD, "A server whose client leaves while OpenImage stalls ends at once",
             "registry-hang-up-open", hang_up_in_manifest),
};
const size_t n_checks_registry = ARRAY_SIZE(checks_registry);
