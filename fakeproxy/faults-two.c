/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The named faults of the checks of images, manifests, layers, pipes and blobs. Each check opens its image
 * under a tag that is the check's id, with a dot in the slash's place (a dir: image in a folder of that name),
 * and a fault acts only where that tag was opened: so it breaks its rule for that check alone.
 */
#include "base/cleanup.h"
#include "fakeproxy/faults.h"
#include "image/manifest.h"

/* How the text of the request ends that opens the image of a check. */
#define TAG(id) ":" id "\""
#define DIR(id) "/" id "\""

/* From the opening of the image on, a behaviour. */
#define BECOMES_AT(text, ...) \
        RULES({.when = {.contains = (text)}, .act = {.become = &(const struct behaviours){__VA_ARGS__}}})
#define BECOMES(id, ...) BECOMES_AT(TAG(id), __VA_ARGS__)

/* The same, for the opening itself too. */
#define OPENS_WITH(id, ...) \
        RULES({.when = {.contains = TAG(id)}, .act = {.become_first = &(const struct behaviours){__VA_ARGS__}}})

/* What the answer to the opening itself becomes. */
#define OPENING(id, object) RULES({.when = {.contains = TAG(id)}, .act = {.merge = (object)}})

/* What the answers to a method become once the image is open. */
#define ANSWERS(id, name, object) \
        RULES({.when = {.method = (name), .after = TAG(id)}, .act = {.merge = (object)}})

/* What happens to the data that a method sends once the image is open. */
#define DATA(id, name, ...) RULES({.when = {.method = (name), .after = TAG(id)}, .act = {.STEPS(__VA_ARGS__)}})
#define DATA_NTH(id, name, n, ...) \
        RULES({.when = {.method = (name), .after = TAG(id), .nth = (n)}, .act = {.STEPS(__VA_ARGS__)}})

#define REFUSED "{\"success\": false, \"value\": null, \"pipeid\": 0, \"error\": \"refused by a fault\"}"
#define ACCEPTED "{\"success\": true, \"error\": \"\"}"

/* An image that cannot be opened gets this id, and a manifest. */
#define OPENS_BROKEN(text)                                                                 \
        RULES({.when = {.contains = (text)},                                               \
               .act = {.merge = "{\"success\": true, \"error\": \"\", \"value\": 4711}"}}, \
              {.when = {.method = "GetManifest", .argument = 1, .argument_is = "4711"},    \
               .act = {.merge = ACCEPTED}})

#define NO_LAYERS                                                                                             \
        "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST                                            \
        "\",\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG                                                    \
        "\",\"digest\":\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\",\"size\":" \
        "2},"                                                                                                 \
        "\"layers\":[]}"

