/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of the handshake: Initialize announces the version, comes first, and comes once; and which methods
 * there are then. Requests here have method names and spellings of their own, so that a fault can be narrow
 * although every other check begins with Initialize too.
 */
#include <string.h>

#include "base/cleanup.h"
#include "conformance/check.h"
#include "conformance/groups.h"

#define UNKNOWN "NoSuchMethod"

static void start_uninitialized(struct check_context *c)
{
        check_start(c, &(struct server_start){.no_initialize = true});
}

static void send_text(struct check_context *c, const char *text)
{
        check_send(c, text, strlen(text), NULL, 0);
}

/* Arguments that a method would take, with @image in the place of each image id. */
static const char *plausible_args(struct check_context *c, const struct method *method, const char *reference)
{
        const char *args = "";

        for (size_t i = 0; i < method->n_arguments; i++) {
                const char *comma = i ? ", " : "";

                switch (method->arguments[i]) {
                case ARGUMENT_REFERENCE:
                        args = check_text(c, "%s%s\"%s\"", args, comma, reference);
                        break;
                case ARGUMENT_DIGEST:
                        args = check_text(c, "%s%s\"sha256:%064d\"", args, comma, 0);
                        break;
                case ARGUMENT_IMAGE:
                case ARGUMENT_SIZE:
                case ARGUMENT_PIPE:
                        args = check_text(c, "%s%s1", args, comma);
                        break;
                }
        }
        return check_text(c, "[%s]", args);
}

static void run_version(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};
        const char *text;
        struct version version;

        start_uninitialized(c);
        send_text(c, "{ \"method\" : \"Initialize\" }");
        check_answer(c, &answer);
        check_that(c, answer.success, "expected Initialize to succeed, got the error: %.500s", answer.error);
        check_that(c, json_object_is_type(answer.value, json_type_string),
                   "expected a string as Initialize's value, got %.200s", answer.packet.data);
        text = json_object_get_string(answer.value);
        check_that(c, version_parse(text, &version) == 0,
                   "expected a version such as \"0.2.3\" as Initialize's value, got \"%.100s\"", text);
        check_that(c, version_compare(version, VERSION_OLDEST) >= 0,
                   "expected version 0.2.3 or later, which clients need; got %.100s", text);
}

static void run_announced(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        start_uninitialized(c);
        send_text(c, "{\"method\": \"Initialize\"}");
        check_answer(c, &answer);
        check_record(c, "%s", answer.value ? json_object_get_string(answer.value) : "none");
}

/* Sends every method that needs Initialize before it, and judges the answers once the version is known. */
static void call_all_early(struct check_context *c, bool must_refuse, bool must_say_so)
{
        struct answer answers[METHODS] = {0}, initialize CLEANUP_ANSWER = {0};
        const char *reference = check_fixture(c, "layers-1");
        struct version version;

        start_uninitialized(c);
        for (size_t i = 0; i < METHODS; i++) {
                if (i == METHOD_INITIALIZE || i == METHOD_FINISH_PIPE || i == METHOD_SHUTDOWN)
                        continue;
                check_call(c, &answers[i], methods[i].name, "%s", plausible_args(c, &methods[i], reference));
        }
        check_call_ok(c, &initialize, "Initialize", NULL);
        if (version_parse(json_object_get_string(initialize.value), &version) < 0)
                check_error(c, "the server announced no version");
        /* A server that serves before Initialize has nothing to name. */
        if (must_say_so && answers[METHOD_OPEN_IMAGE].success)
                return;
        for (size_t i = 0; i < METHODS; i++) {
                if (!answers[i].json || version_compare(version, methods[i].since) < 0)
                        continue;
                check_that(c, !must_refuse || !answers[i].success,
                           "expected %s before Initialize to be refused, but it succeeded", methods[i].name);
                check_that(c, !must_say_so || answers[i].success || strstr(answers[i].error, "Initialize"),
                           "expected the error of %s before Initialize to name Initialize, got: %.500s",
                           methods[i].name, answers[i].error);
                answer_clear(&answers[i]);
        }
}

static void run_initialize_first(struct check_context *c)
{
        call_all_early(c, true, false);
}

static void run_initialize_first_named(struct check_context *c)
{
        call_all_early(c, false, true);
}

