/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of the groups of server checks, in the order of reports. A group is one file, checks-NAME.c, which
 * exports its rows; a new one is a row here and a line in meson.build.
 */
#include "conformance/groups.h"
#include "base/cleanup.h"
#include "conformance/catalogue.h"

const struct check_group check_groups[] = {
        {"startup", "How the server is started, and which sockets it takes.", checks_startup,
         &n_checks_startup},
        {"handshake", "Initialize comes first, once.", checks_handshake, &n_checks_handshake},
        {"framing", "One packet is one request, up to 32,768 bytes.", checks_framing, &n_checks_framing},
        {"replies", "The shape of a reply, and what comes along with it.", checks_replies, &n_checks_replies},
        {"arguments", "What is no argument is refused, and harms nobody.", checks_arguments,
         &n_checks_arguments},
        {"images", "Opening and closing images.", checks_images, &n_checks_images},
        {"transports", "Where images are kept: folders and archives, good and broken.", checks_transports,
         &n_checks_transports},
        {"manifest", "The manifest and the config.", checks_manifest, &n_checks_manifest},
        {"layers", "The list of layers.", checks_layers, &n_checks_layers},
        {"pipes", "Data pipes, and FinishPipe that ends them.", checks_pipes, &n_checks_pipes},
        {"blobs", "Blobs through GetBlob, verified by the server.", checks_blobs, &n_checks_blobs},
        {"rawblobs", "Blobs through GetRawBlob, with a pipe for errors.", checks_rawblobs, &n_checks_rawblobs},
        {"end", "How the server ends.", checks_end, &n_checks_end},
        {"registry", "Images of registries: tags, digests, lists, redirects, and registries that fail.",
         checks_registry, &n_checks_registry, .needs_docker = true},
        {"auth", "Logins: where they are found, which registry gets them, and that nobody else does.",
         checks_auth, &n_checks_auth, .needs_docker = true},
        {"tls", "Certificates of registries and of clients.", checks_tls, &n_checks_tls, .needs_docker = true},
        {"mirrors", "registries.conf: mirrors, renaming, blocked and short names.", checks_mirrors,
         &n_checks_mirrors, .needs_docker = true},
        {"policy", "Signatures, and images that the policy refuses.", checks_policy, &n_checks_policy,
         .needs_docker = true},
        {"encryption", "Layers that are encrypted.", checks_encryption, &n_checks_encryption,
         .needs_docker = true},
        {"load", "Very much, and for long: memory, descriptors and threads stay flat.", checks_load,
         &n_checks_load, .opt_in = true},
};
const size_t n_check_groups = ARRAY_SIZE(check_groups);

const struct catalogue server_catalogue = {
        .noun = "check",
        .subject = "server",
        .list = "cip-conformance list",
        .groups = check_groups,
        .n_groups = ARRAY_SIZE(check_groups),
};
