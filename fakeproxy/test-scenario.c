/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of reading scenarios: what is taken and where it goes, what is refused and with which words, and that the
 * JSON Schema and the parser go by the same format, and that all scenarios of the suite are of that format.
 */
#include <glob.h>
#include <json-c/json.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "fakeproxy/scenario.h"
#include "protocol/message.h"

#define WITH(rest) "{\"scenario\": \"s\", \"about\": \"a\", " rest "}"
#define RULES_OF(rest) WITH("\"rules\": [" rest "]")

/* Folders of scenarios. */
static char *const *folders;
static int n_folders;

static struct scenario *must_parse(const char *text)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario = NULL;
        int r = scenario_parse(text, strlen(text), "s", &scenario, &problems);

        ck_assert_msg(r == 0, "%s: %s: %s", text, problems.n ? problems.problems[0].pointer : "",
                      problems.n ? problems.problems[0].message : "");
        return scenario;
}

/* ---- what is taken ---- */

START_TEST(test_the_least_scenario_is_faithful)
{
        struct scenario *scenario CLEANUP(cleanup_scenario_free) =
                must_parse("{\"scenario\": \"s\", \"about\": \"a\"}");

        ck_assert_str_eq(scenario->name, "s");
        ck_assert_str_eq(scenario->fixture, "layers-1");
        ck_assert_uint_eq(scenario->seed, 1);
        ck_assert_uint_eq(scenario->n_rules, 0);
        ck_assert_uint_eq(scenario->emulation.protocol.patch, 8);
        ck_assert_int_eq(scenario->level, SCENARIO_MUST);
        ck_assert(!scenario->has_client);
        ck_assert(!behaviours_any(&scenario->with));
}
END_TEST

START_TEST(test_members_at_the_top_are_kept)
{
        struct scenario *s CLEANUP(cleanup_scenario_free) =
                must_parse(WITH("\"group\": \"data\", \"reference\": \"data-pipes\", \"level\": \"SHOULD\","
                                "\"breaks\": \"a/b\", \"emulate\": \"1.9.3\", \"seed\": 0,"
                                "\"with\": {\"spins\": true, \"blob-at-most\": 7, \"announces\": \"9.9\"},"
                                "\"client\": {\"must\": \"fail\", \"within_s\": 3, \"mention\": [\"x\", \"y\"],"
                                "\"calls_at_most\": 0, \"result\": \"none\"}"));

        ck_assert_str_eq(s->group, "data");
        ck_assert_str_eq(s->reference, "data-pipes");
        ck_assert_int_eq(s->level, SCENARIO_SHOULD);
        ck_assert_str_eq(s->breaks, "a/b");
        ck_assert(s->emulation.is_release);
        ck_assert_uint_eq(s->seed, 0);
        ck_assert(s->with.spins);
        ck_assert_uint_eq(s->with.blob_at_most, 7);
        ck_assert_str_eq(s->with.announces, "9.9");
        ck_assert_int_eq(s->client.must, CLIENT_FAILS);
        ck_assert_uint_eq(s->client.within_s, 3);
        ck_assert_str_eq(s->client.mention[1], "y");
        ck_assert_ptr_null(s->client.mention[2]);
        ck_assert_ptr_null(s->client.not_mention);
        ck_assert(s->client.has_calls_at_most && s->client.calls_at_most == 0);
        ck_assert(s->client.no_result);
}
END_TEST

START_TEST(test_rules_are_kept)
{
        struct scenario *s CLEANUP(cleanup_scenario_free) = must_parse(RULES_OF(
                "{\"name\": \"one\", \"when\": {\"method\": \"GetBlob\", \"nth\": 2, \"digest\": \"d\","
                "\"argument\": {\"index\": 3, \"is\": [1, {\"a\": null}]}},"
                "\"reply\": {\"value\": 3}, \"remove\": [\"error\", \"value\"], \"descriptors\": 16, \"exit\": "
                "0,"
                "\"data\": [{\"send\": \"all\"}, {\"drip\": 5, \"bytes_per_s\": 9}, {\"fail\": \"no\","
                "\"code\": \"retryable\"}]},"
                "{\"when\": {\"after_rule\": \"one\", \"image\": 4}, \"answer\": {\"success\": true},"
                "\"descriptors\": \"own-socket\", \"signal\": \"SEGV\"},"
                "{\"when\": {\"image\": \"oci:x\", \"contains\": {\"base64\": \"/w==\"}}, \"raw\": "
                "\"a\\u0000b\","
                "\"before\": [\"x\", {\"base64\": \"AAE=\"}], \"become\": {\"spins\": true}}"));
        const struct rule *r = s->rules;

        ck_assert_uint_eq(s->n_rules, 3);
        ck_assert_uint_eq(r[0].when.nth, 2);
        ck_assert_uint_eq(r[0].when.argument, 3);
        ck_assert_str_eq(r[0].when.argument_is, "[1,{\"a\":null}]");
        ck_assert_str_eq(r[0].act.merge, "{\"value\":3}");
        ck_assert_str_eq(r[0].act.remove, "error value");
        ck_assert_int_eq(r[0].act.descriptors, DESCRIPTORS_COUNT);
        ck_assert_uint_eq(r[0].act.n_descriptors, 16);
        ck_assert(r[0].act.exit && r[0].act.exit_status == 0);
        ck_assert_uint_eq(r[0].act.data[0].n, DATA_ALL);
        ck_assert_uint_eq(r[0].act.data[1].rate, 9);
        ck_assert_int_eq(r[0].act.data[2].op, DATA_FAIL);
        ck_assert_uint_eq(r[0].act.data[2].code, ERROR_CODE_RETRYABLE);
        ck_assert_int_eq(r[0].act.data[3].op, DATA_REST);
        ck_assert_uint_eq(r[1].when.after_rule, 1);
        ck_assert_uint_eq(r[1].when.image_id, 4);
        ck_assert(r[1].act.no_execution);
        ck_assert_str_eq(r[1].act.reply.data, "{\"success\":true}");
        ck_assert_int_eq(r[1].act.signal, SIGSEGV);
        ck_assert_str_eq(r[2].when.image, "oci:x");
        ck_assert_str_eq(r[2].when.contains, "\xff");
        ck_assert_uint_eq(r[2].act.reply.len, 3);
        ck_assert_uint_eq(r[2].act.before[1].len, 2);
        ck_assert_ptr_null(r[2].act.before[2].data);
        ck_assert(r[2].act.become->spins);
}
END_TEST

