/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of opening and closing images: ids, what is refused, what is optional, which platform is picked
 * out of a list, and that images leave nothing behind in the server.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conformance/groups.h"
#include "conformance/sample.h"
#include "image/fixture.h"
#include "image/layout.h"

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

/* ---- lists of this check's own ---- */

/* An entry of a list: an image of its own, whose layer has @text. */
struct entry {
        const char *os, *architecture, *variant; /* NULL os: an entry without a platform */
        const char *text;
};

/* The digest of what is tagged @tag in the layout of the fixture "layers-1". */
static const struct content *tagged(struct check_context *c, struct layout *layout, const char *tag)
{
        const struct content *content;
        struct cip_error error = {0};

        if (layout_find(layout, tag, &content, &error) < 0)
                check_error(c, "%s", error.message);
        return content;
}

/* Adds a list of @entries to that layout: "oci:DIR:@tag". ret_digests: of the entries' manifests. */
static const char *add_list(struct check_context *c, const char *tag, const struct entry *entries, size_t n,
                            const char **ret_digests)
{
        const char *path = check_fixture_path(c, "layers-1"), *list = "", *text;
        CLEANUP(cleanup_layout_free) struct layout *writer = NULL;
        char digest[DIGEST_TEXT_SIZE];
        struct cip_error error = {0};

        for (size_t i = 0; i < n; i++) {
                const struct sample_layer layer = {MEDIA_OCI_LAYER, entries[i].text};
                const char *own_tag = check_text(c, "%s.%zu", tag, i);
                CLEANUP(cleanup_layout_free) struct layout *reader = NULL;
                const struct content *content;

                sample_add_image(c, own_tag, NULL, &layer, 1);
                if (layout_open(path, &reader, &error) < 0)
                        check_error(c, "%s", error.message);
                content = tagged(c, reader, own_tag);
                ret_digests[i] = check_text(c, "%s", content->digest);
                list = check_text(c, "%s%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%" PRId64, list,
                                  i ? "," : "", content->media_type, content->digest, content->size);
                if (entries[i].os)
                        list = check_text(c, "%s,\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\"%s%s%s}",
                                          list, entries[i].os, entries[i].architecture,
                                          entries[i].variant ? ",\"variant\":\"" : "",
                                          entries[i].variant ? entries[i].variant : "",
                                          entries[i].variant ? "\"" : "");
                list = check_text(c, "%s}", list);
        }
        text = check_text(c, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}", MEDIA_OCI_INDEX,
                          list);
        if (layout_create(path, &writer, &error) < 0 ||
            layout_write_blob(writer, DIGEST_SHA256, text, strlen(text), digest, &error) < 0 ||
            layout_add_manifest(writer, MEDIA_OCI_INDEX, digest, (int64_t)strlen(text), tag, NULL, &error) < 0)
                check_error(c, "cannot write a list: %s", error.message);
        return check_text(c, "oci:%s:%s", path, tag);
}

static void start_for(struct check_context *c, const char *os, const char *architecture, const char *variant)
{
        const char *flags[] = {
                "--override-os", os,  "--override-arch", architecture, variant ? "--override-variant" : NULL,
                variant,         NULL};

        check_start(c, &(struct server_start){.global_flags = flags});
}

static void override_os_picks_another(struct check_context *c)
{
        static const struct entry entries[] = {{"linux", "amd64", NULL, "of linux"},
                                               {"windows", "amd64", NULL, "of windows"}};
        const char *digests[ARRAY_SIZE(entries)], *reference;

        reference = add_list(c, "images.override-os-picks-another", entries, ARRAY_SIZE(entries), digests);
        start_for(c, "windows", "amd64", NULL);
        expect_manifest(c, check_open_image(c, reference), digests[1],
                        "the manifest picked with --override-os");
}

