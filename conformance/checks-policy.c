/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of signatures: what the policy refuses reaches no client, what it accepts does. Policies are texts with
 * names in braces, {registry} and others, which each check fills in; signatures are made for the check
 * (signatures.h). Every image is signed as one of vendor.example, unless it is about that. containers-policy.json(5)
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/context.h"
#include "conformance/groups.h"
#include "conformance/registries.h"
#include "conformance/sample.h"
#include "conformance/signatures.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define FIXTURE "layers-1"
#define SIGNED_AS "vendor.example/app:latest"

#define ACCEPT "{\"type\": \"insecureAcceptAnything\"}"
#define REJECT "{\"type\": \"reject\"}"
#define POLICY(default_, transports_) "{\"default\": [" default_ "], \"transports\": {" transports_ "}}\n"
#define ALL_ACCEPTED POLICY(ACCEPT, "")
#define ALL_REJECTED POLICY(REJECT, "")
#define TRANSPORT(name_, scopes_) "\"" name_ "\": {" scopes_ "}"
#define SCOPE(scope_, requirement_) "\"" scope_ "\": [" requirement_ "]"

#define APP "docker://{registry}/app:latest"
#define OLD "docker://{registry}/app:old"
#define TEAM "docker://{registry}/team/app:latest"
#define ELSEWHERE "docker://{other}/app:latest"
#define RENAMED "docker://vendor.example/app:latest"
#define DIR "dir:{folder}/images/app"
#define OCI "oci:{folder}/layers-1:latest"
#define OCI_ARCHIVE "oci-archive:{folder}/oci.tar"
#define DOCKER_ARCHIVE "docker-archive:{folder}/docker.tar"
#define DIR_BESIDE "dir:{folder}/images/beside"

static const struct registry_listener listeners[] = {{.name = "registry"},
                                                     {.name = "other", .address = "127.0.0.2"}};

static const struct registry_image images[] = {
        {.repository = "app", .tag = "latest", .fixture = FIXTURE},
        {.repository = "app", .tag = "old", .fixture = FIXTURE},
        {.repository = "app", .tag = "moved", .fixture = "layers-0"},
        {.repository = "team/app", .tag = "latest", .fixture = FIXTURE},
};

static const struct registry_config usual = {
        .listeners = listeners,
        .n_listeners = ARRAY_SIZE(listeners),
        .images = images,
        .n_images = ARRAY_SIZE(images),
};

/* ---- texts with names in braces ---- */

/* What the names stand for; NULL: it is not there, and in no text. */
struct scene {
        struct registry *registry;
        const char *address, *other; /* of its listeners */
        const char *folder;          /* the check's */
        const char *digest;          /* of the image's manifest */
        const char *key;             /* the file of the key that the policy trusts */
        const char *identity;        /* what the policy accepts as the image's name, as JSON */
};

/* What begins with one of the names: its value. */
static const char *name_at(const struct scene *scene, const char *text, size_t *ret_len)
{
        const struct {
                const char *name, *value;
        } names[] = {
                {"{registry}", scene->address}, {"{other}", scene->other}, {"{folder}", scene->folder},
                {"{digest}", scene->digest},    {"{key}", scene->key},     {"{identity}", scene->identity},
        };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                *ret_len = strlen(names[i].name);
                if (!strncmp(text, names[i].name, *ret_len))
                        return names[i].value;
        }
        return NULL;
}

static const char *fill(struct check_context *c, const struct scene *scene, const char *text)
{
        const char *filled = "", *value;
        size_t len;

        for (const char *brace = text; (brace = strchr(brace, '{'));) {
                value = name_at(scene, brace, &len);
                if (!value) {
                        brace++;
                        continue;
                }
                filled = check_text(c, "%s%.*s%s", filled, (int)(brace - text), text, value);
                text = brace += len;
        }
        return check_text(c, "%s%s", filled, text);
}

static struct scene scene_new(struct check_context *c, const struct registry_config *config)
{
        struct scene scene = {.folder = check_folder(c)};

        if (config) {
                scene.registry = registries_start(c, config);
                scene.address = registry_address(scene.registry, NULL);
                scene.other = registry_address(scene.registry, "other");
        }
        return scene;
}

/* ---- the server and what it is asked ---- */

#define HOME_POLICY "home/.config/containers/policy.json"

/* Writes a policy, and returns its path. */
static const char *write_policy(struct check_context *c, const struct scene *scene, const char *path,
                                const char *policy)
{
        return registries_file(c, path, "%s", fill(c, scene, policy));
}

/* A folder of the check's own is in the place of the machine's registries.d. */
static const char *write_settings(struct check_context *c, const struct scene *scene, const char *settings)
{
        registries_file(c, "registries.d/settings.yaml", "%s", fill(c, scene, settings));
        return check_text(c, "%s/registries.d", check_folder(c));
}

static void serve(struct check_context *c, const struct scene *scene, const char *policy, const char *settings)
{
        registries_serve(c,
                         FLAGS("--policy", write_policy(c, scene, "policy.json", policy), "--registries.d",
                               write_settings(c, scene, settings)),
                         NULL);
}

#define NO_SETTINGS "docker: {}\n"
#define LOOKASIDE "default-docker:\n  lookaside: file://{folder}/lookaside\n"
#define ATTACHMENTS "default-docker:\n  use-sigstore-attachments: true\n"