/* ---- what is refused ---- */

/* Text, and each problem that it must have: where, and words of it. */
static const struct {
        const char *text, *pointer, *words;
} wrong[] = {
        {"", "", "not JSON: unexpected end"},
        {"{", "", "line 1 is not JSON"},
        {"{\n\n x}", "", "line 3 is not JSON"},
        {"[]", "", "expected an object"},
        {"null", "", "expected an object"},
        {"\"\xff\"", "", "line 1 is not UTF-8 (byte 1)"},
        {"{} x", "", "not JSON"},
        {"{}", "", "\"scenario\" is missing"},
        {"{\"scenario\": \"s\"}", "", "\"about\" is missing"},
        {WITH("\"abuot\": 1"), "/abuot", "unknown key; did you mean \"about\"?"},
        {WITH("\"zzzz\": 1"), "/zzzz", "unknown key"},
        {WITH("\"a/b~c\": 1"), "/a~1b~0c", "unknown key"},
        {"{\"scenario\": \"t\", \"about\": \"a\"}", "/scenario",
         "expected the file's name without .json, \"s\""},
        {"{\"scenario\": \"S\", \"about\": \"a\"}", "/scenario", "letters a to z"},
        {"{\"scenario\": 1, \"about\": \"a\"}", "/scenario", "expected a string, not a number"},
        {"{\"scenario\": \"s\", \"about\": \"\"}", "/about", "cannot be empty"},
        {"{\"scenario\": \"s\", \"about\": \"a\\u0000b\"}", "/about", "NUL"},
        {WITH("\"about\": \"b\""), "/about", "stands here twice"},
        {WITH("\"\\u0061bout\": \"b\""), "/about", "stands here twice"},
        {RULES_OF("{\"reply\": {\"a\": [{\"b\": 1, \"b\": 2}]}}"), "/rules/0/reply/a/0/b", "stands here twice"},
        {WITH("\"a\\u0000b\": 1"), "", "NUL"},
        {WITH("\"seed\": -1"), "/seed", "expected an integer of 0 to 9007199254740991"},
        {WITH("\"seed\": 1.0"), "/seed", "not a number with a fraction or an exponent"},
        {WITH("\"seed\": 9007199254740992"), "/seed", "expected an integer"},
        {WITH("\"seed\": 99999999999999999999999999999999999999999999"), "/seed", "a number of 44 characters"},
        {WITH("\"seed\": null"), "/seed", "not null"},
        {WITH("\"group\": \"pipe\""), "/group", "did you mean \"pipes\"?"},
        {WITH("\"level\": \"must\""), "/level", "none of MUST, SHOULD, INFO"},
        {WITH("\"emulate\": \"1.9.4\""), "/emulate", "did you mean 1.9.3?"},
        {WITH("\"with\": {\"spin\": true}"), "/with/spin", "unknown behaviour; did you mean \"spins\"?"},
        {WITH("\"with\": {\"spins\": false}"), "/with/spins", "expected true, not false"},
        {WITH("\"with\": {\"needs_no_initialize\": true}"), "/with/needs_no_initialize",
         "did you mean \"needs-no-initialize\"?"},
        {WITH("\"with\": {\"blob-at-most\": 0}"), "/with/blob-at-most", "expected an integer of 1"},
        {WITH("\"with\": {\"announces\": 2}"), "/with/announces", "expected a string"},
        {WITH("\"with\": []"), "/with", "expected an object, not an array"},
        {WITH("\"image\": \"layer-1\""), "/image", "did you mean \"layers-1\"?"},
        {WITH("\"image\": 1"), "/image", "a fixture's name or an object"},
        {WITH("\"image\": {\"layers\": [{}]}"), "/image/layers/0", "\"size\" is missing"},
        {WITH("\"image\": {\"layers\": [{\"size\": 10, \"content\": \"tar\"}]}"), "/image/layers/0/size",
         "1536"},
        {WITH("\"image\": {\"layers\": [{\"size\": 2147483648}]}"), "/image/layers/0/size", "too long to hash"},
        {WITH("\"image\": {\"layers\": [{\"size\": 100000000, \"compression\": \"gzip\"}]}"),
         "/image/layers/0/size", "64 MiB"},
        {WITH("\"image\": {\"layers\": [{\"size\": 1, \"digest\": \"x\"}]}"), "/image/layers/0/digest",
         "sha256:"},
        {WITH("\"image\": {\"layers\": [{\"size\": 1, \"count\": 6000}, {\"size\": 1, \"count\": 6000}]}"),
         "/image/layers", "12000 layers"},
        {WITH("\"rules\": {}"), "/rules", "expected an array"},
        {RULES_OF("1"), "/rules/0", "expected an object"},
        {RULES_OF("{\"when\": {\"methd\": \"GetBlob\"}}"), "/rules/0/when/methd", "did you mean \"method\"?"},
        {RULES_OF("{\"when\": {\"method\": \"GetBlobb\"}}"), "/rules/0/when/method",
         "did you mean \"GetBlob\"?"},
        {RULES_OF("{\"when\": {\"contains\": \"\"}}"), "/rules/0/when/contains", "cannot be empty"},
        {RULES_OF("{\"when\": {\"contains\": \"a\\u0000\"}}"), "/rules/0/when/contains", "NUL"},
        {RULES_OF("{\"when\": {\"argument\": {\"is\": 1}}}"), "/rules/0/when/argument", "\"index\" is missing"},
        {RULES_OF("{\"when\": {\"image\": true}}"), "/rules/0/when/image",
         "an image id (a number) or a reference"},
        {RULES_OF("{\"when\": {\"nth\": 1, \"from\": 1}}"), "/rules/0/when/from", "cannot stand together"},
        {RULES_OF("{\"raw\": {\"base64\": \"?\"}}"), "/rules/0/raw/base64", "no base64"},
        {RULES_OF("{\"raw\": {\"base65\": \"\"}}"), "/rules/0/raw", "expected a string or"},
        {RULES_OF("{\"raw\": 1}"), "/rules/0/raw", "expected a string or"},
        {RULES_OF("{\"remove\": [\"valu\"]}"), "/rules/0/remove/0", "did you mean \"value\"?"},
        {RULES_OF("{\"descriptors\": 254}"), "/rules/0/descriptors", "0 to 253"},
        {RULES_OF("{\"descriptors\": \"files\"}"), "/rules/0/descriptors", "did you mean \"file\"?"},
        {RULES_OF("{\"signal\": \"SIGKILL\"}"), "/rules/0/signal", "none of KILL"},
        {RULES_OF("{\"exit\": 256}"), "/rules/0/exit", "0 to 255"},
        {RULES_OF("{\"no_reply\": false}"), "/rules/0/no_reply", "expected true, not false"},
        {RULES_OF("{\"data\": [{}]}"), "/rules/0/data/0", "does one thing"},
        {RULES_OF("{\"data\": [{\"send\": 1, \"skip\": 1}]}"), "/rules/0/data/0", "only one thing"},
        {RULES_OF("{\"data\": [{\"send\": \"some\"}]}"), "/rules/0/data/0/send", "or \"all\""},
        {RULES_OF("{\"data\": [{\"send\": 1, \"bytes_per_s\": 1}]}"), "/rules/0/data/0/bytes_per_s", "`drip`"},
        {RULES_OF("{\"data\": [{\"end\": true, \"code\": \"other\"}]}"), "/rules/0/data/0/code", "`fail`"},
        {RULES_OF("{\"data\": [{\"stall\": true}, {\"send\": 1}]}"), "/rules/0/data/1", "never reached"},
        {WITH("\"upstream\": {\"without\": [\"--authfil\"]}"), "/upstream/without/0",
         "no such flag; did you mean \"authfile\"?"},
        {WITH("\"upstream\": {\"without\": [\"--authfile=x\"]}"), "/upstream/without/0", "without a value"},
        {WITH("\"upstream\": {\"without\": [\"authfile\"]}"), "/upstream/without/0", "without a value"},
        {WITH("\"upstream\": {\"without\": [\"--sockfd\"]}"), "/upstream/without/0", "cannot be another"},
        {WITH("\"upstream\": {\"with\": [\"--sockfd=4\"]}"), "/upstream/with/0", "cannot be another"},
        {WITH("\"upstream\": {\"with_global\": [1]}"), "/upstream/with_global/0", "expected a string"},
        {WITH("\"upstream\": {\"environment\": {\"A=\": \"\"}}"), "/upstream/environment/A=", "no variable"},
        {WITH("\"upstream\": {\"environment\": {\"A\": 1}}"), "/upstream/environment/A", "expected a string"},
        {WITH("\"client\": {}"), "/client", "\"must\" is missing"},
        {WITH("\"client\": {\"must\": \"fail\", \"mention\": \"x\"}"), "/client/mention", "expected an array"},
        {WITH("\"client\": {\"must\": \"fail\", \"mention\": [1]}"), "/client/mention/0", "expected a string"},

        /* Rules that can never match. */
        {RULES_OF("{}, {\"when\": {\"method\": \"GetBlob\"}}"), "/rules/1", "rule 0 always does before it"},
        {RULES_OF("{\"name\": \"x\", \"when\": {\"method\": \"GetBlob\"}},"
                  "{\"when\": {\"method\": \"GetBlob\", \"nth\": 2}}"),
         "/rules/1", "rule 0 (x) always does before it"},
        {RULES_OF("{\"when\": {\"contains\": \"ab\"}}, {\"when\": {\"contains\": \"xabx\"}}"), "/rules/1",
         "always"},
        {RULES_OF("{\"when\": {\"nth\": 2}}, {\"when\": {\"nth\": 2}}"), "/rules/1", "always"},
        {RULES_OF("{\"when\": {\"from\": 2}}, {\"when\": {\"nth\": 3}}"), "/rules/1", "always"},
        {RULES_OF("{\"when\": {\"length_at_least\": 5}}, {\"when\": {\"length_at_least\": 6}}"), "/rules/1",
         "always"},
        {RULES_OF("{\"when\": {\"argument\": {\"index\": 1}}},"
                  "{\"when\": {\"argument\": {\"index\": 2, \"is\": 1}}}"),
         "/rules/1", "always"},
        {WITH("\"emulate\": \"0.2.7\", \"rules\": [{\"when\": {\"method\": \"GetRawBlob\"}}]"),
         "/rules/0/when/method", "protocol 0.2.7 has no GetRawBlob, it is there from 0.2.8 on"},
        {WITH("\"emulate\": \"1.9.3\", \"rules\": [{\"when\": {\"method\": \"GetLayerInfo\"}}]"),
         "/rules/0/when/method", "protocol 0.2.3 has no GetLayerInfo"},
        {RULES_OF("{\"when\": {\"event\": \"start\", \"method\": \"GetBlob\"}}"), "/rules/0/when/method",
         "not a request"},
        {RULES_OF("{\"when\": {\"event\": \"end-of-input\", \"pipe\": 1}}"), "/rules/0/when/pipe",
         "not a request"},
        {RULES_OF("{\"when\": {\"event\": \"start\", \"nth\": 2}}"), "/rules/0/when", "one start"},
        {RULES_OF("{\"when\": {\"method\": \"OpenImage\", \"digest\": \"x\"}}"), "/rules/0/when/digest",
         "OpenImage is about no blob"},
        {RULES_OF("{\"when\": {\"method\": \"GetBlob\", \"pipe\": 1}}"), "/rules/0/when/pipe",
         "FinishPipe alone"},
        {RULES_OF("{\"when\": {\"method\": \"OpenImage\", \"image\": 1}}"), "/rules/0/when/image",
         "no image id"},
        {RULES_OF("{\"when\": {\"method\": \"FinishPipe\", \"image\": \"x:y\"}}"), "/rules/0/when/image",
         "no image"},
        {RULES_OF("{\"when\": {\"digest\": \"x\", \"pipe\": 1}}"), "/rules/0/when/pipe", "a blob and a pipe"},
        {RULES_OF("{\"when\": {\"outcome\": \"success\"}, \"answer\": {}}"), "/rules/0/when/outcome",
         "no outcome"},
        {RULES_OF("{\"name\": \"a\", \"when\": {\"after_rule\": \"a\"}}"), "/rules/0/when/after_rule",
         "itself"},
        {RULES_OF("{\"name\": \"a\", \"when\": {\"after_rule\": \"b\"}},"
                  "{\"name\": \"b\", \"when\": {\"after_rule\": \"a\"}}"),
         "/rules/1/when/after_rule", "itself"},
        {RULES_OF("{\"name\": \"a\"}, {\"when\": {\"after_rule\": \"a\", \"before_rule\": \"a\"}}"),
         "/rules/1/when", "the same rule"},
        {RULES_OF("{\"name\": \"abc\", \"when\": {\"before_rule\": \"abd\"}}"), "/rules/0/when/before_rule",
         "no rule has the name \"abd\"; did you mean \"abc\"?"},
        {RULES_OF("{\"name\": \"a\", \"when\": {\"nth\": 1}}, {\"name\": \"a\"}"), "/rules/1/name",
         "rule 0 has this name"},

        /* Actions that have nothing to act on. */
        {RULES_OF("{\"when\": {\"event\": \"start\"}, \"reply\": {}}"), "/rules/0/reply",
         "no answer to this event"},
        {RULES_OF("{\"when\": {\"method\": \"OpenImage\"}, \"data\": []}"), "/rules/0/data", "opens no pipe"},
        {RULES_OF("{\"when\": {\"method\": \"GetBlob\"}, \"errors\": []}"), "/rules/0/errors",
         "GetRawBlob alone"},
        {RULES_OF("{\"answer\": {}, \"data\": []}"), "/rules/0/data", "opens no pipe"},
        {RULES_OF("{\"answer\": {}, \"raw\": \"\"}"), "/rules/0/raw", "cannot stand together"},
        {RULES_OF("{\"answer\": {}, \"reply\": {}}"), "/rules/0/answer", "whole reply"},
        {RULES_OF("{\"raw\": \"\", \"remove\": [\"value\"]}"), "/rules/0/raw", "do nothing"},
        {RULES_OF("{\"no_reply\": true, \"pad_to\": 5}"), "/rules/0/no_reply", "does nothing"},
        {RULES_OF("{\"code\": \"other\"}"), "/rules/0/code", "only `fail`"},
        {RULES_OF("{\"fail\": \"x\", \"data\": []}"), "/rules/0/data", "a failure opens no pipe"},
        {RULES_OF("{\"fail\": \"x\", \"raw\": \"\"}"), "/rules/0/fail", "take the place"},
        {RULES_OF("{\"empty\": true, \"cut_at\": 5}"), "/rules/0/empty", "no text"},
        {RULES_OF("{\"forward\": {\"replace\": \"a\"}}"), "/rules/0/forward", "\"by\" is missing"},
        {RULES_OF("{\"answer\": {}, \"forward\": {\"replace\": \"a\", \"by\": \"b\"}}"), "/rules/0/forward",
         "hands no request on"},
        {RULES_OF("{\"when\": {\"outcome\": \"failure\"}, \"forward\": {\"replace\": \"a\", \"by\": \"b\"}}"),
         "/rules/0/forward", "only when the request has been handed on"},
};

