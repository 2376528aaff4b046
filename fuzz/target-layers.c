/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The array of GetLayerInfo. What is accepted has digests that can be names and sizes that are possible.
 */
#include <string.h>

#include "fuzz/target.h"
#include "protocol/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        CLEANUP(cleanup_json) struct json_object *array = NULL;
        struct layer_info *layers = NULL;
        size_t n = 0;

        if (json_parse((const char *)data, size, 32, &array, NULL) < 0)
                return 0;
        if (layer_infos_parse(array, &layers, &n, NULL) < 0)
                return 0;
        for (size_t i = 0; i < n; i++) {
                target_that(strchr(layers[i].digest, ':') && !strpbrk(layers[i].digest, "/ \\\"\n"),
                            "a layer's digest is none: %s", layers[i].digest);
                target_that(layers[i].size >= -1, "a layer's size is below -1");
                target_that(layers[i].media_type, "a layer has no media type");
        }
        layer_infos_free(layers, n);
        return 0;
}
