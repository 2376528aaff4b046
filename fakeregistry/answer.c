/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The faithful answers of a registry: the distribution API, version 2, as far as it is about reading, and a
 * token service. What is refused is refused in the words that registries use.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/io.h"
#include "fakeregistry/serve.h"
#include "protocol/message.h"

/* ---- answers ---- */

void registry_answer_clear(struct registry_answer *answer)
{
        for (size_t i = 0; i < answer->n_headers; i++) {
                free(answer->headers[i].name);
                free(answer->headers[i].value);
        }
        registry_content_clear(&answer->content);
        *answer = (struct registry_answer){.content.fd = -1};
}

bool registry_answer_header(struct registry_answer *answer, const char *name, const char *value)
{
        size_t i = 0;

        while (i < answer->n_headers && strcasecmp(answer->headers[i].name, name) != 0)
                i++;
        if (i < answer->n_headers) {
                free(answer->headers[i].name);
                free(answer->headers[i].value);
                answer->headers[i] = answer->headers[--answer->n_headers];
        }
        if (!value)
                return true;
        i = answer->n_headers;
        if (i == ANSWER_HEADERS_MAX)
                return false;
        answer->headers[i].name = strdup(name);
        answer->headers[i].value = strdup(value);
        if (answer->headers[i].name && answer->headers[i].value) {
                answer->n_headers++;
                return true;
        }
        free(answer->headers[i].name);
        free(answer->headers[i].value);
        return false;
}

static int start_answer(struct registry_answer *answer, unsigned status, const char *media_type)
{
        registry_answer_clear(answer);
        answer->status = status;
        return registry_answer_header(answer, "Docker-Distribution-Api-Version", "registry/2.0") &&
                               registry_answer_header(answer, "Content-Type", media_type)
                       ? 0
                       : -ENOMEM;
}

