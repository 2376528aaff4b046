/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole registry in this process, asked by a plain client of the test's own, which sends a request as text
 * and takes what comes until the connection ends: each answer, each fault, and what the log says of it.
 */
#include "fakeregistry/registry.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/testing.h"
#include "base/tmpdir.h"
#include "image/digest.h"

#define PATIENCE_MS 120000
#define SIZE 5000
#define ANSWER_MAX ((size_t)1024 * 1024)
#define BASIC_TOM "Authorization: Basic dG9tOnNlY3JldA==\r\n"

static const struct generated_layer layers[] = {{.size = SIZE, .content = GENERATED_RANDOM}};
static const struct registry_image images[] = {
        {.repository = "app", .tag = "v1", .has_recipe = true, .recipe = {.layers = layers, .n_layers = 1}},
        {.repository = "app", .tag = "v2", .fixture = "docker"},
        {.repository = "app", .tag = "v3", .fixture = "layers-1"},
};
static const struct registry_user users[] = {{.name = "tom", .password = "secret"}};

static struct registry *registry;
static struct registry_config config;
static char layer_digest[DIGEST_TEXT_SIZE]; /* of app:v1 */

/* ---- a client ---- */

struct answer {
        int status; /* 0: there is none */
        char *text; /* head and body */
        size_t len;
        const char *body;
        size_t body_len;
        bool was_reset;
};

static void answer_clear(struct answer *answer)
{
        free(answer->text);
}
#define CLEANUP_ANSWER CLEANUP(answer_clear)

static int connect_to(uint16_t port, const char *address)
{
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        ck_assert_int_eq(inet_pton(AF_INET, address, &to.sin_addr), 1);
        if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
                return fd;
        close(fd);
        return -errno;
}

static struct answer receive(int take_fd)
{
        struct answer answer = {.text = calloc(1, ANSWER_MAX)};
        const struct deadline end = deadline_in_ms(PATIENCE_MS);

        for (;;) {
                ssize_t n;

                ck_assert_int_gt(wait_fd(take_fd, POLLIN, end), 0);
                n = recv(take_fd, answer.text + answer.len, ANSWER_MAX - 1 - answer.len, 0);
                answer.was_reset |= n < 0 && errno == ECONNRESET;
                if (n <= 0)
                        break;
                answer.len += (size_t)n;
        }
        close(take_fd);
        sscanf(answer.text, "HTTP/1.1 %d", &answer.status);
        answer.body = strstr(answer.text, "\r\n\r\n");
        answer.body = answer.body ? answer.body + 4 : answer.text + answer.len;
        answer.body_len = answer.len - (size_t)(answer.body - answer.text);
        return answer;
}

/* "GET /v2/\r\nHEADERS" to a listener. The rest of the head is added. */
__attribute__((format(printf, 3, 4))) static struct answer ask_at(const char *listener, const char *headers,
                                                                  const char *format, ...)
{
        CLEANUP(cleanup_free) char *line = NULL;
        CLEANUP(cleanup_free) char *request = NULL;
        const char *address = listener && !strcmp(listener, "other") ? "127.0.0.2" : "127.0.0.1";
        int fd = connect_to(registry_port(registry, listener), address);
        va_list ap;
        int len;

        ck_assert_int_ge(fd, 0);
        va_start(ap, format);
        ck_assert_int_gt(vasprintf(&line, format, ap), 0);
        va_end(ap);
        len = asprintf(&request, "%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", line,
                       registry_address(registry, listener), headers);
        ck_assert_int_gt(len, 0);
        ck_assert_ok(write_all(fd, request, (size_t)len));
        return receive(fd);
}

#define ask(...) ask_at(NULL, "", __VA_ARGS__)

static bool has(const struct answer *answer, const char *text)
{
        return strstr(answer->text, text) != NULL;
}

#define assert_has(answer, words) ck_assert_msg(has(&(answer), words), "%s", (answer).text)

static struct answer ask_layer(const char *headers)
{
        return ask_at(NULL, headers, "GET /v2/app/blobs/%s", layer_digest);
}

static bool has_digest(const struct answer *answer, const char *wanted)
{
        char digest[DIGEST_TEXT_SIZE];

        ck_assert_ok(digest_of(DIGEST_SHA256, answer->body, answer->body_len, digest));
        return !strcmp(digest, wanted);
}

/* ---- starting ---- */

static void setup(void)
{
        testing_fds_setup();
        config = (struct registry_config){.images = images, .n_images = ARRAY_SIZE(images)};
        registry = NULL;
}

static void teardown(void)
{
        registry_free(registry);
        testing_fds_teardown();
}

static void start(void)
{
        struct cip_error error = {0};
        int r = registry_start(&config, &registry, &error);
        struct generated *generated;
        struct manifest *manifest;

        ck_assert_msg(r == 0, "%s", error.message);
        ck_assert_ok(generated_new(&images[0].recipe, &generated, NULL));
        manifest = generated_parsed_manifest(generated);
        snprintf(layer_digest, sizeof(layer_digest), "%s", manifest->entries[0].digest);
        manifest_free(manifest);
        generated_free(generated);
}

static void start_with(const struct registry_rule *rules, size_t n)
{
        config.rules = rules;
        config.n_rules = n;
        start();
}

/* What the log has, when nothing is under way any more. */
static struct registry_log_copy read_log(uint64_t n)
{
        struct registry_log_copy copy;

