/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of logins: where a server finds them, whom it shows them to, and whom it must not. Every registry here
 * is private, and its log says who came with what. All secrets begin with the same word, so that one that gets into
 * an error or onto stderr is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "conformance/context.h"
#include "conformance/groups.h"
#include "conformance/real-registry.h"
#include "conformance/registries.h"
#include "conformance/sample.h"

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

#define SECRET "sesame"
#define WRONG SECRET "-wrong"
#define IDENTITY SECRET "-identity"
#define BEARER SECRET "-bearer"
#define COLONS SECRET ":of two: parts\xc3\xa9"

static const struct registry_user users[] = {
        {.name = "right", .password = SECRET "-right"},
        {.name = "other", .password = SECRET "-other"},
        {.name = "third", .password = SECRET "-third"},
        {.name = "colon", .password = COLONS},
        {.name = "tokens", .password = SECRET "-tokens", .identity_token = IDENTITY, .registry_token = BEARER},
        {.name = "barred",
         .password = SECRET "-barred",
         .repositories = (const char *const[]){"elsewhere", NULL}},
};

static const struct registry_image images[] = {
        {.repository = "app", .tag = "latest", .fixture = "layers-1"},
        {.repository = "team/app", .tag = "latest", .fixture = "layers-1"},
        {.repository = "team/group/app", .tag = "latest", .fixture = "layers-1"},
};

/* ---- private registries ---- */

/* With these listeners (NULL: one); and @auth for the users above. */
static struct registry *start_private(struct check_context *c, const struct registry_auth *auth,
                                      const struct registry_listener *listeners, size_t n_listeners)
{
        struct registry_config config = {
                .listeners = listeners,
                .n_listeners = n_listeners,
                .images = images,
                .n_images = ARRAY_SIZE(images),
                .auth = *auth,
        };

        config.auth.users = users;
        config.auth.n_users = ARRAY_SIZE(users);
        return registries_start(c, &config);
}

static struct registry *start_basic(struct check_context *c)
{
        return start_private(c, &(struct registry_auth){.kind = REGISTRY_AUTH_BASIC}, NULL, 0);
}

static struct registry *start_bearer(struct check_context *c)
{
        return start_private(c, &(struct registry_auth){.kind = REGISTRY_AUTH_BEARER}, NULL, 0);
}

/* The same on docker-registry, where the check is for that: its log is out of reach. */
static struct either_registry *start_either(struct check_context *c)
{
        static const struct registry_user known[] = {
                {.name = "right", .password = SECRET "-right"},
                {.name = "colon", .password = COLONS},
        };
        const struct registry_config config = {
                .images = images,
                .n_images = ARRAY_SIZE(images),
                .auth = {.kind = REGISTRY_AUTH_BASIC, .users = known, .n_users = ARRAY_SIZE(known)},
        };

        return either_start(c, &config);
}

static const char *password_of(struct check_context *c, const char *user)
{
        for (size_t i = 0; i < ARRAY_SIZE(users); i++)
                if (!strcmp(users[i].name, user))
                        return users[i].password;
        check_error(c, "there is no user %s", user);
}

/* An entry of auth.json for a registry, or what is deeper in it: "/team". */
static const char *entry_at(struct check_context *c, const char *address, const char *deeper, const char *user)
{
        return check_text(c, "\"%s%s\": {\"auth\": \"%s\"}", address, deeper,
                          registries_basic(c, user, password_of(c, user)));
}

static const char *entry(struct check_context *c, const struct registry *registry, const char *user)
{
        return entry_at(c, registry_address(registry, NULL), "", user);
}

/* The server with --authfile, for this user of this registry. */
static void serve_as(struct check_context *c, const struct registry *registry, const char *user)
{
        const char *path =
                registries_file(c, "given/auth.json", "{\"auths\": {%s}}\n", entry(c, registry, user));

        registries_serve(c, FLAGS("--authfile", path), NULL);
}

/* ---- what came of it ---- */

/* Nobody but @user (NULL: nobody at all) has shown a login, and if @came, that one has been served. */
static void expect_user(struct check_context *c, struct registry *registry, const char *user, bool came)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        bool served = false;

        registries_log(c, registry, &log);
        for (size_t i = 0; i < log.n; i++) {
                const struct registry_request *request = &log.requests[i];

                /* A server that knows no login may show an empty one. */
                if (request->credentials == REGISTRY_CREDENTIALS_NONE ||
                    (request->credentials == REGISTRY_CREDENTIALS_BASIC && !*request->user))
                        continue;
                check_that(c, user && !strcmp(request->user, user),
                           "%s should show a login, and %s %s came with %s credentials of the user '%s'",
                           user ? check_text(c, "nobody but '%s'", user) : "nobody", request->method,
                           request->path, registry_credentials_name(request->credentials), request->user);
                served = served || (request->kind == REGISTRY_MANIFEST && request->status == 200);
        }
        check_that(c, !came || served, "the registry should be asked for the manifest by the user '%s'", user);
}

/* Pulls an image of the registry, as this user. */
static void pull_as(struct check_context *c, struct registry *registry, const char *name, const char *user)
{
        registries_pull(c, registries_reference(c, registry, NULL, name), "layers-1");
        expect_user(c, registry, user, user != NULL);
}

static void pull_as_either(struct check_context *c, const struct either_registry *either, const char *name,
                           const char *user)
{
        registries_pull(c, either_reference(c, either, name), "layers-1");
        if (either_fake(either))
                expect_user(c, either_fake(either), user, true);
}

