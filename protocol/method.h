/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the protocol's methods: since which version, which arguments, what comes back. Arguments,
 * descriptors, help and docs follow from it. docs/protocol.md#methods
 */
#ifndef PROTOCOL_METHOD_H
#define PROTOCOL_METHOD_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/version.h"

enum method_id {
        METHOD_INITIALIZE,
        METHOD_OPEN_IMAGE,
        METHOD_OPEN_IMAGE_OPTIONAL,
        METHOD_CLOSE_IMAGE,
        METHOD_GET_MANIFEST,
        METHOD_GET_CONFIG,
        METHOD_GET_FULL_CONFIG,
        METHOD_GET_BLOB,
        METHOD_GET_RAW_BLOB,
        METHOD_GET_LAYER_INFO,
        METHOD_GET_LAYER_INFO_PIPED,
        METHOD_FINISH_PIPE,
        METHOD_SHUTDOWN,
        METHODS,
};

/* What an argument is. All but the first two are JSON numbers. */
enum argument_kind {
        ARGUMENT_REFERENCE, /* TRANSPORT:REF */
        ARGUMENT_DIGEST,    /* ALGORITHM:HEX */
        ARGUMENT_IMAGE,     /* image id, 1 to 2^53-1 */
        ARGUMENT_SIZE,      /* bytes, 0 to 2^53-1; GetBlob's */
        ARGUMENT_PIPE,      /* uint32 */
};

/* What the reply's `value` is. */
enum value_kind {
        VALUE_NULL,
        VALUE_VERSION,        /* string */
        VALUE_IMAGE,          /* 1 to 2^53-1 */
        VALUE_IMAGE_OPTIONAL, /* 0 to 2^53-1 */
        VALUE_DIGEST,         /* string */
        VALUE_SIZE,           /* -1 to 2^53-1 */
        VALUE_LAYERS,         /* [{digest, size, media_type}, ..] */
        VALUE_NO_REPLY,       /* Shutdown: there is no reply */
};

/* Which descriptors come with a successful reply. docs/protocol.md#descriptors */
enum method_pipes {
        PIPES_NONE = 0,
        PIPES_FINISHED = 1, /* the read end of a pipe that FinishPipe ends */
        PIPES_RAW = 2,      /* data and errors, both end by themselves; pipeid is 0 */
};

#define METHOD_ARGUMENTS_MAX 3

struct method {
        enum method_id id;
        const char *name;
        struct version since;
        bool deprecated;
        size_t n_arguments;
        enum argument_kind arguments[METHOD_ARGUMENTS_MAX];
        enum value_kind value;
        enum method_pipes pipes;
        const char *about; /* one sentence */
};

/* By enum method_id. */
extern const struct method methods[METHODS];

/* The method of that exact name, or NULL. */
const struct method *method_find(const char *name);

/* An argument's name in help texts: "REF", "DIGEST", "IMAGE", "SIZE", "PIPE". */
const char *argument_kind_name(enum argument_kind kind);

#endif
