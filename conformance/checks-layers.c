/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of the list of layers, by GetLayerInfo in one packet and by GetLayerInfoPiped through a pipe: what
 * it says of each layer, in which order, and how it copes with very many.
 */
#include <inttypes.h>
#include <string.h>

#include "conformance/groups.h"
#include "conformance/sample.h"

#define NAMED(name) .id = "layers/" name

#define SINCE_LAYER_INFO VERSION(0, 2, 5)
#define SINCE_PIPED VERSION(0, 2, 7)

/* What clients read a reply into. */
#define CLIENT_BUFFER 32768

/* Three layers that differ in everything. */
static const struct sample_layer three[] = {
        {MEDIA_OCI_LAYER, "the bottom"},
        {MEDIA_OCI_LAYER_GZIP, "the layer in the middle"},
        {MEDIA_OCI_LAYER_ZSTD, "the top"},
};

struct layers {
        struct layer_info *layer;
        size_t n;
};

static void layers_clear(struct layers *layers)
{
        layer_infos_free(layers->layer, layers->n);
}

static void parse(struct check_context *c, struct json_object *array, const char *method, struct layers *ret)
{
        struct cip_error error = {0};

        check_that(c, json_object_is_type(array, json_type_array),
                   "%s should give an array of layers, it gives: %.200s", method,
                   json_object_to_json_string(array));
        if (layer_infos_parse(array, &ret->layer, &ret->n, &error) < 0)
                check_fail(c, "what %s gives should be a list of layers: %s", method, error.message);
}

static void get_three(struct check_context *c, const char *tag, struct layers *ret)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(c, sample_add_image(c, tag, NULL, three, ARRAY_SIZE(three)));

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", ret);
}

/* The layer that has the digest of three[@n]; NULL where it is not listed. */
static const struct layer_info *listed(struct check_context *c, const struct layers *layers, size_t n)
{
        char digest[DIGEST_TEXT_SIZE];

        if (digest_of(DIGEST_SHA256, three[n].data, strlen(three[n].data), digest) < 0)
                check_error(c, "cannot hash");
        for (size_t i = 0; i < layers->n; i++)
                if (!strcmp(layers->layer[i].digest, digest))
                        return &layers->layer[i];
        return NULL;
}

static void are_all_listed(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers layers = {0};

        get_three(c, "layers.are-all-listed", &layers);
        check_that(c, layers.n == ARRAY_SIZE(three),
                   "an image of %zu layers should have as many listed, %zu are", ARRAY_SIZE(three), layers.n);
        for (size_t i = 0; i < ARRAY_SIZE(three); i++)
                check_that(c, listed(c, &layers, i),
                           "the layer number %zu of the manifest should be listed, its digest is not", i + 1);
}

static void are_in_order(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers layers = {0};
        size_t next = 0;

        get_three(c, "layers.are-in-order", &layers);
        for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
                const struct layer_info *layer = listed(c, &layers, i);

                size_t position = layer ? (size_t)(layer - layers.layer) : next;

                check_that(c, position >= next,
                           "layers should be listed as the manifest has them, the bottom one first; number %zu "
                           "of the "
                           "manifest is number %zu of the list",
                           i + 1, position + 1);
                next = position + 1;
        }
}

static void have_their_sizes(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers layers = {0};

        get_three(c, "layers.have-their-sizes", &layers);
        for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
                const struct layer_info *layer = listed(c, &layers, i);

                check_that(c, !layer || layer->size == (int64_t)strlen(three[i].data),
                           "the size of layer %zu should be the manifest's %zu, it is %" PRId64, i + 1,
                           strlen(three[i].data), layer->size);
        }
}

static void have_their_media_types(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers layers = {0};

        get_three(c, "layers.have-their-media-types", &layers);
        for (size_t i = 0; i < ARRAY_SIZE(three); i++) {
                const struct layer_info *layer = listed(c, &layers, i);

                check_that(c, !layer || !strcmp(layer->media_type, three[i].media_type),
                           "the media type of layer %zu should be the manifest's %s, it is %s", i + 1,
                           three[i].media_type, layer->media_type);
        }
}

