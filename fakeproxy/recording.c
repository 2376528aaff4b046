/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a transcript that record.c wrote, whole and strictly: a recording that is cut off, or whose data are not
 * there, is refused before the first packet, not in the midst of a session. The file may be anybody's.
 */
#include "fakeproxy/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "fakeproxy/record.h"
#include "fakeproxy/replay.h"
#include "protocol/bytes.h"
#include "protocol/message.h"
#include "protocol/packet.h"
#include "protocol/transcript.h"

/* Pipes that a recording may have. */
#define PIPES_MAX 1000000

struct reading {
        const char *path;
        size_t line;
        int folder; /* of the blobs' data; -1: not there */
        struct recording *recording;
        size_t n_answered; /* exchanges that have an answer, or get none */
        bool over;         /* the server's end was read */
        struct cip_error *error;
};

/* ---- freeing ---- */

static void packet_forget(struct recorded_packet *packet)
{
        free(packet->data);
        free(packet->fds);
}

void recording_clear(struct recording *recording)
{
        for (size_t i = 0; i < recording->n_exchanges; i++) {
                struct recorded_exchange *exchange = &recording->exchanges[i];

                packet_forget(&exchange->asked);
                for (size_t j = 0; j < exchange->n_replies; j++)
                        packet_forget(&exchange->replies[j]);
                free(exchange->replies);
        }
        free(recording->exchanges);
        for (size_t i = 0; i < recording->n_pipes; i++) {
                free(recording->pipes[i].data);
                if (recording->pipes[i].number)
                        fd_close(recording->pipes[i].file);
        }
        free(recording->pipes);
        *recording = (struct recording){0};
}

/* ---- what is wrong ---- */

/* Says so, with the file and the line. */
#define wrong(reading, format, ...)                                                                     \
        error_set((reading)->error, CIP_ERROR_LOCAL, -EINVAL, "%s, line %zu: " format, (reading)->path, \
                  (reading)->line __VA_OPT__(, ) __VA_ARGS__)

