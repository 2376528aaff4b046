/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The differ's oracle. The key of a difference is the method and the member, so that one cause is one finding.
 */
#include "fuzz/compare.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "protocol/message.h"
#include "protocol/method.h"
#include "protocol/version.h"

const struct allowance allowances[] = {
        {"the numbers of pipeids",
         "they are descriptors of the server, and what else it has open is its own affair"},
        {"digits in the answer to a request that has a pipeid", "the answer may repeat it"},
        {"the answers to FinishPipe, once the same number was a pipe's with one of them and none, or "
         "another's, with the other",
         "a number comes again when its pipe is finished, and may be guessed"},
        {"FinishPipe of a pipe that was closed before all of it was read: success, a broken pipe, or what else "
         "is wrong",
         "it depends on whether the writer was done before"},
        {"the error pipe of a raw blob whose data pipe was closed before all of it was read",
         "it depends on whether the writer was done before"},
        {"how much came of a pipe that was not finished, or of a raw blob's that had not ended before the "
         "session did",
         "the server may end before it has written more; what came of both is compared"},
        {"before 0.2.4, at most as many descriptors left open as there were calls of GetBlob",
         "1.9.3 leaves the blob's file to the garbage collector, which comes when it likes"},
};
const size_t n_allowances = ARRAY_SIZE(allowances);

static const struct oracle differ = {"diff", "A client that works with the one may not with the other.", NULL};

static bool differs(struct fault *ret, size_t step, const char *method, const char *member, const char *format,
                    ...) __attribute__((format(printf, 5, 6)));

