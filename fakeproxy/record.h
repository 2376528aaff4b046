/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording a session that goes through the interposer: packets, and what goes through the pipes, as a transcript
 * from which replay.c can answer again. docs/recording.md
 */
#ifndef FAKEPROXY_RECORD_H
#define FAKEPROXY_RECORD_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "protocol/packet.h"

/* Values that are sent through a pipe are kept in the transcript up to this many bytes. Blobs are not. */
#define RECORD_VALUE_MAX ((size_t)4 * 1024 * 1024)

/* The folder beside a transcript that has the blobs' data: its name with this behind it. */
#define RECORD_DATA_SUFFIX ".data"

struct record;

/*
 * Begins a recording in the file @path, which is made anew; @with_data: with the data of blobs, in a folder beside
 * it. @socket is the kind of the client's socket. Returns 0, or a negative errno with @error, which names the file.
 */
int record_new(const char *path, bool with_data, const char *socket, struct record **ret,
               struct cip_error *error);

/* Closes all that is open. Takes NULL, as every function here. */
void record_free(struct record *record);
DEFINE_CLEANUP(struct record *, record_free);

/* A packet from the client. */
void record_request(struct record *record, const struct packet *packet);

/*
 * A packet from the server. Each pipe's read end in it is kept and changed for that of a pipe which the recording
 * fills with the same bytes.
 */
void record_reply(struct record *record, struct packet *packet);

/* An empty packet, or the end of input, from ">" the client or "<" the server. */
void record_empty(struct record *record, const char *direction);
void record_end(struct record *record, const char *direction);

/* How many pipes are not at their end. */
size_t record_n_pipes(const struct record *record);

/* Fills in what to wait for, two for each pipe that is not at its end. */
void record_polls(const struct record *record, struct pollfd *ret);

/* Moves what can be moved without waiting. */
void record_pump(struct record *record);

/*
 * Whether the answer to FinishPipe that was just recorded is to wait. A client that has it knows that what it did not
 * read yet fits its pipe, and is there whatever becomes of the server: so it is in the recorded session too.
 */
bool record_holds_answer(const struct record *record);

/*
 * Whether nothing more can be moved now. When the server has ended, what the client's pipe does not take then is what
 * the server could not have written either, with that pipe in its hands.
 */
bool record_is_settled(const struct record *record);

/* The end: with the server's wait status. Returns 0, or the first negative errno, with @error. */
int record_finish(struct record *record, int status, struct cip_error *error);

#endif