static int no_memory(struct reading *reading)
{
        return error_set_errno(reading->error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read %s", reading->path);
}

/* ---- members of an event ---- */

/* A member's text; NULL: it is not there, or no string. */
static const char *text_of(struct json_object *event, const char *key, size_t *ret_len)
{
        struct json_object *member = json_object_object_get(event, key);

        if (!json_object_is_type(member, json_type_string))
                return NULL;
        if (ret_len)
                *ret_len = (size_t)json_object_get_string_len(member);
        return json_object_get_string(member);
}

/*
 * Bytes that stand in the event as text or in base64. Returns 1, 0 where they do not, or a negative errno. The caller
 * frees.
 */
static int bytes_of(struct reading *reading, struct json_object *event, const char *text_key,
                    const char *base64_key, char **ret, size_t *ret_len)
{
        int r = bytes_from_json(event, text_key, base64_key, ret, ret_len);

        if (r == -ENOMEM)
                return no_memory(reading);
        return r < 0 ? wrong(reading, "%s is not base64", base64_key) : r;
}

/* ---- packets ---- */

/* The exchange that begins with this. NULL: no memory. */
static struct recorded_exchange *add_exchange(struct recording *recording, enum recorded_kind kind)
{
        struct recorded_exchange *grown =
                reallocarray(recording->exchanges, recording->n_exchanges + 1, sizeof(*grown));

        if (!grown)
                return NULL;
        recording->exchanges = grown;
        grown[recording->n_exchanges] = (struct recorded_exchange){.kind = kind};
        return &grown[recording->n_exchanges++];
}

/* Answers come in the order of the requests; one that is nobody's is said along with what was before. */
static struct recorded_packet *add_reply(struct reading *reading)
{
        struct recording *recording = reading->recording;
        struct recorded_exchange *exchange = NULL;
        struct recorded_packet *grown;

        while (!exchange && reading->n_answered < recording->n_exchanges) {
                exchange = &recording->exchanges[reading->n_answered++];
                if (exchange->kind != RECORDED_REQUEST)
                        exchange = NULL;
        }
        if (!exchange)
                exchange = &recording->exchanges[recording->n_exchanges - 1];
        grown = reallocarray(exchange->replies, exchange->n_replies + 1, sizeof(*grown));
        if (!grown)
                return NULL;
        exchange->replies = grown;
        grown[exchange->n_replies] = (struct recorded_packet){0};
        return &grown[exchange->n_replies++];
}

static int read_fds(struct reading *reading, struct json_object *event, struct recorded_packet *packet)
{
        struct json_object *kinds = json_object_object_get(event, "fds");
        struct json_object *numbers = json_object_object_get(event, "pipes");
        size_t n;

        if (!kinds)
                return 0;
        if (!json_object_is_type(kinds, json_type_array) || json_object_array_length(kinds) > PACKET_FDS_MAX ||
            (numbers && !json_object_is_type(numbers, json_type_array)))
                return wrong(reading, "fds and pipes are not arrays of at most %d members", PACKET_FDS_MAX);
        n = json_object_array_length(kinds);
        packet->fds = calloc(n + 1, sizeof(*packet->fds));
        if (!packet->fds)
                return no_memory(reading);
        for (packet->n_fds = 0; packet->n_fds < n; packet->n_fds++) {
                struct recorded_fd *fd = &packet->fds[packet->n_fds];
                const char *kind = json_object_get_string(json_object_array_get_idx(kinds, packet->n_fds));
                uint64_t number = 0;

                if (numbers &&
                    !json_get_uint(json_object_array_get_idx(numbers, packet->n_fds), PIPES_MAX, &number))
                        return wrong(reading, "pipes does not have a number for each of fds");
                strncpy(fd->kind, kind ? kind : "", sizeof(fd->kind) - 1);
                fd->number = (unsigned)number;
        }
        return 0;
}

/* The client's packet. Takes *@data where it keeps it. */
static int read_asked(struct reading *reading, char **data, size_t len)
{
        struct request request CLEANUP(cleanup_request) = {0};
        struct recorded_exchange *exchange;
        bool ends = len > 0 && request_parse(*data, len, &request, NULL) == 0 &&
                    !strcmp(request.method, "Shutdown");

        exchange = add_exchange(reading->recording, len == 0 ? RECORDED_END
                                                    : ends   ? RECORDED_SHUTDOWN
                                                             : RECORDED_REQUEST);
        if (!exchange)
                return no_memory(reading);
        exchange->asked.data = STEAL(*data);
        exchange->asked.len = len;
        return 0;
}

static int read_packet(struct reading *reading, struct json_object *event)
{
        char *data CLEANUP(cleanup_free) = NULL;
        const char *direction = text_of(event, "dir", NULL);
        struct recorded_packet *reply;
        size_t len = 0;
        int r = bytes_of(reading, event, "text", "base64", &data, &len);

        if (r < 0)
                return r;
        if (r == 0 || !direction || (strcmp(direction, ">") != 0 && strcmp(direction, "<") != 0))
                return wrong(reading, "a packet has neither text nor base64, or no dir of > or <");
        if (*direction == '>')
                return read_asked(reading, &data, len);
        reply = add_reply(reading);
        if (!reply)
                return no_memory(reading);
        reply->data = STEAL(data);
        reply->len = len;
        return read_fds(reading, event, reply);
}

static int read_end(struct reading *reading, struct json_object *event)
{
        const char *direction = text_of(event, "dir", NULL);
        struct recording *recording = reading->recording;
        enum recorded_kind last = recording->exchanges[recording->n_exchanges - 1].kind;

        /* The server's is told by its exit. Of a session that was ended in two ways the first one counts. */
        if (!direction || *direction != '>' || last == RECORDED_END || last == RECORDED_SHUTDOWN)
                return 0;
        return add_exchange(recording, RECORDED_END) ? 0 : no_memory(reading);
}

/* ---- pipes ---- */

/* The place of pipe @number. NULL: no memory. */
static struct recorded_pipe *place_of(struct recording *recording, size_t number)
{
        struct recorded_pipe *grown;

        if (number > recording->n_pipes) {
                grown = reallocarray(recording->pipes, number, sizeof(*grown));
                if (!grown)
                        return NULL;
                memset(grown + recording->n_pipes, 0, (number - recording->n_pipes) * sizeof(*grown));
                recording->pipes = grown;
                recording->n_pipes = number;
        }
        return &recording->pipes[number - 1];
}

/* Opens the file of a blob's data, which stands in the folder itself and has just their size. */
static int open_file(struct reading *reading, const char *name, uint64_t bytes, int *ret)
{
        int fd CLEANUP_FD = -1;
        struct stat st;

        if (!*name || *name == '.' || strchr(name, '/'))
                return wrong(reading, "\"%s\" is no name of a file in %s" RECORD_DATA_SUFFIX, name,
                             reading->path);
        if (reading->folder >= 0)
                fd = openat(reading->folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &st) < 0)
                return wrong(reading, "the data in %s" RECORD_DATA_SUFFIX "/%s cannot be opened: %s",
                             reading->path, name,
                             reading->folder < 0 ? "the folder is not there" : strerrordesc_np(errno));
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != bytes)
                return wrong(reading,
                             "%s" RECORD_DATA_SUFFIX "/%s is not a file of the %llu bytes that were recorded",
                             reading->path, name, (unsigned long long)bytes);
        *ret = steal_fd(&fd);
        return 0;
}