/* Falls short where a text that others see has a secret, plainly or as HTTP has it. */
static void must_not_tell(struct check_context *c, const char *text, const char *where)
{
        check_that(c, !strstr(text, SECRET) && !strstr(text, registries_basic(c, "right", WRONG)),
                   "%s should not have a secret in it, it says: %s", where, text);
        for (size_t i = 0; i < ARRAY_SIZE(users); i++)
                check_that(c, !strstr(text, registries_basic(c, users[i].name, users[i].password)),
                           "%s should not have a login in it, it says: %s", where, text);
}

/* OpenImage is refused with these words, which tell no secret. */
static void refused(struct check_context *c, struct registry *registry, const char *words)
{
        CLEANUP_ANSWER struct answer answer = {0};

        registries_refused(c, registries_reference(c, registry, NULL, "app:latest"), words, &answer);
        must_not_tell(c, answer.error, "the error");
        must_not_tell(c, check_stderr(c), "stderr");
}

/* ---- where logins stand ---- */

enum place {
        NOWHERE = 0,
        BY_FLAG,
        BY_VARIABLE,
        RUNTIME_FILE,
        CONFIG_FILE,
        DOCKER_FILE,
        OLD_FILE,
};

static const char *const paths[] = {
        [BY_FLAG] = "given/flag.json",
        [BY_VARIABLE] = "given/variable.json",
        [RUNTIME_FILE] = "run/containers/auth.json",
        [CONFIG_FILE] = "home/.config/containers/auth.json",
        [DOCKER_FILE] = "home/.docker/config.json",
        [OLD_FILE] = "home/.dockercfg",
};

/* Two of them, the first of which counts. */
struct places {
        enum place first, second;
};

static const char *write_place(struct check_context *c, const struct registry *registry, enum place place,
                               const char *user)
{
        const char *login = entry(c, registry, user);

        return place == OLD_FILE ? registries_file(c, paths[place], "{%s}\n", login)
                                 : registries_file(c, paths[place], "{\"auths\": {%s}}\n", login);
}

/* Starts the server where two users' logins stand in two places. */
static void serve_places(struct check_context *c, const struct registry *registry, const struct places *places)
{
        const char *variable = check_text(c, "REGISTRY_AUTH_FILE=%s/%s", check_folder(c), paths[BY_VARIABLE]);
        const char *flag = check_text(c, "--authfile=%s/%s", check_folder(c), paths[BY_FLAG]);

        write_place(c, registry, places->first, "right");
        if (places->second)
                write_place(c, registry, places->second, "other");
        if (places->first != BY_VARIABLE && places->second != BY_VARIABLE)
                variable = "REGISTRY_AUTH_FILE";
        registries_serve(c, places->first == BY_FLAG ? FLAGS(flag) : NULL, FLAGS(variable));
}

static void places_count(struct check_context *c)
{
        struct registry *registry = start_basic(c);

        serve_places(c, registry, c->check->detail);
        pull_as(c, registry, "app:latest", "right");
}

static void by_descriptor(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        const char *path = write_place(c, registry, BY_FLAG, "right");
        const char *const flags[] = {"--tls-verify=false", "--authfile", "/proc/self/fd/7", NULL};
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
                check_error(c, "cannot open %s: %s", path, strerror(errno));
        check_expect_open(c);
        check_start(c, &(struct server_start){.flags = flags, .more_fd = fd, .more_target = 7});
        pull_as(c, registry, "app:latest", "right");
        pull_as(c, registry, "team/app:latest", "right");
}

/* What a server does that finds no login in the file of --authfile, and has another elsewhere. */
static void authfile_alone(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        CLEANUP_ANSWER struct answer answer = {0};

        write_place(c, registry, DOCKER_FILE, "right");
        registries_serve(c, FLAGS("--authfile", registries_file(c, "given/none.json", "{}\n")),
                         FLAGS("REGISTRY_AUTH_FILE"));
        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, "app:latest"));
        check_record(c, "%s",
                     answer.success                         ? "other files are read too"
                     : strstr(answer.error, "unauthorized") ? "no other file is read"
                                                            : "refused");
}

static void authfile_missing(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--authfile", check_text(c, "%s/missing.json", check_folder(c))), NULL);
        check_call_refused(c, &answer, "OpenImage", "[\"%s\"]",
                           registries_reference(c, registry, NULL, "app:latest"));
        check_record(c, "%s",
                     strstr(answer.error, "missing.json")   ? "the error names the file"
                     : strstr(answer.error, "unauthorized") ? "taken for an empty file"
                                                            : "refused");
}

static void authfile_broken(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        const char *login = entry(c, registry, "right");

        registries_serve(
                c, FLAGS("--authfile", registries_file(c, "given/broken.json", "{\"auths\": {%s}\n", login)),
                NULL);
        refused(c, registry, "broken.json");
        expect_user(c, registry, NULL, false);
}

static void authfile_changes(struct check_context *c)
{
        struct registry *registry = start_basic(c);

        registries_serve(c, FLAGS("--authfile", registries_file(c, paths[BY_FLAG], "{}\n")), NULL);
        refused(c, registry, NULL);
        write_place(c, registry, BY_FLAG, "right");
        pull_as(c, registry, "app:latest", "right");
}

/* ---- for what a login is ---- */

