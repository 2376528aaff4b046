/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of certificates: those that registries show, and those that they want to see. Authorities and
 * certificates are made for each check, so that none of the machine's is for a registry here. What is wrong with a
 * certificate is a row's detail.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "conformance/context.h"
#include "conformance/groups.h"
#include "conformance/real-registry.h"
#include "conformance/registries.h"
#include "conformance/sample.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define PASSWORD "sesame"
#define CREDS "right:sesame"

static const struct registry_image images[] = {{.repository = "app", .tag = "latest", .fixture = "layers-1"}};
static const struct registry_user users[] = {{.name = "right", .password = PASSWORD}};

/* ---- registries ---- */

/* The listeners are copied, and stay to the check's end. */
static struct registry *start_with(struct check_context *c, const struct registry_listener *listeners, size_t n,
                                   enum registry_auth_kind kind, const char *service)
{
        struct registry_listener *copy = calloc(n + 1, sizeof(*copy));
        const struct registry_config config = {
                .listeners = copy,
                .n_listeners = n,
                .images = images,
                .n_images = ARRAY_SIZE(images),
                .auth = {.kind = kind, .listener = service, .users = users, .n_users = ARRAY_SIZE(users)},
        };

        if (!copy)
                check_error(c, "out of memory");
        memcpy(copy, listeners, n * sizeof(*copy));
        return registries_start(c, &config);
}

/* A registry that everybody may use, with this one listener. */
static struct registry *start(struct check_context *c, struct registry_listener listener)
{
        return start_with(c, &listener, 1, REGISTRY_AUTH_NONE, NULL);
}

/* Writes what clients need into a folder of the check's, and returns its path. */
static const char *certificates(struct check_context *c, const struct registry *registry)
{
        const char *folder = check_text(c, "%s/certificates", check_folder(c));
        struct cip_error error = {0};

        if (registry_write_certificates(registry, folder, &error) < 0)
                check_error(c, "%s", error.message);
        return folder;
}

/* Writes the authority's certificate alone, as a file of the check's folder. Its path. */
static const char *authority(struct check_context *c, const struct registry *registry, const char *path)
{
        return registries_file(c, path, "%s", registry_authority_pem(registry_get_authority(registry)));
}

/* A folder without certificates. */
static const char *no_certificates(struct check_context *c)
{
        registries_file(c, "empty/README", "There are no certificates here.\n");
        return check_text(c, "%s/empty", check_folder(c));
}

/* The server that trusts the registry's authority. */
static void serve_trusting(struct check_context *c, const struct registry *registry)
{
        registries_serve(c, FLAGS("--cert-dir", certificates(c, registry)), NULL);
}

static const char *image_of(struct check_context *c, const struct registry *registry)
{
        return registries_reference(c, registry, NULL, "app:latest");
}

static void pull(struct check_context *c, const struct registry *registry)
{
        registries_pull(c, image_of(c, registry), "layers-1");
}

/* ---- what is trusted ---- */

/* On docker-registry too. */
static void cert_dir(struct check_context *c)
{
        static const struct registry_listener listener = {.tls = true};
        const struct registry_config config = {
                .listeners = &listener, .n_listeners = 1, .images = images, .n_images = ARRAY_SIZE(images)};
        struct either_registry *either = either_start(c, &config);

        registries_serve(c, FLAGS("--cert-dir", either_certificates(c, either)), NULL);
        registries_pull(c, either_reference(c, either, "app:latest"), "layers-1");
}

static void certs_d(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.tls = true});

        authority(
                c, registry,
                check_text(c, "home/.config/containers/certs.d/%s/ours.crt", registry_address(registry, NULL)));
        registries_serve(c, FLAGS("--tls-verify=true"), NULL);
        pull(c, registry);
}

/* OpenImage is refused because nobody knows who signed. */
static void untrusted(struct check_context *c, const struct registry *registry)
{
        CLEANUP_ANSWER struct answer answer = {0};

        registries_refused(c, image_of(c, registry), "unknown authority", &answer);
}

static void certs_d_other_port(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.tls = true});
        unsigned port = registry_port(registry, NULL) == 5000 ? 5001 : 5000;

        authority(c, registry, check_text(c, "home/.config/containers/certs.d/127.0.0.1:%u/ours.crt", port));
        registries_serve(c, FLAGS("--tls-verify=true"), NULL);
        untrusted(c, registry);
}

