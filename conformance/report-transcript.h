/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking over a transcript in JSON Lines: what every form that shows one has in common.
 */
#ifndef CONFORMANCE_REPORT_TRANSCRIPT_H
#define CONFORMANCE_REPORT_TRANSCRIPT_H

#include <json-c/json.h>
#include <stddef.h>

/* What is shown of a transcript, and how. A long one is cut in its middle. */
struct transcript_walk {
        size_t first, last; /* so many events of the beginning and of the end are shown */

        /* One line; @event is NULL where it is no JSON object (the end of a transcript that was cut). */
        void (*event)(void *data, struct json_object *event, const char *line, size_t len);
        void (*left_out)(void *data, size_t n);
        void *data;
};

void transcript_walk(const char *transcript, const struct transcript_walk *walk);

/* A member of an event as text (JSON where it is no string), or NULL. Borrowed from @event. */
const char *transcript_member(struct json_object *event, const char *name);

#endif