static void none_are_an_empty_list(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = sample_open(c, "layers-0", "layers.none-are-an-empty-list");

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        check_that(c,
                   json_object_is_type(answer.value, json_type_array) &&
                           !json_object_array_length(answer.value),
                   "an image without layers should have the value [], it has: %s",
                   json_object_to_json_string(answer.value));
}

static void fit_the_clients_buffer(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(c, sample_add_layers(c, "layers.fit-the-clients-buffer", 300));

        check_call(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        check_that(c, answer.packet.len <= CLIENT_BUFFER,
                   "300 layers should be listed in %d bytes or refused, since clients read no more of a "
                   "packet; the "
                   "reply has %zu",
                   CLIENT_BUFFER, answer.packet.len);
}

static void two_thousand_are_survived(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(c, sample_add_layers(c, "layers.two-thousand-are-survived", 2000));

        /* Listed or refused: the next request is what counts. */
        check_request(c, "GetLayerInfo", "[%" PRIu64 "]", id);
        if (check_is_hung_up(c))
                check_fail(
                        c,
                        "GetLayerInfo of 2,000 layers should be answered or refused; the server ends: %.300s",
                        check_stderr(c));
        check_answer(c, &answer);
        check_still_serves(c);
}

/* What GetLayerInfoPiped sends. */
static void get_piped(struct check_context *c, uint64_t id, struct layers *ret)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        size_t len;

        sample_fetch_ok(c, "GetLayerInfoPiped", sample_args(c, id), &data, &len);
        json = sample_json(c, data, len, "what GetLayerInfoPiped sends");
        parse(c, json, "GetLayerInfoPiped", ret);
}

static void piped_as_in_the_manifest(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers layers = {0};
        const struct manifest *manifest = check_fixture_manifest(c, "gzip");

        get_piped(c, sample_open(c, "gzip", "layers.piped-as-in-the-manifest"), &layers);
        check_that(c, layers.n == manifest->n_entries, "%zu layers should be listed, %zu are",
                   manifest->n_entries, layers.n);
        for (size_t i = 0; i < layers.n; i++) {
                const struct layer_info *is = &layers.layer[i];
                const struct content *layer = &manifest->entries[i];

                check_that(c,
                           !strcmp(is->digest, layer->digest) && is->size == layer->size &&
                                   !strcmp(is->media_type, layer->media_type),
                           "layer %zu should be %s of %" PRId64 " bytes (%s), it is %s of %" PRId64
                           " bytes (%s)",
                           i + 1, layer->digest, layer->size, layer->media_type, is->digest, is->size,
                           is->media_type);
        }
}

static void piped_none_are_an_empty_list(struct check_context *c)
{
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        uint64_t id = sample_open(c, "layers-0", "layers.piped-none-are-an-empty-list");
        size_t len;

        sample_fetch_ok(c, "GetLayerInfoPiped", sample_args(c, id), &data, &len);
        json = sample_json(c, data, len, "what GetLayerInfoPiped sends");
        check_that(c, json_object_is_type(json, json_type_array) && !json_object_array_length(json),
                   "an image without layers should send [], it sends: %.200s", data);
}

/* @n layers of sample_add_layers. */
static void expect_piped(struct check_context *c, const char *tag, size_t n)
{
        CLEANUP(layers_clear) struct layers layers = {0};

        get_piped(c, check_open_image(c, sample_add_layers(c, tag, n)), &layers);
        check_that(c, layers.n == n, "%zu layers should be listed, %zu are", n, layers.n);
        for (size_t i = 0; i < n; i++)
                check_that(c, layers.layer[i].size == (int64_t)i + 1,
                           "layer %zu of %zu should have %zu bytes as in the manifest, it has %" PRId64, i + 1,
                           n, i + 1, layers.layer[i].size);
}

static void piped_three_hundred(struct check_context *c)
{
        expect_piped(c, "layers.piped-three-hundred", 300);
}

static void piped_two_thousand(struct check_context *c)
{
        expect_piped(c, "layers.piped-two-thousand", 2000);
}