START_TEST(test_what_is_wrong_is_told_with_its_place)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario = NULL;
        bool found = false;

        ck_assert_errno(scenario_parse(wrong[_i].text, strlen(wrong[_i].text), "s", &scenario, &problems),
                        -EINVAL);
        for (size_t i = 0; i < problems.n; i++)
                found |= !strcmp(problems.problems[i].pointer, wrong[_i].pointer) &&
                         strstr(problems.problems[i].message, wrong[_i].words);
        ck_assert_msg(found, "%s: %s: %s instead of %s: %s", wrong[_i].text, problems.problems[0].pointer,
                      problems.problems[0].message, wrong[_i].pointer, wrong[_i].words);
}
END_TEST

START_TEST(test_all_problems_are_told_at_once)
{
        static const char text[] =
                "{\"about\": 1, \"seed\": \"x\", \"rules\": [{\"a\": 1}, {\"exit\": -1}], \"b\": 2}";
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario = NULL;

        ck_assert_errno(scenario_parse(text, strlen(text), "s", &scenario, &problems), -EINVAL);
        ck_assert_uint_eq(problems.n, 7); /* the name is missing too, and one rule is before the other */
}
END_TEST

START_TEST(test_a_rule_that_may_match_is_no_problem)
{
        static const char *const good[] = {
                "{\"when\": {\"nth\": 1}}, {\"when\": {\"method\": \"GetBlob\"}}",
                "{\"when\": {\"packet\": 3, \"nth\": 1}}, {\"when\": {\"packet\": 3, \"nth\": 2}}",
                "{\"when\": {\"outcome\": \"failure\"}}, {}",
                "{\"name\": \"once\", \"when\": {\"before_rule\": \"once\"}}, {}",
                "{\"when\": {\"contains\": \"abc\"}}, {\"when\": {\"contains\": \"ab\"}}",
                "{\"when\": {\"event\": \"start\"}}, {\"when\": {\"event\": \"finish-wait\", \"pipe\": 2}}",
                "{\"when\": {\"from\": 3}}, {\"when\": {\"from\": 2}}",
                "{\"when\": {\"phase\": \"before-initialize\"}}, {}",
                "{\"when\": {\"image\": \"a:b\"}}, {\"when\": {\"image\": \"a:c\"}}",
        };
        char text[400];

        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                snprintf(text, sizeof(text), RULES_OF("%s"), good[i]);
                scenario_free(must_parse(text));
        }
}
END_TEST

