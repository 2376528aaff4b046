/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request from its first byte to its end: what libmicrohttpd tells of it goes into a record for the log, the
 * faithful answer is made, the rules are asked, and the answer is sent. What a client may send is bounded:
 * heads by the connection's memory, bodies here.
 */
#include <errno.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "fakeregistry/serve.h"

#define FORM_MAX ((size_t)64 * 1024)
#define UPLOAD_MAX ((size_t)1024 * 1024)

/* ---- what a request says ---- */

struct joined {
        FILE *stream;
        const char *name;
        bool any;
};

static enum MHD_Result join(void *to, enum MHD_ValueKind kind, const char *key, const char *value)
{
        struct joined *joined = to;

        (void)kind;
        if (!strcasecmp(key, joined->name) && value) {
                fprintf(joined->stream, "%s%s", joined->any ? ", " : "", value);
                joined->any = true;
        }
        return MHD_YES;
}

/* All headers of that name, in one, as the log has it. NULL: no memory. */
static char *headers_text(struct MHD_Connection *connection, const char *name)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        struct joined joined = {.stream = open_memstream(&text, &len), .name = name};

        if (!joined.stream)
                return NULL;
        http_library()->MHD_get_connection_values(connection, MHD_HEADER_KIND, join, &joined);
        text = memstream_close(joined.stream, &text);
        return text ? registry_log_text(text) : NULL;
}

static char *subject_of(const gnutls_datum_t *der)
{
        const unsigned char *at = der->data;
        X509 *certificate = d2i_X509(NULL, &at, (long)der->size);
        char subject[300] = "";
        char *text;

        if (!certificate)
                return strdup("");
        X509_NAME_oneline(X509_get_subject_name(certificate), subject, sizeof(subject));
        text = registry_log_text(*subject == '/' ? subject + 1 : subject);
        X509_free(certificate);
        return text;
}

/* The subject of a client certificate that is the authority's; "" where there is none. */
static char *client_certificate(struct MHD_Connection *connection)
{
        const union MHD_ConnectionInfo *info =
                http_library()->MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        gnutls_session_t session = info ? info->tls_session : NULL;
        const gnutls_datum_t *chain;
        unsigned n = 0, status = 1;

        chain = session ? http_library()->gnutls_certificate_get_peers(session, &n) : NULL;
        if (!chain || n == 0 || http_library()->gnutls_certificate_verify_peers2(session, &status) < 0 ||
            status != 0)
                return strdup("");
        return subject_of(&chain[0]);
}

static bool record_is_whole(const struct registry_request *record)
{
        return record->listener && record->host && record->method && record->path && record->scope &&
               record->range && record->accept && record->user && record->token && record->given &&
               record->user_agent && record->client_certificate && record->rule;
}

static int fill_record(struct registry_exchange *exchange, const char *url, const char *method)
{
        struct registry_request *record = &exchange->record;
        char *repository = NULL, *reference = NULL;

        if (registry_path_parse(url, &record->kind, &repository, &reference) < 0)
                return -ENOMEM;
        record->repository = registry_log_text(repository);
        record->reference = registry_log_text(reference);
        free(repository);
        free(reference);
        record->listener = strdup(exchange->endpoint->name);
        record->host = headers_text(exchange->connection, "Host");
        record->method = registry_log_text(method);
        record->path = registry_log_text(url);
        record->scope = strdup("");
        record->range = headers_text(exchange->connection, "Range");
        record->accept = headers_text(exchange->connection, "Accept");
        record->user = strdup("");
        record->token = strdup("");
        record->given = strdup("");
        record->user_agent = headers_text(exchange->connection, "User-Agent");
        record->client_certificate = client_certificate(exchange->connection);
        record->rule = strdup("");
        return record->repository && record->reference && record_is_whole(record) ? 0 : -ENOMEM;
}

/* ---- the form that a client posts to the token service ---- */

static enum MHD_Result take_field(void *to, enum MHD_ValueKind kind, const char *key, const char *filename,
                                  const char *content_type, const char *transfer_encoding, const char *data,
                                  uint64_t offset, size_t size)
{
        static const char *const names[FORM_FIELDS] = {
                [FORM_GRANT_TYPE] = "grant_type", [FORM_REFRESH_TOKEN] = "refresh_token",
                [FORM_USERNAME] = "username",     [FORM_PASSWORD] = "password",
                [FORM_SCOPE] = "scope",
        };
        struct registry_exchange *exchange = to;

        (void)kind, (void)filename, (void)content_type, (void)transfer_encoding;
        for (size_t i = 0; i < FORM_FIELDS; i++) {
                char **field = &exchange->fields[i];
                size_t has = *field ? strlen(*field) : 0;
                /* A second scope stands behind the first, with a blank between. */
                size_t blank = i == FORM_SCOPE && offset == 0 && has > 0;
                char *grown;

                if (!key || strcmp(key, names[i]) != 0)
                        continue;
                if (offset == 0 && !blank)
                        has = 0;
                grown = realloc(*field, has + blank + size + 1);
                if (!grown)
                        return MHD_NO;
                if (blank)
                        grown[has] = ' ';
                memcpy(grown + has + blank, data ? data : "", size);
                grown[has + blank + size] = '\0';
                *field = grown;
        }
        return MHD_YES;
}

