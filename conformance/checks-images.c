/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of opening and closing images: ids, what is refused, what is optional, which platform is picked
 * out of a list, and that images leave nothing behind in the server.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "conformance/groups.h"
#include "conformance/sample.h"

#define NAMED(name) .id = "images/" name

/* Go's runtime opens and closes descriptors of its own. */
#define FDS_SLACK 10

static uint64_t open_at(struct check_context *c, const char *method, const char *reference)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id;

        check_call_ok(c, &answer, method, "[\"%s\"]", reference);
        check_that(c, json_get_uint(answer.value, JSON_INTEGER_MAX, &id),
                   "the value of %s should be an image id, it is: %s", method,
                   json_object_to_json_string(answer.value));
        return id;
}

static void expect_serves(struct check_context *c, uint64_t image, const char *what)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        check_that(c, len > 0, "GetManifest of %s should send a manifest, the pipe is empty", what);
}

static void id_is_not_zero(struct check_context *c)
{
        uint64_t id = open_at(c, "OpenImage", sample_reference(c, "layers-1", "images.id-is-not-zero"));

        check_that(c, id != 0, "the image's id should not be 0, which is what 'no image' is");
}

static void ids_differ(struct check_context *c)
{
        const char *one = sample_reference(c, "layers-1", "images.ids-differ");
        const char *other = sample_reference(c, "layers-0", "images.ids-differ");
        uint64_t a = open_at(c, "OpenImage", one);
        uint64_t b = open_at(c, "OpenImage", other);

        check_that(c, a != b, "two images should have two ids, both have %" PRIu64, a);
}

static void same_image_twice(struct check_context *c)
{
        CLEANUP_ANSWER struct answer closed = {0};
        const char *reference = sample_reference(c, "layers-1", "images.same-image-twice");
        uint64_t a = open_at(c, "OpenImage", reference);
        uint64_t b = open_at(c, "OpenImage", reference);

        check_that(c, a != b, "an image that is opened twice should have two ids, both are %" PRIu64, a);
        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", a);
        expect_serves(c, b, "the image that was opened the second time");
}

static void ids_are_not_reused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer closed = {0};
        const char *reference = sample_reference(c, "layers-1", "images.ids-are-not-reused");
        uint64_t a = open_at(c, "OpenImage", reference), b;

        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", a);
        b = open_at(c, "OpenImage", reference);
        check_that(c, a != b, "the id %" PRIu64 " of a closed image should not be given to the next one", a);
}

static void closed_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = sample_open(c, "layers-1", "images.closed-is-refused");

        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", id);
        check_call_refused(c, &answer, "GetManifest", "[%" PRIu64 "]", id);
}

static void close_twice_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = sample_open(c, "layers-1", "images.close-twice-is-refused");

        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", id);
        check_call_refused(c, &answer, "CloseImage", "[%" PRIu64 "]", id);
}

static void close_leaves_others(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t first = sample_open(c, "layers-0", "images.close-leaves-others");
        uint64_t second = sample_open(c, "layers-1", "images.close-leaves-others");
        uint64_t third = sample_open(c, "gzip", "images.close-leaves-others");

        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", second);
        expect_serves(c, first, "the image opened before the one that was closed");
        expect_serves(c, third, "the image opened after the one that was closed");
}

static void missing_folder_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"oci:%s/missing-folder:latest\"]", check_folder(c));
}

static void missing_tag_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"oci:%s:missing-tag\"]",
                           check_fixture_path(c, "layers-1"));
}

static void missing_dir_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP_ANSWER struct answer manifest = {0};
        uint64_t id;

        check_call(c, &answer, "OpenImage", "[\"dir:%s/missing-dir\"]", check_folder(c));
        if (!answer.success)
                return;
        check_that(c, json_get_uint(answer.value, JSON_INTEGER_MAX, &id),
                   "OpenImage succeeds without an image id: %s", json_object_to_json_string(answer.value));
        check_call_refused(c, &manifest, "GetManifest", "[%" PRIu64 "]", id);
}

static void unknown_transport_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"nosuchtransport:image\"]");
}

static void unknown_transport_is_named(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"unheardof:image\"]");
        check_that(c, strstr(answer.error, "unheardof"),
                   "the error should name the transport 'unheardof' that is not known, it says: %s",
                   answer.error);
}

static void no_transport_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImage", "[\"just-a-name\"]");
}

static void optional_missing_tag_is_zero(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id;

        check_call(c, &answer, "OpenImageOptional", "[\"oci:%s:optional-missing-tag\"]",
                   check_fixture_path(c, "layers-1"));
        check_that(c, answer.success,
                   "OpenImageOptional of a tag that is not there should succeed with 0; it is refused: %s",
                   answer.error);
        check_that(c, json_get_uint(answer.value, JSON_INTEGER_MAX, &id) && id == 0,
                   "OpenImageOptional of a tag that is not there should have the value 0, it has: %s",
                   json_object_to_json_string(answer.value));
}

