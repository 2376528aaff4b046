/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry as a whole: its config is judged, its images are taken in, its sockets are bound, and a
 * libmicrohttpd daemon is started on each. All sockets are bound before the first daemon starts, so that every
 * name and port is known by then.
 */
#include "fakeregistry/registry.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "fakeregistry/serve.h"
#include "image/local-error.h"

#define CONNECTIONS_DEFAULT 100
#define IDLE_DEFAULT_S 60
#define STALL_DEFAULT_MS 60000
#define CONNECTION_MEMORY ((size_t)64 * 1024)
#define THREAD_STACK ((size_t)1024 * 1024)

static const struct registry_listener default_listener = {.name = "main"};

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for a registry");
}

/* ---- names ---- */

struct registry_endpoint *registry_find_endpoint(struct registry *registry, const char *name)
{
        for (size_t i = 0; i < registry->n_endpoints; i++)
                if (!name || !strcmp(registry->endpoints[i].name, name))
                        return &registry->endpoints[i];
        return NULL;
}

static const struct registry_endpoint *find_endpoint(const struct registry *registry, const char *name)
{
        return registry_find_endpoint((struct registry *)(uintptr_t)registry, name);
}

char *registry_base_url(const struct registry_endpoint *endpoint)
{
        char *url = NULL;

        if (asprintf(&url, "%s://%s", endpoint->config->tls ? "https" : "http", endpoint->address) < 0)
                return NULL;
        return url;
}

const char *registry_address(const struct registry *registry, const char *listener)
{
        const struct registry_endpoint *endpoint = find_endpoint(registry, listener);

        return endpoint ? endpoint->address : NULL;
}

uint16_t registry_port(const struct registry *registry, const char *listener)
{
        const struct registry_endpoint *endpoint = find_endpoint(registry, listener);

        return endpoint ? endpoint->port : 0;
}

uint64_t registry_connections(const struct registry *registry, const char *listener)
{
        uint64_t n = 0;

        for (size_t i = 0; i < registry->n_endpoints; i++)
                if (!listener || !strcmp(registry->endpoints[i].name, listener))
                        n += atomic_load(&registry->endpoints[i].connections);
        return n;
}

const struct registry_authority *registry_get_authority(const struct registry *registry)
{
        return registry->authority;
}

/* ---- judging the config ---- */

static bool is_listener(struct registry *registry, const char *name)
{
        return !name || registry_find_endpoint(registry, name);
}

static int no_listener(const char *what, const char *name, struct cip_error *error)
{
        return local_error(error, -EINVAL, "%s names the listener \"%s\", and there is none of that name", what,
                           name);
}

static int judge_rules(struct registry *registry, struct cip_error *error)
{
        for (size_t i = 0; i < registry->n_rules; i++) {
                const struct registry_rule *rule = &registry->rules[i];
                char what[100];

                snprintf(what, sizeof(what), "rule %zu", i);
                if (!is_listener(registry, rule->when.listener))
                        return no_listener(what, rule->when.listener, error);
                if (!is_listener(registry, rule->act.redirect.listener))
                        return no_listener(what, rule->act.redirect.listener, error);
        }
        return 0;
}

static int judge(struct registry *registry, struct cip_error *error)
{
        const struct registry_config *config = &registry->config;

        for (size_t i = 0; i < config->n_images; i++)
                if (!is_listener(registry, config->images[i].listener))
                        return no_listener("an image", config->images[i].listener, error);
        if (!is_listener(registry, config->auth.listener))
                return no_listener("the token service", config->auth.listener, error);
        for (size_t i = 0; i < config->auth.n_users; i++)
                if (!config->auth.users[i].name || !*config->auth.users[i].name)
                        return local_error(error, -EINVAL, "a user has no name");
        return judge_rules(registry, error);
}

/* ---- sockets ---- */

