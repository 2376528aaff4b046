/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing transcripts: each event is made a line in memory and goes out in one write.
 */
#include "protocol/transcript.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/deadline.h"
#include "base/fd.h"
#include "base/io.h"
#include "protocol/bytes.h"
#include "protocol/message.h"

struct transcript {
        int fd;
        uint64_t start_ns;
        int status;
};

int transcript_new(int take_fd, struct transcript **ret)
{
        struct transcript *transcript = malloc(sizeof(*transcript));

        if (!transcript) {
                fd_close(take_fd);
                return -ENOMEM;
        }
        *transcript = (struct transcript){.fd = take_fd, .start_ns = monotonic_ns()};
        *ret = transcript;
        return 0;
}

void transcript_free(struct transcript *transcript)
{
        if (!transcript)
                return;
        fd_close(transcript->fd);
        free(transcript);
}

int transcript_status(const struct transcript *transcript)
{
        return transcript ? transcript->status : 0;
}

/* An event with its time and name; NULL when memory has run out. */
static struct json_object *new_event(const struct transcript *transcript, const char *event)
{
        struct json_object *object = json_object_new_object();
        char seconds[32];

        snprintf(seconds, sizeof(seconds), "%.6f", (double)(monotonic_ns() - transcript->start_ns) / 1e9);
        json_add_member(object, "t", json_object_new_double_s(strtod(seconds, NULL), seconds));
        json_add_member(object, "event", json_object_new_string(event));
        return object;
}

static void write_event(struct transcript *transcript, struct json_object *take_object)
{
        size_t len = 0;
        const char *text =
                json_text(take_object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
        char *line = text ? malloc(len + 1) : NULL;
        int r = -ENOMEM;

        if (line) {
                memcpy(line, text, len);
                line[len] = '\n';
                r = write_all(transcript->fd, line, len + 1);
        }
        if (r < 0 && transcript->status == 0)
                transcript->status = r;
        free(line);
        json_object_put(take_object);
}

void transcript_packet_with_pipes(struct transcript *transcript, const char *direction, const char *data,
                                  size_t len, const int *fds, const unsigned *pipes, size_t n_fds)
{
        struct json_object *object, *kinds, *numbers;

        if (!transcript)
                return;
        object = new_event(transcript, "packet");
        json_add_member(object, "dir", json_object_new_string(direction));
        bytes_to_json(object, "text", "base64", data, len);
        if (n_fds > 0) {
                kinds = json_object_new_array();
                for (size_t i = 0; i < n_fds; i++)
                        json_add_item(kinds, json_object_new_string(fd_kind(fds[i])));
                json_add_member(object, "fds", kinds);
        }
        if (n_fds > 0 && pipes) {
                numbers = json_object_new_array();
                for (size_t i = 0; i < n_fds; i++)
                        json_add_item(numbers, json_object_new_int64(pipes[i]));
                json_add_member(object, "pipes", numbers);
        }
        write_event(transcript, object);
}

void transcript_packet(struct transcript *transcript, const char *direction, const char *data, size_t len,
                       const int *fds, size_t n_fds)
{
        transcript_packet_with_pipes(transcript, direction, data, len, fds, NULL, n_fds);
}

static struct json_object *new_pipe(const struct transcript *transcript, const char *name, uint64_t bytes,
                                    const char *digest, const char *end)
{
        struct json_object *object = new_event(transcript, "pipe");

        json_add_member(object, "name", json_object_new_string(name));
        json_add_member(object, "bytes", json_object_new_uint64(bytes));
        if (digest)
                json_add_member(object, "digest", json_object_new_string(digest));
        json_add_member(object, "end", json_object_new_string(end));
        return object;
}

void transcript_pipe(struct transcript *transcript, const char *name, uint64_t bytes, const char *digest,
                     const char *end)
{
        if (transcript)
                write_event(transcript, new_pipe(transcript, name, bytes, digest, end));
}

void transcript_pipe_content(struct transcript *transcript, const struct transcript_content *content)
{
        struct json_object *object;

        if (!transcript)
                return;
        object = new_pipe(transcript, content->name, content->bytes, content->digest, content->end);
        json_add_member(object, "pipe", json_object_new_int64(content->pipe));
        json_add_member(object, "finished", json_object_new_boolean(content->finished));
        if (content->data)
                bytes_to_json(object, "data", "data_base64", content->data, (size_t)content->bytes);
        if (content->file)
                json_add_member(object, "file", json_object_new_string(content->file));
        write_event(transcript, object);
}

void transcript_session(struct transcript *transcript, const char *tool, const char *socket)
{
        struct json_object *object;

        if (!transcript)
                return;
        object = new_event(transcript, "session");
        json_add_member(object, "version", json_object_new_int(TRANSCRIPT_VERSION));
        json_add_member(object, "tool", json_object_new_string(tool));
        json_add_member(object, "socket", json_object_new_string(socket));
        write_event(transcript, object);
}

void transcript_end(struct transcript *transcript, const char *direction)
{
        struct json_object *object;

        if (!transcript)
                return;
        object = new_event(transcript, "end");
        json_add_member(object, "dir", json_object_new_string(direction));
        write_event(transcript, object);
}

void transcript_exit(struct transcript *transcript, int status)
{
        struct json_object *object;

        if (!transcript)
                return;
        object = new_event(transcript, "exit");
        if (status != -1 && WIFEXITED(status))
                json_add_member(object, "status", json_object_new_int(WEXITSTATUS(status)));
        else if (status != -1 && WIFSIGNALED(status))
                json_add_member(object, "signal", json_object_new_int(WTERMSIG(status)));
        write_event(transcript, object);
}

void transcript_note(struct transcript *transcript, const char *format, ...)
{
        struct json_object *object;
        char *text = NULL;
        va_list args;

        if (!transcript)
                return;
        va_start(args, format);
        if (vasprintf(&text, format, args) < 0)
                text = NULL;
        va_end(args);
        object = new_event(transcript, "note");
        if (text)
                bytes_to_json(object, "text", "base64", text, strlen(text));
        else
                json_add_member(object, "text", NULL);
        free(text);
        write_event(transcript, object);
}