static void run_initialize_late(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        start_uninitialized(c);
        check_call(c, &answer, UNKNOWN "Early", "[]");
        check_call(c, &answer, "CloseImage", "[7]");
        check_call_ok(c, &answer, "Initialize", "[]");
        check_open_image(c, check_fixture(c, "layers-1"));
}

static void run_initialize_once(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "Initialize", "[]");
        check_open_image(c, check_fixture(c, "layers-1"));
}

static void run_initialize_arguments(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        start_uninitialized(c);
        check_call_refused(c, &answer, "Initialize", "[\"0.2.3\"]");
        check_call_ok(c, &answer, "Initialize", "[]");
}

static void run_unknown_method(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, UNKNOWN "AtAll", "[]");
        check_open_image(c, check_fixture(c, "layers-1"));
}

static void run_unknown_method_named(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call(c, &answer, UNKNOWN "ToName", "[]");
        check_that(c, strstr(answer.error, UNKNOWN "ToName"),
                   "expected the error to name the unknown method, got: %.500s", answer.error);
}

static void run_method_case(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, "openimage", "[\"%s\"]", check_fixture(c, "layers-1"));
        check_call_refused(c, &answer, "OPENIMAGE", "[\"%s\"]", check_fixture(c, "layers-1"));
}

/* Whether @error is what the server says of an unknown method, with @name in the place of its name. */
static bool is_unknown_method_error(const char *error, const char *name, const char *unknown_error,
                                    const char *unknown_name)
{
        const char *at = strstr(unknown_error, unknown_name);
        size_t before;

        if (!at)
                return strcmp(error, unknown_error) == 0;
        before = (size_t)(at - unknown_error);
        return strncmp(error, unknown_error, before) == 0 && strncmp(error + before, name, strlen(name)) == 0 &&
               strcmp(error + before + strlen(name), at + strlen(unknown_name)) == 0;
}

static void run_methods_of_version(struct check_context *c)
{
        CLEANUP_ANSWER struct answer unknown = {0}, answer CLEANUP_ANSWER = {0};
        struct version version = check_version(c);
        char text[VERSION_TEXT_SIZE];

        check_call(c, &unknown, UNKNOWN "ToCompare", "[]");
        for (size_t i = 0; i < METHODS; i++) {
                if (i == METHOD_SHUTDOWN || version_compare(version, methods[i].since) < 0)
                        continue;
                /* One argument too many or of no use: refused, but not as unknown. */
                check_call(c, &answer, methods[i].name, "%s",
                           i == METHOD_FINISH_PIPE ? "[3999999999]" : "[{}, {}, {}, {}]");
                check_that(c,
                           answer.success || !is_unknown_method_error(answer.error, methods[i].name,
                                                                      unknown.error, UNKNOWN "ToCompare"),
                           "expected %s, which version %s has, to be known; got: %.500s", methods[i].name,
                           version_format(version, text), answer.error);
        }
}

static void run_later_methods(struct check_context *c)
{
        CLEANUP_ANSWER struct answer unknown = {0}, answer CLEANUP_ANSWER = {0};
        struct version version = check_version(c);
        const char *names = "";

        check_call(c, &unknown, UNKNOWN "ToCompare", "[]");
        for (size_t i = 0; i < METHODS; i++) {
                if (version_compare(version, methods[i].since) >= 0)
                        continue;
                check_call(c, &answer, methods[i].name, "[{}, {}, {}, {}]");
                if (!is_unknown_method_error(answer.error, methods[i].name, unknown.error, UNKNOWN "ToCompare"))
                        names = check_text(c, "%s%s%s", names, names[0] ? ", " : "", methods[i].name);
        }
        check_record(c, "%s", names[0] ? names : "none");
}

static void run_finish_pipe_early(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        start_uninitialized(c);
        check_call_refused(c, &answer, "FinishPipe", "[7]");
        check_call_ok(c, &answer, "Initialize", "[]");
}

static void run_method_blank(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, " OpenImage", "[\"%s\"]", check_fixture(c, "layers-1"));
        check_call_refused(c, &answer, "OpenImage ", "[\"%s\"]", check_fixture(c, "layers-1"));
        check_call_refused(c, &answer, "Open", "[\"%s\"]", check_fixture(c, "layers-1"));
}