        ck_assert_ok(registry_wait(registry, n, deadline_in_ms(PATIENCE_MS)));
        ck_assert_ok(registry_read_log(registry, &copy));
        return copy;
}

/* ---- faithful answers ---- */

START_TEST(manifests_and_blobs_come_with_their_digests_and_types)
{
        struct answer ping CLEANUP_ANSWER = {0}, manifest CLEANUP_ANSWER = {0}, head CLEANUP_ANSWER = {0},
                           layer CLEANUP_ANSWER = {0};

        start();
        ping = ask("GET /v2/");
        ck_assert_int_eq(ping.status, 200);
        assert_has(ping, "Docker-Distribution-Api-Version: registry/2.0\r\n");
        manifest = ask("GET /v2/app/manifests/v2");
        ck_assert_int_eq(manifest.status, 200);
        assert_has(manifest, "Content-Type: " MEDIA_DOCKER_MANIFEST "\r\n");
        assert_has(manifest, "Docker-Content-Digest: sha256:");
        head = ask("HEAD /v2/app/manifests/v2");
        ck_assert_int_eq(head.status, 200);
        assert_has(head, "Content-Length: ");
        ck_assert_uint_eq(head.body_len, 0);
        layer = ask_layer("");
        ck_assert_int_eq(layer.status, 200);
        ck_assert_uint_eq(layer.body_len, SIZE);
        ck_assert(has_digest(&layer, layer_digest));
}
END_TEST

START_TEST(what_is_not_there_is_refused_in_the_apis_words)
{
        static const struct {
                const char *request, *headers;
                int status;
                const char *code;
        } cases[] = {
                {"GET /v2/app/manifests/v9", "", 404, "MANIFEST_UNKNOWN"},
                {"GET /v2/app/blobs/sha256:00", "", 404, "BLOB_UNKNOWN"},
                {"GET /v2/other/manifests/v1", "", 404, "NAME_UNKNOWN"},
                {"GET /v2/app/manifests/v1", "Accept: " MEDIA_DOCKER_MANIFEST "\r\n", 404, "MANIFEST_UNKNOWN"},
                {"GET /v2/app/manifests/v1", "Accept: text/html\r\nAccept: " MEDIA_OCI_MANIFEST "\r\n", 200,
                 ""},
                {"GET /v2/app/referrers/x", "", 400, "DIGEST_INVALID"},
                {"GET /elsewhere", "", 404, "UNSUPPORTED"},
                {"GET /token", "", 404, "UNSUPPORTED"},
                {"PUT /v2/app/manifests/v1", "Content-Length: 0\r\n", 405, "UNSUPPORTED"},
                {"DELETE /v2/app/manifests/v1", "", 405, "UNSUPPORTED"},
        };

        start();
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct answer answer CLEANUP_ANSWER = ask_at(NULL, cases[i].headers, "%s", cases[i].request);

                ck_assert_msg(answer.status == cases[i].status, "%s: %s", cases[i].request, answer.text);
                assert_has(answer, cases[i].code);
        }
}
END_TEST

START_TEST(a_range_is_a_part_of_the_blob)
{
        struct answer whole CLEANUP_ANSWER = {0}, part CLEANUP_ANSWER = {0}, beyond CLEANUP_ANSWER = {0};

        start();
        whole = ask_layer("");
        part = ask_layer("Range: bytes=4000-\r\n");
        ck_assert_int_eq(part.status, 206);
        assert_has(part, "Content-Range: bytes 4000-4999/5000\r\n");
        ck_assert_uint_eq(part.body_len, 1000);
        ck_assert_mem_eq(part.body, whole.body + 4000, 1000);
        beyond = ask_layer("Range: bytes=5000-\r\n");
        ck_assert_int_eq(beyond.status, 416);
        assert_has(beyond, "Content-Range: bytes */5000\r\n");
}
END_TEST

START_TEST(tags_come_in_pages)
{
        struct answer all CLEANUP_ANSWER = {0}, first CLEANUP_ANSWER = {0}, last CLEANUP_ANSWER = {0};

        start();
        all = ask("GET /v2/app/tags/list");
        ck_assert_str_eq(all.body, "{\"name\":\"app\",\"tags\":[\"v1\",\"v2\",\"v3\"]}");
        ck_assert(!has(&all, "Link:"));
        first = ask("GET /v2/app/tags/list?n=2");
        ck_assert_str_eq(first.body, "{\"name\":\"app\",\"tags\":[\"v1\",\"v2\"]}");
        assert_has(first, "Link: </v2/app/tags/list?last=v2&n=2>; rel=\"next\"\r\n");
        last = ask("GET /v2/app/tags/list?last=v2&n=2");
        ck_assert_str_eq(last.body, "{\"name\":\"app\",\"tags\":[\"v3\"]}");
        ck_assert(!has(&last, "Link:"));
}
END_TEST

START_TEST(without_the_referrers_api_it_is_not_found)
{
        struct answer api CLEANUP_ANSWER = {0}, none CLEANUP_ANSWER = {0};

        start();
        api = ask("GET /v2/app/referrers/%s?artifactType=x", layer_digest);
        ck_assert_int_eq(api.status, 200);
        assert_has(api, "Content-Type: " MEDIA_OCI_INDEX);
        assert_has(api, "OCI-Filters-Applied: artifactType\r\n");
        assert_has(api, "\"manifests\":[]");
        registry_free(registry);
        config.referrers = REGISTRY_REFERRERS_TAG;
        start();
        none = ask("GET /v2/app/referrers/%s", layer_digest);
        ck_assert_int_eq(none.status, 404);
}
END_TEST