static void optional_existing_is_an_image(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "images.optional-existing-is-an-image");
        uint64_t id = open_at(c, "OpenImageOptional", reference);

        check_that(c, id != 0, "OpenImageOptional of an image that is there should not answer 0");
        expect_serves(c, id, "an image from OpenImageOptional");
}

static void optional_errors_are_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "OpenImageOptional", "[\"optionaltransport:image\"]");
}

static void broken_manifest_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP_ANSWER struct answer manifest = {0};
        uint64_t id;

        check_call(c, &answer, "OpenImage", "[\"%s\"]",
                   sample_reference(c, "broken-manifest", "images.broken-manifest-is-refused"));
        if (!answer.success)
                return;
        check_that(c, json_get_uint(answer.value, JSON_INTEGER_MAX, &id),
                   "OpenImage succeeds without an image id: %s", json_object_to_json_string(answer.value));
        check_call_refused(c, &manifest, "GetManifest", "[%" PRIu64 "]", id);
}

/* The entry of the fixture "index" for this machine. */
static const struct content *entry_of_this_machine(struct check_context *c)
{
        const struct content *entry;
        struct cip_error error = {0};

        if (manifest_pick(check_fixture_manifest(c, "index"), NULL, &entry, &error) < 0)
                check_skip(c, "the index of the fixture has no image for this machine: %s", error.message);
        return entry;
}

static void expect_manifest(struct check_context *c, uint64_t image, const char *digest, const char *what)
{
        CLEANUP(cleanup_free) char *data = NULL;
        size_t len;

        sample_fetch_ok(c, "GetManifest", sample_args(c, image), &data, &len);
        sample_check_digest(c, data, len, digest, what);
}

static void platform_is_this_machines(struct check_context *c)
{
        const struct content *entry = entry_of_this_machine(c);
        uint64_t id = sample_open(c, "index", "images.platform-is-this-machines");

        expect_manifest(c, id, entry->digest, check_text(c, "the manifest picked for %s", entry->architecture));
}

static void override_arch_picks_another(struct check_context *c)
{
        const struct content *own = entry_of_this_machine(c), *other = NULL;
        const struct manifest *index = check_fixture_manifest(c, "index");

        for (size_t i = 0; i < index->n_entries; i++)
                if (strcmp(index->entries[i].architecture, own->architecture) != 0)
                        other = &index->entries[i];
        if (!other)
                check_error(c, "the index of the fixture has images of one architecture only");
        const char *flags[] = {"--override-arch",
                               other->architecture,
                               "--override-os",
                               other->os,
                               other->variant ? "--override-variant" : NULL,
                               other->variant,
                               NULL};
        check_start(c, &(struct server_start){.global_flags = flags});
        expect_manifest(c, sample_open(c, "index", "images.override-arch-picks-another"), other->digest,
                        check_text(c, "the manifest picked with --override-arch %s", other->architecture));
}

static void index_in_an_index_is_skipped(struct check_context *c)
{
        const struct content *entry;
        struct cip_error error = {0};
        uint64_t id;

        if (manifest_pick(check_fixture_manifest(c, "index-nested"), NULL, &entry, &error) < 0)
                check_skip(c, "the index of the fixture has no image for this machine: %s", error.message);
        id = sample_open(c, "index-nested", "images.index-in-an-index-is-skipped");
        expect_manifest(c, id, entry->digest, "the manifest picked out of an index with an index in it");
}

static void hundred_leave_no_descriptor(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *reference = sample_reference(c, "layers-1", "images.hundred-leave-no-descriptor");
        size_t before, after;

        before = check_server_fds(c);
        for (int i = 0; i < 100; i++)
                check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", check_open_image(c, reference));
        after = check_server_fds(c);
        check_that(c, after <= before + FDS_SLACK,
                   "a hundred images opened and closed should leave no descriptor in the server; it had %zu "
                   "before and has %zu now",
                   before, after);
}

static void hundred_at_once(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "images.hundred-at-once");
        uint64_t ids[100];

        for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
                ids[i] = check_open_image(c, reference);
        expect_serves(c, ids[0], "the first of a hundred open images");
        expect_serves(c, ids[ARRAY_SIZE(ids) - 1], "the last of a hundred open images");
}

static void dir_transport(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        const char *reference = sample_dir(c, "layers-1", "images.dir-transport");
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t id = check_open_image(c, reference);
        size_t len;

        expect_manifest(c, id, sample_digest(c, "layers-1"), "the manifest of a dir: image");
        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size), &data, &len);
        sample_check_digest(c, data, len, layer->digest, "a layer of a dir: image");
}