static void override_variant_picks_another(struct check_context *c)
{
        static const struct entry entries[] = {{"linux", "arm", "v7", "of v7"},
                                               {"linux", "arm", "v6", "of v6"}};
        const char *digests[ARRAY_SIZE(entries)], *reference;

        reference = add_list(c, "images.override-variant-picks-another", entries, ARRAY_SIZE(entries), digests);
        start_for(c, "linux", "arm", "v6");
        expect_manifest(c, check_open_image(c, reference), digests[1],
                        "the manifest picked with --override-variant v6");
}

static void variant_falls_back(struct check_context *c)
{
        static const struct entry entries[] = {{"linux", "arm", "v5", "of v5"},
                                               {"linux", "arm", "v6", "of v6"}};
        const char *digests[ARRAY_SIZE(entries)], *reference;

        reference = add_list(c, "images.variant-falls-back", entries, ARRAY_SIZE(entries), digests);
        start_for(c, "linux", "arm", "v7");
        expect_manifest(c, check_open_image(c, reference), digests[1],
                        "the manifest picked for v7 out of v5 and v6, of which v6 is the better one,");
}

static void each_platform_can_be_picked(struct check_context *c)
{
        const struct manifest *index = check_fixture_manifest(c, "index");
        const char *reference = sample_reference(c, "index", "images.each-platform-can-be-picked");

        for (size_t i = 0; i < index->n_entries; i++) {
                const struct content *entry = &index->entries[i];

                start_for(c, entry->os, entry->architecture, entry->variant);
                expect_manifest(c, check_open_image(c, reference), entry->digest,
                                check_text(c, "the manifest picked for %s", entry->architecture));
        }
}

/* OpenImage or GetManifest must be refused. */
static void expect_no_manifest(struct check_context *c, const char *reference)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer manifest = {0};
        uint64_t id;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", reference);
        if (!opened.success) {
                check_that(c, *opened.error, "OpenImage is refused without an error text");
                return;
        }
        check_that(c, json_get_uint(opened.value, JSON_INTEGER_MAX, &id),
                   "OpenImage succeeds without an image id: %s", json_object_to_json_string(opened.value));
        check_call_refused(c, &manifest, "GetManifest", "[%" PRIu64 "]", id);
}

static void platform_not_there_is_refused(struct check_context *c)
{
        const char *reference = sample_reference(c, "index", "images.platform-not-there-is-refused");

        start_for(c, "plan9", "mips", NULL);
        expect_no_manifest(c, reference);
}

/* What GetManifest of @reference sends: one of @digests, by its name in @names; or how it is refused. */
static void record_manifest(struct check_context *c, const char *reference, const char *const *digests,
                            const char *const *names, size_t n)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        char digest[DIGEST_TEXT_SIZE];
        uint64_t id;
        size_t len;

        check_call(c, &opened, "OpenImage", "[\"%s\"]", reference);
        if (!opened.success || !json_get_uint(opened.value, JSON_INTEGER_MAX, &id)) {
                check_record(c, "refused by OpenImage");
                return;
        }
        check_call(c, &piped, "GetManifest", "[%" PRIu64 "]", id);
        if (!piped.success || piped.packet.n_fds < 1) {
                check_record(c, "refused by GetManifest");
                return;
        }
        check_read_and_finish(c, &piped, &finish, &data, &len);
        if (digest_of(DIGEST_SHA256, data, len, digest) < 0)
                check_error(c, "cannot hash");
        for (size_t i = 0; i < n; i++)
                if (!strcmp(digest, digests[i])) {
                        check_record(c, "%s", names[i]);
                        return;
                }
        check_record(c, "another manifest");
}

static void two_of_one_platform(struct check_context *c)
{
        static const struct entry entries[] = {{"linux", "amd64", NULL, "first"},
                                               {"linux", "amd64", NULL, "second"}};
        static const char *const names[] = {"the first", "the second"};
        const char *digests[ARRAY_SIZE(entries)], *reference;

        reference = add_list(c, "images.two-of-one-platform", entries, ARRAY_SIZE(entries), digests);
        start_for(c, "linux", "amd64", NULL);
        record_manifest(c, reference, digests, names, ARRAY_SIZE(names));
}