/* Takes in a piece of a body. MHD_NO: it is too large by far. */
static enum MHD_Result upload(struct registry_exchange *exchange, const char *data, size_t *size)
{
        exchange->uploaded += *size;
        if (exchange->uploaded > UPLOAD_MAX)
                return MHD_NO;
        if (exchange->uploaded > FORM_MAX)
                exchange->form_too_large = true;
        else if (exchange->form)
                (void)http_library()->MHD_post_process(exchange->form, data, *size);
        *size = 0;
        return MHD_YES;
}

/* ---- rules ---- */

static int match_rule(struct registry_exchange *exchange)
{
        struct registry *registry = exchange->registry;
        const struct registry_request *record = &exchange->record;
        const struct registry_facts facts = {
                .kind = record->kind,
                .method = record->method,
                .listener = record->listener,
                .host = record->host,
                .repository = record->repository,
                .reference = record->reference,
                .user = record->user,
                .user_agent = record->user_agent,
                .credentials = record->credentials,
                .failed = exchange->answer.status >= 400,
                .range = *record->range != '\0',
        };
        const struct registry_rule *rule;
        char *name = NULL;
        int n = 0;

        pthread_mutex_lock(&registry->mutex);
        rule = registry_rules_match(registry->rules, registry->n_rules, registry->counts, &facts);
        if (rule) {
                exchange->act = rule->act;
                n = rule->name ? asprintf(&name, "%s", rule->name)
                               : asprintf(&name, "rule %zu", (size_t)(rule - registry->rules));
        }
        pthread_mutex_unlock(&registry->mutex);
        if (n < 0)
                return -ENOMEM;
        if (name) {
                free(exchange->record.rule);
                exchange->record.rule = name;
        }
        return 0;
}

/* ---- from libmicrohttpd ---- */

static void exchange_free(struct registry_exchange *exchange)
{
        if (exchange->form)
                http_library()->MHD_destroy_post_processor(exchange->form);
        for (size_t i = 0; i < FORM_FIELDS; i++) {
                if (exchange->fields[i])
                        explicit_bzero(exchange->fields[i], strlen(exchange->fields[i]));
                free(exchange->fields[i]);
        }
        registry_request_clear(&exchange->record);
        registry_answer_clear(&exchange->answer);
        free(exchange);
}

static struct registry_exchange *exchange_new(struct registry_endpoint *endpoint,
                                              struct MHD_Connection *connection, const char *url,
                                              const char *method)
{
        const struct registry_limits *limits = &endpoint->registry->config.limits;
        struct registry_exchange *exchange = calloc(1, sizeof(*exchange));

        if (!exchange)
                return NULL;
        exchange->registry = endpoint->registry;
        exchange->endpoint = endpoint;
        exchange->connection = connection;
        exchange->answer.content.fd = -1;
        exchange->patience_ms = limits->stall_ms;
        if (fill_record(exchange, url, method) < 0) {
                exchange_free(exchange);
                return NULL;
        }
        /* NULL where it is no form: then it has no fields. */
        if (exchange->record.kind == REGISTRY_TOKEN && !strcmp(method, "POST"))
                exchange->form =
                        http_library()->MHD_create_post_processor(connection, 4096, take_field, exchange);
        return exchange;
}

enum MHD_Result registry_handle(void *cls, struct MHD_Connection *connection, const char *url,
                                const char *method, const char *version, const char *upload_data,
                                size_t *upload_data_size, void **exchange_at)
{
        struct registry_exchange *exchange = *exchange_at;

        (void)version;
        if (!exchange) {
                *exchange_at = exchange_new(cls, connection, url, method);
                return *exchange_at ? MHD_YES : MHD_NO;
        }
        if (*upload_data_size > 0)
                return upload(exchange, upload_data, upload_data_size);
        if (registry_answer_make(exchange) < 0 || match_rule(exchange) < 0 ||
            registry_log_begin(exchange->registry->log, &exchange->record) < 0)
                return MHD_NO;
        exchange->logged = true;
        return registry_send(exchange);
}

static enum registry_end end_of(struct registry *registry, enum MHD_RequestTerminationCode code)
{
        if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
                return REGISTRY_END_COMPLETE;
        return atomic_load(&registry->stopping) ? REGISTRY_END_STOPPED : REGISTRY_END_LEFT;
}

void registry_handled(void *cls, struct MHD_Connection *connection, void **exchange_at,
                      enum MHD_RequestTerminationCode code)
{
        struct registry_exchange *exchange = *exchange_at;

        (void)cls, (void)connection;
        if (!exchange)
                return;
        if (exchange->record.end == REGISTRY_END_UNDER_WAY)
                exchange->record.end = end_of(exchange->registry, code);
        if (exchange->logged)
                registry_log_finish(exchange->registry->log, &exchange->record);
        exchange_free(exchange);
        *exchange_at = NULL;
}
