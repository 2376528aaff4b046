/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answering out of a recording: what record.c wrote is read, judged, and said again to a client that asks the same,
 * without the server and the images that were there when it was made. docs/recording.md
 */
#ifndef FAKEPROXY_REPLAY_H
#define FAKEPROXY_REPLAY_H

#include <stdbool.h>

#include "base/cip-error.h"
#include "base/cleanup.h"

/* Bytes of the largest transcript that is read. */
#define REPLAY_TRANSCRIPT_MAX ((size_t)256 * 1024 * 1024)

struct replay;

/*
 * Reads the transcript @path and finds the data of its pipes. Returns 0, or a negative errno with @error, which names
 * the file and the line: -EINVAL for one that is cut off, of another version, made without the blobs' data or no
 * transcript at all.
 */
int replay_new(const char *path, struct replay **ret, struct cip_error *error);

/* Takes NULL. */
void replay_free(struct replay *replay);
DEFINE_CLEANUP(struct replay *, replay_free);

/*
 * Answers on @take_socket to the end. Each request must be the recorded one; with @any_order it may be any one that
 * was recorded, and a repeated one is answered as the last time. Another is named on stderr, with the recorded one.
 * Returns the exit status: that of the recorded server, 1 for another request. Does not return where the recorded
 * server was ended by a signal.
 */
int replay_run(struct replay *replay, bool any_order, int take_socket);

#endif