static void entry_without_platform(struct check_context *c)
{
        static const struct entry entries[] = {{NULL, NULL, NULL, "of no platform"}};
        static const char *const names[] = {"picked"};
        const char *digests[ARRAY_SIZE(entries)], *reference;

        reference = add_list(c, "images.entry-without-platform", entries, ARRAY_SIZE(entries), digests);
        record_manifest(c, reference, digests, names, ARRAY_SIZE(names));
}

static void override_of_no_list(struct check_context *c)
{
        static const char *const names[] = {"served"};
        const char *reference = sample_reference(c, "layers-1", "images.override-of-no-list");
        const char *digest = sample_digest(c, "layers-1");

        start_for(c, "plan9", "mips", NULL);
        record_manifest(c, reference, &digest, names, 1);
}

static void list_in_a_list_alone_is_refused(struct check_context *c)
{
        expect_no_manifest(c, sample_reference(c, "broken-nested", "images.list-in-a-list-alone-is-refused"));
}

static void remove_file(struct check_context *c, const char *path)
{
        if (unlink(path) < 0)
                check_error(c, "cannot remove %s: %s", path, strerror(errno));
}

static void missing_manifest_is_refused(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "images.missing-manifest-is-refused");

        remove_file(c, sample_blob_path(c, "layers-1", sample_digest(c, "layers-1")));
        expect_no_manifest(c, reference);
}

static void missing_index_json_is_refused(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "images.missing-index-json-is-refused");

        remove_file(c, check_text(c, "%s/index.json", check_fixture_path(c, "layers-1")));
        expect_no_manifest(c, reference);
}

static void broken_index_json_is_refused(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "images.broken-index-json-is-refused");

        sample_write_file(c, check_text(c, "%s/index.json", check_fixture_path(c, "layers-1")),
                          "{\"manifests\":", 13);
        expect_no_manifest(c, reference);
}

static void gone_meanwhile_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t other = sample_open(c, "layers-0", "images.gone-meanwhile-is-refused");
        uint64_t id = sample_open(c, "layers-1", "images.gone-meanwhile-is-refused");
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        size_t len;

        remove_file(c, sample_blob_path(c, "layers-1", layer->digest));
        sample_must_be_refused(c, "GetBlob", sample_blob_args(c, id, layer->digest, layer->size),
                               "a layer that was removed after OpenImage");
        sample_fetch_ok(c, "GetManifest", sample_args(c, other), &data, &len);
        check_call_ok(c, &answer, "CloseImage", "[%" PRIu64 "]", id);
}

static void one_without_a_tag(struct check_context *c)
{
        const char *path = check_text(c, "%s/images.one-without-a-tag", check_folder(c));
        struct cip_error error = {0};

        if (fixture_write_oci(fixture_find("layers-1"), path, "latest", &error) < 0)
                check_error(c, "%s", error.message);
        expect_manifest(c, check_open_image(c, check_text(c, "oci:%s", path)), sample_digest(c, "layers-1"),
                        "the manifest of the only image of a layout, opened without a tag,");
}

static void several_without_a_tag(struct check_context *c)
{
        static const char *const names[] = {"the first", "the second"};
        const char *path = check_text(c, "%s/images.several-without-a-tag", check_folder(c));
        const char *digests[] = {sample_digest(c, "layers-0"), sample_digest(c, "layers-1")};
        struct cip_error error = {0};

        if (fixture_write_oci(fixture_find("layers-0"), path, "one", &error) < 0 ||
            fixture_write_oci(fixture_find("layers-1"), path, "other", &error) < 0)
                check_error(c, "%s", error.message);
        record_manifest(c, check_text(c, "oci:%s", path), digests, names, ARRAY_SIZE(names));
}