/* The server that finds up to three users' logins, for the registry and for what is deeper in it. */
static void serve_deep(struct check_context *c, const struct either_registry *either, const char *whole,
                       const char *team, const char *app)
{
        const char *address = either_address(either);
        const char *text = check_text(c, "{\"auths\": {\"elsewhere\": {}%s%s%s%s%s%s}}\n", whole ? ", " : "",
                                      whole ? entry_at(c, address, "", whole) : "", team ? ", " : "",
                                      team ? entry_at(c, address, "/team", team) : "", app ? ", " : "",
                                      app ? entry_at(c, address, "/team/group/app", app) : "");

        registries_serve(c, FLAGS("--authfile", registries_file(c, paths[BY_FLAG], "%s", text)), NULL);
}

static void per_registry(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, "right", NULL, NULL);
        pull_as_either(c, either, "team/app:latest", "right");
}

static void per_namespace(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, NULL, "right", NULL);
        pull_as_either(c, either, "team/group/app:latest", "right");
}

static void per_repository(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, NULL, NULL, "right");
        pull_as_either(c, either, "team/group/app:latest", "right");
}

static void repository_first(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, "other", "third", "right");
        pull_as_either(c, either, "team/group/app:latest", "right");
}

static void namespace_first(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, "other", "right", "third");
        pull_as_either(c, either, "team/app:latest", "right");
}

static void registry_last(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, "right", "other", "third");
        pull_as_either(c, either, "app:latest", "right");
}

static void other_namespace(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        const char *address = registry_address(registry, NULL);
        const char *path =
                registries_file(c, paths[BY_FLAG], "{\"auths\": {%s, %s}}\n",
                                entry_at(c, address, "/team", "other"), entry_at(c, address, "/ap", "third"));

        registries_serve(c, FLAGS("--authfile", path), NULL);
        refused(c, registry, NULL);
        expect_user(c, registry, NULL, false);
}

static void other_registry(struct check_context *c)
{
        static const struct registry_listener listeners[] = {{.name = "main"}, {.name = "next"}};
        const struct registry_auth auth = {.kind = REGISTRY_AUTH_BASIC};
        struct registry *registry = start_private(c, &auth, listeners, ARRAY_SIZE(listeners));
        const char *login =
                registries_auth(c, registry_address(registry, "next"), "right", password_of(c, "right"));

        registries_serve(c, FLAGS("--authfile", registries_file(c, paths[BY_FLAG], "%s", login)), NULL);
        refused(c, registry, NULL);
        expect_user(c, registry, NULL, false);
}

static void any_character(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        serve_deep(c, either, "colon", NULL, NULL);
        pull_as_either(c, either, "app:latest", "colon");
}

/* ---- on the command line ---- */

static const char *creds_of(struct check_context *c, const char *user)
{
        return check_text(c, "%s:%s", user, password_of(c, user));
}

static void creds(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        registries_serve(c, FLAGS("--creds", creds_of(c, "right")), NULL);
        pull_as_either(c, either, "app:latest", "right");
}

static void creds_first(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        const char *path = write_place(c, registry, BY_FLAG, "other");

        registries_serve(c, FLAGS("--authfile", path, "--creds", creds_of(c, "right")), NULL);
        pull_as(c, registry, "app:latest", "right");
}

static void username_and_password(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        registries_serve(c, FLAGS("--username", "colon", "--password", password_of(c, "colon")), NULL);
        pull_as_either(c, either, "app:latest", "colon");
}

/* A registry that serves everybody too. */
static void no_creds(struct check_context *c)
{
        struct registry *registry = start_private(
                c, &(struct registry_auth){.kind = REGISTRY_AUTH_BEARER, .anonymous = true}, NULL, 0);
        const char *path = write_place(c, registry, BY_FLAG, "right");

        registries_serve(c, FLAGS("--authfile", path, "--no-creds"), NULL);
        registries_pull(c, registries_reference(c, registry, NULL, "app:latest"), "layers-1");
        check_that(c, registries_count(c, registry, &(struct registry_when){.user = "right"}) == 0,
                   "with --no-creds nobody should show a login, and 'right' did");
}

static void registry_token(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        registries_serve(c, FLAGS("--registry-token", BEARER), NULL);
        pull_as(c, registry, "app:latest", "tokens");
        check_that(c, registries_count(c, registry, &(struct registry_when){.kind = REGISTRY_TOKEN}) == 0,
                   "with --registry-token the token service should not be asked");
}

/* Whether a login of the command line is for every registry of a session. */
static void creds_everywhere(struct check_context *c)
{
        struct registry *registry = start_basic(c), *next = start_basic(c);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--creds", creds_of(c, "right")), NULL);
        pull_as(c, registry, "app:latest", "right");
        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, next, NULL, "app:latest"));
        check_record(c, "%s",
                     registries_count(c, next, &(struct registry_when){.user = "right"})
                             ? "every registry is shown the login of --creds"
                             : "one registry is shown the login of --creds");
}

/* ---- token services ---- */

static void basic_everywhere(struct check_context *c)
{
        struct registry *registry = start_basic(c);

        serve_as(c, registry, "right");
        pull_as(c, registry, "app:latest", "right");
        check_that(c,
                   registries_count(c, registry,
                                    &(struct registry_when){.kind = REGISTRY_BLOB,
                                                            .user = "right",
                                                            .credentials = REGISTRY_CREDENTIALS_BASIC}) > 0,
                   "blobs should be asked for with the login too");
}