START_TEST(test_nesting_is_bounded)
{
        char deep[200000], text[200100];
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario = NULL;

        /* The 16 levels: the whole, rules, the rule, reply, and twelve more. */
        memset(deep, '[', 12);
        memset(deep + 12, ']', 12);
        deep[24] = '\0';
        snprintf(text, sizeof(text), RULES_OF("{\"reply\": {\"a\": %s}}"), deep);
        scenario_free(must_parse(text));

        memset(deep, '[', 13);
        memset(deep + 13, ']', 13);
        deep[26] = '\0';
        snprintf(text, sizeof(text), RULES_OF("{\"reply\": {\"a\": %s}}"), deep);
        ck_assert_errno(scenario_parse(text, strlen(text), "s", &scenario, &problems), -EINVAL);
        ck_assert_ptr_nonnull(strstr(problems.problems[0].message, "nested too deep; 16 levels"));
        problems_clear(&problems);

        memset(deep, '[', 100000);
        memset(deep + 100000, ']', 99999);
        deep[199999] = '\0';
        ck_assert_errno(scenario_parse(deep, strlen(deep), "s", &scenario, &problems), -EINVAL);
        ck_assert_ptr_nonnull(strstr(problems.problems[0].message, "nested too deep"));
}
END_TEST

/* ---- files ---- */