/* ---- credentials ---- */

START_TEST(basic_lets_in_by_password)
{
        struct answer out CLEANUP_ANSWER = {0}, in CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};

        config.auth = (struct registry_auth){
                .kind = REGISTRY_AUTH_BASIC, .users = users, .n_users = 1, .service = "x"};
        start();
        out = ask("GET /v2/");
        ck_assert_int_eq(out.status, 401);
        assert_has(out, "WWW-Authenticate: Basic realm=\"x\"\r\n");
        in = ask_at(NULL, BASIC_TOM, "GET /v2/");
        ck_assert_int_eq(in.status, 200);
        log = read_log(2);
        ck_assert_str_eq(log.requests[1].user, "tom");
        ck_assert_int_eq(log.requests[1].credentials, REGISTRY_CREDENTIALS_BASIC);
}
END_TEST

/* The token of an answer of the token service, as a header; the caller frees. */
static char *bearer_of(const struct answer *answer)
{
        const char *at = strstr(answer->text, "\"token\":\"");
        char *header = NULL;

        ck_assert_msg(at != NULL, "%s", answer->text);
        at += strlen("\"token\":\"");
        ck_assert_int_gt(asprintf(&header, "Authorization: Bearer %.*s\r\n", (int)strcspn(at, "\""), at), 0);
        return header;
}

START_TEST(bearer_lets_in_by_a_token_of_the_service)
{
        struct answer out CLEANUP_ANSWER = {0}, token CLEANUP_ANSWER = {0}, in CLEANUP_ANSWER = {0},
                          late CLEANUP_ANSWER = {0}, wrong CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        CLEANUP(cleanup_free) char *bearer = NULL;
        char realm[200];

        config.auth = (struct registry_auth){.kind = REGISTRY_AUTH_BEARER, .users = users, .n_users = 1};
        start();
        out = ask("GET /v2/app/manifests/v1");
        snprintf(realm, sizeof(realm),
                 "WWW-Authenticate: Bearer realm=\"http://%s/token\",service=\"cip-fakeregistry\","
                 "scope=\"repository:app:pull\"\r\n",
                 registry_address(registry, NULL));
        ck_assert_int_eq(out.status, 401);
        assert_has(out, realm);
        wrong = ask_at(NULL, "Authorization: Basic dG9tOndyb25n\r\n", "GET /token?scope=repository:app:pull");
        ck_assert_int_eq(wrong.status, 401);
        token = ask_at(NULL, BASIC_TOM,
                       "GET /token?service=x&scope=repository:b:pull&scope=repository:app:pull");
        ck_assert_int_eq(token.status, 200);
        bearer = bearer_of(&token);
        in = ask_at(NULL, bearer, "GET /v2/app/manifests/v1");
        ck_assert_int_eq(in.status, 200);
        registry_expire_tokens(registry);
        late = ask_at(NULL, bearer, "GET /v2/app/manifests/v1");
        ck_assert_int_eq(late.status, 401);
        assert_has(late, "error=\"invalid_token\"");
        log = read_log(5);
        ck_assert_str_eq(log.requests[2].scope, "repository:b:pull repository:app:pull");
        ck_assert_str_eq(log.requests[2].given, "t1");
        ck_assert_str_eq(log.requests[3].token, "t1");
        ck_assert_str_eq(log.requests[3].user, "tom");
}
END_TEST

START_TEST(an_identity_token_is_posted_as_a_form)
{
        static const struct registry_user bot[] = {{.name = "bot", .identity_token = "i d&+"}};
        static const char body[] = "grant_type=refresh_token&service=x&scope=repository%3Aapp%3Apull"
                                   "&refresh_token=i%20d%26%2B";
        struct answer token CLEANUP_ANSWER = {0}, in CLEANUP_ANSWER = {0}, large CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        CLEANUP(cleanup_free) char *bearer = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP(cleanup_free) char *filler = calloc(1, 70001);
        int fd;

        config.auth = (struct registry_auth){.kind = REGISTRY_AUTH_BEARER, .users = bot, .n_users = 1};
        start();
        fd = connect_to(registry_port(registry, NULL), "127.0.0.1");
        ck_assert_int_gt(asprintf(&text,
                                  "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                  "Content-Type: application/x-www-form-urlencoded\r\n"
                                  "Content-Length: %zu\r\n\r\n%s",
                                  strlen(body), body),
                         0);
        ck_assert_ok(write_all(fd, text, strlen(text)));
        token = receive(fd);
        ck_assert_int_eq(token.status, 200);
        bearer = bearer_of(&token);
        in = ask_at(NULL, bearer, "GET /v2/app/manifests/v1");
        ck_assert_int_eq(in.status, 200);

        free(text);
        memset(filler, 'x', 70000);
        fd = connect_to(registry_port(registry, NULL), "127.0.0.1");
        ck_assert_int_gt(asprintf(&text,
                                  "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                  "Content-Type: application/x-www-form-urlencoded\r\n"
                                  "Content-Length: 70000\r\n\r\n%s",
                                  filler),
                         0);
        ck_assert_ok(write_all(fd, text, strlen(text)));
        large = receive(fd);
        ck_assert_int_eq(large.status, 413);
        log = read_log(3);
        ck_assert_int_eq(log.requests[0].credentials, REGISTRY_CREDENTIALS_IDENTITY);
        ck_assert_str_eq(log.requests[0].user, "bot");
        ck_assert_str_eq(log.requests[0].scope, "repository:app:pull");
}
END_TEST