static void tag_that_moves(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        static const struct sample_layer layer = {MEDIA_OCI_LAYER, "of the new image"};
        uint64_t id = sample_open(c, "layers-1", "images.tag-that-moves");
        char digest[DIGEST_TEXT_SIZE];
        size_t len;

        /* The same tag names another image from here on. */
        sample_add_image(c, "images.tag-that-moves", NULL, &layer, 1);
        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        if (digest_of(DIGEST_SHA256, data, len, digest) < 0)
                check_error(c, "cannot hash");
        check_record(c, "%s",
                     strcmp(digest, sample_digest(c, "layers-1")) == 0 ? "as opened" : "as the tag says now");
}

/* What OpenImageOptional makes of something: "an image", "0", "refused". */
static void record_optional(struct check_context *c, const char *reference)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id;

        check_call(c, &answer, "OpenImageOptional", "[\"%s\"]", reference);
        if (!answer.success)
                check_record(c, "refused");
        else if (json_get_uint(answer.value, JSON_INTEGER_MAX, &id))
                check_record(c, "%s", id ? "an image" : "0");
        else
                check_record(c, "no number");
}

static void optional_missing_layout(struct check_context *c)
{
        record_optional(c, check_text(c, "oci:%s/optional-missing-layout:latest", check_folder(c)));
}

static void optional_missing_dir(struct check_context *c)
{
        record_optional(c, check_text(c, "dir:%s/optional-missing-dir", check_folder(c)));
}

static void optional_twice(struct check_context *c)
{
        const char *reference = sample_reference(c, "layers-1", "images.optional-twice");
        uint64_t a = open_at(c, "OpenImageOptional", reference), b = open_at(c, "OpenImage", reference);

        check_that(c, a != b, "an image that is opened twice should have two ids, both are %" PRIu64, a);
        expect_serves(c, a, "the image that OpenImageOptional opened");
}

static void closed_while_a_blob_is_open(struct check_context *c)
{
        CLEANUP_ANSWER struct answer piped = {0};
        CLEANUP_ANSWER struct answer closed = {0};
        CLEANUP_ANSWER struct answer finish = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        const struct content *config = &check_fixture_manifest(c, "config-1m")->config;
        uint64_t id = sample_open(c, "config-1m", "images.closed-while-a-blob-is-open");
        size_t len;

        sample_get_blob(c, id, config, &piped);
        check_call_ok(c, &closed, "CloseImage", "[%" PRIu64 "]", id);
        check_read_and_finish(c, &piped, &finish, &data, &len);
        check_that(c, finish.success, "FinishPipe of a blob whose image was closed should succeed, it says: %s",
                   finish.error);
        sample_check_digest(c, data, len, config->digest, "a blob whose image was closed meanwhile");
}