/* The data, wherever they are. */
static int read_data(struct reading *reading, struct json_object *event, struct recorded_pipe *pipe)
{
        const char *file = text_of(event, "file", NULL), *name = text_of(event, "name", NULL);
        const char *digest = text_of(event, "digest", NULL);
        size_t len = 0;
        int r;

        if (file)
                return open_file(reading, file, pipe->bytes, &pipe->file);
        r = bytes_of(reading, event, "data", "data_base64", &pipe->data, &len);
        if (r < 0)
                return r;
        if (r == 0 && pipe->bytes == 0)
                return 0;
        if (r == 0)
                return wrong(reading,
                             "the %llu bytes of %s (%s) were not recorded: record the session again, with "
                             "--record-data",
                             (unsigned long long)pipe->bytes, name ? name : "a pipe", digest ? digest : "?");
        if (len != pipe->bytes)
                return wrong(reading, "the data of a pipe are %zu bytes, not the %llu that it says", len,
                             (unsigned long long)pipe->bytes);
        return 0;
}

static int read_pipe(struct reading *reading, struct json_object *event)
{
        struct recorded_pipe *pipe;
        const char *end = text_of(event, "end", NULL);
        uint64_t number, bytes;

        if (!json_get_uint(json_object_object_get(event, "pipe"), PIPES_MAX, &number) || number == 0 ||
            !json_get_uint(json_object_object_get(event, "bytes"), JSON_INTEGER_MAX, &bytes) || !end)
                return wrong(reading,
                             "a pipe has no number, no bytes or no end: it was not written by --record");
        pipe = place_of(reading->recording, (size_t)number);
        if (!pipe)
                return no_memory(reading);
        if (pipe->number)
                return wrong(reading, "pipe %u ends a second time", pipe->number);
        pipe->number = (unsigned)number;
        pipe->file = -1;
        pipe->bytes = bytes;
        pipe->finished = json_object_get_boolean(json_object_object_get(event, "finished"));
        pipe->ended = !strcmp(end, "eof");
        return read_data(reading, event, pipe);
}

/* ---- lines ---- */

static int read_exit(struct reading *reading, struct json_object *event)
{
        uint64_t number;

        if (json_get_uint(json_object_object_get(event, "status"), 255, &number))
                reading->recording->status = (int)number;
        if (json_get_uint(json_object_object_get(event, "signal"), 64, &number))
                reading->recording->signal = (int)number;
        reading->over = true;
        return 0;
}

static int read_session(struct reading *reading, struct json_object *event)
{
        uint64_t version;

        if (!json_get_uint(json_object_object_get(event, "version"), UINT32_MAX, &version))
                return wrong(reading, "the session has no version");
        if (version != TRANSCRIPT_VERSION)
                return wrong(reading, "this is version %llu of the form, and only version %d is known",
                             (unsigned long long)version, TRANSCRIPT_VERSION);
        return 0;
}

