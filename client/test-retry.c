/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which failures may be tried again, by the words of released servers, and how a pull's attempts follow each
 * other: how often, after how long, with which words.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/testing.h"
#include "client/cip.h"
#include "client/retry.h"

/* ---- which ---- */

static enum cip_retry judge(enum cip_error_class error_class, int errnum, int code, const char *words)
{
        struct cip_error error;

        error_set(&error, error_class, errnum, "%s", words);
        error.code = code;
        return cip_error_retry(&error);
}

START_TEST(words_of_released_servers_tell_what_may_pass)
{
        static const struct {
                enum cip_retry retry;
                const char *words;
        } rows[] = {
                /* skopeo 1.9.3 */
                {CIP_RETRY_LATER, "OpenImage: reading manifest latest in h/a: toomanyrequests: You have "
                                  "reached your pull rate limit."},
                {CIP_RETRY_LATER, "GetFullConfig: too many requests to registry"},
                {CIP_RETRY_LATER,
                 "OpenImage: reading manifest latest in h/a: received unexpected HTTP status: 503 Service "
                 "Unavailable"},
                {CIP_RETRY_LATER,
                 "OpenImage: pinging container registry h: invalid status code from registry 502 (Bad "
                 "Gateway)"},
                {CIP_RETRY_LATER,
                 "GetFullConfig: Error fetching blob: invalid status code from registry 500 (Internal "
                 "Server Error)"},
                {CIP_RETRY_LATER,
                 "OpenImage: Requesting bearer token: invalid status code from registry 504 (Gateway "
                 "Timeout)"},
                {CIP_RETRY_LATER, "GetBlob sha256:0: unexpected EOF"},
                {CIP_RETRY_LATER,
                 "GetBlob sha256:0: read tcp 127.0.0.1:4->127.0.0.1:5: read: connection reset by peer"},
                {CIP_RETRY_LATER, "OpenImage: Get \"http://h/v2/a/manifests/latest\": EOF"},
                {CIP_RETRY_LATER,
                 "OpenImage: Get \"http://h/v2/a/manifests/latest\": net/http: HTTP/1.x transport "
                 "connection broken: malformed MIME header: missing colon: \"Doc\""},
                {CIP_RETRY_LATER,
                 "OpenImage: pinging container registry h: Get \"http://h/v2/\": dial tcp h: connect: "
                 "connection refused"},
                {CIP_RETRY_ONCE, "GetBlob sha256:0: corrupted blob, expecting sha256:0"},
                {CIP_RETRY_ONCE,
                 "GetFullConfig: Download config.json digest sha256:1 does not match expected sha256:2"},
                {CIP_RETRY_NEVER, "GetFullConfig: unable to retrieve auth token: invalid username/password: "
                                  "unauthorized"},
                {CIP_RETRY_NEVER,
                 "GetFullConfig: Error fetching blob: invalid status code from registry 403 (Forbidden)"},
                {CIP_RETRY_NEVER,
                 "GetFullConfig: Error fetching blob: invalid status code from registry 404 (Not Found)"},
                {CIP_RETRY_NEVER, "OpenImage: reading manifest latest in h/a: name unknown"},
                {CIP_RETRY_NEVER, "OpenImage: reading manifest latest in h/a: denied"},
                {CIP_RETRY_NEVER, "OpenImage: reading manifest latest in h/a: manifest unknown"},
                {CIP_RETRY_NEVER,
                 "OpenImage: pinging container registry n: Get \"https://n/v2/\": dial tcp: lookup n on "
                 "h: no such host"},
                {CIP_RETRY_NEVER,
                 "OpenImage: Get \"https://h/v2/\": x509: certificate signed by unknown authority"},
                /* skopeo 1.18 */
                {CIP_RETRY_LATER,
                 "GetBlob sha256:0: (heuristic tuning data: total 200000 @1077.163 ms, last retry 100000 "
                 "@0.077 ms, last progress @ 0.020 ms): unexpected EOF"},
                {CIP_RETRY_LATER,
                 "GetBlob sha256:0: fetching blob: received unexpected HTTP status: 503 Service "
                 "Unavailable"},
                {CIP_RETRY_NEVER, "GetFullConfig: fetching blob: unauthorized"},
                {CIP_RETRY_NEVER,
                 "GetFullConfig: fetching blob: received unexpected HTTP status: 501 Not Implemented"},
                {CIP_RETRY_NEVER,
                 "OpenImage: Source image rejected: Running image docker://h/a:latest is rejected by "
                 "policy."},
                /* names that read like trouble */
                {CIP_RETRY_NEVER,
                 "OpenImage: reading manifest eof-timeout-503 in h/toomanyrequests/500: denied"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                ck_assert_msg(judge(CIP_ERROR_REMOTE, -EREMOTEIO, CIP_CODE_NONE, rows[i].words) ==
                                      rows[i].retry,
                              "%s", rows[i].words);
                ck_assert_msg(judge(CIP_ERROR_REMOTE, -EREMOTEIO, CIP_CODE_OTHER, rows[i].words) ==
                                      rows[i].retry,
                              "other: %s", rows[i].words);
        }
}
END_TEST

START_TEST(the_servers_code_comes_before_its_words)
{
        ck_assert_int_eq(judge(CIP_ERROR_REMOTE, -EREMOTEIO, CIP_CODE_RETRYABLE, "denied"), CIP_RETRY_LATER);
        ck_assert_int_eq(judge(CIP_ERROR_REMOTE, -EREMOTEIO, CIP_CODE_RETRYABLE, "corrupted blob, expecting x"),
                         CIP_RETRY_LATER);
        ck_assert_int_eq(judge(CIP_ERROR_REMOTE, -EREMOTEIO, CIP_CODE_EPIPE, "write: broken pipe"),
                         CIP_RETRY_NEVER);
}
END_TEST

START_TEST(what_is_not_the_servers_error_is_told_by_its_class)
{
        ck_assert_int_eq(judge(CIP_ERROR_TRANSPORT, -ETIMEDOUT, 0, "x"), CIP_RETRY_LATER);
        ck_assert_int_eq(judge(CIP_ERROR_TRANSPORT, -ECONNRESET, 0, "x"), CIP_RETRY_LATER);
        ck_assert_int_eq(judge(CIP_ERROR_PROTOCOL, -EBADMSG, 0, "x"), CIP_RETRY_ONCE);
        ck_assert_int_eq(judge(CIP_ERROR_PROTOCOL, -EPROTONOSUPPORT, 0, "x"), CIP_RETRY_NEVER);
        ck_assert_int_eq(judge(CIP_ERROR_PROTOCOL, -EFBIG, 0, "x"), CIP_RETRY_NEVER);
        ck_assert_int_eq(judge(CIP_ERROR_LOCAL, -ENOSPC, 0, "unexpected EOF"), CIP_RETRY_NEVER);
        ck_assert_int_eq(judge(CIP_ERROR_LOCAL, -ECANCELED, 0, "x"), CIP_RETRY_NEVER);
        ck_assert_int_eq(judge(CIP_ERROR_NONE, 0, 0, ""), CIP_RETRY_NEVER);
}
END_TEST

/* ---- how often ---- */

static struct cip_error error_of(enum cip_error_class error_class, int errnum)
{
        struct cip_error error;

        error_set(&error, error_class, errnum, "unexpected EOF");
        return error;
}

START_TEST(attempts_come_to_an_end)
{
        struct cip_error error = error_of(CIP_ERROR_REMOTE, -EREMOTEIO);
        struct retry retry = {.attempts = 3, .attempt = 1};

        for (; retry.attempt < 3; retry.attempt++)
                ck_assert(retry_takes(&retry, &error));
        ck_assert(!retry_takes(&retry, &error));
}
END_TEST

START_TEST(without_further_attempts_nothing_is_tried_again)
{
        struct cip_error error = error_of(CIP_ERROR_REMOTE, -EREMOTEIO);
        struct retry retry = {.attempts = 1, .attempt = 1};

        ck_assert(!retry_takes(&retry, &error));
}
END_TEST

START_TEST(data_may_come_wrong_in_one_attempt_only)
{
        struct cip_error wrong = error_of(CIP_ERROR_PROTOCOL, -EBADMSG);
        struct cip_error passing = error_of(CIP_ERROR_REMOTE, -EREMOTEIO);
        struct retry retry = {.attempts = 9, .attempt = 1};

        ck_assert(retry_takes(&retry, &passing));
        retry.attempt++;
        ck_assert(retry_takes(&retry, &wrong));
        ck_assert(retry_takes(&retry, &wrong));
        retry.attempt++;
        ck_assert(retry_takes(&retry, &passing));
        ck_assert(!retry_takes(&retry, &wrong));
}
END_TEST

/* ---- after how long ---- */

START_TEST(waits_double_up_to_a_bound)
{
        static const struct retry_pace pace = {.first_ms = 2000, .most_ms = 30000};
        static const uint64_t most[] = {2000, 4000, 8000, 16000, 30000, 30000};

        for (size_t i = 0; i < ARRAY_SIZE(most); i++) {
                ck_assert_uint_eq(retry_wait_ms(&pace, i + 1, 0), most[i]);
                ck_assert_uint_eq(retry_wait_ms(&pace, i + 1, UINT32_MAX), most[i] / 2);
                ck_assert_uint_lt(retry_wait_ms(&pace, i + 1, UINT32_MAX / 3), most[i]);
                ck_assert_uint_gt(retry_wait_ms(&pace, i + 1, UINT32_MAX / 3), most[i] / 2);
        }
        ck_assert_uint_eq(retry_wait_ms(&pace, 1000000, 0), 30000);
}
END_TEST

START_TEST(a_wait_leads_to_the_next_attempt)
{
        struct cip_error error = error_of(CIP_ERROR_REMOTE, -EREMOTEIO);
        struct retry retry = {.attempts = 3, .attempt = 1};
        CLEANUP_FD int cancel = eventfd(0, EFD_CLOEXEC);

        ck_assert_ok(retry_wait(&retry, cancel, false, &error));
        ck_assert_uint_eq(retry.attempt, 2);
        ck_assert_str_eq(error.message, "unexpected EOF");
}
END_TEST

START_TEST(a_wait_ends_when_it_is_cancelled)
{
        struct cip_error error = error_of(CIP_ERROR_REMOTE, -EREMOTEIO);
        struct retry retry = {.attempts = 3, .attempt = 2};
        CLEANUP_FD int cancel = eventfd(1, EFD_CLOEXEC);

        ck_assert_errno(retry_wait(&retry, cancel, false, &error), -ECANCELED);
        ck_assert_uint_eq(retry.attempt, 2);
        ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        ck_assert_errno(error.errnum, -ECANCELED);
        ck_assert_str_eq(error.message, "cancelled before attempt 3 of 3: unexpected EOF");
}
END_TEST

START_TEST(what_is_said_has_the_attempt_the_time_and_the_reason)
{
        struct retry retry = {.attempts = 4, .attempt = 1};
        char text[100];

        ck_assert_str_eq(retry_text(&retry, 1.68, "unexpected EOF", text, sizeof(text)),
                         "attempt 2 of 4 in 1.7 s: unexpected EOF");
        ck_assert_uint_eq(strlen(retry_text(&retry, 1, "a reason that is long", text, 20)), 19);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("retry");
        TCase *tcase = testing_case(suite, "retry");

        tcase_add_test(tcase, words_of_released_servers_tell_what_may_pass);
        tcase_add_test(tcase, the_servers_code_comes_before_its_words);
        tcase_add_test(tcase, what_is_not_the_servers_error_is_told_by_its_class);
        tcase_add_test(tcase, attempts_come_to_an_end);
        tcase_add_test(tcase, without_further_attempts_nothing_is_tried_again);
        tcase_add_test(tcase, data_may_come_wrong_in_one_attempt_only);
        tcase_add_test(tcase, waits_double_up_to_a_bound);
        tcase_add_test(tcase, a_wait_leads_to_the_next_attempt);
        tcase_add_test(tcase, a_wait_ends_when_it_is_cancelled);
        tcase_add_test(tcase, what_is_said_has_the_attempt_the_time_and_the_reason);
        return testing_main(suite);
}