START_TEST(a_token_may_expire_at_any_request)
{
        static const struct registry_rule rules[] = {
                {.name = "late", .when = {.kind = REGISTRY_BLOB, .nth = 1}, .act = {.expire_token = true}}};
        struct answer token CLEANUP_ANSWER = {0}, in CLEANUP_ANSWER = {0}, refused CLEANUP_ANSWER = {0},
                            again CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_free) char *bearer = NULL;

        config.auth = (struct registry_auth){.kind = REGISTRY_AUTH_BEARER, .anonymous = true};
        start_with(rules, 1);
        token = ask("GET /token?scope=repository:app:pull");
        bearer = bearer_of(&token);
        in = ask_at(NULL, bearer, "GET /v2/app/manifests/v1");
        ck_assert_int_eq(in.status, 200);
        refused = ask_layer(bearer);
        ck_assert_int_eq(refused.status, 401);
        assert_has(refused, "error=\"invalid_token\"");
        again = ask_layer(bearer);
        ck_assert_int_eq(again.status, 401);
}
END_TEST

/* ---- faults ---- */

START_TEST(an_error_is_the_one_that_the_rule_wants)
{
        static const struct registry_header headers[] = {{"Retry-After", "7"}, {"Content-Type", NULL}};
        static const struct registry_rule rules[] = {
                {.when = {.nth = 1}, .act = {.status = 429, .headers = headers, .n_headers = 2}},
                {.when = {.nth = 2}, .act = {.status = 503, .code = "BUSY", .message = "come back"}},
                {.when = {.nth = 3}, .act = {.status = 500, .body = "oops", .media_type = "text/plain"}},
                {.when = {.nth = 4}, .act = {.status = 401}},
                {.when = {.nth = 5}, .act = {.status = 418}},
        };
        struct answer a CLEANUP_ANSWER = {0}, b CLEANUP_ANSWER = {0}, c CLEANUP_ANSWER = {0},
                        d CLEANUP_ANSWER = {0}, e CLEANUP_ANSWER = {0}, f CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};

        start_with(rules, ARRAY_SIZE(rules));
        a = ask_layer("");
        ck_assert_int_eq(a.status, 429);
        assert_has(a, "Retry-After: 7\r\n");
        assert_has(a, "TOOMANYREQUESTS");
        ck_assert(!has(&a, "Content-Type"));
        b = ask_layer("");
        ck_assert_int_eq(b.status, 503);
        ck_assert_str_eq(b.body, "{\"errors\":[{\"code\":\"BUSY\",\"message\":\"come back\"}]}");
        c = ask_layer("");
        ck_assert_str_eq(c.body, "oops");
        assert_has(c, "Content-Type: text/plain\r\n");
        d = ask_layer("");
        assert_has(d, "WWW-Authenticate: Basic");
        e = ask_layer("");
        ck_assert_int_eq(e.status, 418);
        f = ask_layer("");
        ck_assert_int_eq(f.status, 200);
        log = read_log(6);
        ck_assert_str_eq(log.requests[2].rule, "rule 2");
        ck_assert_uint_eq(log.requests[2].status, 500);
        ck_assert_str_eq(log.requests[5].rule, "");
        ck_assert_uint_eq(log.requests[5].bytes, SIZE);
        ck_assert_uint_eq(
                registry_log_count(&log, &(struct registry_when){.outcome = REGISTRY_OUTCOME_FAILURE}), 5);
        ck_assert_ptr_eq(registry_log_find(&log, &(struct registry_when){.outcome = REGISTRY_OUTCOME_SUCCESS},
                                           &log.requests[0]),
                         &log.requests[5]);
}
END_TEST

START_TEST(a_connection_is_cut_where_the_rule_wants_it)
{
        static const struct registry_rule rules[] = {
                {.when = {.nth = 1}, .act = {.cut = {.there = true, .after = 1234}}},
                {.when = {.nth = 2}, .act = {.cut = {.there = true}}},
                {.when = {.nth = 3}, .act = {.cut = {.there = true, .after = 30, .in_headers = true}}},
                {.when = {.nth = 4}, .act = {.cut = {.there = true, .after = 10, .reset = true}}},
                {.when = {.nth = 5}, .act = {.cut = {.there = true, .after = SIZE}}},
                {.when = {.nth = 6}, .act = {.cut = {.there = true, .in_headers = true, .reset = true}}},
                {.when = {.nth = 7}, .act = {.raw = "SSH-2.0-x\r\n"}},
        };
        static const struct {
                int status;
                size_t len; /* of the body; of the whole where there is no head */
                enum registry_end end;
                bool was_reset;
        } wanted[] = {
                {200, 1234, REGISTRY_END_CUT, false},      {200, 0, REGISTRY_END_CUT, false},
                {200, 30, REGISTRY_END_CUT, false},        {200, 10, REGISTRY_END_CUT, true},
                {200, SIZE, REGISTRY_END_COMPLETE, false}, {0, 0, REGISTRY_END_CUT, true},
                {0, 11, REGISTRY_END_CUT, false},
        };
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};

        start_with(rules, ARRAY_SIZE(rules));
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
                struct answer answer CLEANUP_ANSWER = ask_layer("");
                size_t len = has(&answer, "\r\n\r\n") ? answer.body_len : answer.len;

                ck_assert_msg(answer.status == wanted[i].status, "case %zu: %s", i, answer.text);
                /* A reset may overtake what was sent before it. */
                ck_assert_msg(len == wanted[i].len || (wanted[i].was_reset && len < wanted[i].len),
                              "case %zu: %zu", i, len);
                ck_assert_msg(answer.was_reset == wanted[i].was_reset, "case %zu", i);
        }
        log = read_log(ARRAY_SIZE(wanted));
        for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
                ck_assert_msg(log.requests[i].end == wanted[i].end, "case %zu: %s", i,
                              registry_end_name(log.requests[i].end));
}
END_TEST