static void bearer(struct check_context *c)
{
        struct registry *registry = start_bearer(c);
        const struct registry_when with_login = {.credentials = REGISTRY_CREDENTIALS_BASIC};
        const struct registry_when service = {.kind = REGISTRY_TOKEN,
                                              .credentials = REGISTRY_CREDENTIALS_BASIC};

        serve_as(c, registry, "right");
        pull_as(c, registry, "app:latest", "right");
        check_that(c, registries_count(c, registry, &with_login) == registries_count(c, registry, &service),
                   "the login should be shown to the token service alone");
}

static void bearer_anonymous(struct check_context *c)
{
        struct registry *registry = start_private(
                c, &(struct registry_auth){.kind = REGISTRY_AUTH_BEARER, .anonymous = true}, NULL, 0);

        registries_serve(c, NULL, NULL);
        registries_pull(c, registries_reference(c, registry, NULL, "app:latest"), "layers-1");
        check_that(c,
                   registries_count(c, registry,
                                    &(struct registry_when){.kind = REGISTRY_TOKEN,
                                                            .credentials = REGISTRY_CREDENTIALS_NONE}) > 0,
                   "the token service should be asked for a token by nobody in particular");
}

/* Whether a registry is shown a login that it does not ask for. */
static void not_asked(struct check_context *c)
{
        struct registry *registry = start_private(
                c, &(struct registry_auth){.kind = REGISTRY_AUTH_BASIC, .anonymous = true}, NULL, 0);
        CLEANUP_ANSWER struct answer answer = {0};

        serve_as(c, registry, "right");
        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, "app:latest"));
        check_record(c, "%s",
                     !answer.success ? "refused"
                     : registries_count(c, registry, &(struct registry_when){.user = "right"})
                             ? "the login is shown"
                             : "no login is shown");
}

static void token_scope(struct check_context *c)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        struct registry *registry = start_bearer(c);
        size_t n = 0;

        serve_as(c, registry, "right");
        pull_as(c, registry, "team/app:latest", "right");
        registries_log(c, registry, &log);
        for (size_t i = 0; i < log.n; i++) {
                if (log.requests[i].kind != REGISTRY_TOKEN)
                        continue;
                n++;
                check_that(c, !strcmp(log.requests[i].scope, "repository:team/app:pull"),
                           "a token should be asked for repository:team/app:pull, it is asked for '%s'",
                           log.requests[i].scope);
        }
        check_that(c, n > 0, "the token service should be asked");
}

/* An auth.json with an identity token in the place of a password. Its path. */
static const char *write_identity(struct check_context *c, const struct registry *registry, const char *token)
{
        return registries_file(c, paths[BY_FLAG],
                               "{\"auths\": {\"%s\": {\"auth\": \"%s\", \"identitytoken\": \"%s\"}}}\n",
                               registry_address(registry, NULL), registries_basic(c, "tokens", ""), token);
}

static void identity_token(struct check_context *c)
{
        struct registry *registry = start_bearer(c);
        const struct registry_when with_password = {.credentials = REGISTRY_CREDENTIALS_BASIC};

        registries_serve(c, FLAGS("--authfile", write_identity(c, registry, IDENTITY)), NULL);
        pull_as(c, registry, "app:latest", "tokens");
        check_that(c, registries_count(c, registry, &with_password) == 0,
                   "where there is an identity token no password should be shown");
}

/* The token service's and the blob store's hosts. */
static const struct registry_listener hosts[] = {
        {.name = "main"},
        {.name = "service", .address = "127.0.0.2"},
        {.name = "blobs", .address = "127.0.0.3", .open = true},
};

static void service_elsewhere(struct check_context *c)
{
        const struct registry_auth auth = {.kind = REGISTRY_AUTH_BEARER, .listener = "service"};
        struct registry *registry = start_private(c, &auth, hosts, ARRAY_SIZE(hosts));
        const struct registry_when login_at_main = {.listener = "main",
                                                    .credentials = REGISTRY_CREDENTIALS_BASIC};
        const struct registry_when token_at_service = {.listener = "service",
                                                       .credentials = REGISTRY_CREDENTIALS_BEARER};

        serve_as(c, registry, "right");
        pull_as(c, registry, "app:latest", "right");
        check_that(c, registries_count(c, registry, &login_at_main) == 0,
                   "the registry should not be shown the login, which is for its token service");
        check_that(c, registries_count(c, registry, &token_at_service) == 0,
                   "the token service should not be shown the token, which is for the registry");
}

/* ---- tokens that are void ---- */

/* A token whose time was over when it came, and that is good all the same. */
#define STALE_TOKEN                                                      \
        "{\"token\": \"" BEARER "\", \"access_token\": \"" BEARER "\", " \
        "\"expires_in\": 60, \"issued_at\": \"2020-01-01T00:00:00Z\"}"

static void token_renewed(struct check_context *c)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_TOKEN, .outcome = REGISTRY_OUTCOME_SUCCESS},
                .act = {.body = STALE_TOKEN},
        };
        struct registry *registry = start_bearer(c);
        size_t n;

        if (registry_set_rules(registry, &rule, 1) < 0)
                check_error(c, "out of memory");
        serve_as(c, registry, "right");
        registries_pull(c, registries_reference(c, registry, NULL, "app:latest"), "layers-1");
        n = registries_count(c, registry, &(struct registry_when){.kind = REGISTRY_TOKEN});
        check_that(c, n > 1, "a token whose time is over should be renewed, one was asked for %zu times", n);
}

