/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing transcripts: each event is made a line in memory and goes out in one write.
 */
#include "protocol/transcript.h"

#include <errno.h>
#include <json-c/json.h>
#include <openssl/evp.h>
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
#include "base/text.h"
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
        json_object_object_add(object, "t", json_object_new_double_s(strtod(seconds, NULL), seconds));
        json_object_object_add(object, "event", json_object_new_string(event));
        return object;
}

static void write_event(struct transcript *transcript, struct json_object *take_object)
{
        size_t len = 0;
        const char *text = json_object_to_json_string_length(
                take_object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
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

static bool is_plain_text(const char *data, size_t len)
{
        return !memchr(data, '\0', len) && text_is_utf8(data, len);
}

static struct json_object *new_base64(const char *data, size_t len)
{
        char *text = malloc(len / 3 * 4 + 5);
        struct json_object *object = NULL;

        if (text) {
                int n = EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data, (int)len);

                object = json_object_new_string_len(text, n);
        }
        free(text);
        return object;
}

void transcript_packet(struct transcript *transcript, const char *direction, const char *data, size_t len,
                       const int *fds, size_t n_fds)
{
        struct json_object *object, *kinds;

        if (!transcript)
                return;
        object = new_event(transcript, "packet");
        json_object_object_add(object, "dir", json_object_new_string(direction));
        if (is_plain_text(data, len))
                json_object_object_add(object, "text", json_object_new_string_len(data, (int)len));
        else
                json_object_object_add(object, "base64", new_base64(data, len));
        if (n_fds > 0) {
                kinds = json_object_new_array();
                for (size_t i = 0; i < n_fds; i++)
                        json_object_array_add(kinds, json_object_new_string(fd_kind(fds[i])));
                json_object_object_add(object, "fds", kinds);
        }
        write_event(transcript, object);
}

void transcript_pipe(struct transcript *transcript, const char *name, uint64_t bytes, const char *digest,
                     const char *end)
{
        struct json_object *object;

        if (!transcript)
                return;
        object = new_event(transcript, "pipe");
        json_object_object_add(object, "name", json_object_new_string(name));
        json_object_object_add(object, "bytes", json_object_new_uint64(bytes));
        if (digest)
                json_object_object_add(object, "digest", json_object_new_string(digest));
        json_object_object_add(object, "end", json_object_new_string(end));
        write_event(transcript, object);
}

void transcript_exit(struct transcript *transcript, int status)
{
        struct json_object *object;

        if (!transcript)
                return;
        object = new_event(transcript, "exit");
        if (status != -1 && WIFEXITED(status))
                json_object_object_add(object, "status", json_object_new_int(WEXITSTATUS(status)));
        else if (status != -1 && WIFSIGNALED(status))
                json_object_object_add(object, "signal", json_object_new_int(WTERMSIG(status)));
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
        if (text && is_plain_text(text, strlen(text)))
                json_object_object_add(object, "text", json_object_new_string(text));
        else if (text)
                json_object_object_add(object, "base64", new_base64(text, strlen(text)));
        free(text);
        write_event(transcript, object);
}