static void cert_dir_alone(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.tls = true});

        authority(
                c, registry,
                check_text(c, "home/.config/containers/certs.d/%s/ours.crt", registry_address(registry, NULL)));
        registries_serve(c, FLAGS("--cert-dir", no_certificates(c)), NULL);
        untrusted(c, registry);
}

/* The authorities of the system are where SSL_CERT_FILE says. */
static void system_authority(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.tls = true});
        const char *path = authority(c, registry, "system/authorities.pem");

        registries_serve(c, FLAGS("--tls-verify=true"), FLAGS(check_text(c, "SSL_CERT_FILE=%s", path)));
        pull(c, registry);
}

static void system_and_cert_dir(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.tls = true});
        const char *path = authority(c, registry, "system/authorities.pem");

        registries_serve(c, FLAGS("--cert-dir", no_certificates(c)),
                         FLAGS(check_text(c, "SSL_CERT_FILE=%s", path)));
        pull(c, registry);
}

static void broken_authority(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.tls = true});
        CLEANUP_ANSWER struct answer answer = {0};

        registries_file(c, "broken/broken.crt", "no certificate\n");
        registries_serve(c, FLAGS("--cert-dir", check_text(c, "%s/broken", check_folder(c))), NULL);
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]", image_of(c, registry));
        check_record(c, "%s",
                     strstr(answer.error, "broken.crt")          ? "the error names the file"
                     : strstr(answer.error, "unknown authority") ? "taken for an empty file"
                                                                 : "refused");
}

/* ---- without certificates ---- */

static void verify_false_http(struct check_context *c)
{
        struct registry *registry = start(c, (struct registry_listener){.name = "main"});

        registries_serve(c, FLAGS("--tls-verify=false"), NULL);
        pull(c, registry);
}

static void verify_false_certificates(struct check_context *c)
{
        static const struct registry_listener listeners[] = {
                {.name = "expired", .tls = true, .certificate = REGISTRY_CERTIFICATE_EXPIRED},
                {.name = "not-yet", .tls = true, .certificate = REGISTRY_CERTIFICATE_NOT_YET},
                {.name = "wrong-name", .tls = true, .certificate = REGISTRY_CERTIFICATE_WRONG_NAME},
                {.name = "unknown", .tls = true, .certificate = REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY},
                {.name = "self-signed", .tls = true, .certificate = REGISTRY_CERTIFICATE_SELF_SIGNED},
        };
        struct registry *registry = start_with(c, listeners, ARRAY_SIZE(listeners), REGISTRY_AUTH_NONE, NULL);

        registries_serve(c, FLAGS("--tls-verify=false"), NULL);
        for (size_t i = 0; i < ARRAY_SIZE(listeners); i++)
                registries_pull(c, registries_reference(c, registry, listeners[i].name, "app:latest"),
                                "layers-1");
}

/* ---- wrong certificates ---- */

/* What is wrong with one, and which words of an error tell of it. */
struct wrong {
        enum registry_certificate_kind kind;
        const char *words, *more; /* more: NULL, or words that must be there too */
        const char *host;         /* NULL: the registry is called by its address */
};

static void wrong_certificate(struct check_context *c)
{
        const struct wrong *wrong = c->check->detail;
        const struct registry_listener listener = {
                .tls = true, .certificate = wrong->kind, .host = wrong->host};
        struct registry *registry = start_with(c, &listener, 1, REGISTRY_AUTH_BASIC, NULL);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--cert-dir", certificates(c, registry), "--creds", CREDS), NULL);
        registries_refused(c, image_of(c, registry), wrong->words, &answer);
        check_that(c, !wrong->more || strstr(answer.error, wrong->more),
                   "the error should say '%s', it says: %s", wrong->more, answer.error);
        check_that(c, !strstr(answer.error, PASSWORD),
                   "the error should not have the password in it, it says: %s", answer.error);
        check_that(c, registries_count(c, registry, &(struct registry_when){.method = "GET"}) == 0,
                   "a registry with a wrong certificate should be asked for nothing, and was");
        check_still_serves(c);
}

