/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Manifests and lists of every kind. What is converted to OCI is read as OCI with the same layers, converting it again
 * changes nothing, and what is picked from a list is an entry of it.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/target.h"
#include "image/manifest.h"

static void judge_conversion(const struct manifest *manifest, const char *data, size_t size)
{
        CLEANUP(cleanup_manifest_free) struct manifest *converted = NULL;
        CLEANUP(cleanup_free) char *text = NULL, *again = NULL;
        struct cip_error error = {0};
        size_t len, again_len;

        if (manifest_to_oci(manifest, data, size, &text, &len, &error) < 0)
                return;
        target_that(manifest_parse(text, len, &converted, &error) == 0, "the converted manifest is refused: %s",
                    error.message);
        target_that(converted->kind == MANIFEST_OCI, "the converted manifest is not OCI");
        target_that(converted->n_entries == manifest->n_entries, "conversion changed the number of layers");
        for (size_t i = 0; i < manifest->n_entries; i++)
                target_that(strcmp(converted->entries[i].digest, manifest->entries[i].digest) == 0 &&
                                    converted->entries[i].size == manifest->entries[i].size,
                            "conversion changed layer %zu", i);
        target_that(manifest_to_oci(converted, text, len, &again, &again_len, &error) == 0 &&
                            again_len == len && memcmp(text, again, len) == 0,
                    "converting it again changes it");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_manifest_free) struct manifest *manifest = NULL;
        const struct content *picked;
        struct platform platform = {"arm64", "linux", "v8"};

        if (manifest_parse((const char *)data, size, &manifest, NULL) < 0)
                return 0;
        if (manifest->kind == MANIFEST_OCI_INDEX || manifest->kind == MANIFEST_DOCKER_LIST) {
                if (manifest_pick(manifest, &platform, &picked, NULL) == 0)
                        target_that(picked >= manifest->entries &&
                                            picked < manifest->entries + manifest->n_entries,
                                    "what was picked is no entry of the list");
                manifest_pick(manifest, NULL, &picked, NULL);
                return 0;
        }
        judge_conversion(manifest, (const char *)data, size);
        return 0;
}