START_TEST(content_may_be_other_bytes_fewer_or_more)
{
        static const struct registry_rule rules[] = {
                {.when = {.nth = 1}, .act = {.corrupt_at = REGISTRY_NUMBER(4999)}},
                {.when = {.nth = 2}, .act = {.truncate_to = REGISTRY_NUMBER(4999)}},
                {.when = {.nth = 3}, .act = {.lengthen_by = 3}},
                {.when = {.nth = 4}, .act = {.content_length = REGISTRY_NUMBER(6000)}},
                {.when = {.nth = 5}, .act = {.content_length = REGISTRY_NUMBER(0)}},
                {.when = {.nth = 6}, .act = {.ignore_range = true}},
                {.when = {.nth = 7}, .act = {.corrupt_at = REGISTRY_NUMBER(11)}},
                {.when = {.nth = 8}, .act = {.serve = "v3"}},
                {.when = {.nth = 9}, .act = {.serve = "nothing"}},
        };
        struct answer good CLEANUP_ANSWER = {0};

        start();
        good = ask_layer("");
        ck_assert_ok(registry_set_rules(registry, rules, ARRAY_SIZE(rules)));
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
                struct answer answer CLEANUP_ANSWER =
                        ask_layer(i == 5 || i == 6 ? "Range: bytes=10-12\r\n" : "");

                switch (i) {
                case 0:
                        ck_assert_uint_eq(answer.body_len, SIZE);
                        ck_assert_mem_eq(answer.body, good.body, 4999);
                        ck_assert_int_ne(answer.body[4999], good.body[4999]);
                        break;
                case 1:
                        assert_has(answer, "Content-Length: 4999\r\n");
                        ck_assert_uint_eq(answer.body_len, 4999);
                        break;
                case 2:
                        assert_has(answer, "Content-Length: 5003\r\n");
                        ck_assert_uint_eq(answer.body_len, 5003);
                        ck_assert_mem_eq(answer.body + SIZE, "\0\0", 3);
                        break;
                case 3:
                case 4:
                        assert_has(answer, i == 3 ? "Content-Length: 6000\r\n" : "Content-Length: 0\r\n");
                        ck_assert(!has(&answer, "Content-Length: 5000\r\n"));
                        ck_assert_uint_eq(answer.body_len, SIZE);
                        break;
                case 5:
                        ck_assert_int_eq(answer.status, 200);
                        ck_assert_uint_eq(answer.body_len, SIZE);
                        break;
                case 6: /* the offset is the content's, not the part's */
                        ck_assert_int_eq(answer.status, 206);
                        ck_assert_int_eq(answer.body[0], good.body[10]);
                        ck_assert_int_ne(answer.body[1], good.body[11]);
                        break;
                case 7:
                        assert_has(answer, layer_digest);
                        assert_has(answer, "\"schemaVersion\"");
                        break;
                default:
                        ck_assert_int_eq(answer.status, 500);
                        break;
                }
        }
}
END_TEST

START_TEST(a_manifest_may_be_longer_and_have_another_status)
{
        static const struct registry_rule rules[] = {
                {.when = {.nth = 1}, .act = {.lengthen_by = 3}},
                {.when = {.nth = 2}, .act = {.status = 206}},
        };
        struct answer good CLEANUP_ANSWER = {0}, longer CLEANUP_ANSWER = {0}, other CLEANUP_ANSWER = {0};

        start();
        good = ask("GET /v2/app/manifests/v1");
        ck_assert_ok(registry_set_rules(registry, rules, ARRAY_SIZE(rules)));
        longer = ask("GET /v2/app/manifests/v1");
        ck_assert_uint_eq(longer.body_len, good.body_len + 3);
        ck_assert_mem_eq(longer.body, good.body, good.body_len);
        ck_assert_mem_eq(longer.body + good.body_len, "\0\0", 3);
        other = ask("GET /v2/app/manifests/v1");
        ck_assert_int_eq(other.status, 206);
        ck_assert_str_eq(other.body, good.body);
}
END_TEST