static void write_dir_images(struct check_context *c)
{
        if (mkdir(check_text(c, "%s/images", check_folder(c)), 0700) < 0)
                check_error(c, "cannot make a folder for images: %s", strerror(errno));
        sample_dir(c, FIXTURE, "images/app");
        sample_dir(c, FIXTURE, "images/beside");
}

/* The policy refuses the image, and the error says so: no other failure is taken for that. */
static void must_be_refused(struct check_context *c, const struct scene *scene, const char *reference)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *filled = fill(c, scene, reference);

        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", filled);
        check_that(c, strcasestr(answer.error, "policy") || strcasestr(answer.error, "signature"),
                   "the error for %s should speak of the policy or of a signature, it says: %s", filled,
                   answer.error);
}

static void must_be_served(struct check_context *c, const struct scene *scene, const char *reference)
{
        registries_pull(c, fill(c, scene, reference), FIXTURE);
}

/* ---- scopes ---- */

struct scopes {
        const char *policy;
        const char *served[3], *refused[5]; /* references */
};

static void run_scopes(struct check_context *c)
{
        const struct scopes *scopes = c->check->detail;
        struct scene scene = scene_new(c, &usual);

        write_dir_images(c);
        check_fixture(c, FIXTURE);
        check_fixture_archive(c, FIXTURE, "oci-archive", "oci.tar");
        check_fixture_archive(c, FIXTURE, "docker-archive", "docker.tar");
        registries_file(c, "home/.config/containers/registries.conf",
                        "[[registry]]\nprefix = \"vendor.example\"\nlocation = \"%s\"\ninsecure = true\n",
                        scene.address);
        serve(c, &scene, scopes->policy, NO_SETTINGS);
        for (size_t i = 0; i < ARRAY_SIZE(scopes->served) && scopes->served[i]; i++)
                must_be_served(c, &scene, scopes->served[i]);
        for (size_t i = 0; i < ARRAY_SIZE(scopes->refused) && scopes->refused[i]; i++)
                must_be_refused(c, &scene, scopes->refused[i]);
}

/* ---- what a refusal is ---- */

/* A client that was refused tries what ids there may be. Whatever it says, it gets no data. */
static void run_serves_nothing(struct check_context *c)
{
        static const struct registry_when blobs = {.kind = REGISTRY_BLOB};
        static const char *const asked[] = {"GetManifest", "GetConfig", "GetFullConfig"};
        const struct content *layer = sample_layer_of(c, FIXTURE, 0);
        struct scene scene = scene_new(c, &usual);

        serve(c, &scene, ALL_REJECTED, NO_SETTINGS);
        must_be_refused(c, &scene, APP);
        for (uint64_t id = 0; id < 3; id++) {
                for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
                        sample_must_be_refused(c, asked[i], sample_args(c, id), "data of a refused image");
                sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size),
                                       "a layer of a refused image");
        }
        check_that(c, registries_count(c, scene.registry, &blobs) == 0,
                   "no blob of a refused image should be asked of its registry");
        check_still_serves(c);
}

/* That 0 means that there is no such image, which a client may take for a licence to do without. */
static void run_optional(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = scene_new(c, &usual);

        serve(c, &scene, ALL_REJECTED, NO_SETTINGS);
        check_call_refused(c, &answer, "OpenImageOptional", "[\"%s\"]", fill(c, &scene, APP));
}

static void run_others_go_on(struct check_context *c)
{
        static const char policy[] = POLICY(ACCEPT, TRANSPORT("docker", SCOPE("{registry}/team", REJECT)));
        CLEANUP(cleanup_free) char *data = NULL;
        struct scene scene = scene_new(c, &usual);
        uint64_t image;
        size_t len;

        serve(c, &scene, policy, NO_SETTINGS);
        image = check_open_image(c, fill(c, &scene, APP));
        must_be_refused(c, &scene, TEAM);
        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        sample_check_digest(c, data, len, sample_digest(c, FIXTURE), "the manifest of the image that is open");
        must_be_served(c, &scene, APP);
}

static void run_is_final(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = scene_new(c, &usual);

        serve(c, &scene, ALL_REJECTED, NO_SETTINGS);
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", fill(c, &scene, APP));
        check_that(c, answer.error_code && strcmp(answer.error_code, "retryable") != 0,
                   "the error_code of a refusal should not be retryable, it is %s",
                   answer.error_code ? answer.error_code : "missing");
}

/* ---- where the policy is found ---- */

static void run_from_home(struct check_context *c)
{
        struct scene scene = scene_new(c, &usual);

        write_policy(c, &scene, HOME_POLICY,
                     POLICY(ACCEPT, TRANSPORT("docker", SCOPE("{registry}/team", REJECT))));
        registries_serve(c, FLAGS("--registries.d", write_settings(c, &scene, NO_SETTINGS)), NULL);
        must_be_served(c, &scene, APP);
        must_be_refused(c, &scene, TEAM);
}