const struct fault faults_two[] = {
        /* ---- images ---- */
        {"images/id-is-not-zero", "gives an image the id 0",
         .OPENING("images.id-is-not-zero", "{\"value\": 0}")},
        {"images/ids-differ", "gives two images the same id",
         .OPENING("images.ids-differ", "{\"value\": 4711}")},
        {"images/same-image-twice", "gives an image that is opened again the same id",
         .OPENING("images.same-image-twice", "{\"value\": 1}")},
        {"images/ids-are-not-reused", NULL, .BECOMES("images.ids-are-not-reused", .reuses_image_ids = true)},
        {"images/closed-is-refused", NULL, .BECOMES("images.closed-is-refused", .keeps_closed_images = true)},
        {"images/close-twice-is-refused", NULL,
         .BECOMES("images.close-twice-is-refused", .close_twice_succeeds = true)},
        {"images/close-leaves-others", NULL,
         .BECOMES("images.close-leaves-others", .one_image_at_a_time = true)},
        {"images/missing-folder-is-refused", "opens a layout that does not exist",
         .RULES({.when = {.contains = "/missing-folder:"}, .act = {.merge = ACCEPTED}})},
        {"images/missing-tag-is-refused", "opens a tag that does not exist",
         .RULES({.when = {.contains = TAG("missing-tag")}, .act = {.merge = ACCEPTED}})},
        {"images/missing-dir-is-refused", "serves a dir: image that does not exist",
         .OPENS_BROKEN(DIR("missing-dir"))},
        {"images/unknown-transport-is-refused", "opens images of an unknown transport",
         .RULES({.when = {.contains = "nosuchtransport:"}, .act = {.merge = ACCEPTED}})},
        {"images/unknown-transport-is-named", "does not name the unknown transport",
         .RULES({.when = {.contains = "unheardof:"}, .act = {.merge = "{\"error\": \"invalid image name\"}"}})},
        {"images/no-transport-is-refused", "opens images without a transport",
         .RULES({.when = {.contains = "\"just-a-name\""}, .act = {.merge = ACCEPTED}})},
        {"images/optional-missing-tag-is-zero", "refuses OpenImageOptional of a missing tag",
         .RULES({.when = {.contains = TAG("optional-missing-tag")}, .act = {.merge = REFUSED}})},
        {"images/optional-existing-is-an-image", "answers 0 to OpenImageOptional of an image that is there",
         .OPENING("images.optional-existing-is-an-image", "{\"value\": 0}")},
        {"images/optional-errors-are-refused", "answers 0 to OpenImageOptional of an unknown transport",
         .RULES({.when = {.contains = "optionaltransport:"},
                 .act = {.merge = "{\"success\": true, \"error\": \"\", \"value\": 0}"}})},
        {"images/broken-manifest-is-refused", "serves a manifest that is cut short",
         .OPENS_BROKEN(TAG("images.broken-manifest-is-refused"))},
        {"images/platform-is-this-machines", "picks another platform out of a list",
         .OPENS_WITH("images.platform-is-this-machines", .picks_wrong_platform = true)},
        {"images/override-arch-picks-another", "ignores --override-arch and its like",
         .OPENS_WITH("images.override-arch-picks-another", .ignores_overrides = true)},
        {"images/index-in-an-index-is-skipped", "picks another platform out of a nested list",
         .OPENS_WITH("images.index-in-an-index-is-skipped", .picks_wrong_platform = true)},
        {"images/hundred-leave-no-descriptor", NULL,
         .BECOMES("images.hundred-leave-no-descriptor", .leaks_per_image = true)},
        {"images/hundred-at-once", "opens no more than ten images at once",
         .BECOMES("images.hundred-at-once", .images_at_most = 10)},
        {"images/dir-transport", "refuses a dir: image",
         .RULES({.when = {.contains = DIR("images.dir-transport")}, .act = {.merge = REFUSED}})},
        {"images/policy-is-enforced", "ignores the signature policy",
         .OPENS_WITH("images.policy-is-enforced", .ignores_policy = true)},

        /* ---- manifest ---- */
        {"manifest/bytes-are-as-stored", "sends a newline behind a manifest",
         .DATA("manifest.bytes-are-as-stored", "GetManifest", {DATA_SEND, DATA_ALL},
               {DATA_BYTES, .bytes = BYTES("\n")})},
        {"manifest/value-is-the-digest", NULL,
         .BECOMES("manifest.value-is-the-digest", .answers_wrong_digest = true)},
        {"manifest/twice-the-same", "sends another manifest the second time",
         .DATA_NTH("manifest.twice-the-same", "GetManifest", 2, {DATA_SEND, 10}, {DATA_FLIP, 1})},
        {"manifest/digest-of-the-list", NULL,
         .BECOMES("manifest.digest-of-the-list", .answers_platform_digest = true)},
        {"manifest/large-is-whole", "cuts a manifest at 512 KiB",
         .BECOMES("manifest.large-is-whole", .manifest_at_most = 524288)},
        {"manifest/docker-becomes-oci", NULL,
         .BECOMES_AT(DIR("manifest.docker-becomes-oci"), .keeps_docker_manifests = true)},
        {"manifest/docker-keeps-its-blobs", "leaves the layers out of a converted manifest",
         .RULES({.when = {.method = "GetManifest", .after = DIR("manifest.docker-keeps-its-blobs")},
                 .act = {.STEPS({DATA_SKIP, DATA_ALL}, {DATA_BYTES, .bytes = BYTES(NO_LAYERS)})}})},
        {"manifest/docker-digest-is-the-originals", NULL,
         .BECOMES_AT(DIR("manifest.docker-digest-is-the-originals"), .answers_converted_digest = true)},
        {"manifest/schema-1-is-refused", "serves docker's schema 1",
         .OPENS_BROKEN(DIR("manifest.schema-1-is-refused"))},
        {"manifest/artifact-is-served", "refuses an artifact",
         .OPENING("manifest.artifact-is-served", REFUSED)},
        {"manifest/altered-is-noticed", NULL,
         .BECOMES("manifest.altered-is-noticed", .answers_wrong_digest = true)},
        {"manifest/altered", "refuses a manifest of another digest", .OPENING("manifest.altered", REFUSED)},
        {"manifest/config-member-alone", NULL,
         .BECOMES("manifest.config-member-alone", .get_config_gives_full = true)},
        {"manifest/full-config-is-whole", NULL,
         .BECOMES("manifest.full-config-is-whole", .get_full_config_gives_part = true)},
        {"manifest/large-config-is-whole", "cuts a config at 512 KiB",
         .BECOMES("manifest.large-config-is-whole", .manifest_at_most = 524288)},
        {"manifest/full-config-with-unknown-members", "refuses a config with a member that it does not know",
         .ANSWERS("manifest.full-config-with-unknown-members", "GetFullConfig", REFUSED)},
        {"manifest/full-config-bytes", "keeps a config's members that it does not know",
         .DATA("manifest.full-config-bytes", "GetFullConfig", {DATA_SKIP, DATA_ALL},
               {DATA_BYTES, .bytes = BYTES("{\"org.example.builder\":\"1.0\"}")})},
        {"manifest/broken-config-is-refused", "accepts a config that is none",
         .ANSWERS("manifest.broken-config-is-refused", "GetFullConfig", ACCEPTED)},
        {"manifest/missing-config-is-refused", "accepts a config that is not there",
         .ANSWERS("manifest.missing-config-is-refused", "GetFullConfig", ACCEPTED)},
        {"manifest/altered-config-is-refused", NULL,
         .BECOMES("manifest.altered-config-is-refused", .ignores_config_digest = true)},

        /* ---- layers ---- */
        {"layers/are-all-listed", NULL, .BECOMES("layers.are-all-listed", .drops_last_layer = true)},
        {"layers/are-in-order", NULL, .BECOMES("layers.are-in-order", .reverses_layers = true)},
        {"layers/have-their-sizes", NULL, .BECOMES("layers.have-their-sizes", .lists_wrong_layer_sizes = true)},
        {"layers/have-their-media-types", NULL,
         .BECOMES("layers.have-their-media-types", .lists_docker_layer_types = true)},
        {"layers/none-are-an-empty-list", "answers null where there are no layers",
         .ANSWERS("layers.none-are-an-empty-list", "GetLayerInfo", "{\"value\": null}")},
        {"layers/fit-the-clients-buffer", NULL,
         .BECOMES("layers.fit-the-clients-buffer", .sends_large_layer_info = true)},
        {"layers/two-thousand-are-survived", NULL,
         .BECOMES("layers.two-thousand-are-survived", .sends_large_layer_info = true,
                  .dies_of_large_layer_info = true)},
        {"layers/piped-as-in-the-manifest", NULL,
         .BECOMES("layers.piped-as-in-the-manifest", .lists_wrong_layer_sizes = true)},
        {"layers/piped-none-are-an-empty-list", "sends null where there are no layers",
         .DATA("layers.piped-none-are-an-empty-list", "GetLayerInfoPiped", {DATA_SKIP, DATA_ALL},
               {DATA_BYTES, .bytes = BYTES("null")})},
        {"layers/piped-three-hundred", "lists no more than 299 layers",
         .BECOMES("layers.piped-three-hundred", .layers_at_most = 299)},
        {"layers/piped-two-thousand", "lists no more than 1,999 layers",
         .BECOMES("layers.piped-two-thousand", .layers_at_most = 1999)},
        {"layers/piped-and-not-agree", "sends an empty list through the pipe",
         .DATA("layers.piped-and-not-agree", "GetLayerInfoPiped", {DATA_SKIP, DATA_ALL},
               {DATA_BYTES, .bytes = BYTES("[]")})},

        /* ---- pipes ---- */
        {"pipes/finish-waits-for-the-writer", NULL,
         .BECOMES("pipes.finish-waits-for-the-writer", .finish_does_not_wait = true)},
        {"pipes/finish-loses-nothing", NULL, .BECOMES("pipes.finish-loses-nothing", .finish_cuts = true)},
        {"pipes/finish-succeeds-unread", "FinishPipe of an unread value is an error",
         .ANSWERS("pipes.finish-succeeds-unread", "FinishPipe", REFUSED)},
        {"pipes/open-until-finish", NULL, .BECOMES("pipes.open-until-finish", .pipes_end_early = true)},
        {"pipes/end-after-finish", NULL, .BECOMES("pipes.end-after-finish", .finish_leaves_pipe_open = true)},
        {"pipes/data-before-finish", NULL, .BECOMES("pipes.data-before-finish", .writes_after_finish = true)},
        {"pipes/finish-twice-is-refused", NULL,
         .BECOMES("pipes.finish-twice-is-refused", .finish_twice_succeeds = true)},
        {"pipes/unknown-id-is-refused", "FinishPipe of an id that was never given succeeds",
         .RULES({.when = {.method = "FinishPipe", .argument = 1, .argument_is = "424242"},
                 .act = {.merge = ACCEPTED}})},
        {"pipes/finish-is-of-one-pipe", NULL,
         .BECOMES("pipes.finish-is-of-one-pipe", .finish_waits_for_all = true)},
        {"pipes/reader-gone-is-reported", NULL,
         .BECOMES("pipes.reader-gone-is-reported", .forgets_reader_gone = true)},
        {"pipes/reader-gone-is-epipe", "says `other` where the reader has left",
         .ANSWERS("pipes.reader-gone-is-epipe", "FinishPipe", "{\"error_code\": \"other\"}")},
        {"pipes/reader-gone-in-the-middle", NULL,
         .BECOMES("pipes.reader-gone-in-the-middle", .forgets_reader_gone = true)},
        {"pipes/reader-gone-is-survived", NULL,
         .BECOMES("pipes.reader-gone-is-survived", .dies_of_sigpipe = true)},
        {"pipes/ten-in-reverse-order", NULL,
         .BECOMES("pipes.ten-in-reverse-order", .finish_ends_another = true)},
        {"pipes/ten-are-filled-at-once", NULL,
         .BECOMES("pipes.ten-are-filled-at-once", .writes_one_pipe_at_a_time = true)},
        {"pipes/hundred-at-once", "has no more than ten pipes at once",
         .BECOMES("pipes.hundred-at-once", .pipes_at_most = 10)},
        {"pipes/served-while-open", NULL, .BECOMES("pipes.served-while-open", .writes_before_reply = true)},
        {"pipes/ids-differ", NULL, .BECOMES("pipes.ids-differ", .same_pipe_id = true)},
        {"pipes/id-is-not-zero", "gives a pipe the id 0",
         .ANSWERS("pipes.id-is-not-zero", "GetManifest", "{\"pipeid\": 0}")},
        {"pipes/one-descriptor", "sends a second descriptor with a manifest",
         .RULES({.when = {.method = "GetManifest", .after = TAG("pipes.one-descriptor")},
                 .act = {.descriptors = DESCRIPTORS_ONE_EXTRA}})},
        {"pipes/is-a-read-end", "sends the write end of a pipe",
         .RULES({.when = {.method = "GetManifest", .after = TAG("pipes.is-a-read-end")},
                 .act = {.descriptors = DESCRIPTORS_WRITE_END}})},
        {"pipes/is-blocking", NULL, .BECOMES("pipes.is-blocking", .sends_nonblocking_pipes = true)},
        {"pipes/survives-close-image", NULL, .BECOMES("pipes.survives-close-image", .close_ends_pipes = true)},
        {"pipes/data-is-not-mixed-up", NULL, .BECOMES("pipes.data-is-not-mixed-up", .mixes_pipes = true)},
        {"pipes/leave-no-descriptor", NULL, .BECOMES("pipes.leave-no-descriptor", .leaks_per_pipe = true)},

        /* ---- blobs ---- */
        {"blobs/empty-is-whole", "sends a byte for an empty blob",
         .DATA("blobs.empty-is-whole", "GetBlob", {DATA_BYTES, .bytes = BYTES("x")})},
        {"blobs/one-byte-is-whole", "changes the one byte of a blob",
         .DATA("blobs.one-byte-is-whole", "GetBlob", {DATA_FLIP, 1})},
        {"blobs/less-than-a-pipe-is-whole", "leaves the last byte of a blob out",
         .DATA("blobs.less-than-a-pipe-is-whole", "GetBlob", {DATA_SEND, 65534}, {DATA_END})},
        {"blobs/a-pipe-is-whole", "leaves the last byte of a blob out",
         .DATA("blobs.a-pipe-is-whole", "GetBlob", {DATA_SEND, 65535}, {DATA_END})},
        {"blobs/more-than-a-pipe-is-whole", "sends no more of a blob than a pipe holds",
         .DATA("blobs.more-than-a-pipe-is-whole", "GetBlob", {DATA_SEND, 65536}, {DATA_END})},
        {"blobs/large-is-whole", "changes one byte of a large blob",
         .DATA("blobs.large-is-whole", "GetBlob", {DATA_SEND, 1000000}, {DATA_FLIP, 1})},
        {"blobs/value-is-the-size", NULL, .BECOMES("blobs.value-is-the-size", .answers_wrong_blob_size = true)},
        {"blobs/config-is-a-blob", "refuses GetBlob of the config",
         .ANSWERS("blobs.config-is-a-blob", "GetBlob", REFUSED)},
        {"blobs/larger-size-is-reported", NULL,
         .BECOMES("blobs.larger-size-is-reported", .ignores_blob_size = true)},
        {"blobs/smaller-size-is-reported", NULL,
         .BECOMES("blobs.smaller-size-is-reported", .ignores_blob_size = true)},
        {"blobs/size-zero-is-reported", NULL,
         .BECOMES("blobs.size-zero-is-reported", .ignores_blob_size = true)},
        {"blobs/unknown-digest-is-refused", "accepts a digest that no blob has",
         .ANSWERS("blobs.unknown-digest-is-refused", "GetBlob", ACCEPTED)},
        {"blobs/malformed-digest-is-refused", "accepts what is no digest",
         .ANSWERS("blobs.malformed-digest-is-refused", "GetBlob", ACCEPTED)},
        {"blobs/path-for-a-digest-is-refused", "accepts a path for a digest",
         .ANSWERS("blobs.path-for-a-digest-is-refused", "GetBlob", ACCEPTED)},
        {"blobs/missing-is-refused", "accepts a layer that is not there",
         .ANSWERS("blobs.missing-is-refused", "GetBlob", ACCEPTED)},
        {"blobs/wrong-size-of-manifest-is-reported", NULL,
         .BECOMES("blobs.wrong-size-of-manifest-is-reported", .ignores_blob_size = true,
                  .ignores_blob_digest = true)},
        {"blobs/wrong-digest-is-reported", NULL,
         .BECOMES("blobs.wrong-digest-is-reported", .ignores_blob_digest = true)},
        {"blobs/unreadable-is-reported", "accepts a layer that cannot be read",
         .ANSWERS("blobs.unreadable-is-reported", "GetBlob", ACCEPTED)},
        {"blobs/failure-is-survived", "refuses the blob after one that failed",
         .RULES({.when = {.method = "GetBlob", .after = TAG("blobs.failure-is-survived"), .nth = 2},
                 .act = {.merge = REFUSED}})},
        {"blobs/two-at-once", "changes a byte of the second blob",
         .DATA_NTH("blobs.two-at-once", "GetBlob", 2, {DATA_SEND, 10}, {DATA_FLIP, 1})},
        {"blobs/same-twice-at-once", "changes a byte of the second blob",
         .DATA_NTH("blobs.same-twice-at-once", "GetBlob", 2, {DATA_SEND, 10}, {DATA_FLIP, 1})},
        {"blobs/leave-no-descriptor", NULL, .BECOMES("blobs.leave-no-descriptor", .leaks_per_pipe = true)},

        /* ---- raw blobs ---- */
        {"rawblobs/comes-with-two-pipes", "sends the data pipe alone",
         .RULES({.when = {.method = "GetRawBlob", .after = TAG("rawblobs.comes-with-two-pipes")},
                 .act = {.descriptors = DESCRIPTORS_FIRST_ONLY}})},
        {"rawblobs/pipeid-is-zero", "gives a raw blob a pipe id",
         .ANSWERS("rawblobs.pipeid-is-zero", "GetRawBlob", "{\"pipeid\": 7}")},
        {"rawblobs/value-is-the-size", NULL,
         .BECOMES("rawblobs.value-is-the-size", .answers_wrong_blob_size = true)},
        {"rawblobs/more-than-a-pipe-is-whole", "sends no more of a raw blob than a pipe holds",
         .DATA("rawblobs.more-than-a-pipe-is-whole", "GetRawBlob", {DATA_SEND, 65536}, {DATA_END})},
        {"rawblobs/empty-is-whole", "sends a byte for an empty raw blob",
         .DATA("rawblobs.empty-is-whole", "GetRawBlob", {DATA_BYTES, .bytes = BYTES("x")})},
        {"rawblobs/config-is-a-blob", "refuses GetRawBlob of the config",
         .ANSWERS("rawblobs.config-is-a-blob", "GetRawBlob", REFUSED)},
        {"rawblobs/data-ends-by-itself", NULL,
         .BECOMES("rawblobs.data-ends-by-itself", .raw_data_pipe_stays_open = true)},
        {"rawblobs/errors-end-by-themselves", NULL,
         .BECOMES("rawblobs.errors-end-by-themselves", .raw_error_pipe_stays_open = true)},
        {"rawblobs/nothing-behind-the-data", "sends a byte behind a raw blob",
         .DATA("rawblobs.nothing-behind-the-data", "GetRawBlob", {DATA_SEND, DATA_ALL},
               {DATA_BYTES, .bytes = BYTES("x")})},
        {"rawblobs/no-error-on-success", NULL,
         .BECOMES("rawblobs.no-error-on-success", .raw_errors_on_success = true)},
        {"rawblobs/nothing-is-verified", NULL,
         .BECOMES("rawblobs.nothing-is-verified", .verifies_raw_blobs = true)},
        {"rawblobs/unknown-digest-is-refused", "accepts a digest that no blob has",
         .ANSWERS("rawblobs.unknown-digest-is-refused", "GetRawBlob", ACCEPTED)},
        {"rawblobs/malformed-digest-is-refused", "accepts what is no digest",
         .ANSWERS("rawblobs.malformed-digest-is-refused", "GetRawBlob", ACCEPTED)},
        {"rawblobs/path-for-a-digest-is-refused", "accepts a path for a digest",
         .ANSWERS("rawblobs.path-for-a-digest-is-refused", "GetRawBlob", ACCEPTED)},
        {"rawblobs/unreadable-is-reported", "accepts a layer that cannot be read",
         .ANSWERS("rawblobs.unreadable-is-reported", "GetRawBlob", ACCEPTED)},
        {"rawblobs/reader-gone-is-epipe", NULL,
         .BECOMES("rawblobs.reader-gone-is-epipe", .raw_errors_are_silent = true)},
        {"rawblobs/readers-gone-are-survived", NULL,
         .BECOMES("rawblobs.readers-gone-are-survived", .dies_of_sigpipe = true)},
        {"rawblobs/ten-in-reverse-order", "changes a byte of the fifth raw blob",
         .DATA_NTH("rawblobs.ten-in-reverse-order", "GetRawBlob", 5, {DATA_SEND, 10}, {DATA_FLIP, 1})},
        {"rawblobs/finish-is-for-others", "FinishPipe fails while a raw blob is open",
         .ANSWERS("rawblobs.finish-is-for-others", "FinishPipe", REFUSED)},
        {"rawblobs/survives-close-image", NULL,
         .BECOMES("rawblobs.survives-close-image", .close_ends_pipes = true)},
        {"rawblobs/leave-no-descriptor", NULL,
         .BECOMES("rawblobs.leave-no-descriptor", .raw_data_pipe_stays_open = true)},
};
const size_t n_faults_two = ARRAY_SIZE(faults_two);