START_TEST(a_stall_ends_by_itself_and_a_drip_takes_its_time)
{
        static const struct registry_rule rules[] = {
                {.when = {.nth = 1}, .act = {.stall = {.there = true, .after = 100, .for_ms = 300}}},
                {.when = {.nth = 2},
                 .act = {.stall = {.there = true, .after = 100, .for_ms = 100, .then_close = true}}},
                {.when = {.nth = 3}, .act = {.bytes_per_s = 10000}},
                {.when = {.nth = 4}, .act = {.delay_ms = 200}},
                {.when = {.nth = 5}, .act = {.stall = {.there = true}}},
        };
        static const uint64_t at_least_ms[] = {300, 100, 300, 200, 1000};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};

        config.limits = (struct registry_limits){.stall_ms = 1000, .idle_s = 1};
        start_with(rules, ARRAY_SIZE(rules));
        for (size_t i = 0; i < ARRAY_SIZE(at_least_ms); i++) {
                uint64_t before = monotonic_ns();
                struct answer answer CLEANUP_ANSWER = ask_layer("");

                ck_assert_uint_ge((monotonic_ns() - before) / 1000000, at_least_ms[i]);
                ck_assert_uint_eq(answer.body_len, i == 1 ? 100 : SIZE);
        }
        log = read_log(ARRAY_SIZE(at_least_ms));
        ck_assert_int_eq(log.requests[0].end, REGISTRY_END_COMPLETE);
        ck_assert_int_eq(log.requests[1].end, REGISTRY_END_CUT);
        ck_assert(log.requests[4].took >= 1.0);
}
END_TEST

START_TEST(a_stall_ends_when_the_client_leaves_or_the_registry_stops)
{
        static const struct registry_rule rules[] = {{.act = {.stall = {.there = true, .after = 10}}}};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy end = {0};
        char text[300];
        uint64_t before;
        int fd;

        config.limits.stall_ms = 3000000;
        start_with(rules, 1);
        snprintf(text, sizeof(text), "GET /v2/app/blobs/%s HTTP/1.1\r\nHost: x\r\n\r\n", layer_digest);
        for (int i = 0; i < 2; i++) {
                fd = connect_to(registry_port(registry, NULL), "127.0.0.1");
                ck_assert_ok(write_all(fd, text, strlen(text)));
                ck_assert_int_gt(wait_fd(fd, POLLIN, deadline_in_ms(PATIENCE_MS)), 0);
                if (i == 0) {
                        close(fd);
                        log = read_log(1);
                        ck_assert_int_eq(log.requests[0].end, REGISTRY_END_LEFT);
                }
        }
        before = monotonic_ns();
        registry_stop(registry);
        ck_assert_uint_lt((monotonic_ns() - before) / 1000000, PATIENCE_MS);
        close(fd);
        end = read_log(2);
        ck_assert_int_eq(end.requests[1].end, REGISTRY_END_STOPPED);
        registry_stop(registry);
}
END_TEST

/* ---- several listeners ---- */

static const struct registry_listener two[] = {{.name = "main"},
                                               {.name = "other", .address = "127.0.0.2", .open = true},
                                               {.name = "gone", .down = true}};

START_TEST(a_redirect_leads_to_the_listener_that_it_names)
{
        static const struct registry_rule rules[] = {
                {.when = {.kind = REGISTRY_BLOB, .listener = "main", .nth = 1},
                 .act = {.redirect = {.there = true, .listener = "other"}}},
                {.when = {.kind = REGISTRY_BLOB, .listener = "main", .nth = 2},
                 .act = {.redirect = {.there = true}}},
                {.when = {.kind = REGISTRY_BLOB, .listener = "main", .nth = 3},
                 .act = {.status = 302, .redirect = {.there = true, .location = "/relative"}}},
        };
        struct answer there CLEANUP_ANSWER = {0}, loop CLEANUP_ANSWER = {0}, text CLEANUP_ANSWER = {0},
                            arrived CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        char location[300];

        config.listeners = two;
        config.n_listeners = ARRAY_SIZE(two);
        start_with(rules, ARRAY_SIZE(rules));
        there = ask_layer("");
        ck_assert_int_eq(there.status, 307);
        snprintf(location, sizeof(location), "Location: http://127.0.0.2:%u/v2/app/blobs/%s\r\n",
                 registry_port(registry, "other"), layer_digest);
        assert_has(there, location);
        ck_assert_uint_eq(there.body_len, 0);
        loop = ask_layer("");
        snprintf(location, sizeof(location), "Location: http://127.0.0.1:%u/v2/app/blobs/%s\r\n",
                 registry_port(registry, NULL), layer_digest);
        assert_has(loop, location);
        text = ask_layer("");
        ck_assert_int_eq(text.status, 302);
        assert_has(text, "Location: /relative\r\n");
        arrived = ask_at("other", "", "GET /v2/app/blobs/%s", layer_digest);
        ck_assert_int_eq(arrived.status, 200);
        log = read_log(4);
        ck_assert_str_eq(log.requests[3].listener, "other");
        ck_assert_str_eq(log.requests[3].host, registry_address(registry, "other"));
        ck_assert_uint_eq(registry_connections(registry, "other"), 1);
        ck_assert_uint_eq(registry_connections(registry, NULL), 4);
}
END_TEST

START_TEST(a_listener_that_is_down_refuses_connections_and_keeps_its_port)
{
        config.listeners = two;
        config.n_listeners = ARRAY_SIZE(two);
        start();
        ck_assert_uint_ne(registry_port(registry, "gone"), 0);
        ck_assert_int_eq(connect_to(registry_port(registry, "gone"), "127.0.0.1"), -ECONNREFUSED);
        ck_assert_ptr_null(registry_address(registry, "nowhere"));
        ck_assert_uint_eq(registry_port(registry, "nowhere"), 0);
}
END_TEST