/* What kind of error a wrong certificate is. */
static void wrong_certificate_code(struct check_context *c)
{
        struct registry *registry =
                start(c, (struct registry_listener){.tls = true, .certificate = REGISTRY_CERTIFICATE_EXPIRED});
        CLEANUP_ANSWER struct answer answer = {0};

        serve_trusting(c, registry);
        registries_refused(c, image_of(c, registry), NULL, &answer);
        check_that(c, answer.error_code && !strcmp(answer.error_code, "other"),
                   "the error code should be 'other', which trying again does not help, it is '%s'",
                   answer.error_code ? answer.error_code : "");
}

/* ---- certificates of clients ---- */

static void client_certificate(struct check_context *c)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        struct registry *registry = start(
                c, (struct registry_listener){.tls = true, .clients = REGISTRY_CLIENT_CERTIFICATES_REQUIRED});

        serve_trusting(c, registry);
        pull(c, registry);
        registries_log(c, registry, &log);
        for (size_t i = 0; i < log.n; i++)
                check_that(c, !strcmp(log.requests[i].client_certificate, "CN=client"),
                           "each request should come with the certificate CN=client, %s has '%s'",
                           log.requests[i].path, log.requests[i].client_certificate);
}

/*
 * With TLS 1.3 the client is done with its part of the handshake before the registry is. Where it asks before it hears
 * that it is refused, all that it sees may be a connection that breaks: so it is tried more than once.
 */
#define TRIES 20

static void client_certificate_missing(struct check_context *c)
{
        struct registry *registry = start(
                c, (struct registry_listener){.tls = true, .clients = REGISTRY_CLIENT_CERTIFICATES_REQUIRED});
        const char *said = "";

        authority(c, registry, "authority/ca.crt");
        registries_serve(c, FLAGS("--cert-dir", check_text(c, "%s/authority", check_folder(c))), NULL);
        for (int i = 0; i < TRIES && !strstr(said, "certificate required"); i++) {
                CLEANUP_ANSWER struct answer answer = {0};

                registries_refused(c, image_of(c, registry), NULL, &answer);
                said = check_text(c, "%s", answer.error);
        }
        check_that(c, strstr(said, "certificate required"),
                   "the error should say 'certificate required', of %d the last says: %s", TRIES, said);
        check_still_serves(c);
}

static void client_key_missing(struct check_context *c)
{
        struct registry *registry = start(
                c, (struct registry_listener){.tls = true, .clients = REGISTRY_CLIENT_CERTIFICATES_REQUIRED});
        const char *folder = certificates(c, registry);
        CLEANUP_ANSWER struct answer answer = {0};

        if (unlink(check_text(c, "%s/client.key", folder)) < 0)
                check_error(c, "cannot remove the key in %s: %s", folder, strerror(errno));
        registries_serve(c, FLAGS("--cert-dir", folder), NULL);
        registries_refused(c, image_of(c, registry), "client.key", &answer);
}

/* ---- handshakes that come to nothing ---- */

/* Somebody who listens, and knows nothing of TLS. */
struct stranger {
        int fd;
        const char *says;    /* NULL: he hangs up */
        atomic_size_t clear; /* how many came with something else than TLS */
};

/* The first byte of every TLS handshake. */
#define TLS_HANDSHAKE 22

