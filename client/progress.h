/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of a pull's progress on a terminal: what is done, what is left, how fast it goes, how long it will
 * take, and which layer keeps the rest waiting. Where stderr is no terminal, or NO_COLOR is set, nothing.
 */
#ifndef CLIENT_PROGRESS_H
#define CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How often the line is drawn at most, in milliseconds. */
#define PROGRESS_INTERVAL_MS 200

/* How things stand. Sizes in bytes, of what this pull has to fetch. */
struct standing {
        size_t layers_done, layers;
        uint64_t bytes_done, bytes;
        const char *slowest; /* digest of the layer that has most before it, or NULL */
        uint64_t slowest_left;
};

struct progress {
        bool shown;  /* there is a line on the terminal now */
        bool lively; /* a line may be shown at all */
        uint64_t started_ns, drawn_ns;
        uint64_t rate_ns, rate_bytes; /* where the measuring of the rate began */
        double rate;                  /* bytes a second, smoothed; 0: not known yet */
};

/* @lively: whether a line may be drawn at all; false draws none. */
void progress_begin(struct progress *progress, bool lively);

/* Draws the line, unless that was done just now. */
void progress_draw(struct progress *progress, const struct standing *standing);

/* Puts @text in its place, in one line; cut to the terminal's width. */
void progress_say(struct progress *progress, const char *text);

/* Wipes the line. May be called any number of times. */
void progress_end(struct progress *progress);

/* The text of the line, without anything for the terminal. @ret of @size bytes. Returns @ret. */
const char *progress_text(const struct standing *standing, double rate, char *ret, size_t size);

#endif