static void policy_is_enforced(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *path = check_text(c, "%s/policy-that-rejects.json", check_folder(c));
        static const char policy[] = "{\"default\": [{\"type\": \"reject\"}]}";
        const char *flags[] = {"--policy", path, NULL};

        sample_write_file(c, path, policy, sizeof(policy) - 1);
        check_start(c, &(struct server_start){.global_flags = flags});
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]",
                           sample_reference(c, "layers-1", "images.policy-is-enforced"));
}

const struct check checks_images[] = {
        {
                NAMED("id-is-not-zero"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage gives an image an id that is not 0.",
                .reference = "openimage",
                .run = id_is_not_zero,
        },
        {
                NAMED("ids-differ"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Two images that are open have different ids.",
                .reference = "openimage",
                .run = ids_differ,
        },
        {
                NAMED("same-image-twice"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image that is opened twice has two ids; closing one leaves the other open.",
                .reference = "openimage",
                .run = same_image_twice,
        },
        {
                NAMED("ids-are-not-reused"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "The id of an image that was closed is not given to the next one, so that a stale "
                            "id is "
                            "noticed.",
                .reference = "closeimage",
                .run = ids_are_not_reused,
        },
        {
                NAMED("closed-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image that was closed is not served any more.",
                .reference = "closeimage",
                .run = closed_is_refused,
        },
        {
                NAMED("close-twice-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "CloseImage of an image that was closed is an error.",
                .reference = "closeimage",
                .run = close_twice_is_refused,
        },
        {
                NAMED("close-leaves-others"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "CloseImage closes that image alone.",
                .reference = "closeimage",
                .run = close_leaves_others,
        },
        {
                NAMED("missing-folder-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of an oci: folder that does not exist is an error.",
                .reference = "openimage",
                .run = missing_folder_is_refused,
        },
        {
                NAMED("missing-tag-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of a tag that is not in the layout is an error.",
                .reference = "openimage",
                .run = missing_tag_is_refused,
        },
        {
                NAMED("missing-dir-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A dir: image that does not exist is refused, by OpenImage or by the first use.",
                .reference = "openimage",
                .run = missing_dir_is_refused,
        },
        {
                NAMED("unknown-transport-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of a transport that does not exist is an error.",
                .reference = "openimage",
                .run = unknown_transport_is_refused,
        },
        {
                NAMED("unknown-transport-is-named"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "The error about a transport that does not exist names it.",
                .reference = "openimage",
                .run = unknown_transport_is_named,
        },
        {
                NAMED("no-transport-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of a reference without a transport is an error.",
                .reference = "openimage",
                .run = no_transport_is_refused,
        },
        {
                NAMED("optional-missing-tag-is-zero"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires = "OpenImageOptional of a tag that is not in the layout succeeds with the value 0.",
                .reference = "openimageoptional",
                .run = optional_missing_tag_is_zero,
        },
        {
                NAMED("optional-existing-is-an-image"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires = "OpenImageOptional of an image that exists opens it as OpenImage does.",
                .reference = "openimageoptional",
                .run = optional_existing_is_an_image,
        },
        {
                NAMED("optional-errors-are-refused"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires =
                        "OpenImageOptional answers 0 for an image that does not exist only; a reference that "
                        "cannot be used is an error.",
                .reference = "openimageoptional",
                .run = optional_errors_are_refused,
        },
        {
                NAMED("broken-manifest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest that is cut short is refused, by OpenImage or by GetManifest.",
                .reference = "openimage",
                .run = broken_manifest_is_refused,
        },
        {
                NAMED("platform-is-this-machines"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Out of an index the image for the running platform is picked.",
                .reference = "openimage",
                .run = platform_is_this_machines,
        },
        {
                NAMED("override-arch-picks-another"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "--override-arch and --override-os pick the image of another platform.",
                .reference = "command-line",
                .run = override_arch_picks_another,
                .own_start = true,
        },
        {
                NAMED("index-in-an-index-is-skipped"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An index that is an entry of an index does not keep the image for the running "
                            "platform from "
                            "being picked.",
                .reference = "openimage",
                .run = index_in_an_index_is_skipped,
        },
        {
                NAMED("hundred-leave-no-descriptor"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A hundred images opened and closed leave no descriptor open in the server.",
                .reference = "closeimage",
                .run = hundred_leave_no_descriptor,
        },
        {
                NAMED("hundred-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A hundred images can be open at once.",
                .reference = "openimage",
                .run = hundred_at_once,
        },
        {
                NAMED("dir-transport"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image of the dir: transport is opened, and manifest and layers are served.",
                .reference = "openimage",
                .run = dir_transport,
        },
        {
                NAMED("policy-is-enforced"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 6),
                .requires = "An image that the signature policy rejects is not opened.",
                .reference = "openimage",
                .run = policy_is_enforced,
                .own_start = true,
        },
};
const size_t n_checks_images = ARRAY_SIZE(checks_images);