START_TEST(the_token_service_may_be_elsewhere_and_an_open_listener_asks_nobody)
{
        struct answer out CLEANUP_ANSWER = {0}, in CLEANUP_ANSWER = {0};
        char realm[100];

        config.listeners = two;
        config.n_listeners = ARRAY_SIZE(two);
        config.auth = (struct registry_auth){.kind = REGISTRY_AUTH_BEARER, .listener = "other"};
        start();
        out = ask("GET /v2/");
        snprintf(realm, sizeof(realm), "realm=\"http://127.0.0.2:%u/token\"", registry_port(registry, "other"));
        assert_has(out, realm);
        in = ask_at("other", "", "GET /v2/");
        ck_assert_int_eq(in.status, 200);
}
END_TEST

/* ---- limits and bad configs ---- */

START_TEST(hostile_requests_are_survived)
{
        static const char *const requests[] = {
                "\r\n\r\n\r\n",
                "GET\r\n\r\n",
                "GET /v2/%1b%ff/manifests/%ff%fe HTTP/1.1\r\nHost: \x1b[31m\"\\\r\nConnection: close\r\n\r\n",
                "GET /v2/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                "POST /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
                "POST /token HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
                "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client hello",
        };
        CLEANUP(cleanup_free) char *long_one = malloc(200000);
        struct answer good CLEANUP_ANSWER = {0};
        int fd;

        config.limits.idle_s = 1;
        start();
        for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
                struct answer answer CLEANUP_ANSWER = {0};

                fd = connect_to(registry_port(registry, NULL), "127.0.0.1");
                ck_assert_ok(write_all(fd, requests[i], strlen(requests[i])));
                answer = receive(fd);
                ck_assert_msg(answer.status == 0 || answer.status >= 400, "%s", answer.text);
        }
        /* A head without an end is not kept in memory. */
        memset(long_one, 'a', 200000);
        long_one[3] = ' ';
        long_one[4] = '/';
        fd = connect_to(registry_port(registry, NULL), "127.0.0.1");
        for (size_t at = 0; at < 200000;) {
                ssize_t n = send(fd, long_one + at, 200000 - at, MSG_NOSIGNAL);

                if (n < 0)
                        break;
                at += (size_t)n;
        }
        good = receive(fd);
        ck_assert(good.status == 0 || good.status >= 400);
        free(good.text);
        good = ask_layer("");
        ck_assert(has_digest(&good, layer_digest));
}
END_TEST

START_TEST(more_connections_than_the_limit_are_closed_until_one_has_ended)
{
        const struct deadline end = deadline_in_ms(PATIENCE_MS);
        struct answer beyond CLEANUP_ANSWER = {0}, later CLEANUP_ANSWER = {0};
        int fds[4];

        config.limits = (struct registry_limits){.connections = 4};
        start();
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
                fds[i] = connect_to(registry_port(registry, NULL), "127.0.0.1");
                ck_assert_int_ge(fds[i], 0);
        }
        while (registry_connections(registry, NULL) < ARRAY_SIZE(fds))
                ck_assert(!deadline_passed(end));
        beyond = receive(connect_to(registry_port(registry, NULL), "127.0.0.1"));
        ck_assert_int_eq(beyond.status, 0);
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
                close(fds[i]);
        while (later.status != 200) {
                ck_assert(!deadline_passed(end));
                free(later.text);
                later = ask("GET /v2/");
        }
}
END_TEST

START_TEST(a_config_that_makes_no_sense_is_refused)
{
        static const struct registry_listener far[] = {{.address = "10.0.0.1"}},
                                              same[] = {{.name = "a"}, {.name = "a"}},
                                              half[] = {{.tls = true, .certificate_pem = "x"}},
                                              none[] = {{.tls = true, .certificate_pem = "x", .key_pem = "y"}};
        static const struct registry_rule lost[] = {{.when = {.listener = "x"}}},
                                          astray[] = {{.act = {.redirect = {.there = true, .listener = "y"}}}};
        static const struct registry_image elsewhere[] = {
                {.repository = "a", .fixture = "tar", .listener = "z"}};
        const struct {
                struct registry_config config;
                const char *words;
        } cases[] = {
                {{.listeners = far, .n_listeners = 1}, "no address of loopback"},
                {{.listeners = same, .n_listeners = 2}, "two listeners named \"a\""},
                {{.listeners = half, .n_listeners = 1}, "a certificate without a key"},
                {{.listeners = none, .n_listeners = 1}, "there is no certificate in"},
                {{.listeners = same, .n_listeners = 17}, "17 listeners; 16 are the most"},
                {{.rules = lost, .n_rules = 1}, "rule 0 names the listener \"x\""},
                {{.rules = astray, .n_rules = 1}, "rule 0 names the listener \"y\""},
                {{.images = elsewhere, .n_images = 1}, "an image names the listener \"z\""},
                {{.auth = {.listener = "w"}}, "the token service names the listener \"w\""},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                struct cip_error error = {0};

                ck_assert_errno(registry_start(&cases[i].config, &registry, &error), -EINVAL);
                ck_assert_msg(strstr(error.message, cases[i].words) != NULL, "%s", error.message);
                ck_assert_int_eq(error.error_class, CIP_ERROR_LOCAL);
        }
}
END_TEST

