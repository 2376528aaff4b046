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
#include "protocol/packet.h"

const struct allowance allowances[] = {
        {"the numbers of pipeids",
         "they are descriptors of the server, and what else it has open is its own affair"},
        {"FinishPipe of a pipe that was closed before all of it was read: success, or a broken pipe",
         "it depends on whether the writer was done before"},
        {"how much of an unfinished pipe came", "the server may end before it has written more"},
        {"digits in the answer to a request that has a pipeid", "the answer may repeat it"},
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

static const char *set_word(char ret[64], const char *word)
{
        snprintf(ret, 64, "%s", word);
        return ret;
}

/* The method that a step asks for, for keys. */
static const char *word_of(const struct sequence *sequence, size_t step, char ret[64])
{
        const struct step *sent = step < sequence->n_steps ? &sequence->steps[step] : NULL;
        CLEANUP(cleanup_request) struct request request = {0};
        const struct method *method;

        if (!sent || sent->kind != STEP_SEND)
                return set_word(ret, sent ? "step" : "epilogue");
        if (memmem(sent->text, sent->len, "${pipe", 6))
                return set_word(ret, "FinishPipe");
        if (request_parse(sent->text, sent->len < PACKET_REQUEST_MAX ? sent->len : PACKET_REQUEST_MAX, &request,
                          NULL) < 0)
                return set_word(ret, "nonsense");
        method = method_find(request.method);
        return set_word(ret, method ? method->name : "unknown");
}

/* A pipe of @run that a step closed before its end, which FinishPipe then finishes. */
static bool was_dropped(const struct run *run)
{
        for (size_t i = 0; i < run->n_pipes; i++)
                if (run->pipes[i].dropped)
                        return true;
        return false;
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

/* Whether a step's packet has a pipeid in it, which may then stand in the answer. */
static bool names_pipe(const struct sequence *sequence, size_t step)
{
        return step >= sequence->n_steps ||
               memmem(sequence->steps[step].text, sequence->steps[step].len, "${pipe", strlen("${pipe"));
}

static bool members_differ(const struct sequence *sequence, const struct run *a, size_t i,
                           const struct reply *x, const struct reply *y, struct fault *ret)
{
        const struct seen_packet *packet = &a->packets[i];
        char word[64];
        const char *method = word_of(sequence, packet->step, word);

        if (x->success != y->success) {
                if (strcmp(method, "FinishPipe") == 0 && was_dropped(a))
                        return false;
                return differs(ret, packet->step, method, "success",
                               "%s succeeds with the one and not with the other: %s", method,
                               x->success ? y->error : x->error);
        }
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
        if (!same_error(x->error, y->error, names_pipe(sequence, packet->step)))
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
        char word[64];
        const char *method = word_of(sequence, p->step, word);
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
        return members_differ(sequence, a, i, &x, &y, ret);
}

static bool pipes_differ(const struct sequence *sequence, const struct run *a, const struct run *b, size_t i,
                         struct fault *ret)
{
        const struct seen_pipe *p = &a->pipes[i], *q = &b->pipes[i];
        char word[64];
        const char *method = word_of(sequence, p->step, word);

        if (!p->ended || !q->ended || !(p->finished || p->pipeid == 0))
                return false;
        if (p->bytes != q->bytes || strcmp(p->digest, q->digest) != 0)
                return differs(ret, p->step, method, "data",
                               "%s brings %" PRIu64 " bytes, %s, and %" PRIu64 " bytes, %s", method, p->bytes,
                               p->digest, q->bytes, q->digest);
        return false;
}

/* Which way a run stopped: for those who compare, a server that died is one whatever its last words. */
static bool ends_differ(const struct sequence *sequence, const struct run *a, const struct run *b,
                        struct fault *ret)
{
        char word[64], x[96], y[96];
        const char *method = word_of(sequence, a->end_step, word);

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
        if ((a->fds_last > a->fds_first) != (b->fds_last > b->fds_first))
                return differs(ret, a->end_step, "session", "leak", "only one of them leaves descriptors open");
        return false;
}

bool runs_differ(const struct sequence *sequence, const struct run *a, const struct run *b, struct fault *ret)
{
        size_t n = a->n_packets < b->n_packets ? a->n_packets : b->n_packets;
        char word[64];

        for (size_t i = 0; i < n; i++)
                if (packets_differ(sequence, a, b, i, ret))
                        return true;
        if (ends_differ(sequence, a, b, ret))
                return true;
        if (a->n_packets != b->n_packets) {
                const struct run *more = a->n_packets > b->n_packets ? a : b;

                return differs(ret, more->packets[n].step, word_of(sequence, more->packets[n].step, word),
                               "packets", "%s has a reply with only one of them", word);
        }
        for (size_t i = 0; i < a->n_pipes && i < b->n_pipes; i++)
                if (pipes_differ(sequence, a, b, i, ret))
                        return true;
        return false;
}