/* In mid-image the registry takes no token any more that was given out so far. */
static void token_refused(struct check_context *c)
{
        struct registry *registry = start_bearer(c);
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        CLEANUP(cleanup_free) char *data = NULL;
        uint64_t image;
        size_t len;

        serve_as(c, registry, "right");
        image = check_open_image(c, registries_reference(c, registry, NULL, "app:latest"));
        registry_expire_tokens(registry);
        sample_fetch_ok(c, "GetBlob", sample_blob_args(c, image, layer->digest, layer->size), &data, &len);
        sample_check_digest(c, data, len, layer->digest, "the layer");
}

/* The same between two images. */
static void token_refused_between(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        serve_as(c, registry, "right");
        pull_as(c, registry, "app:latest", "right");
        registry_expire_tokens(registry);
        pull_as(c, registry, "app:latest", "right");
}

/* ---- credential helpers ---- */

/* Writes a helper that answers for @server with a text of JSON, or does not know it. */
static void write_helper(struct check_context *c, const char *name, const char *server, const char *answer)
{
        const char *path = registries_file(c, check_text(c, "bin/docker-credential-%s", name),
                                           "#!/bin/sh\n"
                                           "read -r server\n"
                                           "if [ \"$1\" = get ] && [ \"$server\" = '%s' ]; then\n"
                                           "        echo '%s'\n"
                                           "else\n"
                                           "        echo 'credentials not found in native keychain'\n"
                                           "        exit 1\n"
                                           "fi\n",
                                           server, answer);

        if (chmod(path, 0700) < 0)
                check_error(c, "cannot make %s a program: %s", path, strerror(errno));
}

static void serve_with_helpers(struct check_context *c, const char *auth)
{
        const char *path = check_text(c, "PATH=%s/bin:%s", check_folder(c), getenv("PATH"));

        registries_serve(c, FLAGS("--authfile", registries_file(c, paths[BY_FLAG], "%s", auth)), FLAGS(path));
}

static void helper(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        const char *address = registry_address(registry, NULL);

        write_helper(c, "keeper", address, "{\"Username\": \"right\", \"Secret\": \"" SECRET "-right\"}");
        serve_with_helpers(c, check_text(c, "{\"credHelpers\": {\"%s\": \"keeper\"}}\n", address));
        pull_as(c, registry, "app:latest", "right");
}

static void helper_first(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        const char *address = registry_address(registry, NULL);

        write_helper(c, "keeper", address, "{\"Username\": \"right\", \"Secret\": \"" SECRET "-right\"}");
        serve_with_helpers(c, check_text(c, "{\"auths\": {%s}, \"credHelpers\": {\"%s\": \"keeper\"}}\n",
                                         entry(c, registry, "other"), address));
        pull_as(c, registry, "app:latest", "right");
}

static void helper_token(struct check_context *c)
{
        struct registry *registry = start_bearer(c);
        const char *address = registry_address(registry, NULL);

        write_helper(c, "keeper", address, "{\"Username\": \"<token>\", \"Secret\": \"" IDENTITY "\"}");
        serve_with_helpers(c, check_text(c, "{\"credHelpers\": {\"%s\": \"keeper\"}}\n", address));
        pull_as(c, registry, "app:latest", "tokens");
}

static void helper_missing(struct check_context *c)
{
        struct registry *registry = start_basic(c);

        serve_with_helpers(c, check_text(c, "{\"credHelpers\": {\"%s\": \"absent\"}}\n",
                                         registry_address(registry, NULL)));
        refused(c, registry, "docker-credential-absent");
}

/* ---- refusals ---- */

/* OpenImage is refused for good, in one of these words, and tells no secret. */
static void refused_in_words(struct check_context *c, const char *reference, const char *one, const char *other)
{
        CLEANUP_ANSWER struct answer answer = {0};

        registries_refused(c, reference, NULL, &answer);
        check_that(c, strstr(answer.error, one) || strstr(answer.error, other),
                   "the error should say '%s' or '%s', it says: %s", one, other, answer.error);
        must_not_tell(c, answer.error, "the error");
        must_not_tell(c, check_stderr(c), "stderr");
        check_that(c, !answer.error_code || !strcmp(answer.error_code, "other"),
                   "the error code should be 'other', which trying again does not help, it is '%s'",
                   answer.error_code);
        check_still_serves(c);
}

static void not_authorized(struct check_context *c, const char *reference)
{
        refused_in_words(c, reference, "unauthorized", "authentication required");
}

static void wrong_basic(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        registries_serve(c, FLAGS("--creds", "right:" WRONG), NULL);
        not_authorized(c, either_reference(c, either, "app:latest"));
}

static void wrong_bearer(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        registries_serve(c, FLAGS("--creds", "right:" WRONG), NULL);
        not_authorized(c, registries_reference(c, registry, NULL, "app:latest"));
}

static void wrong_identity(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        registries_serve(c, FLAGS("--authfile", write_identity(c, registry, WRONG)), NULL);
        not_authorized(c, registries_reference(c, registry, NULL, "app:latest"));
}

static void wrong_registry_token(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        registries_serve(c, FLAGS("--registry-token", WRONG), NULL);
        not_authorized(c, registries_reference(c, registry, NULL, "app:latest"));
}

static void no_login_basic(struct check_context *c)
{
        struct either_registry *either = start_either(c);

        registries_serve(c, NULL, NULL);
        not_authorized(c, either_reference(c, either, "app:latest"));
}

static void no_login_bearer(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        registries_serve(c, NULL, NULL);
        not_authorized(c, registries_reference(c, registry, NULL, "app:latest"));
}