static void *answer_strangely(void *data)
{
        struct stranger *stranger = data;
        int fd;

        while ((fd = accept4(stranger->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                char hello[4096];

                if (recv(fd, hello, sizeof(hello), 0) > 0) {
                        stranger->clear += hello[0] != TLS_HANDSHAKE;
                        if (stranger->says)
                                (void)!send(fd, stranger->says, strlen(stranger->says), MSG_NOSIGNAL);
                }
                fd_close(fd);
        }
        return NULL;
}

/* He listens to the end of the check's process. "docker://HOST:PORT/app:latest". */
static const char *start_stranger(struct check_context *c, struct stranger *stranger)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(address);
        pthread_t thread;

        stranger->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (stranger->fd < 0 || bind(stranger->fd, (struct sockaddr *)&address, len) < 0 ||
            listen(stranger->fd, 10) < 0 || getsockname(stranger->fd, (struct sockaddr *)&address, &len) < 0 ||
            pthread_create(&thread, NULL, answer_strangely, stranger) != 0)
                check_error(c, "cannot listen on loopback: %s", strerror(errno));
        pthread_detach(thread);
        return check_text(c, "docker://127.0.0.1:%u/app:latest", ntohs(address.sin_port));
}

/* OpenImage of his is refused with these words, and nothing comes to him but the beginnings of TLS. */
static void stranger_is_refused(struct check_context *c, struct stranger *stranger, const char *words)
{
        const char *reference = start_stranger(c, stranger);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--cert-dir", no_certificates(c), "--creds", CREDS), NULL);
        registries_refused(c, reference, words, &answer);
        check_that(c, stranger->clear == 0, "nothing should be said in the clear, and something was, %zu times",
                   stranger->clear);
        check_still_serves(c);
}

static void plain_http(struct check_context *c)
{
        static struct stranger stranger = {
                .says = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"};

        stranger_is_refused(c, &stranger, "server gave HTTP response to HTTPS client");
}

static void no_tls(struct check_context *c)
{
        static struct stranger stranger = {.says = "220 ready for something else\r\n"};

        stranger_is_refused(c, &stranger, "does not look like a TLS handshake");
}

static void hang_up(struct check_context *c)
{
        static struct stranger stranger;

        stranger_is_refused(c, &stranger, "EOF");
}

static void hang_up_code(struct check_context *c)
{
        static struct stranger stranger;
        const char *reference = start_stranger(c, &stranger);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--tls-verify=true"), NULL);
        registries_refused(c, reference, NULL, &answer);
        check_record(c, "%s", answer.error_code ? answer.error_code : "none");
}

/* ---- other hosts ---- */

/* Two hosts, the second of which has the blobs or the token service. */
static struct registry *start_two(struct check_context *c, struct registry_listener second,
                                  enum registry_auth_kind kind)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_BLOB, .listener = "main", .outcome = REGISTRY_OUTCOME_SUCCESS},
                .act = {.redirect = {.there = true, .listener = "second"}},
        };
        struct registry_listener listeners[] = {
                {.name = "main", .tls = true, .clients = second.clients},
                second,
        };
        struct registry *registry;

        listeners[1].name = "second";
        listeners[1].address = "127.0.0.2";
        registry = start_with(c, listeners, ARRAY_SIZE(listeners), kind, kind ? "second" : NULL);
        if (!kind && registry_set_rules(registry, &rule, 1) < 0)
                check_error(c, "out of memory");
        return registry;
}

static size_t asked_second(struct check_context *c, struct registry *registry)
{
        return registries_count(c, registry, &(struct registry_when){.listener = "second"});
}

/* Asks for the layer, which is on the other host. */
static void get_layer(struct check_context *c, const struct registry *registry, struct answer *ret)
{
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        uint64_t image = check_open_image(c, image_of(c, registry));

        check_call(c, ret, "GetBlob", "%s", sample_blob_args(c, image, layer->digest, layer->size));
}

static void redirect_trusted(struct check_context *c)
{
        struct registry *registry = start_two(c, (struct registry_listener){.tls = true}, REGISTRY_AUTH_NONE);

        serve_trusting(c, registry);
        pull(c, registry);
        check_that(c, asked_second(c, registry) > 0, "the host that blobs are redirected to should be asked");
}

static void redirect_untrusted(struct check_context *c)
{
        struct registry *registry = start_two(
                c,
                (struct registry_listener){.tls = true, .certificate = REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY},
                REGISTRY_AUTH_NONE);
        CLEANUP_ANSWER struct answer answer = {0};

        serve_trusting(c, registry);
        get_layer(c, registry, &answer);
        check_that(c, !answer.success,
                   "GetBlob should be refused where it leads to a host with a wrong certificate");
        check_that(c, strstr(answer.error, "unknown authority"),
                   "the error should say 'unknown authority', it says: %s", answer.error);
        check_that(c, asked_second(c, registry) == 0,
                   "a host with a wrong certificate should be asked for nothing");
}