static void want_unreadable(const char *path, const char *words)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario = NULL;

        ck_assert_errno(scenario_read(path, &scenario, &problems), -EINVAL);
        ck_assert_uint_eq(problems.n, 1);
        ck_assert_msg(strstr(problems.problems[0].message, words) != NULL, "%s", problems.problems[0].message);
}

START_TEST(test_files_that_cannot_be_read)
{
        char *folder CLEANUP(cleanup_tmpdir_remove) = NULL;
        struct cip_error error = {0};
        char path[300];
        FILE *file;

        ck_assert_ok(tmpdir_new("scenario", &folder, &error));
        want_unreadable("/nonexistent/s.json", "No such file");
        want_unreadable(folder, "irectory");
        want_unreadable("/dev/zero", "/dev/zero");
        snprintf(path, sizeof(path), "%s/pipe.json", folder);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        want_unreadable(path, "pipe.json");
        snprintf(path, sizeof(path), "%s/large.json", folder);
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(ftruncate(fileno(file), (off_t)100 * 1024 * 1024), 0);
        fclose(file);
        want_unreadable(path, "larger than 1 MiB");
        snprintf(path, sizeof(path), "%s/s.txt", folder);
        file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fputs("{}", file);
        fclose(file);
        want_unreadable(path, "NAME.json");
}
END_TEST