static void run_flag_before_home(struct check_context *c)
{
        struct scene scene = scene_new(c, &usual);

        write_policy(c, &scene, HOME_POLICY, ALL_REJECTED);
        serve(c, &scene, POLICY(ACCEPT, TRANSPORT("docker", SCOPE("{registry}/team", REJECT))), NO_SETTINGS);
        must_be_served(c, &scene, APP);
        must_be_refused(c, &scene, TEAM);
}

/* That HOME's policy would have refused the image is seen without the flag. */
static void run_insecure(struct check_context *c)
{
        struct scene scene = scene_new(c, &usual);
        const char *settings = write_settings(c, &scene, NO_SETTINGS);

        write_policy(c, &scene, HOME_POLICY, ALL_REJECTED);
        registries_serve(c, FLAGS("--insecure-policy", "--registries.d", settings), NULL);
        must_be_served(c, &scene, APP);
        check_stop(c);
        registries_serve(c, FLAGS("--registries.d", settings), NULL);
        must_be_refused(c, &scene, APP);
}

static void run_insecure_and_policy(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = scene_new(c, &usual);

        registries_serve(c,
                         FLAGS("--insecure-policy", "--policy",
                               write_policy(c, &scene, "policy.json", ALL_REJECTED), "--registries.d",
                               write_settings(c, &scene, NO_SETTINGS)),
                         NULL);
        check_call(c, &answer, "OpenImage", "[\"%s\"]", fill(c, &scene, APP));
        check_record(c, answer.success ? "--insecure-policy counts" : "refused");
}

/* An image that is open stays so. */
static void run_read_anew(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        struct scene scene = scene_new(c, &usual);
        uint64_t image;
        size_t len;

        serve(c, &scene, ALL_ACCEPTED, NO_SETTINGS);
        image = check_open_image(c, fill(c, &scene, APP));
        write_policy(c, &scene, "policy.json", ALL_REJECTED);
        must_be_refused(c, &scene, APP);
        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        write_policy(c, &scene, "policy.json", ALL_ACCEPTED);
        must_be_served(c, &scene, APP);
}

/* A policy that cannot be understood accepts nothing. The detail is its text. */
static void run_broken(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = scene_new(c, &usual);

        serve(c, &scene, c->check->detail, NO_SETTINGS);
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", fill(c, &scene, APP));
        check_that(c, strstr(answer.error, "policy.json"), "the error should name the file, it says: %s",
                   answer.error);
        write_policy(c, &scene, "policy.json", ALL_ACCEPTED);
        must_be_served(c, &scene, APP);
}

static void run_broken_settings(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = scene_new(c, &usual);

        serve(c, &scene, ALL_ACCEPTED, "default-docker: [\n");
        registries_refused(c, fill(c, &scene, APP), "settings.yaml", &answer);
        check_still_serves(c);
}

/* ---- signatures ---- */

#define EXACT "{\"type\": \"exactReference\", \"dockerReference\": \"" SIGNED_AS "\"}"
#define REMAP(prefix_, signed_prefix_) \
        "{\"type\": \"remapIdentity\", \"prefix\": \"" prefix_ "\", \"signedPrefix\": \"" signed_prefix_ "\"}"
#define IDENTITY(type_) "{\"type\": \"" type_ "\"}"

/* An image with its signature, and what the policy wants. */
struct signing {
        enum { IN_DIR, IN_LOOKASIDE, ATTACHED } where;
        bool sigstore;
        bool refused;
        enum {
                SIGNED,
                SIGNED_NOT,
                SIGNED_BY_OTHER, /* key than the policy's */
                SIGNED_OTHER_DIGEST,
                SIGNED_LATER, /* by the second signature: the first is of another digest */
                SIGNED_BADLY, /* by what is no signature */
        } how;
        const char *signed_as; /* NULL: SIGNED_AS */
        const char *identity;  /* NULL: the one that fits SIGNED_AS */
        bool default_identity; /* the policy says nothing of it */
        const char *reference; /* NULL: the image that is signed, by its tag */
        bool key_data;         /* the policy has the key itself, and not its file's name */
        const char *also;      /* a second requirement, or NULL */
};

static struct signer *signer_new(struct check_context *c, const struct signing *signing, const char *name)
{
        return signing->sigstore ? signatures_sigstore(c, name) : signatures_gnupg(c, name);
}

/* The policy's requirement for the image. */
static const char *requirement(struct check_context *c, const struct signing *signing, struct scene *scene)
{
        scene->identity = fill(c, scene,
                               signing->identity          ? signing->identity
                               : signing->where == IN_DIR ? EXACT
                                                          : REMAP("{registry}", "vendor.example"));
        return check_text(c, "{\"type\": \"%s\", %s\"%s\": \"{key}\"%s}%s%s",
                          signing->sigstore ? "sigstoreSigned" : "signedBy",
                          signing->sigstore ? "" : "\"keyType\": \"GPGKeys\", ",
                          signing->key_data ? "keyData" : "keyPath",
                          signing->default_identity ? "" : ", \"signedIdentity\": {identity}",
                          signing->also ? ", " : "", signing->also ? signing->also : "");
}

