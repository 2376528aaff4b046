/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcripts for people: each event one line, what is long cut, what is hostile made safe.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/report.h"
#include "protocol/message.h"

/* Bytes that are shown of one packet, and events of one transcript. */
#define PACKET_SHOWN 200
#define EVENTS_AT_FIRST 4
#define EVENTS_AT_LAST 16

static const char *text_of(struct json_object *event, const char *name)
{
        struct json_object *member;

        return json_object_object_get_ex(event, name, &member) ? json_object_get_string(member) : NULL;
}

static void print_packet(struct json_object *event, FILE *out)
{
        const char *text = text_of(event, "text"), *base64 = text_of(event, "base64");
        const char *direction = text_of(event, "dir"), *fds = text_of(event, "fds");
        char safe[PACKET_SHOWN + 1];

        text_make_safe(safe, sizeof(safe),
                       text     ? text
                       : base64 ? base64
                                : "",
                       strlen(text     ? text
                              : base64 ? base64
                                       : ""));
        fprintf(out, "%s %s%s%s%s", direction ? direction : "?", text ? "" : "base64 ", safe, fds ? " " : "",
                fds ? fds : "");
        if (text && strlen(text) >= sizeof(safe))
                fprintf(out, " (%zu bytes)", strlen(text));
        fputc('\n', out);
}

static void print_event(const char *line, size_t len, const char *indent, FILE *out)
{
        CLEANUP(cleanup_json) struct json_object *event = NULL;
        const char *name, *text, *time;
        char safe[400];

        if (json_parse(line, len, 8, &event, NULL) < 0)
                return;
        name = text_of(event, "event");
        time = text_of(event, "t");
        fprintf(out, "%s%10s ", indent, time ? time : "");
        if (name && strcmp(name, "packet") == 0) {
                print_packet(event, out);
                return;
        }
        if (name && strcmp(name, "note") == 0) {
                text = text_of(event, "text");
                text_make_safe(safe, sizeof(safe), text ? text : "", strlen(text ? text : ""));
                fprintf(out, "# %s\n", safe);
                return;
        }
        fprintf(out, "# %s", name ? name : "?");
        json_object_object_foreach (event, key, value) {
                if (strcmp(key, "t") == 0 || strcmp(key, "event") == 0)
                        continue;
                text = value ? json_object_get_string(value) : "null";
                text_make_safe(safe, sizeof(safe), text, strlen(text));
                fprintf(out, " %s %s", key, safe);
        }
        fputc('\n', out);
}

void transcript_print(const char *transcript, const char *indent, FILE *out)
{
        size_t n = 0, i = 0;

        for (const char *p = transcript; *p; p++)
                n += *p == '\n';
        for (const char *line = transcript; *line; i++) {
                size_t len = strcspn(line, "\n");

                if (i < EVENTS_AT_FIRST || i + EVENTS_AT_LAST >= n)
                        print_event(line, len, indent, out);
                else if (i == EVENTS_AT_FIRST)
                        fprintf(out, "%s%10s (%zu events more)\n", indent, "",
                                n - EVENTS_AT_FIRST - EVENTS_AT_LAST);
                line += len + (line[len] == '\n');
        }
}