const struct check checks_images[] = {
        {
                NAMED("id-is-not-zero"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage gives an image an id that is not 0.",
                .reference = "open-image",
                .run = id_is_not_zero,
        },
        {
                NAMED("ids-differ"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Two images that are open have different ids.",
                .reference = "many-images",
                .run = ids_differ,
        },
        {
                NAMED("same-image-twice"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image that is opened twice has two ids; closing one leaves the other open.",
                .reference = "open-twice",
                .run = same_image_twice,
        },
        {
                NAMED("ids-are-not-reused"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "The id of an image that was closed is not given to the next one, so that a stale "
                            "id is "
                            "noticed.",
                .reference = "image-ids-are-not-reused",
                .run = ids_are_not_reused,
        },
        {
                NAMED("closed-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image that was closed is not served any more.",
                .reference = "close-image",
                .run = closed_is_refused,
        },
        {
                NAMED("close-twice-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "CloseImage of an image that was closed is an error.",
                .reference = "close-image",
                .run = close_twice_is_refused,
        },
        {
                NAMED("close-leaves-others"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "CloseImage closes that image alone.",
                .reference = "close-one",
                .run = close_leaves_others,
        },
        {
                NAMED("missing-folder-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of an oci: folder that does not exist is an error.",
                .reference = "open-missing",
                .run = missing_folder_is_refused,
        },
        {
                NAMED("missing-tag-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of a tag that is not in the layout is an error.",
                .reference = "open-missing",
                .run = missing_tag_is_refused,
        },
        {
                NAMED("missing-dir-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A dir: image that does not exist is refused, by OpenImage or by the first use.",
                .reference = "open-missing",
                .run = missing_dir_is_refused,
        },
        {
                NAMED("unknown-transport-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of a transport that does not exist is an error.",
                .reference = "open-transport reference-argument",
                .run = unknown_transport_is_refused,
        },
        {
                NAMED("unknown-transport-is-named"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "The error about a transport that does not exist names it.",
                .reference = "open-transport",
                .run = unknown_transport_is_named,
        },
        {
                NAMED("no-transport-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "OpenImage of a reference without a transport is an error.",
                .reference = "reference-argument",
                .run = no_transport_is_refused,
        },
        {
                NAMED("optional-missing-tag-is-zero"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires = "OpenImageOptional of a tag that is not in the layout succeeds with the value 0.",
                .reference = "optional-missing",
                .run = optional_missing_tag_is_zero,
        },
        {
                NAMED("optional-existing-is-an-image"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires = "OpenImageOptional of an image that exists opens it as OpenImage does.",
                .reference = "optional-existing",
                .run = optional_existing_is_an_image,
        },
        {
                NAMED("optional-errors-are-refused"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires =
                        "OpenImageOptional answers 0 for an image that does not exist only; a reference that "
                        "cannot be used is an error.",
                .reference = "optional-error",
                .run = optional_errors_are_refused,
        },
        {
                NAMED("broken-manifest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A manifest that is cut short is refused, by OpenImage or by GetManifest.",
                .reference = "open-broken",
                .run = broken_manifest_is_refused,
        },
        {
                NAMED("platform-is-this-machines"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Out of an index the image for the running platform is picked.",
                .reference = "manifest-platform open-list",
                .run = platform_is_this_machines,
        },
        {
                NAMED("override-arch-picks-another"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "--override-arch and --override-os pick the image of another platform.",
                .reference = "manifest-platform flag-override",
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
                .reference = "open-list",
                .run = index_in_an_index_is_skipped,
        },
        {
                NAMED("hundred-leave-no-descriptor"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A hundred images opened and closed leave no descriptor open in the server.",
                .reference = "close-leaves-nothing",
                .run = hundred_leave_no_descriptor,
        },
        {
                NAMED("hundred-at-once"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A hundred images can be open at once.",
                .reference = "many-images",
                .run = hundred_at_once,
        },
        {
                NAMED("dir-transport"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image of the dir: transport is opened, and manifest and layers are served.",
                .reference = "open-dir",
                .run = dir_transport,
        },
        {
                NAMED("policy-is-enforced"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 6),
                .requires = "An image that the signature policy rejects is not opened.",
                .reference = "open-policy",
                .run = policy_is_enforced,
                .own_start = true,
        },
        {
                NAMED("closed-while-a-blob-is-open"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A blob that is open when its image is closed arrives whole, and is verified.",
                .reference = "close-keeps-pipes",
                .run = closed_while_a_blob_is_open,
        },
        {
                NAMED("override-os-picks-another"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "--override-os chooses the image of that system out of a list.",
                .reference = "manifest-platform flag-override",
                .run = override_os_picks_another,
                .own_start = true,
        },
        {
                NAMED("override-variant-picks-another"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "--override-variant chooses the image of that variant out of a list.",
                .reference = "manifest-platform flag-override",
                .run = override_variant_picks_another,
                .own_start = true,
        },
        {
                NAMED("variant-falls-back"),
                .level = LEVEL_SHOULD,
                .since = VERSION_OLDEST,
                .requires = "Where a list lacks the variant, the best older one is picked.",
                .reference = "platform-variant flag-override",
                .run = variant_falls_back,
                .own_start = true,
        },
        {
                NAMED("each-platform-can-be-picked"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "Each platform of a list can be chosen by --override-os, --override-arch and "
                            "--override-variant.",
                .reference = "manifest-platform flag-override",
                .run = each_platform_can_be_picked,
                .own_start = true,
        },
        {
                NAMED("platform-not-there-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires =
                        "A list without the platform that is wanted is refused, by OpenImage or GetManifest.",
                .reference = "open-list manifest-platform",
                .run = platform_not_there_is_refused,
                .own_start = true,
        },
        {
                NAMED("two-of-one-platform"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records which of two entries for the same platform is picked.",
                .reference = "platform-entries",
                .run = two_of_one_platform,
                .own_start = true,
        },
        {
                NAMED("entry-without-platform"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records whether an entry that names no platform is picked.",
                .reference = "platform-entries",
                .run = entry_without_platform,
        },
        {
                NAMED("override-of-no-list"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires =
                        "Records whether an image that is no list is served when another platform is wanted.",
                .reference = "platform-of-no-list",
                .run = override_of_no_list,
                .own_start = true,
        },
        {
                NAMED("list-in-a-list-alone-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A list whose only entry is a list is refused, by OpenImage or GetManifest.",
                .reference = "open-list manifest-platform",
                .run = list_in_a_list_alone_is_refused,
        },
        {
                NAMED("missing-manifest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An image whose manifest is not there is refused, by OpenImage or GetManifest.",
                .reference = "open-broken",
                .run = missing_manifest_is_refused,
        },
        {
                NAMED("missing-index-json-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A folder without index.json is no oci: image.",
                .reference = "open-missing",
                .run = missing_index_json_is_refused,
        },
        {
                NAMED("broken-index-json-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "A layout whose index.json is no JSON is refused.",
                .reference = "open-broken",
                .run = broken_index_json_is_refused,
        },
        {
                NAMED("gone-meanwhile-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires =
                        "What is removed from an image after OpenImage is refused, and harms no other image.",
                .reference = "open-broken blob-missing",
                .run = gone_meanwhile_is_refused,
        },
        {
                NAMED("one-without-a-tag"),
                .level = LEVEL_MUST,
                .since = VERSION_OLDEST,
                .requires = "An oci: reference without a tag opens the only image of the layout.",
                .reference = "open-untagged",
                .run = one_without_a_tag,
        },
        {
                NAMED("several-without-a-tag"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires =
                        "Records what an oci: reference without a tag opens where there are several images.",
                .reference = "open-untagged",
                .run = several_without_a_tag,
        },
        {
                NAMED("tag-that-moves"),
                .level = LEVEL_INFO,
                .since = VERSION_OLDEST,
                .requires = "Records whether an open image stays what it was when its tag moves.",
                .reference = "open-looks-once",
                .run = tag_that_moves,
        },
        {
                NAMED("optional-missing-layout"),
                .level = LEVEL_INFO,
                .since = VERSION(0, 2, 4),
                .requires = "Records what OpenImageOptional makes of an oci: folder that is not there.",
                .reference = "optional-error",
                .run = optional_missing_layout,
        },
        {
                NAMED("optional-missing-dir"),
                .level = LEVEL_INFO,
                .since = VERSION(0, 2, 4),
                .requires = "Records what OpenImageOptional makes of a dir: folder that is not there.",
                .reference = "optional-missing",
                .run = optional_missing_dir,
        },
        {
                NAMED("optional-twice"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 4),
                .requires = "An image opened by OpenImageOptional and by OpenImage has two ids.",
                .reference = "optional-existing open-twice",
                .run = optional_twice,
        },
};
const size_t n_checks_images = ARRAY_SIZE(checks_images);
