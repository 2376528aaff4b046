/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What releases of skopeo do against the protocol, or where it says nothing, one row each with the reason. All
 * of it was seen on 1.9.3, 1.18.0 and 1.22.0; where between them a quirk came or went is not known, so a row
 * begins and ends at one of these. docs/protocol.md#known-defects
 */
#include "base/cleanup.h"
#include "fakeproxy/emulate.h"

/* The releases that quirks were looked for in. */
#define BOOKWORM        \
        {               \
                1, 9, 3 \
        }
#define TRIXIE           \
        {                \
                1, 18, 0 \
        }
#define SID              \
        {                \
                1, 22, 0 \
        }
#define STILL           \
        {               \
                0, 0, 0 \
        }

const struct quirk quirks[] = {
        {BOOKWORM, STILL, {.panics_on_finish_without_args = true}, "FinishPipe takes args[0] unchecked"},
        {BOOKWORM, STILL, {.finish_ignores_extra_args = true}, "FinishPipe does not count its arguments"},
        {BOOKWORM, STILL, {.pipe_ids_wrap = true}, "FinishPipe converts the number to uint32 unchecked"},
        {BOOKWORM,
         STILL,
         {.panics_on_negative_sockfd = true},
         "os.NewFile(-1) is nil, and its name is asked for"},
        {BOOKWORM, STILL, {.sockfd_wraps = true}, "the number is cut to C's int"},
        {BOOKWORM,
         STILL,
         {.panics_on_other_sockets = true},
         "what is made of the socket is taken for a unix one unchecked"},
        {BOOKWORM,
         TRIXIE,
         {.leaves_stdin_closed = true},
         "older Go opened no /dev/null for descriptors 0 to 2"},
        {BOOKWORM, STILL, {.cuts_fractions = true}, "numbers are float64, converted unchecked"},
        {BOOKWORM, STILL, {.wraps_negatives = true}, "numbers are float64, converted unchecked"},
        {BOOKWORM, TRIXIE, {.image_ids_are_32_bit = true}, "image ids were converted to uint32 unchecked"},
        {BOOKWORM, TRIXIE, {.answers_no_image_for_zero = true}, "image 0 was no special case yet"},
        {BOOKWORM, TRIXIE, {.ignores_policy = true}, "the signature policy is enforced from 1.13 on"},
        {BOOKWORM, STILL, {.open_is_lazy = true}, "OpenImage reads no more than the layout's index.json"},
        {BOOKWORM, STILL, {.answers_platform_digest = true}, "the digest is taken after a platform was picked"},
        {BOOKWORM, TRIXIE, {.variant_before_os = true}, "the struct had variant before os"},
        {BOOKWORM, TRIXIE, {.names_platform_unquoted = true}, "the message had no quotes yet"},
        {BOOKWORM,
         TRIXIE,
         {.oci_ignores_other_types = true},
         "oci: took other entries for those of other tags"},
        {BOOKWORM, SID, {.oci_refuses_docker = true}, "oci: looked for entries of OCI media types alone"},
        {BOOKWORM, STILL, {.oci_refuses_other_types = true}, "oci: looks for entries of a few media types"},
        {BOOKWORM, TRIXIE, {.names_artifact_by_config = true}, "artifactType was not known yet"},
        {BOOKWORM, TRIXIE, {.quotes_plainly = true}, "the format was \"%s\", and became %q"},
        {TRIXIE, SID, {.optional_oci_tag_is_error = true}, "a missing oci: tag was not told from other errors"},
        {TRIXIE,
         STILL,
         {.optional_layout_is_error = true},
         "a missing oci: layout is not told from other errors"},
        {BOOKWORM, TRIXIE, {.archives_in_old_words = true}, "the messages had no quotes yet"},
        {BOOKWORM,
         TRIXIE,
         {.docker_archive_in_gzip_is_error = true},
         "what it unpacks of a docker-archive: in gzip is cut short"},
        {BOOKWORM,
         TRIXIE,
         {.leaves_missing_archives = true},
         "the folder was made before the file was opened, and forgotten"},
        {BOOKWORM, TRIXIE, {.leaves_archives_at_end = true}, "images that are open at the end were not closed"},
        {BOOKWORM,
         STILL,
         {.docker_archive_links_are_empty = true},
         "a link's own size is taken for that of the layer which it leads to"},
        {BOOKWORM,
         STILL,
         {.docker_archive_says_gzip = true},
         "docker-archive: has one media type for all layers, and sends them unpacked"},
        {TRIXIE, STILL, {.sends_large_layer_info = true}, "a reply's size is not looked at"},
        {BOOKWORM, STILL, {.dies_of_large_replies = true}, "a reply that the socket does not take is fatal"},
        {BOOKWORM, STILL, {.sends_large_errors = true}, "errors repeat references and names as they are"},
        {TRIXIE, STILL, {.says_faccessat = true}, "paths are looked at by faccessat(2) and not by lstat(2)"},
        {BOOKWORM,
         TRIXIE,
         {.leaves_blobs_open = true},
         "a blob's file was closed by the garbage collector alone"},
};
const size_t n_quirks = ARRAY_SIZE(quirks);