static void piped_and_not_agree(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_json) struct json_object *json = NULL;
        uint64_t id;
        size_t len;

        id = check_open_image(
                c, sample_add_image(c, "layers.piped-and-not-agree", NULL, three, ARRAY_SIZE(three)));
        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        sample_fetch_ok(c, "GetLayerInfoPiped", sample_args(c, id), &data, &len);
        json = sample_json(c, data, len, "what GetLayerInfoPiped sends");
        check_that(c, json_object_equal(json, answer.value),
                   "GetLayerInfo and GetLayerInfoPiped should give the same list, they give %.300s and %.300s",
                   json_object_to_json_string(answer.value), data);
}

/* ---- both ways ---- */

/* Two layers alike and one between them. */
static void same_layer_twice(struct check_context *c)
{
        static const struct sample_layer layers[] = {
                {MEDIA_OCI_LAYER, "the same"}, {MEDIA_OCI_LAYER, "another"}, {MEDIA_OCI_LAYER, "the same"}};
        CLEANUP(layers_clear) struct layers list = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(
                c, sample_add_image(c, "layers.same-layer-twice", NULL, layers, ARRAY_SIZE(layers)));

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", &list);
        check_that(
                c,
                list.n == 3 && !strcmp(list.layer[0].digest, list.layer[2].digest) &&
                        strcmp(list.layer[0].digest, list.layer[1].digest) != 0,
                "a layer that the manifest has twice should be listed twice, the list has %zu layers: %.400s",
                list.n, json_object_to_json_string(answer.value));
}

static void foreign_media_type(struct check_context *c)
{
        static const struct sample_layer layers[] = {
                {"application/vnd.example.layer.v1+odd", "of an odd type"}};
        CLEANUP(layers_clear) struct layers list = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(c, sample_add_image(c, "layers.foreign-media-type", NULL, layers, 1));

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", &list);
        check_that(
                c, list.n == 1 && !strcmp(list.layer[0].media_type, layers[0].media_type),
                "a media type that nobody knows should be listed as the manifest has it, the list is: %.400s",
                json_object_to_json_string(answer.value));
}

/* As many as fit the buffer of clients. */
static void two_hundred_are_whole(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers list = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(c, sample_add_layers(c, "layers.two-hundred-are-whole", 200));

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", &list);
        check_that(c, list.n == 200, "200 layers should be listed, %zu are", list.n);
        for (size_t i = 0; i < list.n; i++)
                check_that(c, list.layer[i].size == (int64_t)i + 1,
                           "layer %zu of 200 should have %zu bytes as in the manifest, it has %" PRId64, i + 1,
                           i + 1, list.layer[i].size);
}

static void of_the_picked_platform(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers list = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        CLEANUP(cleanup_free) char *data = NULL;
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        const char *reference = sample_reference(c, "index", "layers.of-the-picked-platform");
        static const char *const flags[] = {"--override-os", "linux", "--override-arch", "ppc64le", NULL};
        struct cip_error error = {0};
        uint64_t id;
        size_t len;

        check_start(c, &(struct server_start){.global_flags = flags});
        id = check_open_image(c, reference);
        sample_fetch_ok(c, "GetManifest", sample_args(c, id), &data, &len);
        if (manifest_parse(data, len, &manifest, &error) < 0 || manifest->n_entries != 1)
                check_fail(c, "the manifest that was picked cannot be read: %s", error.message);
        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", &list);
        check_that(
                c, list.n == 1 && !strcmp(list.layer[0].digest, manifest->entries[0].digest),
                "the layers of the platform that was picked should be listed, which is %s; the list is: %.400s",
                manifest->entries[0].digest, json_object_to_json_string(answer.value));
}