/* The text of a JSON object as the content. */
static int set_json(struct registry_answer *answer, struct json_object *object)
{
        size_t len = 0;
        const char *text = json_text(object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

        registry_content_clear(&answer->content);
        answer->content.text = text ? strdup(text) : NULL;
        answer->content.size = answer->length = len;
        return answer->content.text ? 0 : -ENOMEM;
}

static const struct {
        unsigned status;
        const char *code, *message;
} errors[] = {
        {400, "UNSUPPORTED", "the request makes no sense"},
        {401, "UNAUTHORIZED", "authentication required"},
        {403, "DENIED", "requested access to the resource is denied"},
        {404, "NAME_UNKNOWN", "repository name not known to registry"},
        {405, "UNSUPPORTED", "The operation is unsupported."},
        {413, "SIZE_INVALID", "the request is too large"},
        {416, "RANGE_INVALID", "the range is not in the content"},
        {429, "TOOMANYREQUESTS", "You have reached your pull rate limit."},
        {500, "UNKNOWN", "unknown error"},
        {502, "UNAVAILABLE", "bad gateway"},
        {503, "UNAVAILABLE", "service unavailable"},
        {504, "UNAVAILABLE", "gateway timeout"},
};

int registry_answer_error(struct registry_answer *answer, unsigned status, const char *code,
                          const char *message)
{
        CLEANUP(cleanup_json) struct json_object *whole = json_object_new_object();
        struct json_object *list = json_object_new_array(), *one = json_object_new_object();
        size_t i = 0;
        int r;

        while (i < ARRAY_SIZE(errors) && errors[i].status != status)
                i++;
        if (!code)
                code = i < ARRAY_SIZE(errors) ? errors[i].code : "UNKNOWN";
        if (!message)
                message = i < ARRAY_SIZE(errors) ? errors[i].message : "unknown error";
        json_add_member(one, "code", json_object_new_string(code));
        json_add_member(one, "message", json_object_new_string(message));
        json_add_item(list, one);
        json_add_member(whole, "errors", list);
        r = start_answer(answer, status, "application/json; charset=utf-8");
        return r < 0 ? r : set_json(answer, whole);
}

/* ---- paths ---- */

static const struct {
        const char *marker; /* between the repository and the reference */
        enum registry_kind kind;
} markers[] = {
        {"/manifests/", REGISTRY_MANIFEST},
        {"/blobs/", REGISTRY_BLOB},
        {"/referrers/", REGISTRY_REFERRERS},
};

int registry_path_parse(const char *path, enum registry_kind *ret_kind, char **ret_repository,
                        char **ret_reference)
{
        static const char tags[] = "/tags/list";
        const char *name = path + strlen("/v2/"), *last, *repository_end = NULL, *reference = "";
        enum registry_kind kind = REGISTRY_OTHER;
        size_t len = strlen(path);

        if (!strcmp(path, "/v2/") || !strcmp(path, "/v2")) {
                kind = REGISTRY_PING;
        } else if (!strcmp(path, "/token")) {
                kind = REGISTRY_TOKEN;
        } else if (!strncmp(path, "/v2/", strlen("/v2/"))) {
                last = strrchr(path, '/');
                if (len > strlen("/v2/") + strlen(tags) && !strcmp(path + len - strlen(tags), tags)) {
                        kind = REGISTRY_TAGS;
                        repository_end = path + len - strlen(tags);
                }
                for (size_t i = 0; kind == REGISTRY_OTHER && i < ARRAY_SIZE(markers); i++) {
                        size_t marker_len = strlen(markers[i].marker);
                        const char *at = last + 1 - marker_len;

                        if (!last[1] || at <= name || strncmp(at, markers[i].marker, marker_len) != 0)
                                continue;
                        kind = markers[i].kind;
                        repository_end = at;
                        reference = last + 1;
                }
        }
        *ret_repository =
                strndup(repository_end ? name : "", repository_end ? (size_t)(repository_end - name) : 0);
        *ret_reference = strdup(reference);
        if (!*ret_repository || !*ret_reference) {
                free(*ret_repository);
                free(*ret_reference);
                return -ENOMEM;
        }
        *ret_kind = kind;
        return 0;
}

static bool take_digits(const char **at, uint64_t *ret)
{
        char *end;

        if (**at < '0' || **at > '9')
                return false;
        errno = 0;
        *ret = strtoull(*at, &end, 10);
        *at = end;
        return errno == 0;
}

int registry_range_parse(const char *range, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
        const char *at = range;
        uint64_t first = 0, last = UINT64_MAX;
        bool has_first;

        if (strncmp(at, "bytes=", strlen("bytes=")) != 0)
                return 0;
        at += strlen("bytes=");
        has_first = take_digits(&at, &first);
        if (*at++ != '-')
                return 0;
        if (!take_digits(&at, &last) && !has_first)
                return 0;
        if (*at || (has_first && last < first))
                return 0;
        if (!has_first) { /* the last bytes */
                first = last < size ? size - last : 0;
                if (last == 0)
                        return -ERANGE;
                last = UINT64_MAX;
        }
        if (first >= size)
                return -ERANGE;
        *ret_offset = first;
        *ret_length = (last < size ? last + 1 : size) - first;
        return 1;
}

bool registry_accepts(const char *accept, const char *media_type)
{
        size_t wanted = strlen(media_type), family = strcspn(media_type, "/") + 1;

        if (!*accept)
                return true;
        while (*accept) {
                size_t len, whole;

                accept += strspn(accept, " \t");
                len = strcspn(accept, ",; \t");
                if ((len == wanted && !strncasecmp(accept, media_type, len)) ||
                    (len == 3 && !strncmp(accept, "*/*", len)) ||
                    (len == family + 1 && accept[family] == '*' && !strncasecmp(accept, media_type, family)))
                        return true;
                whole = strcspn(accept, ",");
                accept += whole + (accept[whole] == ',');
        }
        return false;
}

/* ---- refusing ---- */

static const char *service_of(const struct registry *registry)
{
        return registry->config.auth.service ? registry->config.auth.service : "cip-fakeregistry";
}

/* Where the token service is: at the listener of the config, or where the client believes to be. */
static char *realm_of(const struct registry_exchange *exchange)
{
        struct registry *registry = exchange->registry;
        const char *host = exchange->record.host, *listener = registry->config.auth.listener;
        const struct registry_endpoint *endpoint =
                listener ? registry_find_endpoint(registry, listener) : exchange->endpoint;
        char *realm = NULL;

        if (listener || !*host || strpbrk(host, "\"\\ "))
                host = endpoint->address;
        if (asprintf(&realm, "%s://%s/token", endpoint->config->tls ? "https" : "http", host) < 0)
                return NULL;
        return realm;
}

int registry_answer_challenge(struct registry_exchange *exchange)
{
        const char *error = exchange->verdict == REGISTRY_INVALID_TOKEN  ? "invalid_token"
                            : exchange->verdict == REGISTRY_NOT_IN_SCOPE ? "insufficient_scope"
                                                                         : NULL;
        const char *repository = exchange->record.repository;
        CLEANUP(cleanup_free) char *realm = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        bool added;
        int n;

        if (exchange->registry->config.auth.kind == REGISTRY_AUTH_BEARER) {
                realm = realm_of(exchange);
                if (!realm)
                        return -ENOMEM;
                n = asprintf(&text, "Bearer realm=\"%s\",service=\"%s\"%s%s%s%s%s%s", realm,
                             service_of(exchange->registry), *repository ? ",scope=\"repository:" : "",
                             repository, *repository ? ":pull\"" : "", error ? ",error=\"" : "",
                             error ? error : "", error ? "\"" : "");
        } else {
                n = asprintf(&text, "Basic realm=\"%s\"", service_of(exchange->registry));
        }
        added = n >= 0 && registry_answer_header(&exchange->answer, "WWW-Authenticate", text);
        if (n < 0)
                text = NULL;
        return added ? 0 : -ENOMEM;
}

int registry_answer_refuse(struct registry_exchange *exchange)
{
        int r;

        if (exchange->verdict == REGISTRY_DENIED)
                return registry_answer_error(&exchange->answer, 403, NULL, NULL);
        r = registry_answer_error(&exchange->answer, 401, NULL, NULL);
        return r < 0 ? r : registry_answer_challenge(exchange);
}

/* ---- images ---- */

/* The headers that name a digest. */
static int add_digest(struct registry_answer *answer, const char *digest)
{
        CLEANUP(cleanup_free) char *tag = NULL;

        if (asprintf(&tag, "\"%s\"", digest) < 0) {
                tag = NULL;
                return -ENOMEM;
        }
        return registry_answer_header(answer, "Docker-Content-Digest", digest) &&
                               registry_answer_header(answer, "ETag", tag)
                       ? 0
                       : -ENOMEM;
}

/* Makes @take_content that of the answer. */
static int answer_content(struct registry_answer *answer, const char *media_type, const char *digest,
                          struct registry_content *take_content)
{
        int r = start_answer(answer, 200, media_type);

        if (r < 0) {
                registry_content_clear(take_content);
                return r;
        }
        answer->content = *take_content;
        *take_content = (struct registry_content){.fd = -1};
        answer->length = answer->content.size;
        return add_digest(answer, digest);
}

/* The index of referrers under its tag, where there is no API for it. @reference is "sha256-HEX". */
static int answer_referrers_tag(struct registry_exchange *exchange, const char *reference)
{
        const struct registry_request *record = &exchange->record;
        CLEANUP(cleanup_json) struct json_object *index = NULL;
        char digest[DIGEST_TEXT_SIZE];
        size_t n;
        int r;

        snprintf(digest, sizeof(digest), "%s", reference);
        if (!strchr(digest, '-'))
                return -ENOENT;
        *strchr(digest, '-') = ':';
        if (!digest_parse(digest, NULL))
                return -ENOENT;
        index = registry_store_referrers(exchange->registry->store, record->repository, record->listener,
                                         digest, NULL, &n);
        if (n == 0)
                return -ENOENT;
        r = start_answer(&exchange->answer, 200, MEDIA_OCI_INDEX);
        if (r == 0)
                r = set_json(&exchange->answer, index);
        if (r == 0)
                r = digest_of(DIGEST_SHA256, exchange->answer.content.text, exchange->answer.content.size,
                              digest);
        return r < 0 ? r : add_digest(&exchange->answer, digest);
}

static int answer_manifest(struct registry_exchange *exchange, const char *reference)
{
        const struct registry_request *record = &exchange->record;
        const struct registry_manifest *manifest =
                registry_store_find(exchange->registry->store, record->repository, record->listener, reference);
        struct registry_content content = {.fd = -1};
        char message[200];
        int r = -ENOENT;

        if (!manifest && exchange->registry->config.referrers == REGISTRY_REFERRERS_TAG) {
                r = answer_referrers_tag(exchange, reference);
                if (r != -ENOENT)
                        return r;
        }
        if (manifest && !registry_accepts(record->accept, manifest->media_type)) {
                snprintf(message, sizeof(message), "the manifest is %s, which the Accept headers leave out",
                         manifest->media_type);
                return registry_answer_error(&exchange->answer, 404, "MANIFEST_UNKNOWN", message);
        }
        if (manifest)
                r = registry_store_open_manifest(exchange->registry->store, manifest, &content);
        if (r < 0)
                return r == -ENOMEM ? r
                                    : registry_answer_error(&exchange->answer, 404, "MANIFEST_UNKNOWN",
                                                            "manifest unknown");
        return answer_content(&exchange->answer, manifest->media_type, manifest->digest, &content);
}

static int answer_blob(struct registry_exchange *exchange, const char *digest)
{
        const struct registry_request *record = &exchange->record;
        struct registry_content content = {.fd = -1};
        int r = registry_store_open_blob(exchange->registry->store, record->repository, record->listener,
                                         digest, &content);

        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return registry_answer_error(&exchange->answer, 404, "BLOB_UNKNOWN",
                                             "blob unknown to registry");
        r = answer_content(&exchange->answer, "application/octet-stream", digest, &content);
        exchange->answer.ranges = true;
        return r == 0 && registry_answer_header(&exchange->answer, "Accept-Ranges", "bytes") ? 0 : -ENOMEM;
}

int registry_answer_serve(struct registry_exchange *exchange, const char *reference)
{
        struct registry_store *store = exchange->registry->store;
        const struct registry_request *record = &exchange->record;
        const struct registry_manifest *manifest =
                registry_store_find(store, record->repository, record->listener, reference);
        struct registry_content content = {.fd = -1};
        int r = manifest ? registry_store_open_manifest(store, manifest, &content)
                         : registry_store_open_blob(store, record->repository, record->listener, reference,
                                                    &content);

        if (r < 0)
                return r;
        registry_content_clear(&exchange->answer.content);
        exchange->answer.content = content;
        exchange->answer.length = content.size;
        return 0;
}

/* ---- lists ---- */

static const char *argument(const struct registry_exchange *exchange, const char *name)
{
        return http_library()->MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* From `last` on, `n` of them, with a link to the rest. */
static int answer_tags(struct registry_exchange *exchange)
{
        const struct registry_request *record = &exchange->record;
        const char *last = argument(exchange, "last"), *wanted = argument(exchange, "n");
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        struct json_object *array = json_object_new_array();
        uint64_t most = wanted ? strtoull(wanted, NULL, 10) : UINT64_MAX, n_sent = 0;
        const char *const *tags = NULL;
        CLEANUP(cleanup_free) char *link = NULL;
        size_t n = 0, i = 0;
        int r = registry_store_tags(exchange->registry->store, record->repository, record->listener, &tags, &n);

        while (i < n && last && strcmp(tags[i], last) <= 0)
                i++;
        for (; i < n && n_sent < most; i++, n_sent++)
                json_add_item(array, json_object_new_string(tags[i]));
        if (r == 0 && i < n && n_sent > 0 &&
            asprintf(&link, "</v2/%s/tags/list?last=%s&n=%" PRIu64 ">; rel=\"next\"", record->repository,
                     tags[i - 1], most) < 0) {
                link = NULL;
                r = -ENOMEM;
        }
        free((void *)(uintptr_t)tags);
        json_add_member(object, "name", json_object_new_string(record->repository));
        json_add_member(object, "tags", array);
        if (r == 0)
                r = start_answer(&exchange->answer, 200, "application/json; charset=utf-8");
        if (r == 0 && link && !registry_answer_header(&exchange->answer, "Link", link))
                r = -ENOMEM;
        return r < 0 ? r : set_json(&exchange->answer, object);
}

static int answer_referrers(struct registry_exchange *exchange)
{
        const struct registry_request *record = &exchange->record;
        const char *type = argument(exchange, "artifactType");
        CLEANUP(cleanup_json) struct json_object *index = NULL;
        size_t n;
        int r;

        if (exchange->registry->config.referrers != REGISTRY_REFERRERS_API)
                return registry_answer_error(&exchange->answer, 404, "UNSUPPORTED", "404 page not found");
        if (!digest_parse(record->reference, NULL))
                return registry_answer_error(&exchange->answer, 400, "DIGEST_INVALID", "invalid digest");
        index = registry_store_referrers(exchange->registry->store, record->repository, record->listener,
                                         record->reference, type, &n);
        r = start_answer(&exchange->answer, 200, MEDIA_OCI_INDEX);
        if (r == 0 && type && !registry_answer_header(&exchange->answer, "OCI-Filters-Applied", "artifactType"))
                r = -ENOMEM;
        return r < 0 ? r : set_json(&exchange->answer, index);
}

/* ---- the token service ---- */

static int answer_token_text(struct registry_answer *answer, const char *token, uint64_t lasts_ms)
{
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        time_t now = time(NULL);
        struct tm tm;
        char issued[40];
        int r = start_answer(answer, 200, "application/json; charset=utf-8");

        strftime(issued, sizeof(issued), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
        json_add_member(object, "token", json_object_new_string(token));
        json_add_member(object, "access_token", json_object_new_string(token));
        json_add_member(object, "expires_in", json_object_new_uint64((lasts_ms + 999) / 1000));
        json_add_member(object, "issued_at", json_object_new_string(issued));
        return r < 0 ? r : set_json(answer, object);
}

#define SCOPES_AT_MOST 100

struct scope_list {
        const char *scopes[SCOPES_AT_MOST];
        size_t n;
};

static enum MHD_Result add_scope(void *to, enum MHD_ValueKind kind, const char *key, const char *value)
{
        struct scope_list *list = to;

        (void)kind;
        if (!strcmp(key, "scope") && value && list->n < SCOPES_AT_MOST)
                list->scopes[list->n++] = value;
        return MHD_YES;
}

/* The scopes as the log has them, with blanks between. */
static int log_scopes(struct registry_exchange *exchange, const struct scope_list *list)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        FILE *stream = open_memstream(&text, &len);
        char *safe;

        if (!stream)
                return -ENOMEM;
        for (size_t i = 0; i < list->n; i++)
                fprintf(stream, "%s%s", i ? " " : "", list->scopes[i]);
        text = memstream_close(stream, &text);
        safe = text ? registry_log_text(text) : NULL;
        if (!safe)
                return -ENOMEM;
        free(exchange->record.scope);
        exchange->record.scope = safe;
        return 0;
}

static const char *header(const struct registry_exchange *exchange, const char *name)
{
        return http_library()->MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static int log_identity(struct registry_exchange *exchange, const struct registry_identity *identity);

static int answer_token(struct registry_exchange *exchange)
{
        bool post = !strcmp(exchange->record.method, "POST");
        struct scope_list scopes = {.n = 0};
        struct registry_token_request request = {.authorization = header(exchange, "Authorization")};
        struct registry_identity identity;
        char token[REGISTRY_TOKEN_MAX], id[REGISTRY_NAME_MAX];
        int r;

        if (exchange->registry->config.auth.kind != REGISTRY_AUTH_BEARER)
                return registry_answer_error(&exchange->answer, 404, "UNSUPPORTED", "404 page not found");
        if (exchange->form_too_large)
                return registry_answer_error(&exchange->answer, 413, NULL, NULL);
        if (post) {
                if (exchange->fields[FORM_SCOPE])
                        scopes.scopes[scopes.n++] = exchange->fields[FORM_SCOPE];
                request.identity_token = exchange->fields[FORM_REFRESH_TOKEN];
                request.user = exchange->fields[FORM_USERNAME];
                request.password = exchange->fields[FORM_PASSWORD];
        } else {
                http_library()->MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND,
                                                          add_scope, &scopes);
        }
        request.scopes = scopes.scopes;
        request.n_scopes = scopes.n;
        exchange->verdict = registry_access_give(exchange->registry->access, &request, &identity, token, id);
        r = log_identity(exchange, &identity);
        if (r == 0)
                r = log_scopes(exchange, &scopes);
        if (r < 0)
                return r;
        if (exchange->verdict != REGISTRY_GRANTED) {
                r = registry_answer_error(&exchange->answer, 401, NULL,
                                          exchange->verdict == REGISTRY_WRONG ? "incorrect username or password"
                                                                              : NULL);
                return r;
        }
        free(exchange->record.given);
        exchange->record.given = strdup(id);
        r = answer_token_text(&exchange->answer, token, registry_access_token_ms(exchange->registry->access));
        return exchange->record.given ? r : -ENOMEM;
}

/* ---- all of them ---- */

static int log_identity(struct registry_exchange *exchange, const struct registry_identity *identity)
{
        struct registry_request *record = &exchange->record;

        record->credentials = identity->credentials;
        free(record->user);
        free(record->token);
        record->user = strdup(identity->user);
        record->token = strdup(identity->token);
        return record->user && record->token ? 0 : -ENOMEM;
}

/* Whether the client may: else the refusal is the answer. Returns 1, 0 or -ENOMEM. */
static int let_in(struct registry_exchange *exchange)
{
        const struct registry_request *record = &exchange->record;
        struct registry_identity identity = {0};
        int r;

        exchange->verdict = registry_access_judge(exchange->registry->access, header(exchange, "Authorization"),
                                                  *record->repository ? record->repository : NULL, &identity);
        if (exchange->endpoint->config->open)
                exchange->verdict = REGISTRY_GRANTED;
        r = log_identity(exchange, &identity);
        if (r < 0 || exchange->verdict == REGISTRY_GRANTED)
                return r < 0 ? r : 1;
        return registry_answer_refuse(exchange);
}

static int answer_ping(struct registry_exchange *exchange)
{
        int r = start_answer(&exchange->answer, 200, "application/json; charset=utf-8");
        struct json_object *object CLEANUP(cleanup_json) = json_object_new_object();

        return r < 0 ? r : set_json(&exchange->answer, object);
}

static int answer_of(struct registry_exchange *exchange)
{
        const struct registry_request *record = &exchange->record;

        if (*record->repository &&
            !registry_store_has(exchange->registry->store, record->repository, record->listener))
                return registry_answer_error(&exchange->answer, 404, NULL, NULL);
        switch (record->kind) {
        case REGISTRY_PING:
                return answer_ping(exchange);
        case REGISTRY_MANIFEST:
                return answer_manifest(exchange, record->reference);
        case REGISTRY_BLOB:
                return answer_blob(exchange, record->reference);
        case REGISTRY_TAGS:
                return answer_tags(exchange);
        case REGISTRY_REFERRERS:
                return answer_referrers(exchange);
        default:
                return registry_answer_error(&exchange->answer, 404, "UNSUPPORTED", "404 page not found");
        }
}

int registry_answer_make(struct registry_exchange *exchange)
{
        const char *method = exchange->record.method;
        int r;

        if (exchange->record.kind == REGISTRY_TOKEN && (!strcmp(method, "GET") || !strcmp(method, "POST")))
                return answer_token(exchange);
        r = let_in(exchange);
        if (r <= 0)
                return r;
        if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
                r = registry_answer_error(&exchange->answer, 405, NULL, NULL);
                return r == 0 && registry_answer_header(&exchange->answer, "Allow", "GET, HEAD") ? 0 : -ENOMEM;
        }
        return answer_of(exchange);
}