static const struct {
        const char *name;
        int (*read)(struct reading *reading, struct json_object *event);
} events[] = {
        {"packet", read_packet},
        {"end", read_end},
        {"pipe", read_pipe},
        {"exit", read_exit},
};

/* Events that are not known, notes among them, are nobody's concern here. */
static int read_line(struct reading *reading, const char *line, size_t len, bool is_whole)
{
        struct json_object *event CLEANUP(cleanup_json) = NULL;
        struct cip_error why = {0};
        const char *name;
        int r = json_parse(line, len, 8, &event, &why);

        if (r == -ENOMEM)
                return no_memory(reading);
        if (r < 0 && !is_whole)
                return wrong(reading, "the recording is cut off in the middle of this line");
        if (r < 0)
                return wrong(reading, "this is no transcript: %s", why.message);
        name = json_object_is_type(event, json_type_object) ? text_of(event, "event", NULL) : NULL;
        if (!name)
                return wrong(reading, "this is no transcript: an object with an event is expected");
        if (reading->line == 1 && strcmp(name, "session") != 0)
                return wrong(reading,
                             "this was not written by --record: the first event is \"%s\", not \"session\"",
                             name);
        if (reading->line == 1)
                return read_session(reading, event);
        if (reading->over)
                return wrong(reading, "something stands behind the session's end");
        for (size_t i = 0; i < ARRAY_SIZE(events); i++)
                if (!strcmp(name, events[i].name))
                        return events[i].read(reading, event);
        return 0;
}

/* Every pipe that a reply has must have told what went through it. */
static int judge_pipes(struct reading *reading)
{
        const struct recording *recording = reading->recording;

        for (size_t i = 0; i < recording->n_exchanges; i++)
                for (size_t j = 0; j < recording->exchanges[i].n_replies; j++)
                        for (size_t k = 0; k < recording->exchanges[i].replies[j].n_fds; k++) {
                                unsigned number = recording->exchanges[i].replies[j].fds[k].number;

                                if (number &&
                                    (number > recording->n_pipes || !recording->pipes[number - 1].number))
                                        return error_set(
                                                reading->error, CIP_ERROR_LOCAL, -EINVAL,
                                                "%s: the recording does not tell what went through pipe %u",
                                                reading->path, number);
                        }
        return 0;
}

static int read_lines(struct reading *reading, const char *text, size_t len)
{
        const char *end = text + len;

        if (len == 0)
                return error_set(reading->error, CIP_ERROR_LOCAL, -EINVAL, "%s is empty, and no recording",
                                 reading->path);
        while (text < end) {
                const char *newline = memchr(text, '\n', (size_t)(end - text));
                size_t line_len = (size_t)((newline ? newline : end) - text);
                int r;

                reading->line++;
                r = read_line(reading, text, line_len, newline);
                if (r < 0)
                        return r;
                text += line_len + 1;
        }
        if (!reading->over)
                return wrong(reading, "the recording is cut off behind this line: it does not tell how the "
                                      "session ended");
        return judge_pipes(reading);
}

int recording_read(const char *path, struct recording *ret, struct cip_error *error)
{
        char *text CLEANUP(cleanup_free) = NULL, *folder CLEANUP(cleanup_free) = NULL;
        struct reading reading = {.path = path, .folder = -1, .recording = ret, .error = error};
        size_t len;
        int r;

        *ret = (struct recording){0};
        r = read_file_at(AT_FDCWD, path, REPLAY_TRANSCRIPT_MAX, &text, &len, error);
        if (r < 0)
                return r;
        if (!add_exchange(ret, RECORDED_START) || asprintf(&folder, "%s" RECORD_DATA_SUFFIX, path) < 0) {
                folder = NULL;
                return no_memory(&reading);
        }
        reading.folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = read_lines(&reading, text, len);
        fd_close(reading.folder);
        return r;
}