/* ---- the schema, by as much of JSON Schema as it uses ---- */

struct schema {
        struct json_object *root;
        const char *file; /* that is tried, for messages */
};

static bool accepts(const struct schema *schema, struct json_object *rule, struct json_object *value);

static struct json_object *resolve(const struct schema *schema, const char *reference)
{
        ck_assert_int_eq(strncmp(reference, "#/$defs/", 8), 0);
        return json_object_object_get(json_object_object_get(schema->root, "$defs"), reference + 8);
}

static bool has_type(const char *type, struct json_object *value)
{
        if (!strcmp(type, "integer"))
                return json_object_is_type(value, json_type_int);
        return !strcmp(type, json_type_to_name(json_object_get_type(value)));
}

static bool accepts_members(const struct schema *schema, struct json_object *rule, struct json_object *value)
{
        struct json_object *properties = json_object_object_get(rule, "properties"), *of;

        if (!properties)
                return true;
        json_object_object_foreach (value, key, member) {
                if (!json_object_object_get_ex(properties, key, &of))
                        return false; /* additionalProperties is false wherever there are properties */
                if (!accepts(schema, of, member))
                        return false;
        }
        return true;
}

/* How many of a list's schemas accept the value. */
static size_t count_accepting(const struct schema *schema, struct json_object *list, struct json_object *value)
{
        size_t n = 0;

        for (size_t i = 0; i < json_object_array_length(list); i++)
                n += accepts(schema, json_object_array_get_idx(list, i), value);
        return n;
}

static bool is_in(struct json_object *list, struct json_object *value)
{
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (json_object_equal(json_object_array_get_idx(list, i), value))
                        return true;
        return false;
}

static bool matches(const char *pattern, const char *text)
{
        regex_t regex;
        bool ret;

        ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
        ret = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
        return ret;
}

/* One keyword of a schema. */
static bool accepts_keyword(const struct schema *schema, struct json_object *rule, const char *key,
                            struct json_object *with, struct json_object *value)
{
        bool is_int = json_object_is_type(value, json_type_int),
             is_text = json_object_is_type(value, json_type_string);

        if (!strcmp(key, "$ref"))
                return accepts(schema, resolve(schema, json_object_get_string(with)), value);
        if (!strcmp(key, "type"))
                return has_type(json_object_get_string(with), value);
        if (!strcmp(key, "properties"))
                return !json_object_is_type(value, json_type_object) || accepts_members(schema, rule, value);
        if (!strcmp(key, "required")) {
                for (size_t i = 0; i < json_object_array_length(with); i++)
                        if (!json_object_object_get_ex(
                                    value, json_object_get_string(json_object_array_get_idx(with, i)), NULL))
                                return false;
                return true;
        }
        if (!strcmp(key, "items")) {
                for (size_t i = 0; i < json_object_array_length(value); i++)
                        if (!accepts(schema, with, json_object_array_get_idx(value, i)))
                                return false;
                return true;
        }
        if (!strcmp(key, "enum"))
                return is_in(with, value);
        if (!strcmp(key, "const"))
                return json_object_equal(with, value);
        if (!strcmp(key, "anyOf"))
                return count_accepting(schema, with, value) > 0;
        if (!strcmp(key, "oneOf"))
                return count_accepting(schema, with, value) == 1;
        if (!strcmp(key, "minimum"))
                return !is_int || json_object_get_int64(value) >= json_object_get_int64(with);
        if (!strcmp(key, "maximum"))
                return !is_int || json_object_get_int64(value) <= json_object_get_int64(with);
        if (!strcmp(key, "minLength"))
                return !is_text || json_object_get_string_len(value) >= json_object_get_int(with);
        if (!strcmp(key, "pattern"))
                return !is_text || matches(json_object_get_string(with), json_object_get_string(value));
        ck_assert_msg(!strcmp(key, "additionalProperties") || !strcmp(key, "description") || *key == '$' ||
                              !strcmp(key, "title"),
                      "the schema has a keyword that this test does not know: %s", key);
        return true;
}

static bool accepts(const struct schema *schema, struct json_object *rule, struct json_object *value)
{
        struct json_object *type;

        /* Keywords of other types than the value's are not asked. */
        if (json_object_object_get_ex(rule, "type", &type) && !has_type(json_object_get_string(type), value))
                return false;
        json_object_object_foreach (rule, key, with)
                if (!accepts_keyword(schema, rule, key, with, value))
                        return false;
        return true;
}

static struct schema read_schema(void)
{
        struct schema schema = {.file = "everything"};
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;
        FILE *stream = open_memstream(&text, &len);

        ck_assert_ok(scenario_print_schema(stream));
        fclose(stream);
        ck_assert_ok(json_parse(text, len, 100, &schema.root, NULL));
        return schema;
}

static bool parser_accepts(struct json_object *json)
{
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario CLEANUP(cleanup_scenario_free) = NULL;
        const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);

        return scenario_parse(text, strlen(text), NULL, &scenario, &problems) == 0;
}

/* Both must refuse the whole with a member of this object misspelt or of the wrong type; then all is as before. */
static void mutate(const struct schema *schema, struct json_object *root, struct json_object *object,
                   bool free_form);