static bool differs(struct fault *ret, size_t step, const char *method, const char *member, const char *format,
                    ...)
{
        char text[FAULT_SENTENCE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        ret->oracle = &differ;
        ret->step = step;
        snprintf(ret->key, sizeof(ret->key), "diff %s %s", method, member);
        text_make_safe(ret->sentence, sizeof(ret->sentence), text, strlen(text));
        return true;
}

/* The word for what a packet answers. */
static const char *word_of(const struct sequence *sequence, const struct seen_packet *packet,
                           char ret[STEP_WORD_SIZE])
{
        if (!packet->method)
                return step_word(sequence, packet->step, ret);
        snprintf(ret, STEP_WORD_SIZE, "%s", packet->method->name);
        return ret;
}

/* The packet that answers FinishPipe of a pipe which was closed early. */
static bool finishes_dropped(const struct run *run, const struct seen_packet *packet)
{
        return packet->finishes && packet->finishes <= run->n_pipes && run->pipes[packet->finishes - 1].dropped;
}

/* The same text, where @lax but for its digits. */
static bool same_error(const char *x, const char *y, bool lax)
{
        if (!lax)
                return strcmp(x, y) == 0;
        for (;; x++, y++) {
                x += strspn(x, "0123456789");
                y += strspn(y, "0123456789");
                if (*x != *y)
                        return false;
                if (!*x)
                        return true;
        }
}

/* Whether what a packet answers has a pipeid in it, which may then stand in the answer. */
static bool names_pipe(const struct sequence *sequence, const struct seen_packet *packet)
{
        const struct step *step = packet->step < sequence->n_steps ? &sequence->steps[packet->step] : NULL;

        return step ? memmem(step->text, step->len, "${pipe", strlen("${pipe")) != NULL
                    : packet->method && packet->method->id == METHOD_FINISH_PIPE;
}

static bool members_differ(const struct sequence *sequence, const struct run *a, const struct run *b, size_t i,
                           const struct reply *x, const struct reply *y, struct fault *ret)
{
        const struct seen_packet *packet = &a->packets[i];
        char word[STEP_WORD_SIZE];
        const char *method = word_of(sequence, packet, word);

        if (finishes_dropped(a, packet) && finishes_dropped(b, &b->packets[i]))
                return false;
        if (x->success != y->success)
                return differs(ret, packet->step, method, "success",
                               "%s succeeds with the one and not with the other: %s", method,
                               x->success ? y->error : x->error);
        if (json_object_equal(x->value, y->value) != 1)
                return differs(ret, packet->step, method, "value", "%s has the value %s, and %s", method,
                               json_object_to_json_string(x->value), json_object_to_json_string(y->value));
        if ((x->pipeid == 0) != (y->pipeid == 0))
                return differs(ret, packet->step, method, "pipeid",
                               "%s has the pipeid %" PRIu32 ", and %" PRIu32, method, x->pipeid, y->pipeid);
        if (x->has_error_code != y->has_error_code || x->error_code != y->error_code)
                return differs(ret, packet->step, method, "error_code",
                               "%s fails with the code '%s', and '%s': %s", method,
                               error_code_name(x->error_code), error_code_name(y->error_code), x->error);
        if (!same_error(x->error, y->error, names_pipe(sequence, packet)))
                return differs(ret, packet->step, method, "error", "%s fails with '%.200s', and '%.200s'",
                               method, x->error, y->error);
        return false;
}

static bool packets_differ(const struct sequence *sequence, const struct run *a, const struct run *b, size_t i,
                           struct fault *ret)
{
        const struct seen_packet *p = &a->packets[i], *q = &b->packets[i];
        CLEANUP(cleanup_reply) struct reply x = {0};
        CLEANUP(cleanup_reply) struct reply y = {0};
        char word[STEP_WORD_SIZE];
        const char *method = word_of(sequence, p, word);
        bool good = reply_parse(p->data, p->len, &x, NULL) == 0;

        if (good != (reply_parse(q->data, q->len, &y, NULL) == 0))
                return differs(ret, p->step, method, "form",
                               "%s has a reply that can be read, and one that cannot", method);
        if (p->n_fds != q->n_fds || strcmp(p->kinds, q->kinds) != 0)
                return differs(ret, p->step, method, "descriptors",
                               "%s comes with the descriptors '%s', and '%s'", method, p->kinds, q->kinds);
        if (!good)
                return p->len != q->len || memcmp(p->data, q->data, p->len) != 0
                               ? differs(ret, p->step, method, "bytes",
                                         "%s has two replies that cannot be read, and differ", method)
                               : false;
        return members_differ(sequence, a, b, i, &x, &y, ret);
}

/* Whether all of a pipe came that would ever come: otherwise it is a matter of time how much did. */
static bool is_whole(const struct run *run, size_t i)
{
        const struct seen_pipe *pipe = &run->pipes[i];

        if (pipe->errors && i > 0 && run->pipes[i - 1].dropped)
                return false;
        return pipe->ended && (pipe->pipeid ? pipe->finished : !pipe->ended_last);
}

static bool pipes_differ(const struct sequence *sequence, const struct run *a, const struct run *b, size_t i,
                         struct fault *ret)
{
        const struct seen_pipe *p = &a->pipes[i], *q = &b->pipes[i];
        char word[STEP_WORD_SIZE];
        const char *method = step_word(sequence, p->step, word);
        size_t both = p->head_len < q->head_len ? p->head_len : q->head_len;

        if (is_whole(a, i) && is_whole(b, i)) {
                if (p->bytes == q->bytes && strcmp(p->digest, q->digest) == 0)
                        return false;
                return differs(ret, p->step, method, "data",
                               "%s brings %" PRIu64 " bytes, %s, and %" PRIu64 " bytes, %s", method, p->bytes,
                               p->digest, q->bytes, q->digest);
        }
        if (p->errors || both == 0 || memcmp(p->head, q->head, both) == 0)
                return false;
        return differs(ret, p->step, method, "data", "%s brings other bytes, among the first %zu", method,
                       both);
}

static size_t count_blobs(const struct sequence *sequence, const struct run *run)
{
        char word[STEP_WORD_SIZE];
        size_t n = 0;

        for (size_t i = 0; i < run->n_pipes; i++)
                n += strcmp(step_word(sequence, run->pipes[i].step, word), "GetBlob") == 0;
        return n;
}

/* Whether a run leaves descriptors open that no garbage collector will find. */
static bool leaks(const struct sequence *sequence, const struct run *run)
{
        bool collects = version_compare(run->version, VERSION(0, 2, 4)) < 0;

        return run->fds_last > run->fds_first + (collects ? count_blobs(sequence, run) : 0);
}

/* Which way a run stopped: for those who compare, a server that died is one whatever its last words. */
static bool ends_differ(const struct sequence *sequence, const struct run *a, const struct run *b,
                        struct fault *ret)
{
        char word[STEP_WORD_SIZE], x[96], y[96];
        const char *method = step_word(sequence, a->end_step, word);

        if (a->end != b->end || a->killed != b->killed)
                return differs(ret, a->end_step, method, "end", "the one %s at %s, and the other %s",
                               a->end == RUN_DONE ? "goes on" : "stops", method,
                               b->end == RUN_DONE ? "goes on" : "stops");
        if (!a->killed && a->status != b->status)
                return differs(ret, a->end_step, method, "status", "the one %s, and the other %s",
                               child_status_text(a->status, x, sizeof(x)),
                               child_status_text(b->status, y, sizeof(y)));
        if ((a->leftovers != NULL) != (b->leftovers != NULL))
                return differs(ret, a->end_step, method, "files", "only one of them leaves files: %s",
                               a->leftovers ? a->leftovers : b->leftovers);
        if (leaks(sequence, a) != leaks(sequence, b))
                return differs(ret, a->end_step, "session", "leak", "only one of them leaves descriptors open");
        return false;
}

/* The packets of the two, one by one. *@ret_confused: they have finished different pipes, by chance. */
static bool any_packet_differs(const struct sequence *sequence, const struct run *a, const struct run *b,
                               size_t n, bool *ret_confused, struct fault *ret)
{
        *ret_confused = false;
        for (size_t i = 0; i < n; i++) {
                const struct seen_packet *p = &a->packets[i], *q = &b->packets[i];

                *ret_confused |= p->finishes != q->finishes;
                /* The epilogue finishes what is left, which is not the same any more. */
                if (*ret_confused && p->step >= sequence->n_steps)
                        return false;
                if (*ret_confused && p->method && p->method->id == METHOD_FINISH_PIPE)
                        continue;
                if (packets_differ(sequence, a, b, i, ret))
                        return true;
        }
        return false;
}

bool runs_differ(const struct sequence *sequence, const struct run *a, const struct run *b, struct fault *ret)
{
        size_t n = a->n_packets < b->n_packets ? a->n_packets : b->n_packets;
        char word[STEP_WORD_SIZE];
        bool confused;

        if (any_packet_differs(sequence, a, b, n, &confused, ret) || ends_differ(sequence, a, b, ret))
                return true;
        if (a->n_packets != b->n_packets && !confused) {
                const struct run *more = a->n_packets > b->n_packets ? a : b;

                return differs(ret, more->packets[n].step, word_of(sequence, &more->packets[n], word),
                               "packets", "%s has a reply with only one of them", word);
        }
        for (size_t i = 0; i < a->n_pipes && i < b->n_pipes; i++)
                if (pipes_differ(sequence, a, b, i, ret))
                        return true;
        return false;
}