static void write_signatures(struct check_context *c, const struct signing *signing, const struct scene *scene,
                             const struct signer *signer)
{
        static const struct signature bad = {"\x99 is no signature", 17};
        const char *digest = signing->how == SIGNED_OTHER_DIGEST ? sample_digest(c, "layers-0") : scene->digest;
        const char *identity = fill(c, scene, signing->signed_as ? signing->signed_as : SIGNED_AS);
        const char *folder = fill(c, scene, "{folder}/images/app");
        struct signature signature;

        if (signing->how == SIGNED_NOT || signing->where == ATTACHED)
                return;
        signature = signing->how == SIGNED_BADLY ? bad : signatures_sign(c, signer, digest, identity);
        if (signing->where == IN_DIR)
                signatures_write_dir(c, folder, signing->how == SIGNED_LATER ? 2 : 1, &signature);
        else
                signatures_write_lookaside(c, fill(c, scene, "{folder}/lookaside"), "app", scene->digest,
                                           &signature);
        if (signing->how != SIGNED_LATER)
                return;
        signature = signatures_sign(c, signer, sample_digest(c, "layers-0"), identity);
        signatures_write_dir(c, folder, 1, &signature);
}

/* A registry with the signature as an image beside the one that is signed. */
static struct registry_config attached(struct check_context *c, const struct signing *signing,
                                       const struct signer *signer)
{
        struct registry_image *image = calloc(1, sizeof(*image));
        struct registry_config config = usual;

        if (!image)
                check_error(c, "out of memory");
        if (signing->how != SIGNED_NOT)
                signatures_attach(c, signer, FIXTURE,
                                  sample_digest(c, signing->how == SIGNED_OTHER_DIGEST ? "layers-0" : FIXTURE),
                                  signing->signed_as ? signing->signed_as : SIGNED_AS);
        *image = (struct registry_image){.repository = "app", .layout = check_fixture_path(c, FIXTURE)};
        config.images = image;
        config.n_images = 1;
        return config;
}

static const char *key_of(struct check_context *c, const struct signing *signing, const struct signer *signer)
{
        char *data;
        size_t len;

        if (!signing->key_data)
                return signer_public_key(signer);
        sample_read_file(c, signer_public_key(signer), &data, &len);
        return signatures_base64(c, data, len);
}

static const char *reference_of(const struct signing *signing)
{
        return signing->reference ? signing->reference : signing->where == IN_DIR ? DIR : APP;
}

/* Makes keys, signatures, the registry and the policy, and starts the server. */
static struct scene serve_signed(struct check_context *c, const struct signing *signing)
{
        const struct signer *trusted = signer_new(c, signing, "trusted");
        const struct signer *signer =
                signing->how == SIGNED_BY_OTHER ? signer_new(c, signing, "other") : trusted;
        struct registry_config config = signing->where == ATTACHED ? attached(c, signing, signer) : usual;
        struct scene scene = scene_new(c, signing->where == IN_DIR ? NULL : &config);
        const char *text;

        scene.digest = sample_digest(c, FIXTURE);
        scene.key = key_of(c, signing, trusted);
        write_dir_images(c);
        write_signatures(c, signing, &scene, signer);
        text = requirement(c, signing, &scene);
        text = check_text(c, POLICY(REJECT, TRANSPORT("%s", SCOPE("", "%s"))),
                          signing->where == IN_DIR ? "dir" : "docker", text);
        serve(c, &scene, text, signing->where == ATTACHED ? ATTACHMENTS : LOOKASIDE);
        return scene;
}

static void run_signed(struct check_context *c)
{
        const struct signing *signing = c->check->detail;
        struct scene scene = serve_signed(c, signing);

        if (signing->refused)
                must_be_refused(c, &scene, reference_of(signing));
        else
                must_be_served(c, &scene, reference_of(signing));
}

static void run_wrong_key_words(struct check_context *c)
{
        const struct signing *signing = c->check->detail;
        struct scene scene = serve_signed(c, signing);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", fill(c, &scene, reference_of(signing)));
        check_record(c, "%s",
                     answer.success                      ? "opened"
                     : strstr(answer.error, "gpgme.")    ? "a Go struct, with the key's fingerprint"
                     : strstr(answer.error, "signature") ? "words"
                                                         : "something else");
}

/* The name of the file, and not a refusal for want of signatures, leads to what is wrong. */
static void run_key_missing(struct check_context *c)
{
        static const struct signing signing = {.where = IN_DIR};
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = serve_signed(c, &signing);

        if (unlink(scene.key) < 0)
                check_error(c, "cannot remove a key: %s", strerror(errno));
        registries_refused(c, fill(c, &scene, DIR), strrchr(scene.key, '/'), &answer);
        check_still_serves(c);
}

static void run_home_settings(struct check_context *c)
{
        static const struct signing signing = {.where = IN_LOOKASIDE};
        struct scene scene = serve_signed(c, &signing);
        const char *policy = fill(c, &scene, "{folder}/policy.json");

        check_stop(c);
        registries_file(c, "home/.config/containers/registries.d/settings.yaml", "%s",
                        fill(c, &scene, LOOKASIDE));
        registries_serve(c, FLAGS("--policy", policy), NULL);
        must_be_served(c, &scene, APP);
        check_stop(c);
        registries_file(c, "home/.config/containers/registries.d/settings.yaml", NO_SETTINGS);
        registries_serve(c, FLAGS("--policy", policy), NULL);
        must_be_refused(c, &scene, APP);
}

