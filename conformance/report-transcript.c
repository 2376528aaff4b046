/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcripts for people: each event one line, what is long cut, what is hostile made safe.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "conformance/report-transcript.h"
#include "conformance/report.h"
#include "protocol/message.h"

/* Bytes that are shown of one packet, and events of one transcript. */
#define PACKET_SHOWN 200
#define EVENTS_AT_FIRST 4
#define EVENTS_AT_LAST 16

const char *transcript_member(struct json_object *event, const char *name)
{
        struct json_object *member;

        return json_object_object_get_ex(event, name, &member) ? json_object_get_string(member) : NULL;
}

/* A member as safe text in @ret, or "" where there is none. */
static const char *safe_member(struct json_object *event, const char *name, char *ret, size_t size)
{
        const char *text = transcript_member(event, name);

        text_make_safe(ret, size, text ? text : "", text ? strlen(text) : 0);
        return ret;
}

static void print_packet(struct json_object *event, FILE *out)
{
        const char *text = transcript_member(event, "text");
        char safe[PACKET_SHOWN + 1], direction[8], fds[PACKET_SHOWN + 1];

        safe_member(event, text ? "text" : "base64", safe, sizeof(safe));
        safe_member(event, "dir", direction, sizeof(direction));
        safe_member(event, "fds", fds, sizeof(fds));
        fprintf(out, "%s %s%s%s%s", *direction ? direction : "?", text ? "" : "base64 ", safe, *fds ? " " : "",
                fds);
        if (text && strlen(text) >= sizeof(safe))
                fprintf(out, " (%zu bytes)", strlen(text));
        fputc('\n', out);
}

/* Where lines go, and what each has before it. */
struct printer {
        const char *indent;
        FILE *out;
};

static void print_event(void *data, struct json_object *event, const char *line, size_t len)
{
        const struct printer *printer = data;
        FILE *out = printer->out;
        char name[64], safe[400];

        (void)line;
        (void)len;
        if (!event)
                return;
        fprintf(out, "%s%10s ", printer->indent, safe_member(event, "t", name, sizeof(name)));
        safe_member(event, "event", name, sizeof(name));
        if (strcmp(name, "packet") == 0) {
                print_packet(event, out);
                return;
        }
        if (strcmp(name, "note") == 0) {
                fprintf(out, "# %s\n", safe_member(event, "text", safe, sizeof(safe)));
                return;
        }
        fprintf(out, "# %s", *name ? name : "?");
        json_object_object_foreach (event, key, value) {
                (void)value;
                if (strcmp(key, "t") == 0 || strcmp(key, "event") == 0)
                        continue;
                text_make_safe(name, sizeof(name), key, strlen(key));
                fprintf(out, " %s %s", name, safe_member(event, key, safe, sizeof(safe)));
        }
        fputc('\n', out);
}

static void print_left_out(void *data, size_t n)
{
        const struct printer *printer = data;

        fprintf(printer->out, "%s%10s (%zu events more)\n", printer->indent, "", n);
}

void transcript_print(const char *transcript, const char *indent, FILE *out)
{
        struct printer printer = {.indent = indent, .out = out};

        transcript_walk(transcript, &(struct transcript_walk){
                                            .first = EVENTS_AT_FIRST,
                                            .last = EVENTS_AT_LAST,
                                            .event = print_event,
                                            .left_out = print_left_out,
                                            .data = &printer,
                                    });
}

static void visit(const struct transcript_walk *walk, const char *line, size_t len)
{
        CLEANUP(cleanup_json) struct json_object *event = NULL;

        if (json_parse(line, len, 8, &event, NULL) < 0 || !json_object_is_type(event, json_type_object))
                walk->event(walk->data, NULL, line, len);
        else
                walk->event(walk->data, event, line, len);
}

void transcript_walk(const char *transcript, const struct transcript_walk *walk)
{
        size_t n = 0, i = 0;

        for (const char *p = transcript; *p; p++)
                n += *p == '\n';
        for (const char *line = transcript; *line; i++) {
                size_t len = strcspn(line, "\n");

                if (i < walk->first || i + walk->last >= n)
                        visit(walk, line, len);
                else if (i == walk->first)
                        walk->left_out(walk->data, n - walk->first - walk->last);
                line += len + (line[len] == '\n');
        }
}