static void want_same(const struct schema *schema, struct json_object *root, const char *what, const char *key)
{
        bool by_schema = accepts(schema, schema->root, root), by_parser = parser_accepts(root);

        ck_assert_msg(!by_schema && !by_parser, "%s: %s %s: the schema %s, the parser %s", schema->file, key,
                      what, by_schema ? "accepts" : "refuses", by_parser ? "accepts" : "refuses");
}

static void mutate_member(const struct schema *schema, struct json_object *root, struct json_object *object,
                          const char *key, struct json_object *value)
{
        char other[100];
        bool free_form = !strcmp(key, "reply") || !strcmp(key, "answer") || !strcmp(key, "is") ||
                         !strcmp(key, "entry") || !strcmp(key, "manifest") || !strcmp(key, "config") ||
                         !strcmp(key, "environment") || !strcmp(key, "registry") || !strcmp(key, "files");

        snprintf(other, sizeof(other), "%.60sx", key);
        json_object_object_add(object, other, json_object_get(value));
        json_object_object_del(object, key);
        want_same(schema, root, "misspelt", key);
        json_object_object_del(object, other);
        if (strcmp(key, "is") != 0) {
                json_object_object_add(object, key, json_object_new_double(0.5));
                want_same(schema, root, "of the wrong type", key);
        }
        json_object_object_add(object, key, json_object_get(value));
        mutate(schema, root, value, free_form);
}

static void mutate(const struct schema *schema, struct json_object *root, struct json_object *value,
                   bool free_form)
{
        if (free_form)
                return;
        for (size_t i = 0; json_object_is_type(value, json_type_array) && i < json_object_array_length(value);
             i++)
                mutate(schema, root, json_object_array_get_idx(value, i), false);
        if (!json_object_is_type(value, json_type_object))
                return;
        /* The members are listed first, as the object changes under way. */
        char keys[200][64];
        size_t n = 0;

        json_object_object_foreach (value, key, unused) {
                (void)unused;
                ck_assert_uint_lt(n, ARRAY_SIZE(keys));
                snprintf(keys[n++], sizeof(keys[0]), "%s", key);
        }
        for (size_t i = 0; i < n; i++) {
                struct json_object *member = json_object_get(json_object_object_get(value, keys[i]));

                mutate_member(schema, root, value, keys[i], member);
                json_object_put(member);
        }
}

/* One of everything. */
static const char everything[] = WITH(
        "\"group\": \"data\", \"reference\": \"x\", \"level\": \"INFO\", \"breaks\": \"a/b\", \"emulate\": "
        "\"0.2.8\","
        "\"seed\": 7, \"with\": {\"spins\": true, \"blob-at-most\": 7, \"announces\": \"0.2.8\"},"
        "\"image\": {\"layers\": [{\"size\": 5000, \"count\": 2, \"compression\": \"gzip\", \"media_type\": "
        "\"x/y\","
        "\"content\": \"tar\", \"digest\":"
        "\"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\", \"entry\": {\"size\": "
        "-1}}],"
        "\"manifest\": {\"a\": null}, \"config\": {\"os\": \"plan9\"}, \"digest\": \"sha512\"},"
        "\"rules\": [{\"name\": \"a\", \"when\": {\"event\": \"request\", \"method\": \"GetBlob\", \"nth\": 2,"
        "\"packet\": 3, \"contains\": \"x\", \"earlier\": \"y\", \"length_at_least\": 4, \"has_descriptors\": "
        "true,"
        "\"arguments_at_least\": 1, \"argument\": {\"index\": 1, \"is\": {}}, \"image\": 3, \"digest\": \"d\","
        "\"phase\": \"after-initialize\", \"outcome\": \"success\"}, \"reply\": {\"value\": 1},"
        "\"remove\": [\"error\"], \"before\": [\"x\"], \"after\": [{\"base64\": \"AAAA\"}], \"split_at\": 3,"
        "\"cut_at\": 4, \"pad_to\": 5, \"descriptors\": \"file\", \"data\": [{\"send\": 1}, {\"skip\": "
        "\"all\"},"
        "{\"repeat\": 1}, {\"corrupt\": 1}, {\"bytes\": \"x\"}, {\"zeros\": 1}, {\"random\": 1},"
        "{\"drip\": 3, \"bytes_per_s\": 4}, {\"wait_ms\": 1}, {\"fail\": \"x\", \"code\": \"EPIPE\"}],"
        "\"delay_ms\": 1, \"delay_after_ms\": 1, \"stderr\": \"x\", \"stderr_flood\": 1, \"stop_reading\": "
        "true,"
        "\"close_socket\": true, \"panic\": true, \"exit\": 1, \"signal\": \"KILL\", \"child_holds_pipe\": "
        "true,"
        "\"ignore_sigterm\": true, \"ignore_end\": true, \"become\": {\"spins\": true}},"
        "{\"when\": {\"method\": \"GetRawBlob\", \"after_rule\": \"a\", \"before_rule\": \"b\"}, \"raw\": "
        "\"x\","
        "\"errors\": [{\"forever\": true}], \"data\": [{\"close\": true}], \"become_first\": {\"spins\": "
        "true}},"
        "{\"name\": \"b\", \"when\": {\"pipe\": 1, \"from\": 2}, \"answer\": {}, \"no_reply\": true},"
        "{\"when\": {\"packet\": 5}, \"fail\": \"x\", \"code\": \"other\"},"
        "{\"when\": {\"packet\": 4}, \"forward\": {\"replace\": \"a\", \"by\": \"b\"}},"
        "{\"when\": {\"image\": \"x:y\"}, \"empty\": true, \"descriptors\": 2},"
        "{\"when\": {\"packet\": 9}, \"data\": [{\"exit\": 3}]}, {\"when\": {\"packet\": 8},"
        "\"data\": [{\"signal\": \"KILL\"}]}, {\"when\": {\"packet\": 7}, \"data\": [{\"end\": true}]},"
        "{\"when\": {\"packet\": 6}, \"data\": [{\"stall\": true}]}],"
        "\"client\": {\"must\": \"either\", \"within_s\": 4, \"mention\": [\"x\"], \"not_mention\": [\"y\"],"
        "\"calls_at_most\": 9, \"result\": \"image\"}, \"upstream\": {\"without\": [\"--authfile\"], \"with\": "
        "[\"a\"],"
        "\"with_global\": [\"b\"], \"environment\": {\"HOME\": null, \"A\": \"b\"}, \"since\": \"1.13.0\"},"
        "\"registry\": {\"rules\": []}, \"files\": {\"a\": \"b\"}");