static void denied(struct check_context *c)
{
        struct registry *registry = start_basic(c);

        serve_as(c, registry, "barred");
        refused_in_words(c, registries_reference(c, registry, NULL, "app:latest"), "denied", "DENIED");
}

/* What a registry is shown by a server that knows no login for it. */
static void nobody(struct check_context *c)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        static const struct registry_when with_login = {.credentials = REGISTRY_CREDENTIALS_BASIC};
        struct registry *registry = start_basic(c);
        const struct registry_request *request;

        registries_serve(c, NULL, NULL);
        refused(c, registry, NULL);
        registries_log(c, registry, &log);
        request = registry_log_find(&log, &with_login, NULL);
        check_record(c, "%s", !request ? "no login" : *request->user ? "somebody's login" : "an empty login");
}

static void optional_is_refused(struct check_context *c)
{
        struct registry *registry = start_basic(c);
        CLEANUP_ANSWER struct answer answer = {0};

        registries_serve(c, FLAGS("--creds", "right:" WRONG), NULL);
        check_call_refused(c, &answer, "OpenImageOptional", "[\"%s\"]",
                           registries_reference(c, registry, NULL, "app:latest"));
}

/* ---- secrets ---- */

static void debug_tells_none(struct check_context *c)
{
        struct registry *registry = start_bearer(c);

        check_expect_stderr(c);
        registries_serve(c, FLAGS("--debug", "--creds", creds_of(c, "right")), NULL);
        pull_as(c, registry, "app:latest", "right");
        check_that(c, *check_stderr(c), "with --debug the server should write on stderr");
        must_not_tell(c, check_stderr(c), "stderr");
        check_that(c, !strstr(check_stderr(c), "t1."), "stderr should not have a token in it");
}

/* Blobs are somewhere else. */
static struct registry *start_redirecting(struct check_context *c, enum registry_auth_kind kind,
                                          const struct registry_listener *listeners, size_t n)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_BLOB, .listener = "main", .outcome = REGISTRY_OUTCOME_SUCCESS},
                .act = {.redirect = {.there = true, .listener = "blobs"}},
        };
        struct registry *registry = start_private(c, &(struct registry_auth){.kind = kind}, listeners, n);

        if (registry_set_rules(registry, &rule, 1) < 0)
                check_error(c, "out of memory");
        serve_as(c, registry, "right");
        return registry;
}

static void redirect(struct check_context *c, enum registry_auth_kind kind)
{
        CLEANUP(cleanup_registry_log_copy) struct registry_log_copy log = {0};
        struct registry *registry = start_redirecting(c, kind, hosts, ARRAY_SIZE(hosts));
        size_t n = 0;

        registries_pull(c, registries_reference(c, registry, NULL, "app:latest"), "layers-1");
        registries_log(c, registry, &log);
        for (size_t i = 0; i < log.n; i++) {
                if (strcmp(log.requests[i].listener, "blobs") != 0)
                        continue;
                n++;
                check_that(c, log.requests[i].credentials == REGISTRY_CREDENTIALS_NONE,
                           "the host that a blob is redirected to should be shown no login, and was shown %s",
                           registry_credentials_name(log.requests[i].credentials));
        }
        check_that(c, n > 0, "the host that blobs are redirected to should be asked");
}

static void redirect_login(struct check_context *c)
{
        redirect(c, REGISTRY_AUTH_BASIC);
}

static void redirect_token(struct check_context *c)
{
        redirect(c, REGISTRY_AUTH_BEARER);
}

/* Whether another port of the registry's host is another host. */
static void redirect_port(struct check_context *c)
{
        static const struct registry_listener ports[] = {{.name = "main"}, {.name = "blobs", .open = true}};
        static const struct registry_when at_blobs = {.listener = "blobs"},
                                          with_login = {.listener = "blobs", .user = "right"};
        struct registry *registry = start_redirecting(c, REGISTRY_AUTH_BASIC, ports, ARRAY_SIZE(ports));
        const struct content *layer = sample_layer_of(c, "layers-1", 0);
        CLEANUP_ANSWER struct answer answer = {0};
        uint64_t image;

        image = check_open_image(c, registries_reference(c, registry, NULL, "app:latest"));
        check_call(c, &answer, "GetBlob", "%s", sample_blob_args(c, image, layer->digest, layer->size));
        if (answer.success && registries_count(c, registry, &at_blobs) > 0)
                check_record(c, "%s",
                             registries_count(c, registry, &with_login) ? "the login is shown there"
                                                                        : "no login is shown there");
        else
                check_record(c, "refused");
}

/* Whether an identity token follows where the token service redirects to. */
static void service_redirect(struct check_context *c)
{
        static const struct registry_rule rule = {
                .when = {.kind = REGISTRY_TOKEN, .listener = "main"},
                .act = {.redirect = {.there = true, .listener = "service"}},
        };
        static const struct registry_when shown = {.listener = "service",
                                                   .credentials = REGISTRY_CREDENTIALS_IDENTITY};
        const struct registry_auth auth = {.kind = REGISTRY_AUTH_BEARER};
        struct registry *registry = start_private(c, &auth, hosts, ARRAY_SIZE(hosts));
        CLEANUP_ANSWER struct answer answer = {0};

        if (registry_set_rules(registry, &rule, 1) < 0)
                check_error(c, "out of memory");
        registries_serve(c, FLAGS("--authfile", write_identity(c, registry, IDENTITY)), NULL);
        check_call(c, &answer, "OpenImage", "[\"%s\"]", registries_reference(c, registry, NULL, "app:latest"));
        check_record(c, "%s",
                     registries_count(c, registry, &shown) ? "the identity token is shown there"
                     : answer.success                      ? "it is not shown there"
                                                           : "refused");
}