static int bind_socket(struct registry_endpoint *endpoint, struct cip_error *error)
{
        const char *text = endpoint->config->address ? endpoint->config->address : "127.0.0.1";
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)endpoint->config->port)};
        socklen_t len = sizeof(address);
        int yes = 1;

        if (inet_pton(AF_INET, text, &address.sin_addr) != 1 || ntohl(address.sin_addr.s_addr) >> 24 != 127)
                return local_error(error, -EINVAL, "\"%s\" is no address of loopback: 127.X.X.X is wanted",
                                   text);
        if (endpoint->config->port > UINT16_MAX)
                return local_error(error, -EINVAL, "%llu is no port",
                                   (unsigned long long)endpoint->config->port);
        endpoint->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (endpoint->fd < 0)
                return local_errno(error, -errno, "cannot make a socket");
        (void)setsockopt(endpoint->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
        if (bind(endpoint->fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
            (!endpoint->config->down && listen(endpoint->fd, SOMAXCONN) < 0) ||
            getsockname(endpoint->fd, (struct sockaddr *)&address, &len) < 0) {
                if (errno == EADDRINUSE && !endpoint->config->port)
                        return local_error(error, -EADDRINUSE, "no port of %s is free", text);
                return local_errno(error, -errno, "cannot listen on %s:%llu", text,
                                   (unsigned long long)endpoint->config->port);
        }
        endpoint->port = ntohs(address.sin_port);
        endpoint->host = strdup(endpoint->config->host ? endpoint->config->host : text);
        if (!endpoint->host || asprintf(&endpoint->address, "%s:%u", endpoint->host, endpoint->port) < 0) {
                endpoint->address = NULL;
                return no_memory(error);
        }
        return 0;
}

static int name_endpoint(struct registry_endpoint *endpoint, size_t i, struct cip_error *error)
{
        char name[40];

        snprintf(name, sizeof(name), i ? "listener %zu" : "main", i);
        endpoint->name = strdup(endpoint->config->name ? endpoint->config->name : name);
        return endpoint->name ? 0 : no_memory(error);
}

static int add_endpoint(struct registry *registry, const struct registry_listener *config,
                        struct cip_error *error)
{
        size_t i = registry->n_endpoints;
        struct registry_endpoint *endpoint = &registry->endpoints[i];
        int r;

        endpoint->registry = registry;
        endpoint->config = config;
        endpoint->fd = -1;
        r = name_endpoint(endpoint, i, error);
        if (r < 0)
                return r;
        if (registry_find_endpoint(registry, endpoint->name) && i > 0) {
                r = local_error(error, -EINVAL, "there are two listeners named \"%s\"", endpoint->name);
                free(endpoint->name);
                return r;
        }
        registry->n_endpoints++;
        return bind_socket(endpoint, error);
}

static int add_endpoints(struct registry *registry, struct cip_error *error)
{
        const struct registry_config *config = &registry->config;
        int r = 0;

        if (config->n_listeners > REGISTRY_LISTENERS_MAX)
                return local_error(error, -EINVAL, "%zu listeners; %d are the most", config->n_listeners,
                                   REGISTRY_LISTENERS_MAX);
        if (config->n_listeners == 0)
                return add_endpoint(registry, &default_listener, error);
        for (size_t i = 0; r == 0 && i < config->n_listeners; i++)
                r = add_endpoint(registry, &config->listeners[i], error);
        return r;
}

/* ---- TLS ---- */

static int make_certificate(struct registry_endpoint *endpoint, struct cip_error *error)
{
        const struct registry_listener *config = endpoint->config;
        const char *const hosts[] = {endpoint->host, "localhost", "127.0.0.1",
                                     config->address ? config->address : "127.0.0.1", NULL};

        if (!config->tls)
                return 0;
        if (http_library()->MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
                return local_error(error, -ENOTSUP, "this libmicrohttpd was built without TLS");
        if (!config->certificate_pem != !config->key_pem)
                return local_error(error, -EINVAL,
                                   "a certificate without a key, or a key without a certificate");
        if (!config->certificate_pem)
                return registry_certificate_server(endpoint->registry->authority, config->certificate, hosts,
                                                   &endpoint->certificate, error);
        endpoint->certificate.certificate = strdup(config->certificate_pem);
        endpoint->certificate.key = strdup(config->key_pem);
        if (!endpoint->certificate.certificate || !endpoint->certificate.key)
                return no_memory(error);
        return registry_certificate_judge(config->certificate_pem, "the certificate's file", config->key_pem,
                                          "the key's file", error);
}

/* So long a refused client may take to go after the alert, in milliseconds. */
#define ALERT_GRACE_MS 5000

/*
 * Tells the client by an alert why it is refused, and lets it go first: what it sends meanwhile, as TLS 1.3 lets it,
 * would meet a closed connection, and so hide the alert from it.
 */
static void refuse_client(gnutls_session_t session, gnutls_alert_description_t alert)
{
        int fd = http_library()->gnutls_transport_get_int(session);
        struct deadline end = deadline_in_ms(ALERT_GRACE_MS);
        char data[4096];
        ssize_t n;

        if (http_library()->gnutls_alert_send(session, GNUTLS_AL_FATAL, alert) < 0)
                return;
        (void)shutdown(fd, SHUT_WR);
        do
                n = wait_fd(fd, POLLIN, end) < 0 ? 0 : recv(fd, data, sizeof(data), MSG_DONTWAIT);
        while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
}

/*
 * Whether a client may connect, in the middle of the handshake. libmicrohttpd would close the connection without
 * a word, so the alert that tells the client why is sent here; it is the one that Go's servers send.
 */
static int judge_client(gnutls_session_t session)
{
        bool is_13 = http_library()->gnutls_protocol_get_version(session) == GNUTLS_TLS1_3;
        unsigned n = 0, status = 0;

        if (!http_library()->gnutls_certificate_get_peers(session, &n) || n == 0) {
                refuse_client(session, is_13 ? GNUTLS_A_CERTIFICATE_REQUIRED : GNUTLS_A_BAD_CERTIFICATE);
                return GNUTLS_E_CERTIFICATE_REQUIRED;
        }
        if (http_library()->gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0)
                return 0;
        refuse_client(session, status & GNUTLS_CERT_EXPIRED            ? GNUTLS_A_CERTIFICATE_EXPIRED
                               : status & GNUTLS_CERT_SIGNER_NOT_FOUND ? GNUTLS_A_UNKNOWN_CA
                                                                       : GNUTLS_A_BAD_CERTIFICATE);
        return GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* A connection begins or ends. The handshake comes later, and is told here what it must ask for. */
static void notice_connection(void *cls, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
        struct registry_endpoint *endpoint = cls;
        const union MHD_ConnectionInfo *info;

        (void)context;
        if (code != MHD_CONNECTION_NOTIFY_STARTED)
                return;
        atomic_fetch_add(&endpoint->connections, 1);
        if (endpoint->config->clients != REGISTRY_CLIENT_CERTIFICATES_REQUIRED)
                return;
        info = http_library()->MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (!info || !info->tls_session)
                return;
        http_library()->gnutls_session_set_verify_function(info->tls_session, judge_client);
}

/* ---- daemons ---- */

static void be_silent(void *cls, const char *format, va_list ap)
{
        (void)cls, (void)format, (void)ap;
}

static int start_daemon(struct registry_endpoint *endpoint, struct cip_error *error)
{
        const struct registry *registry = endpoint->registry;
        const struct registry_listener *config = endpoint->config;
        struct MHD_OptionItem tls[] = {
                {MHD_OPTION_HTTPS_MEM_CERT, 0, endpoint->certificate.certificate},
                {MHD_OPTION_HTTPS_MEM_KEY, 0, endpoint->certificate.key},
                {MHD_OPTION_END, 0, NULL},
                {MHD_OPTION_END, 0, NULL},
        };
        unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL |
                         MHD_USE_ITC | (config->tls ? MHD_USE_TLS : 0);

        if (config->clients)
                tls[2] =
                        (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0,
                                                (void *)(uintptr_t)registry_authority_pem(registry->authority)};
        endpoint->daemon = http_library()->MHD_start_daemon(
                flags, endpoint->port, NULL, NULL, registry_handle, endpoint, MHD_OPTION_EXTERNAL_LOGGER,
                be_silent, NULL, MHD_OPTION_LISTEN_SOCKET, endpoint->fd, MHD_OPTION_NOTIFY_COMPLETED,
                registry_handled, endpoint, MHD_OPTION_NOTIFY_CONNECTION, notice_connection, endpoint,
                MHD_OPTION_CONNECTION_LIMIT, (unsigned)registry->config.limits.connections,
                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)registry->config.limits.idle_s,
                MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_THREAD_STACK_SIZE,
                THREAD_STACK, MHD_OPTION_ARRAY, config->tls ? tls : &tls[3], MHD_OPTION_END);
        if (!endpoint->daemon)
                return local_error(error, -EIO, "cannot serve on %s", endpoint->address);
        endpoint->fd = -1;
        return 0;
}

/* Threads inherit the signal mask of who starts them. */
static int start_daemons(struct registry *registry, struct cip_error *error)
{
        sigset_t all, before;
        int r = 0;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        for (size_t i = 0; r == 0 && i < registry->n_endpoints; i++)
                if (!registry->endpoints[i].config->down)
                        r = start_daemon(&registry->endpoints[i], error);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return r;
}

/* ---- starting and stopping ---- */

static void set_defaults(struct registry_limits *limits)
{
        if (!limits->connections)
                limits->connections = CONNECTIONS_DEFAULT;
        if (!limits->idle_s)
                limits->idle_s = IDLE_DEFAULT_S;
        if (!limits->stall_ms)
                limits->stall_ms = STALL_DEFAULT_MS;
}

static int open_parts(struct registry *registry, struct cip_error *error)
{
        const struct registry_config *config = &registry->config;
        int log_fd = config->log_fd > 0 ? dup_fd(config->log_fd, 3) : -1;
        int r;

        if (config->log_fd > 0 && log_fd < 0)
                return local_errno(error, log_fd, "cannot write the log");
        if (registry_log_new(log_fd, &registry->log) < 0 ||
            registry_access_new(&registry->config.auth, &registry->access) < 0)
                return no_memory(error);
        registry->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (registry->stop_fd < 0)
                return local_errno(error, -errno, "cannot make an eventfd");
        if (registry_set_rules(registry, config->rules, config->n_rules) < 0)
                return no_memory(error);
        registry->authority = config->authority;
        if (registry->authority)
                return 0;
        r = registry_authority_new("cip-fakeregistry", &registry->own_authority, error);
        registry->authority = registry->own_authority;
        return r;
}

int registry_prepare(struct cip_error *error)
{
        return http_library_load(error);
}

int registry_start(const struct registry_config *config, struct registry **ret, struct cip_error *error)
{
        CLEANUP(cleanup_registry_free) struct registry *registry = calloc(1, sizeof(*registry));
        int r;

        if (!registry)
                return no_memory(error);
        registry->config = *config;
        registry->stop_fd = -1;
        pthread_mutex_init(&registry->mutex, NULL);
        set_defaults(&registry->config.limits);
        r = http_library_load(error);
        if (r == 0)
                r = open_parts(registry, error);
        if (r == 0)
                r = add_endpoints(registry, error);
        if (r == 0)
                r = judge(registry, error);
        if (r == 0)
                r = registry_store_new(config->images, config->n_images, &registry->store, error);
        for (size_t i = 0; r == 0 && i < registry->n_endpoints; i++)
                r = make_certificate(&registry->endpoints[i], error);
        if (r == 0)
                r = start_daemons(registry, error);
        if (r < 0)
                return r;
        *ret = STEAL(registry);
        return 0;
}

void registry_stop(struct registry *registry)
{
        atomic_store(&registry->stopping, true);
        if (registry->stop_fd >= 0)
                (void)eventfd_write(registry->stop_fd, 1);
        for (size_t i = 0; i < registry->n_endpoints; i++) {
                struct registry_endpoint *endpoint = &registry->endpoints[i];

                if (endpoint->daemon)
                        http_library()->MHD_stop_daemon(endpoint->daemon);
                endpoint->daemon = NULL;
                fd_clear(&endpoint->fd);
        }
}

void registry_free(struct registry *registry)
{
        if (!registry)
                return;
        registry_stop(registry);
        for (size_t i = 0; i < registry->n_endpoints; i++) {
                struct registry_endpoint *endpoint = &registry->endpoints[i];

                free(endpoint->name);
                free(endpoint->host);
                free(endpoint->address);
                registry_certificate_clear(&endpoint->certificate);
        }
        registry_store_free(registry->store);
        registry_access_free(registry->access);
        registry_log_free(registry->log);
        registry_authority_free(registry->own_authority);
        fd_close(registry->stop_fd);
        free(registry->counts);
        pthread_mutex_destroy(&registry->mutex);
        free(registry);
}

/* ---- while it runs ---- */

int registry_set_rules(struct registry *registry, const struct registry_rule *rules, size_t n)
{
        uint64_t *counts = calloc(n + 1, sizeof(*counts));

        if (!counts)
                return -ENOMEM;
        pthread_mutex_lock(&registry->mutex);
        free(registry->counts);
        registry->counts = counts;
        registry->rules = rules;
        registry->n_rules = n;
        pthread_mutex_unlock(&registry->mutex);
        return 0;
}

void registry_expire_tokens(struct registry *registry)
{
        registry_access_void(registry->access, NULL);
}

int registry_read_log(struct registry *registry, struct registry_log_copy *ret)
{
        return registry_log_read(registry->log, ret);
}

int registry_wait(struct registry *registry, uint64_t n, struct deadline deadline)
{
        return registry_log_wait(registry->log, n, deadline);
}

int registry_log_status(struct registry *registry)
{
        return registry_log_failure(registry->log);
}

/* ---- certificates for clients ---- */

static int write_file(int folder, const char *name, const char *text, mode_t mode, struct cip_error *error)
{
        int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
        int r = fd < 0 ? -errno : 0;

        if (r == 0 && fchmod(fd, mode) < 0)
                r = -errno;
        if (r == 0)
                r = write_all(fd, text, strlen(text));
        fd_close(fd);
        return r < 0 ? local_errno(error, r, "cannot write %s", name) : 0;
}

static bool wants_client_certificates(const struct registry *registry)
{
        for (size_t i = 0; i < registry->n_endpoints; i++)
                if (registry->endpoints[i].config->clients)
                        return true;
        return false;
}

int registry_write_certificates(const struct registry *registry, const char *folder, struct cip_error *error)
{
        CLEANUP(cleanup_registry_certificate) struct registry_certificate client = {0};
        CLEANUP_FD int fd = -1;
        int r;

        if (mkdir(folder, 0777) < 0 && errno != EEXIST)
                return local_errno(error, -errno, "cannot make the folder %s", folder);
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return local_errno(error, -errno, "cannot open the folder %s", folder);
        r = write_file(fd, "ca.crt", registry_authority_pem(registry->authority), 0644, error);
        if (r == 0 && wants_client_certificates(registry)) {
                r = registry_certificate_client(registry->authority, REGISTRY_CERTIFICATE_GOOD, "client",
                                                &client, error);
                if (r == 0)
                        r = write_file(fd, "client.cert", client.certificate, 0644, error);
                if (r == 0)
                        r = write_file(fd, "client.key", client.key, 0600, error);
        }
        if (r < 0)
                error_prefix(error, "%s", folder);
        return r;
}
