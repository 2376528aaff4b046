/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each group's file exports, for the table in groups.c and for the files themselves.
 */
#ifndef CONFORMANCE_GROUPS_H
#define CONFORMANCE_GROUPS_H

#include "conformance/check.h"

#define CHECK_GROUP(name)                          \
        extern const struct check checks_##name[]; \
        extern const size_t n_checks_##name

CHECK_GROUP(startup);
CHECK_GROUP(handshake);
CHECK_GROUP(framing);
CHECK_GROUP(replies);
CHECK_GROUP(arguments);
CHECK_GROUP(images);
CHECK_GROUP(transports);
CHECK_GROUP(manifest);
CHECK_GROUP(layers);
CHECK_GROUP(pipes);
CHECK_GROUP(blobs);
CHECK_GROUP(rawblobs);
CHECK_GROUP(registry);
CHECK_GROUP(auth);
CHECK_GROUP(tls);
CHECK_GROUP(mirrors);
CHECK_GROUP(policy);
CHECK_GROUP(encryption);
CHECK_GROUP(end);
CHECK_GROUP(load);

#undef CHECK_GROUP

#endif