static void run_unknown_method_arguments(struct check_context *c)
{
        CLEANUP_ANSWER struct answer answer = {0};

        check_call_refused(c, &answer, UNKNOWN "WithArguments", "[1, \"two\", null, {}, [], -1.5, true]");
        check_that(c, strstr(answer.error, UNKNOWN "WithArguments"),
                   "expected an unknown method to be named whatever its arguments are, got: %.500s",
                   answer.error);
}

/* A client that asks for a method to learn whether it is there gets the same answer each time. */
static void run_unknown_method_again(struct check_context *c)
{
        CLEANUP_ANSWER struct answer first = {0}, again = {0};

        check_call_refused(c, &first, UNKNOWN "Again", "[]");
        for (int i = 0; i < 20; i++) {
                check_call_refused(c, &again, UNKNOWN "Again", "[]");
                check_that(c, strcmp(first.error, again.error) == 0,
                           "expected the same error each time, got first: %.300s; and then: %.300s",
                           first.error, again.error);
        }
}

#define HANDSHAKE(name, check_level, text, anchor, function, starts)                                          \
        {                                                                                                     \
                .id = "handshake/" name, .level = (check_level), .since = VERSION_OLDEST, .requires = (text), \
                .reference = (anchor), .run = (function), .own_start = (starts)                               \
        }

const struct check checks_handshake[] = {
        HANDSHAKE("version", LEVEL_MUST, "Initialize's value is a version MAJOR.MINOR.PATCH, 0.2.3 or later.",
                  "initialize-value", run_version, true),
        HANDSHAKE("announced", LEVEL_INFO, "Records the version that Initialize announces.", "initialize-value",
                  run_announced, true),
        HANDSHAKE("initialize-first", LEVEL_MUST,
                  "Before Initialize every method but FinishPipe and Shutdown is refused.", "initialize-first",
                  run_initialize_first, true),
        HANDSHAKE("initialize-first-named", LEVEL_SHOULD,
                  "The error of a method that comes before Initialize names Initialize.", "initialize-first",
                  run_initialize_first_named, true),
        HANDSHAKE("initialize-late", LEVEL_SHOULD, "Initialize succeeds after calls that were refused.",
                  "initialize-late", run_initialize_late, true),
        HANDSHAKE("initialize-once", LEVEL_MUST, "A second Initialize is refused, and the server still serves.",
                  "initialize-once", run_initialize_once, false),
        HANDSHAKE("initialize-arguments", LEVEL_SHOULD,
                  "Initialize with an argument is refused, and one without it then succeeds.", "argument-count",
                  run_initialize_arguments, true),
        HANDSHAKE("unknown-method", LEVEL_MUST, "An unknown method is refused, and the server still serves.",
                  "unknown-method session-goes-on", run_unknown_method, false),
        HANDSHAKE("unknown-method-named", LEVEL_SHOULD, "The error of an unknown method names it.",
                  "unknown-method", run_unknown_method_named, false),
        HANDSHAKE("method-case", LEVEL_SHOULD, "Method names differ by case: `openimage` is unknown.",
                  "method-case method-member", run_method_case, false),
        HANDSHAKE("methods-of-version", LEVEL_MUST, "Every method of the announced version is known.",
                  "version-methods", run_methods_of_version, false),
        {.id = "handshake/later-methods",
         .level = LEVEL_INFO,
         .since = VERSION_OLDEST,
         .until = VERSION_NEWEST,
         .requires = "Records which methods of later versions than the announced one are known.",
         .reference = "later-methods",
         .run = run_later_methods},
        HANDSHAKE("finish-pipe-early", LEVEL_SHOULD,
                  "FinishPipe before Initialize is refused, and Initialize then succeeds.", "finish-early",
                  run_finish_pipe_early, true),
        HANDSHAKE("method-blank", LEVEL_SHOULD,
                  "A blank before or behind a method's name, and a part of it, are unknown methods.",
                  "method-member", run_method_blank, false),
        HANDSHAKE("unknown-method-arguments", LEVEL_SHOULD,
                  "An unknown method is refused as such whatever its arguments are.", "unknown-method",
                  run_unknown_method_arguments, false),
        HANDSHAKE("unknown-method-again", LEVEL_SHOULD, "An unknown method is refused alike each time.",
                  "unknown-method session-goes-on", run_unknown_method_again, false),
};
const size_t n_checks_handshake = ARRAY_SIZE(checks_handshake);