static void redirect_plain(struct check_context *c)
{
        struct registry *registry = start_two(c, (struct registry_listener){.tls = false}, REGISTRY_AUTH_NONE);
        CLEANUP_ANSWER struct answer answer = {0};

        serve_trusting(c, registry);
        get_layer(c, registry, &answer);
        check_record(c, "%s", answer.success && asked_second(c, registry) ? "followed" : "refused");
}

static void redirect_client_certificate(struct check_context *c)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        const struct registry_when at_second = {.listener = "second"};
        struct registry *registry = start_two(
                c, (struct registry_listener){.tls = true, .clients = REGISTRY_CLIENT_CERTIFICATES_WANTED},
                REGISTRY_AUTH_NONE);
        const struct registry_request *request;
        CLEANUP_ANSWER struct answer answer = {0};

        serve_trusting(c, registry);
        get_layer(c, registry, &answer);
        registries_log(c, registry, &log);
        request = registry_log_find(&log, &at_second, NULL);
        check_record(c, "%s",
                     !answer.success || !request    ? "refused"
                     : *request->client_certificate ? "shown to the other host"
                                                    : "not shown to the other host");
}

static void service_untrusted(struct check_context *c)
{
        struct registry *registry = start_two(
                c,
                (struct registry_listener){.tls = true, .certificate = REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY},
                REGISTRY_AUTH_BEARER);

        registries_serve(c, FLAGS("--cert-dir", certificates(c, registry), "--creds", CREDS), NULL);
        untrusted(c, registry);
        check_that(c, asked_second(c, registry) == 0,
                   "a token service with a wrong certificate should not be asked");
}

static void service_plain(struct check_context *c)
{
        struct registry *registry =
                start_two(c, (struct registry_listener){.tls = false}, REGISTRY_AUTH_BEARER);
        const struct registry_when login = {.listener = "second", .user = "right"};
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--cert-dir", certificates(c, registry), "--creds", CREDS), NULL);
        check_call(c, &answer, "OpenImage", "[\"%s\"]", image_of(c, registry));
        check_that(c, registries_count(c, registry, &login) == 0,
                   "a token service without TLS should not be shown the login, and was");
}

#define TLS_SINCE(name_, level_, since_, requires_, reference_, run_)                        \
        .id = "tls/" name_, .level = (level_), .since = (since_), .requires = requires_ ".", \
        .reference = (reference_), .run = (run_), .own_start = true
#define TLS(name_, level_, requires_, reference_, run_) \
        TLS_SINCE(name_, level_, VERSION_OLDEST, requires_, reference_, run_)
#define WRONG(kind_, words_, more_, host_)                               \
        .detail = &(const struct wrong)                                  \
        {                                                                \
                REGISTRY_CERTIFICATE_##kind_, (words_), (more_), (host_) \
        }