/* The lookaside that is for a repository, and not the one that is for all the others. */
static void run_scoped_lookaside(struct check_context *c)
{
        static const struct signing signing = {.where = IN_LOOKASIDE};
        struct scene scene = serve_signed(c, &signing);

        write_settings(c, &scene,
                       "default-docker:\n  lookaside: file://{folder}/nothing\n"
                       "docker:\n  {registry}/app:\n    lookaside: file://{folder}/lookaside\n");
        must_be_served(c, &scene, APP);
}

/* The place of the signatures fails: nobody knows whether there is one. */
static void run_unreachable(struct check_context *c)
{
        static const struct registry_rule rules[] = {
                {.when = {.kind = REGISTRY_OTHER}, .act = {.status = 500}},
                {.when = {.kind = REGISTRY_MANIFEST, .reference = "sha256-*.sig"}, .act = {.status = 500}},
        };
        const struct signing *signing = c->check->detail;
        CLEANUP_ANSWER struct answer answer = {0};
        struct scene scene = serve_signed(c, signing);

        if (registry_set_rules(scene.registry, rules, ARRAY_SIZE(rules)) < 0)
                check_error(c, "out of memory");
        if (signing->where == IN_LOOKASIDE)
                write_settings(c, &scene, "default-docker:\n  lookaside: http://{registry}/lookaside\n");
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", fill(c, &scene, APP));
        check_that(c, strstr(answer.error, "500"),
                   "the error should have the registry's status 500, it says: %s", answer.error);
        check_still_serves(c);
}

/* ---- what may change between the judgement and the data ---- */

/* The manifest that comes, if one does, is the one that was judged. */
static void must_be_what_was_signed(struct check_context *c, uint64_t image, const struct scene *scene)
{
        CLEANUP_ANSWER struct answer answer = {0}, finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        check_call(c, &answer, "GetManifest", "%s", sample_args(c, image));
        if (!answer.success)
                return;
        check_read_and_finish(c, &answer, &finish, &data, &len);
        if (finish.success)
                sample_check_digest(c, data, len, scene->digest, "the manifest of the image that was accepted");
}

static void run_manifest_changes(struct check_context *c)
{
        static const struct signing signing = {.where = IN_DIR};
        struct scene scene = serve_signed(c, &signing);
        const char *path = fill(c, &scene, "{folder}/images/app/manifest.json");
        uint64_t image = check_open_image(c, fill(c, &scene, DIR));
        char *data;
        size_t len;

        sample_read_file(c, path, &data, &len);
        sample_write_file(c, path, check_text(c, "%s\n", data), len + 1);
        must_be_what_was_signed(c, image, &scene);
}

static void run_tag_moves(struct check_context *c)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_MANIFEST, .repository = "app", .reference = "latest"},
                .act = {.serve = "moved"},
        };
        static const struct signing signing = {.where = IN_LOOKASIDE};
        struct scene scene = serve_signed(c, &signing);
        uint64_t image = check_open_image(c, fill(c, &scene, APP));

        if (registry_set_rules(scene.registry, &rule, 1) < 0)
                check_error(c, "out of memory");
        must_be_what_was_signed(c, image, &scene);
        must_be_refused(c, &scene, APP);
}

/* ---- lists ---- */

#define LIST "index"

static const struct content *platform_manifest(struct check_context *c)
{
        static const struct platform platform = {.architecture = "amd64", .os = "linux"};
        const struct content *found;
        struct cip_error error = {0};

        if (manifest_pick(check_fixture_manifest(c, LIST), &platform, &found, &error) < 0)
                check_error(c, "%s", error.message);
        return found;
}

/* Starts the server for a list where only the manifest with @digest is signed. */
static struct scene serve_list(struct check_context *c, const char *digest)
{
        static const struct registry_image list = {.repository = "app", .tag = "latest", .fixture = LIST};
        const struct registry_config config = {.images = &list, .n_images = 1};
        static const struct signing signing = {.where = IN_LOOKASIDE};
        const struct signer *signer = signatures_gnupg(c, "trusted");
        struct signature signature = signatures_sign(c, signer, digest, SIGNED_AS);
        struct scene scene = scene_new(c, &config);
        const char *text;

        scene.key = signer_public_key(signer);
        signatures_write_lookaside(c, fill(c, &scene, "{folder}/lookaside"), "app", digest, &signature);
        text = requirement(c, &signing, &scene);
        text = check_text(c, POLICY(REJECT, TRANSPORT("docker", SCOPE("", "%s"))), text);
        registries_serve(c,
                         FLAGS("--policy", write_policy(c, &scene, "policy.json", text), "--registries.d",
                               write_settings(c, &scene, LOOKASIDE), "--override-os", "linux",
                               "--override-arch", "amd64"),
                         NULL);
        return scene;
}

static void run_list(struct check_context *c)
{
        struct scene scene = serve_list(c, sample_digest(c, LIST));
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image = check_open_image(c, fill(c, &scene, APP));
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        sample_check_digest(c, data, len, platform_manifest(c)->digest, "the platform's manifest");
}

static void run_list_platform(struct check_context *c)
{
        struct scene scene = serve_list(c, platform_manifest(c)->digest);
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, "OpenImage", "[\"%s\"]", fill(c, &scene, APP));
        check_record(c, answer.success ? "the platform's signature suffices" : "the list has to be signed");
}