START_TEST(a_port_in_use_is_told)
{
        struct registry_listener listener = {.name = "main"};
        struct cip_error error = {0};
        struct registry *second = NULL;
        struct registry_config again;

        start();
        listener.port = registry_port(registry, NULL);
        again = config;
        again.listeners = &listener;
        again.n_listeners = 1;
        ck_assert_errno(registry_start(&again, &second, &error), -EADDRINUSE);
        ck_assert_ptr_nonnull(strstr(error.message, "cannot listen on 127.0.0.1:"));
}
END_TEST

START_TEST(the_log_is_written_a_line_a_request_and_a_full_disk_is_noticed)
{
        CLEANUP(cleanup_tmpdir_remove) char *folder = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        CLEANUP_FD int fd = -1, full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        struct answer answer CLEANUP_ANSWER = {0}, other CLEANUP_ANSWER = {0};
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        char path[4096];
        size_t len;

        ck_assert_ok(tmpdir_new("cip-test", &folder, NULL));
        snprintf(path, sizeof(path), "%s/log", folder);
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        config.log_fd = fd;
        start();
        answer = ask_at(NULL, "User-Agent: a\"b\xff\r\nRange: bytes=0-1\r\nAuthorization: Bearer seecret\r\n",
                        "GET /v2/app/blobs/%s?query", layer_digest);
        ck_assert_int_eq(answer.status, 206);
        log = read_log(1);
        ck_assert_ok(registry_log_status(registry));
        lseek(fd, 0, SEEK_SET);
        ck_assert_ok(read_to_end(fd, 10000, deadline_in_ms(PATIENCE_MS), &text, &len));
        ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
        ck_assert_ptr_nonnull(strstr(text, "\"user_agent\":\"a\\\"b?\""));
        ck_assert_ptr_nonnull(
                strstr(text, "\"range\":\"bytes=0-1\",\"credentials\":\"bearer\",\"token\":\"unknown\""));
        ck_assert_ptr_nonnull(strstr(text, "\"status\":206,\"bytes\":2,\"end\":\"complete\""));
        ck_assert_ptr_null(strstr(text, "seecret"));
        ck_assert_ptr_null(strstr(text, "query"));
        registry_free(registry);
        registry = NULL;

        ck_assert_int_ge(full, 0);
        config.log_fd = full;
        start();
        other = ask_layer("");
        ck_assert_int_eq(other.status, 200);
        registry_log_copy_clear(&log);
        log = read_log(1);
        ck_assert_errno(registry_log_status(registry), -ENOSPC);
}
END_TEST

START_TEST(waiting_for_a_request_that_does_not_come_ends_at_the_deadline)
{
        start();
        ck_assert_ok(registry_wait(registry, 0, deadline_in_ms(PATIENCE_MS)));
        ck_assert_errno(registry_wait(registry, 1, deadline_in_ms(10)), -ETIMEDOUT);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("registry");
        TCase *tcase = tcase_create("registry");

        tcase_set_timeout(tcase, 300);
        tcase_add_checked_fixture(tcase, setup, teardown);
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, manifests_and_blobs_come_with_their_digests_and_types);
        tcase_add_test(tcase, what_is_not_there_is_refused_in_the_apis_words);
        tcase_add_test(tcase, a_range_is_a_part_of_the_blob);
        tcase_add_test(tcase, tags_come_in_pages);
        tcase_add_test(tcase, without_the_referrers_api_it_is_not_found);
        tcase_add_test(tcase, basic_lets_in_by_password);
        tcase_add_test(tcase, bearer_lets_in_by_a_token_of_the_service);
        tcase_add_test(tcase, an_identity_token_is_posted_as_a_form);
        tcase_add_test(tcase, a_token_may_expire_at_any_request);
        tcase_add_test(tcase, an_error_is_the_one_that_the_rule_wants);
        tcase_add_test(tcase, a_connection_is_cut_where_the_rule_wants_it);
        tcase_add_test(tcase, content_may_be_other_bytes_fewer_or_more);
        tcase_add_test(tcase, a_manifest_may_be_longer_and_have_another_status);
        tcase_add_test(tcase, a_stall_ends_by_itself_and_a_drip_takes_its_time);
        tcase_add_test(tcase, a_stall_ends_when_the_client_leaves_or_the_registry_stops);
        tcase_add_test(tcase, a_redirect_leads_to_the_listener_that_it_names);
        tcase_add_test(tcase, a_listener_that_is_down_refuses_connections_and_keeps_its_port);
        tcase_add_test(tcase, the_token_service_may_be_elsewhere_and_an_open_listener_asks_nobody);
        tcase_add_test(tcase, hostile_requests_are_survived);
        tcase_add_test(tcase, more_connections_than_the_limit_are_closed_until_one_has_ended);
        tcase_add_test(tcase, a_config_that_makes_no_sense_is_refused);
        tcase_add_test(tcase, a_port_in_use_is_told);
        tcase_add_test(tcase, the_log_is_written_a_line_a_request_and_a_full_disk_is_noticed);
        tcase_add_test(tcase, waiting_for_a_request_that_does_not_come_ends_at_the_deadline);
        return testing_main(suite);
}