START_TEST(test_the_schema_and_the_parser_agree)
{
        struct schema schema = read_schema();
        struct json_object *json CLEANUP(cleanup_json) = NULL;

        ck_assert_ok(json_parse(everything, strlen(everything), 17, &json, NULL));
        scenario_free(must_parse(everything));
        ck_assert_msg(accepts(&schema, schema.root, json), "the schema refuses what the parser accepts");
        mutate(&schema, json, json, false);
        ck_assert(parser_accepts(json)); /* all is as before */
        json_object_put(schema.root);
}
END_TEST

/* Nothing of the format is left out above. */
START_TEST(test_every_key_was_tried)
{
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;
        FILE *stream = open_memstream(&text, &len);
        char *end, *behaviours;

        scenario_print_format(stream);
        fclose(stream);
        behaviours = strstr(text, "### behaviours");
        ck_assert_ptr_nonnull(behaviours);
        *behaviours = '\0';
        for (char *row = strstr(text, "\n| `"); row; row = strstr(end, "\n| `")) {
                char key[100];

                end = strchr(row + 4, '`');
                ck_assert_ptr_nonnull(end);
                snprintf(key, sizeof(key), "\"%.*s\":", (int)(end - row - 4), row + 4);
                ck_assert_msg(strstr(everything, key) != NULL, "%s is not tried", key);
        }
}
END_TEST

/* ---- the suite's scenarios ---- */

/* Parser and schema must take the file, and refuse it with any of its members misspelt or of the wrong type. */
static void want_scenario(const struct schema *schema)
{
        const char *path = schema->file;
        struct problems problems CLEANUP(cleanup_problems) = {0};
        struct scenario *scenario CLEANUP(cleanup_scenario_free) = NULL;
        struct json_object *json CLEANUP(cleanup_json) = json_object_from_file(path);
        int r = scenario_read(path, &scenario, &problems);

        ck_assert_msg(r == 0, "%s: %s: %s", path, problems.n ? problems.problems[0].pointer : "",
                      problems.n ? problems.problems[0].message : "");
        ck_assert_msg(scenario->n_rules > 0 || scenario->has_upstream || behaviours_any(&scenario->with) ||
                              !scenario->fixture || strcmp(scenario->fixture, "layers-1") != 0,
                      "%s: does nothing", path);
        ck_assert_msg(json && accepts(schema, schema->root, json), "%s: the schema refuses it", path);
        mutate(schema, json, json, false);
}

START_TEST(test_every_file_is_a_scenario_that_does_something)
{
        struct schema schema = read_schema();
        char pattern[4096];
        glob_t files;

        snprintf(pattern, sizeof(pattern), "%s/*.json", folders[_i]);
        ck_assert_int_eq(glob(pattern, 0, NULL, &files), 0);
        for (size_t i = 0; i < files.gl_pathc; i++) {
                schema.file = files.gl_pathv[i];
                want_scenario(&schema);
        }
        globfree(&files);
        json_object_put(schema.root);
}
END_TEST

int main(int argc, char *argv[])
{
        Suite *suite = suite_create("scenario");
        TCase *tcase = testing_case(suite, "read");

        if (argc < 2) {
                fprintf(stderr, "usage: %s FOLDER..\n", argv[0]);
                return 2;
        }
        folders = argv + 1;
        n_folders = argc - 1;
        tcase_add_test(tcase, test_the_least_scenario_is_faithful);
        tcase_add_test(tcase, test_members_at_the_top_are_kept);
        tcase_add_test(tcase, test_rules_are_kept);
        tcase_add_loop_test(tcase, test_what_is_wrong_is_told_with_its_place, 0, ARRAY_SIZE(wrong));
        tcase_add_test(tcase, test_all_problems_are_told_at_once);
        tcase_add_test(tcase, test_a_rule_that_may_match_is_no_problem);
        tcase_add_test(tcase, test_nesting_is_bounded);
        tcase_add_test(tcase, test_files_that_cannot_be_read);
        tcase_add_test(tcase, test_the_schema_and_the_parser_agree);
        tcase_add_test(tcase, test_every_key_was_tried);
        tcase_add_loop_test(tcase, test_every_file_is_a_scenario_that_does_something, 0, n_folders);
        return testing_main(suite);
}