static void broken_manifest_is_refused(struct check_context *c)
{
        CLEANUP_ANSWER struct answer opened = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id;

        check_call(c, &opened, "OpenImage", "[\"%s\"]",
                   sample_reference(c, "broken-manifest", "layers.broken-manifest-is-refused"));
        if (!opened.success)
                return;
        check_that(c, json_get_uint(opened.value, JSON_INTEGER_MAX, &id), "OpenImage gives no image id");
        check_call_refused(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
}

/* Each layer of a docker image, as GetBlob must take it. */
static void docker_layers_can_be_fetched(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers list = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        const struct manifest *stored = check_fixture_manifest(c, "docker");
        uint64_t id = check_open_image(c, sample_dir(c, "docker", "layers.docker-layers-can-be-fetched"));

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", &list);
        check_that(c, list.n == stored->n_entries,
                   "a docker image of %zu layers should have as many listed, %zu are", stored->n_entries,
                   list.n);
        for (size_t i = 0; i < list.n; i++) {
                CLEANUP(cleanup_free) char *data = NULL;
                size_t len;

                check_that(c, !strcmp(list.layer[i].digest, stored->entries[i].digest),
                           "layer %zu of a docker image should be %s, it is %s", i + 1,
                           stored->entries[i].digest, list.layer[i].digest);
                sample_fetch_ok(c, "GetBlob", sample_blob_args(c, id, list.layer[i].digest, list.layer[i].size),
                                &data, &len);
                sample_check_digest(c, data, len, list.layer[i].digest, "a layer of a docker image");
        }
}

static void docker_media_types(struct check_context *c)
{
        CLEANUP(layers_clear) struct layers list = {0};
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t id = check_open_image(c, sample_dir(c, "docker", "layers.docker-media-types"));

        check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
        parse(c, answer.value, "GetLayerInfo", &list);
        if (list.n == 0)
                check_record(c, "no layers");
        else
                check_record(c, "%s", list.layer[0].media_type);
}

static void sizes_of_each_fixture(struct check_context *c)
{
        static const char *const names[] = {"layers-1", "tar",        "gzip",  "zstd",
                                            "blob-0",   "blob-65537", "sha512"};

        for (size_t f = 0; f < ARRAY_SIZE(names); f++) {
                CLEANUP(layers_clear) struct layers list = {0};
                CLEANUP_ANSWER struct answer answer = {0};
                const struct manifest *manifest = check_fixture_manifest(c, names[f]);
                uint64_t id = sample_open(c, names[f], "layers.of-each-fixture");

                check_call_ok(c, &answer, "GetLayerInfo", "[%" PRIu64 "]", id);
                parse(c, answer.value, "GetLayerInfo", &list);
                check_that(c, list.n == manifest->n_entries,
                           "the %zu layers of the fixture %s should be listed, %zu are", manifest->n_entries,
                           names[f], list.n);
                for (size_t i = 0; i < list.n; i++)
                        check_that(c,
                                   !strcmp(list.layer[i].digest, manifest->entries[i].digest) &&
                                           list.layer[i].size == manifest->entries[i].size &&
                                           !strcmp(list.layer[i].media_type, manifest->entries[i].media_type),
                                   "layer %zu of the fixture %s should be listed as the manifest has it, it "
                                   "is: %.300s",
                                   i + 1, names[f],
                                   json_object_to_json_string(json_object_array_get_idx(answer.value, i)));
        }
}

const struct check checks_layers[] = {
        {
                NAMED("are-all-listed"),
                .level = LEVEL_MUST,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo lists each layer of the manifest once.",
                .reference = "get-layer-info",
                .run = are_all_listed,
        },
        {
                NAMED("are-in-order"),
                .level = LEVEL_MUST,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo lists the layers in the manifest's order, the bottom one first.",
                .reference = "get-layer-info",
                .run = are_in_order,
        },
        {
                NAMED("have-their-sizes"),
                .level = LEVEL_MUST,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo gives each layer's size as the manifest has it.",
                .reference = "layer-size",
                .run = have_their_sizes,
        },
        {
                NAMED("have-their-media-types"),
                .level = LEVEL_MUST,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo gives each layer's media type as the manifest has it.",
                .reference = "get-layer-info",
                .run = have_their_media_types,
        },
        {
                NAMED("none-are-an-empty-list"),
                .level = LEVEL_MUST,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo of an image without layers gives an empty list.",
                .reference = "layer-none",
                .run = none_are_an_empty_list,
        },
        {
                NAMED("fit-the-clients-buffer"),
                .level = LEVEL_SHOULD,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo of 300 layers gives a reply of 32 KiB or less, or an error: clients "
                            "cut a "
                            "longer one.",
                .reference = "layers-large reply-size",
                .run = fit_the_clients_buffer,
        },
        {
                NAMED("two-thousand-are-survived"),
                .level = LEVEL_MUST,
                .since = SINCE_LAYER_INFO,
                .requires = "GetLayerInfo of 2,000 layers, which fit no packet, does not end the server.",
                .reference = "layers-huge reply-unsent",
                .run = two_thousand_are_survived,
        },
        {
                NAMED("piped-as-in-the-manifest"),
                .level = LEVEL_MUST,
                .since = SINCE_PIPED,
                .requires = "GetLayerInfoPiped sends the list of layers as the manifest has it.",
                .reference = "get-layer-info-piped",
                .run = piped_as_in_the_manifest,
        },
        {
                NAMED("piped-none-are-an-empty-list"),
                .level = LEVEL_MUST,
                .since = SINCE_PIPED,
                .requires = "GetLayerInfoPiped of an image without layers sends an empty list.",
                .reference = "get-layer-info-piped layer-none",
                .run = piped_none_are_an_empty_list,
        },
        {
                NAMED("piped-three-hundred"),
                .level = LEVEL_MUST,
                .since = SINCE_PIPED,
                .requires = "GetLayerInfoPiped lists 300 layers, more than a client's buffer holds.",
                .reference = "get-layer-info-piped",
                .run = piped_three_hundred,
        },
        {
                NAMED("piped-two-thousand"),
                .level = LEVEL_MUST,
                .since = SINCE_PIPED,
                .requires = "GetLayerInfoPiped lists 2,000 layers, more than a packet holds.",
                .reference = "get-layer-info-piped",
                .run = piped_two_thousand,
        },
        {
                NAMED("piped-and-not-agree"),
                .level = LEVEL_MUST,
                .since = SINCE_PIPED,
                .requires = "GetLayerInfoPiped sends just what GetLayerInfo answers.",
                .reference = "get-layer-info-piped",
                .run = piped_and_not_agree,
        },
        {
                NAMED("of-each-fixture"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "GetLayerInfo lists the layers of each fixture as its manifest has them.",
                .reference = "get-layer-info",
                .run = sizes_of_each_fixture,
        },
        {
                NAMED("same-layer-twice"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "A layer that the manifest has twice is listed twice.",
                .reference = "get-layer-info",
                .run = same_layer_twice,
        },
        {
                NAMED("foreign-media-type"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "A media type that is no layer's is listed as the manifest has it.",
                .reference = "get-layer-info",
                .run = foreign_media_type,
        },
        {
                NAMED("two-hundred-are-whole"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "GetLayerInfo lists 200 layers, which clients can still read.",
                .reference = "get-layer-info reply-size",
                .run = two_hundred_are_whole,
        },
        {
                NAMED("of-the-picked-platform"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "GetLayerInfo of a list has the layers of the platform that was picked.",
                .reference = "get-layer-info manifest-platform",
                .run = of_the_picked_platform,
                .own_start = true,
        },
        {
                NAMED("broken-manifest-is-refused"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "GetLayerInfo of a manifest that is no JSON is refused.",
                .reference = "open-broken",
                .run = broken_manifest_is_refused,
        },
        {
                NAMED("docker-layers-can-be-fetched"),
                .level = LEVEL_MUST,
                .since = VERSION(0, 2, 5),
                .requires = "The layers listed of a docker image can be fetched by GetBlob.",
                .reference = "get-layer-info",
                .run = docker_layers_can_be_fetched,
        },
        {
                NAMED("docker-media-types"),
                .level = LEVEL_INFO,
                .since = VERSION(0, 2, 5),
                .requires = "Records the media type that GetLayerInfo gives a docker layer.",
                .reference = "layer-docker-types",
                .run = docker_media_types,
        },
};
const size_t n_checks_layers = ARRAY_SIZE(checks_layers);