/* ---- the table ---- */

#define POLICY_CHECK(name_, level_, requires_, reference_, run_) \
        POLICY_SINCE(name_, level_, VERSION_OLDEST, requires_, reference_, run_)
#define POLICY_SINCE(name_, level_, since_, requires_, reference_, run_)                      \
        .id = "policy/" name_, .level = (level_), .since = (since_), .requires = (requires_), \
        .reference = (reference_), .run = (run_), .own_start = true
#define SCOPES(name_, requires_, reference_, ...)                                   \
        {                                                                           \
                POLICY_CHECK(name_, LEVEL_MUST, requires_, reference_, run_scopes), \
                        .detail = &(const struct scopes)                            \
                {                                                                   \
                        __VA_ARGS__                                                 \
                }                                                                   \
        }
#define BROKEN(name_, requires_, text_)                                                                    \
        {                                                                                                  \
                POLICY_CHECK(name_, LEVEL_MUST, requires_, "policy-broken", run_broken), .detail = (text_) \
        }
#define SIGNING(name_, level_, requires_, reference_, run_, ...)                                            \
        {                                                                                                   \
                POLICY_CHECK(name_, level_, requires_, reference_, run_), .detail = &(const struct signing) \
                {                                                                                           \
                        __VA_ARGS__                                                                         \
                }                                                                                           \
        }
#define GPG(name_, requires_, reference_, ...) \
        SIGNING(name_, LEVEL_MUST, requires_, reference_, run_signed, __VA_ARGS__)