#define AUTH(name_, level_, requires_, reference_, run_) \
        AUTH_SINCE(name_, level_, VERSION_OLDEST, requires_, reference_, run_)
#define AUTH_SINCE(name_, level_, since_, requires_, reference_, run_)                        \
        .id = "auth/" name_, .level = (level_), .since = (since_), .requires = requires_ ".", \
        .reference = (reference_), .run = (run_), .own_start = true

/* On the fake registry and on docker-registry. */
#define BOTH(name_, level_, requires_, reference_, run_)                                         \
        {AUTH(name_, level_, requires_, reference_, run_)},                                      \
        {                                                                                        \
                AUTH(name_ "-real", level_, requires_ ", on docker-registry", reference_, run_), \
                        .detail = on_real_registry                                               \
        }

#define PLACES(first_, second_)          \
        .detail = &(const struct places) \
        {                                \
                (first_), (second_)      \
        }

const struct check checks_auth[] = {
        {AUTH("authfile", LEVEL_MUST, "A login is found in the file of --authfile", "login-authfile",
              places_count),
         PLACES(BY_FLAG, NOWHERE)},
        {AUTH("authfile-descriptor", LEVEL_MUST,
              "The file of --authfile may be /proc/self/fd/N, for any number of images", "login-descriptor",
              by_descriptor)},
        {AUTH("variable", LEVEL_MUST, "A login is found in the file that REGISTRY_AUTH_FILE names",
              "login-files", places_count),
         PLACES(BY_VARIABLE, NOWHERE)},
        {AUTH("runtime-file", LEVEL_MUST, "A login is found in $XDG_RUNTIME_DIR/containers/auth.json",
              "login-files", places_count),
         PLACES(RUNTIME_FILE, NOWHERE)},
        {AUTH("config-file", LEVEL_MUST, "A login is found in ~/.config/containers/auth.json", "login-files",
              places_count),
         PLACES(CONFIG_FILE, NOWHERE)},
        {AUTH("docker-file", LEVEL_MUST, "A login is found in ~/.docker/config.json", "login-files",
              places_count),
         PLACES(DOCKER_FILE, NOWHERE)},
        {AUTH("dockercfg", LEVEL_MUST, "A login is found in ~/.dockercfg", "login-files", places_count),
         PLACES(OLD_FILE, NOWHERE)},
        {AUTH("authfile-before-variable", LEVEL_MUST, "--authfile comes before REGISTRY_AUTH_FILE",
              "login-authfile", places_count),
         PLACES(BY_FLAG, BY_VARIABLE)},
        {AUTH("variable-before-runtime", LEVEL_MUST,
              "REGISTRY_AUTH_FILE comes before $XDG_RUNTIME_DIR/containers/auth.json", "login-order",
              places_count),
         PLACES(BY_VARIABLE, RUNTIME_FILE)},
        {AUTH("runtime-before-config", LEVEL_MUST,
              "$XDG_RUNTIME_DIR/containers/auth.json comes before ~/.config/containers/auth.json",
              "login-order", places_count),
         PLACES(RUNTIME_FILE, CONFIG_FILE)},
        {AUTH("config-before-docker", LEVEL_MUST,
              "~/.config/containers/auth.json comes before ~/.docker/config.json", "login-order", places_count),
         PLACES(CONFIG_FILE, DOCKER_FILE)},
        {AUTH("docker-before-dockercfg", LEVEL_MUST, "~/.docker/config.json comes before ~/.dockercfg",
              "login-order", places_count),
         PLACES(DOCKER_FILE, OLD_FILE)},
        {AUTH("authfile-alone", LEVEL_INFO,
              "Records whether other files are read where that of --authfile has no login", "login-elsewhere",
              authfile_alone)},
        {AUTH("authfile-missing", LEVEL_INFO, "Records what is made of an --authfile that is not there",
              "login-missing-file", authfile_missing)},
        {AUTH("authfile-broken", LEVEL_SHOULD,
              "A file of logins that is no JSON is refused with its name, and nothing of it",
              "login-broken login-secret", authfile_broken)},
        {AUTH("authfile-changes", LEVEL_SHOULD,
              "A login that is written in mid-session counts for the next image", "login-fresh",
              authfile_changes)},
        BOTH("per-registry", LEVEL_MUST, "A login may be for a whole registry", "login-key", per_registry),
        BOTH("per-repository", LEVEL_MUST, "A login may be for one repository", "login-key", per_repository),
        BOTH("per-namespace", LEVEL_MUST, "A login may be for a namespace, and for what is deeper in it",
             "login-key", per_namespace),
        BOTH("repository-first", LEVEL_MUST,
             "A login for a repository comes before those for its namespace and its registry", "login-specific",
             repository_first),
        BOTH("namespace-first", LEVEL_MUST, "A login for a namespace comes before that for its registry",
             "login-specific", namespace_first),
        BOTH("registry-last", LEVEL_MUST, "The login for a registry is for what no other is for",
             "login-specific", registry_last),
        {AUTH("other-namespace", LEVEL_MUST,
              "A login for another namespace is not shown, nor one for half a name", "login-others",
              other_namespace)},
        {AUTH("other-registry", LEVEL_MUST, "A login for another port of the same host is not shown",
              "login-others", other_registry)},
        BOTH("any-character", LEVEL_MUST, "A password may have colons, blanks and other characters",
             "login-characters", any_character),
        BOTH("creds", LEVEL_MUST, "The login of --creds is shown", "login-creds", creds),
        {AUTH("creds-first", LEVEL_MUST, "--creds comes before the file of --authfile", "login-creds",
              creds_first)},
        BOTH("username-and-password", LEVEL_MUST, "The login of --username and --password is shown",
             "login-creds", username_and_password),
        {AUTH("creds-everywhere", LEVEL_INFO,
              "Records whether the login of --creds is shown to a second registry", "login-creds-everywhere",
              creds_everywhere)},
        {AUTH("no-creds", LEVEL_MUST, "With --no-creds no login is shown, wherever one stands", "login-none",
              no_creds)},
        {AUTH("registry-token", LEVEL_MUST,
              "The token of --registry-token is shown to the registry, and no token service is asked",
              "login-registry-token", registry_token)},
        {AUTH("basic", LEVEL_MUST, "A registry that asks for Basic is shown the login, for blobs too",
              "login-basic", basic_everywhere)},
        {AUTH("bearer", LEVEL_MUST,
              "A registry that asks for Bearer is shown a token, and the login goes to the token service alone",
              "login-bearer", bearer)},
        {AUTH("service-elsewhere", LEVEL_MUST,
              "A token service on another host is shown the login and not the token", "login-bearer",
              service_elsewhere)},
        {AUTH("bearer-anonymous", LEVEL_MUST,
              "Without a login the token service is asked for a token all the same", "login-anonymous",
              bearer_anonymous)},
        {AUTH("not-asked", LEVEL_INFO, "Records whether a registry is shown a login that it does not ask for",
              "login-not-asked", not_asked)},
        {AUTH("nobody", LEVEL_INFO, "Records what a registry is shown where there is no login for it",
              "login-nobody", nobody)},
        {AUTH("token-scope", LEVEL_MUST, "A token is asked for repository:NAME:pull and nothing else",
              "login-scope", token_scope)},
        {AUTH("identity-token", LEVEL_MUST, "An identity token is shown to the token service, and no password",
              "login-identity", identity_token)},
        {AUTH("token-renewed", LEVEL_MUST, "A token whose time is over is renewed in mid-image",
              "login-renewed", token_renewed)},
        {AUTH("token-refused", LEVEL_SHOULD, "A token that the registry takes no more is renewed in mid-image",
              "login-void", token_refused)},
        {AUTH("token-refused-between", LEVEL_MUST,
              "A token that the registry takes no more is renewed for the next image", "login-next",
              token_refused_between)},
        {AUTH("helper", LEVEL_MUST, "A login comes from the credential helper that credHelpers names",
              "login-helper", helper)},
        {AUTH("helper-first", LEVEL_MUST, "A credential helper comes before the logins of the same file",
              "login-helper-first", helper_first)},
        {AUTH("helper-token", LEVEL_MUST, "A credential helper may give an identity token",
              "login-helper-token", helper_token)},
        {AUTH("helper-missing", LEVEL_SHOULD, "A credential helper that is missing is named",
              "login-helper-missing", helper_missing)},
        BOTH("wrong-basic", LEVEL_MUST, "A wrong login is refused for good, with the registry's word for it",
             "login-refused login-secret", wrong_basic),
        {AUTH("wrong-bearer", LEVEL_MUST,
              "A login that the token service does not take is refused for good, with its word for it",
              "login-refused login-secret", wrong_bearer)},
        {AUTH("wrong-identity", LEVEL_MUST,
              "An identity token that the token service does not take is refused likewise",
              "login-refused login-secret", wrong_identity)},
        {AUTH("wrong-registry-token", LEVEL_MUST,
              "A token of --registry-token that the registry does not take is refused likewise",
              "login-refused login-secret", wrong_registry_token)},
        BOTH("no-login-basic", LEVEL_MUST,
             "A registry that asks for Basic refuses who has no login, with its word for it", "login-refused",
             no_login_basic),
        {AUTH("no-login-bearer", LEVEL_MUST,
              "A token service that refuses who has no login is the end, with its word for it", "login-refused",
              no_login_bearer)},
        {AUTH("denied", LEVEL_MUST,
              "A login that may not pull the image is refused, with the registry's word for it",
              "login-refused login-secret", denied)},
        {AUTH_SINCE("optional-is-refused", LEVEL_MUST, VERSION(0, 2, 4),
                    "OpenImageOptional with a wrong login is refused, and does not say that there is no image",
                    "login-optional", optional_is_refused)},
        {AUTH("debug-tells-none", LEVEL_MUST, "With --debug neither login nor token stands on stderr",
              "login-secret", debug_tells_none)},
        {AUTH("redirect-login", LEVEL_MUST, "A login is not shown to another host that a blob is redirected to",
              "login-redirect", redirect_login)},
        {AUTH("redirect-token", LEVEL_MUST, "A token is not shown to another host that a blob is redirected to",
              "login-redirect", redirect_token)},
        {AUTH("redirect-port", LEVEL_INFO,
              "Records whether a login is shown to another port that a blob is redirected to",
              "login-redirect-port", redirect_port)},
        {AUTH("service-redirect", LEVEL_INFO,
              "Records whether an identity token is shown where the token service redirects to",
              "login-service-redirect", service_redirect)},
};
const size_t n_checks_auth = ARRAY_SIZE(checks_auth);