const struct check checks_tls[] = {
        {TLS("cert-dir", LEVEL_MUST, "An authority in the folder of --cert-dir is trusted", "tls-cert-dir",
             cert_dir)},
        {TLS("cert-dir-real", LEVEL_MUST,
             "An authority in the folder of --cert-dir is trusted, on docker-registry", "tls-cert-dir",
             cert_dir),
         .detail = on_real_registry},
        {TLS("certs-d", LEVEL_MUST, "An authority in ~/.config/containers/certs.d/HOST:PORT is trusted",
             "tls-certs-d", certs_d)},
        {TLS("certs-d-other-port", LEVEL_MUST, "An authority in certs.d is trusted for its HOST:PORT alone",
             "tls-certs-d-others", certs_d_other_port)},
        {TLS("cert-dir-alone", LEVEL_SHOULD, "With --cert-dir nothing in certs.d is trusted",
             "tls-cert-dir-alone", cert_dir_alone)},
        {TLS("system-authority", LEVEL_MUST, "An authority of the system is trusted", "tls-system",
             system_authority)},
        {TLS("system-and-cert-dir", LEVEL_SHOULD, "With --cert-dir an authority of the system is trusted too",
             "tls-system-too", system_and_cert_dir)},
        {TLS("broken-authority", LEVEL_INFO, "Records what is made of an authority that is no certificate",
             "tls-broken-authority", broken_authority)},
        {TLS("plain-http", LEVEL_MUST, "A registry without TLS is refused, and asked for nothing in the clear",
             "tls-plain", plain_http)},
        {TLS("verify-false-http", LEVEL_MUST, "With --tls-verify=false a registry without TLS is served from",
             "tls-verify-false", verify_false_http)},
        {TLS("verify-false-certificates", LEVEL_MUST, "With --tls-verify=false any certificate will do",
             "tls-verify-false", verify_false_certificates)},
        {TLS("expired", LEVEL_MUST, "A certificate that has expired is refused, and the error says so",
             "tls-wrong", wrong_certificate),
         WRONG(EXPIRED, "has expired", "is after", NULL)},
        {TLS("not-yet", LEVEL_MUST, "A certificate that is not valid yet is refused, and the error says so",
             "tls-wrong", wrong_certificate),
         WRONG(NOT_YET, "is not yet valid", "is before", NULL)},
        {TLS("wrong-name", LEVEL_MUST, "A certificate of another name is refused, and the error has both names",
             "tls-wrong", wrong_certificate),
         WRONG(WRONG_NAME, "wrong.example", "localhost", "localhost")},
        {TLS("wrong-address", LEVEL_MUST,
             "A certificate without the address that was called is refused, and the error says so", "tls-wrong",
             wrong_certificate),
         WRONG(WRONG_NAME, "any IP SANs", "127.0.0.1", NULL)},
        {TLS("unknown-authority", LEVEL_MUST,
             "A certificate of an authority that nobody knows is refused, and the error says so", "tls-wrong",
             wrong_certificate),
         WRONG(UNKNOWN_AUTHORITY, "unknown authority", NULL, NULL)},
        {TLS("self-signed", LEVEL_MUST,
             "A certificate that is signed by itself is refused, as one of an authority that nobody knows",
             "tls-wrong", wrong_certificate),
         WRONG(SELF_SIGNED, "unknown authority", NULL, NULL)},
        {TLS_SINCE("wrong-code", LEVEL_SHOULD, VERSION_ERROR_CODE,
                   "The error code of a wrong certificate is other", "tls-wrong-code", wrong_certificate_code)},
        {TLS("client-certificate", LEVEL_MUST,
             "The certificate in the folder of --cert-dir is shown to a registry that asks for one",
             "tls-client", client_certificate)},
        {TLS("client-certificate-missing", LEVEL_MUST,
             "A registry that wants a certificate, where there is none, is an error that says so",
             "tls-client-missing", client_certificate_missing)},
        {TLS("client-key-missing", LEVEL_SHOULD, "A certificate without its key is an error that names the key",
             "tls-client-key", client_key_missing)},
        {TLS("no-tls", LEVEL_MUST, "Who answers with something else than TLS is refused, and the error says so",
             "tls-broken", no_tls)},
        {TLS("hang-up", LEVEL_MUST, "Who hangs up in mid-handshake is refused, and the error says so",
             "tls-broken", hang_up)},
        {TLS_SINCE("hang-up-code", LEVEL_INFO, VERSION_ERROR_CODE,
                   "Records the error code where a registry hangs up in mid-handshake", "tls-broken-code",
                   hang_up_code)},
        {TLS("redirect-trusted", LEVEL_MUST,
             "The host that a blob is redirected to may have a certificate of the same authority",
             "tls-redirect", redirect_trusted)},
        {TLS("redirect-untrusted", LEVEL_MUST,
             "The host that a blob is redirected to is refused where its certificate is wrong", "tls-redirect",
             redirect_untrusted)},
        {TLS("redirect-plain", LEVEL_INFO, "Records whether a redirect of a blob away from TLS is followed",
             "tls-redirect-plain", redirect_plain)},
        {TLS("redirect-client-certificate", LEVEL_INFO,
             "Records whether the client's certificate is shown where a blob is redirected to",
             "tls-redirect-client", redirect_client_certificate)},
        {TLS("service-untrusted", LEVEL_MUST,
             "A token service with a wrong certificate is refused, and shown no login", "tls-service",
             service_untrusted)},
        {TLS("service-plain", LEVEL_SHOULD, "A token service without TLS is not shown the login",
             "tls-service-plain", service_plain)},
};
const size_t n_checks_tls = ARRAY_SIZE(checks_tls);