const struct check checks_policy[] = {
        SCOPES("every-transport", "What the policy rejects is not opened, of whatever transport it is.",
               "policy-reject", .policy = ALL_REJECTED,
               .refused = {APP, DIR, OCI, OCI_ARCHIVE, DOCKER_ARCHIVE}),
        SCOPES("transport-accepted", "A transport that is accepted is so where the default is to reject.",
               "policy-scope", .policy = POLICY(REJECT, TRANSPORT("docker", SCOPE("", ACCEPT))),
               .served = {APP, ELSEWHERE}, .refused = {DIR}),
        SCOPES("transport-rejected", "A transport that is rejected is so where the default is to accept.",
               "policy-scope", .policy = POLICY(ACCEPT, TRANSPORT("docker", SCOPE("", REJECT))),
               .served = {DIR}, .refused = {APP, ELSEWHERE}),
        SCOPES("scope-registry", "A registry may be rejected, and another on the same port is not.",
               "policy-scope", .policy = POLICY(ACCEPT, TRANSPORT("docker", SCOPE("{registry}", REJECT))),
               .served = {ELSEWHERE, DIR}, .refused = {APP, TEAM}),
        SCOPES("scope-most-specific", "The most specific scope counts: a tag, a repository, a registry.",
               "policy-most-specific",
               .policy = POLICY(ACCEPT, TRANSPORT("docker", SCOPE("{registry}/app:old", REJECT) ", " SCOPE(
                                                                    "{registry}/app",
                                                                    ACCEPT) ", " SCOPE("{registry}", REJECT))),
               .served = {APP, ELSEWHERE}, .refused = {OLD, TEAM}),
        SCOPES("scope-half-name", "A scope is a whole component of a name, and no part of one.", "policy-scope",
               .policy = POLICY(REJECT, TRANSPORT("docker", SCOPE("{registry}/app",
                                                                  ACCEPT) ", " SCOPE("{registry}/te", ACCEPT))),
               .served = {APP}, .refused = {TEAM}),
        SCOPES("scope-folder", "A folder is the scope of all dir: images in it.", "policy-scope-folder",
               .policy = POLICY(REJECT, TRANSPORT("dir", SCOPE("{folder}/images", ACCEPT) ", " SCOPE(
                                                                 "{folder}/images/beside", REJECT))),
               .served = {DIR}, .refused = {DIR_BESIDE}),
        SCOPES("scope-wildcard", "*.example is the scope of all registries below example.", "policy-wildcard",
               .policy = POLICY(ACCEPT, TRANSPORT("docker", SCOPE("*.example", REJECT))), .served = {APP},
               .refused = {RENAMED}),
        SCOPES("scope-logical-name", "An image that registries.conf renames is judged by its name before that.",
               "policy-logical-name",
               .policy = POLICY(ACCEPT, TRANSPORT("docker", SCOPE("{registry}", REJECT))), .served = {RENAMED},
               .refused = {APP}),
        {POLICY_CHECK("serves-nothing", LEVEL_MUST, "Of an image that was refused no method sends anything.",
                      "policy-nothing", run_serves_nothing)},
        {POLICY_SINCE("optional", LEVEL_MUST, VERSION(0, 2, 4),
                      "OpenImageOptional of an image that the policy rejects is an error, and not 0.",
                      "policy-optional", run_optional)},
        {POLICY_CHECK("others-go-on", LEVEL_MUST,
                      "A refusal is about one image: others of the session are served.", "policy-nothing",
                      run_others_go_on)},
        {POLICY_SINCE("is-final", LEVEL_SHOULD, VERSION_ERROR_CODE,
                      "The error_code of a refusal by the policy is not retryable.", "policy-final",
                      run_is_final)},
        {POLICY_CHECK("from-home", LEVEL_MUST, "The policy is found in ~/.config/containers/policy.json.",
                      "policy-places", run_from_home)},
        {POLICY_CHECK("flag-before-home", LEVEL_MUST, "--policy comes before ~/.config/containers/policy.json.",
                      "policy-places", run_flag_before_home)},
        {POLICY_CHECK("insecure", LEVEL_MUST,
                      "With --insecure-policy an image that the policy rejects is served.", "policy-insecure",
                      run_insecure)},
        {POLICY_CHECK("insecure-and-policy", LEVEL_INFO, "Records what --insecure-policy beside --policy does.",
                      "policy-insecure-both", run_insecure_and_policy)},
        {POLICY_CHECK("read-anew", LEVEL_SHOULD, "The policy is read anew for each image.", "policy-anew",
                      run_read_anew)},
        BROKEN("broken-json", "A policy that is no JSON accepts nothing, and the error names its file.",
               "{\"default\": ["),
        BROKEN("no-default", "A policy without a default accepts nothing, and the error names its file.",
               "{\"transports\": {\"docker\": {\"\": [" ACCEPT "]}}}"),
        BROKEN("unknown-requirement",
               "A policy with an unknown requirement accepts nothing, and the error names its file.",
               POLICY(ACCEPT, TRANSPORT("dir", SCOPE("", "{\"type\": \"signedByMagic\"}")))),
        BROKEN("unknown-member",
               "A policy with an unknown member accepts nothing, and the error names its file.",
               POLICY("{\"type\": \"insecureAcceptAnything\", \"unless\": 1}", "")),
        GPG("dir-signed", "An image with a signature by a key of the policy is served.", "policy-signed",
            .where = IN_DIR),
        GPG("dir-unsigned", "An image without the signature that the policy wants is refused.",
            "policy-signed policy-words", .where = IN_DIR, .how = SIGNED_NOT, .refused = true),
        GPG("dir-wrong-key", "A signature by another key than the policy's counts for nothing.",
            "policy-signed policy-words", .where = IN_DIR, .how = SIGNED_BY_OTHER, .refused = true),
        GPG("dir-wrong-digest", "A signature of another manifest counts for nothing.",
            "policy-digest policy-words", .where = IN_DIR, .how = SIGNED_OTHER_DIGEST, .refused = true),
        GPG("dir-wrong-identity", "A signature of an image with another name counts for nothing.",
            "policy-identity policy-words", .where = IN_DIR, .signed_as = "vendor.example/other:latest",
            .refused = true),
        GPG("dir-no-signature", "A file in the place of a signature that is none counts for nothing.",
            "policy-signed policy-words", .where = IN_DIR, .how = SIGNED_BADLY, .refused = true),
        GPG("dir-second-signature", "One of several signatures suffices.", "policy-several", .where = IN_DIR,
            .how = SIGNED_LATER),
        GPG("dir-default-identity",
            "A signature counts for nothing where it should be for the image's own name, and it has none.",
            "policy-nameless", .where = IN_DIR, .default_identity = true, .refused = true),
        GPG("key-data", "A policy may have the key itself.", "policy-key", .where = IN_DIR, .key_data = true),
        GPG("all-requirements", "All requirements of a scope have to be met.", "policy-all", .where = IN_DIR,
            .also = REJECT, .refused = true),
        {POLICY_CHECK(
                "key-missing", LEVEL_MUST,
                "Where the file of a policy's key is missing nothing is accepted, and the error names it.",
                "policy-key", run_key_missing)},
        SIGNING("wrong-key-words", LEVEL_INFO, "Records how the error of a wrong key reads.",
                "policy-words-key", run_wrong_key_words, .where = IN_DIR, .how = SIGNED_BY_OTHER),
        {POLICY_CHECK("manifest-changes", LEVEL_MUST,
                      "A manifest that is changed after OpenImage accepted it is not served.", "policy-judged",
                      run_manifest_changes)},
        {POLICY_CHECK("tag-moves", LEVEL_MUST,
                      "Of a tag that moves after OpenImage the image that was accepted is served.",
                      "policy-judged", run_tag_moves)},
        GPG("lookaside-signed", "The signature of a registry's image is found in a lookaside.",
            "policy-lookaside", .where = IN_LOOKASIDE),
        GPG("lookaside-unsigned", "An image without a signature in the lookaside is refused.",
            "policy-lookaside policy-words", .where = IN_LOOKASIDE, .how = SIGNED_NOT, .refused = true),
        GPG("lookaside-wrong-key", "A signature in the lookaside by another key counts for nothing.",
            "policy-signed policy-words", .where = IN_LOOKASIDE, .how = SIGNED_BY_OTHER, .refused = true),
        GPG("lookaside-wrong-digest", "A signature in the lookaside of another manifest counts for nothing.",
            "policy-digest policy-words", .where = IN_LOOKASIDE, .how = SIGNED_OTHER_DIGEST, .refused = true),
        {POLICY_CHECK("lookaside-home", LEVEL_MUST,
                      "Lookasides are named in ~/.config/containers/registries.d where --registries.d is not.",
                      "policy-lookaside-home", run_home_settings)},
        {POLICY_CHECK("lookaside-scope", LEVEL_MUST, "A lookaside may be for one repository.",
                      "policy-lookaside-scope", run_scoped_lookaside)},
        SIGNING("lookaside-fails", LEVEL_MUST,
                "Where a lookaside fails nothing is accepted, and the error says so.", "policy-unreachable",
                run_unreachable, .where = IN_LOOKASIDE),
        {POLICY_CHECK(
                "settings-broken", LEVEL_SHOULD,
                "A file in registries.d that is no YAML is refused with its name, and the server serves on.",
                "policy-settings", run_broken_settings)},
        GPG("identity-own", "A signature is for the image's own name where the policy does not say otherwise.",
            "policy-identity", .where = IN_LOOKASIDE, .signed_as = "{registry}/app:latest",
            .default_identity = true),
        GPG("identity-own-tag", "A signature for another tag counts for nothing.",
            "policy-identity policy-words", .where = IN_LOOKASIDE, .signed_as = "{registry}/app:old",
            .default_identity = true, .refused = true),
        GPG("identity-own-digest", "An image that is opened by digest may be signed with any tag.",
            "policy-by-digest", .where = IN_LOOKASIDE, .signed_as = "{registry}/app:old",
            .default_identity = true, .reference = "docker://{registry}/app@{digest}"),
        GPG("identity-exact", "With matchExact a signature with a tag counts for nothing by digest.",
            "policy-exact policy-words", .where = IN_LOOKASIDE, .signed_as = "{registry}/app:latest",
            .identity = IDENTITY("matchExact"), .reference = "docker://{registry}/app@{digest}",
            .refused = true),
        GPG("identity-repository", "With matchRepository any tag of the repository is accepted.",
            "policy-repository", .where = IN_LOOKASIDE, .signed_as = "{registry}/app:old",
            .identity = IDENTITY("matchRepository")),
        GPG("identity-other-repository", "With matchRepository another repository is not accepted.",
            "policy-repository policy-words", .where = IN_LOOKASIDE, .signed_as = "{registry}/team/app:latest",
            .identity = IDENTITY("matchRepository"), .refused = true),
        GPG("identity-exact-reference", "With exactReference the name that the policy has counts.",
            "policy-exact-reference", .where = IN_LOOKASIDE, .identity = EXACT),
        GPG("identity-remapped", "With remapIdentity a mirror's image is accepted by its vendor's signature.",
            "policy-remap", .where = IN_LOOKASIDE,
            .identity = REMAP("{registry}/app", "vendor.example/shop/app"),
            .signed_as = "vendor.example/shop/app:latest"),
        GPG("identity-remapped-other", "remapIdentity holds for its prefix and no other name.",
            "policy-remap policy-words", .where = IN_LOOKASIDE,
            .identity = REMAP("{registry}/team", "vendor.example"), .refused = true),
        {POLICY_CHECK("list-signed", LEVEL_MUST, "A signed list's platform is served.", "policy-list",
                      run_list)},
        {POLICY_CHECK("list-platform", LEVEL_INFO,
                      "Records whether a signature of the platform's manifest suffices for a list.",
                      "policy-list-platform", run_list_platform)},
        GPG("sigstore-signed", "sigstore's signature is found as an image beside the signed one.",
            "policy-sigstore", .where = ATTACHED, .sigstore = true),
        GPG("sigstore-unsigned", "An image without sigstore's signature beside it is refused.",
            "policy-sigstore policy-words", .where = ATTACHED, .sigstore = true, .how = SIGNED_NOT,
            .refused = true),
        GPG("sigstore-wrong-key", "sigstore's signature by another key counts for nothing.",
            "policy-sigstore policy-words", .where = ATTACHED, .sigstore = true, .how = SIGNED_BY_OTHER,
            .refused = true),
        GPG("sigstore-wrong-digest", "sigstore's signature of another manifest counts for nothing.",
            "policy-digest policy-words", .where = ATTACHED, .sigstore = true, .how = SIGNED_OTHER_DIGEST,
            .refused = true),
        GPG("sigstore-wrong-identity", "sigstore's signature of another name counts for nothing.",
            "policy-identity policy-words", .where = ATTACHED, .sigstore = true,
            .signed_as = "vendor.example/other:latest", .refused = true),
        GPG("sigstore-repository", "sigstore's signature without a tag is accepted with matchRepository.",
            "policy-repository", .where = ATTACHED, .sigstore = true, .signed_as = "vendor.example/app",
            .identity = "{\"type\": \"exactRepository\", \"dockerRepository\": \"vendor.example/app\"}"),
        GPG("sigstore-in-dir", "A dir: image may have sigstore's signature.", "policy-sigstore-dir",
            .where = IN_DIR, .sigstore = true),
        GPG("sigstore-in-dir-wrong-key",
            "sigstore's signature in a dir: image by another key counts for nothing.",
            "policy-sigstore-dir policy-words", .where = IN_DIR, .sigstore = true, .how = SIGNED_BY_OTHER,
            .refused = true),
        SIGNING("sigstore-fails", LEVEL_MUST,
                "Where sigstore's signature cannot be fetched nothing is accepted, and the error says so.",
                "policy-unreachable", run_unreachable, .where = ATTACHED, .sigstore = true),
};
const size_t n_checks_policy = ARRAY_SIZE(checks_policy);
