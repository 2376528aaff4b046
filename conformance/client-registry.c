/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scenario's registry is read when all scenarios are, so that a mistake is told before anything runs. The
 * server's settings come from the script that is `skopeo`, and not through the client: some clear their environment,
 * and then the user's own login and policy must not be found.
 */
#include "conformance/client-registry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "conformance/client.h"
#include "conformance/registries.h"
#include "conformance/report.h"
#include "fakeregistry/registry.h"
#include "protocol/message.h"

/* Bytes that `skopeo --version` may print. */
#define VERSION_TEXT_MAX 1000

/* The image that every registry has. */
#define REPOSITORY "app"
#define TAG "latest"

/* ---- reading ---- */

static int problem(struct problems *problems, const struct place *place, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static int problem(struct problems *problems, const struct place *place, const char *format, ...)
{
        va_list args;
        int r;

        va_start(args, format);
        r = problems_add(problems, place, format, args);
        va_end(args);
        return r < 0 ? r : -EINVAL;
}

/* The member as a whole scenario of the fake registry. */
static struct json_object *whole_registry(const struct scenario *scenario)
{
        struct json_object *whole = json_object_new_object();

        if (!whole)
                return NULL;
        json_object_object_foreach (scenario->registry, name, value)
                json_object_object_add(whole, name, json_object_get(value));
        json_add_member(whole, "scenario", json_object_new_string(scenario->name));
        json_add_member(whole, "about", json_object_new_string(scenario->about));
        return whole;
}

/* A problem whose JSON pointer goes on from @up. */
static int problem_below(struct problems *problems, const struct place *up, const char *pointer,
                         const char *message)
{
        size_t len = *pointer ? strcspn(pointer + 1, "/") : 0;
        CLEANUP(cleanup_free) char *key = NULL;

        if (!*pointer)
                return problem(problems, up, "%s", message);
        key = strndup(pointer + 1, len);
        return key ? problem_below(problems, &(struct place){up, key, 0}, pointer + 1 + len, message) : -ENOMEM;
}

/* Tells what is wrong with the registry where it stands in the scenario. */
static int pass_problems(const struct problems *found, struct problems *problems)
{
        static const struct place top = {0}, here = {&top, "registry", 0};
        int r = -EINVAL;

        for (size_t i = 0; i < found->n && r == -EINVAL; i++)
                r = problem_below(problems, &here, found->problems[i].pointer, found->problems[i].message);
        return r;
}

static int read_registry(const struct scenario *scenario, struct registry_scenario **ret,
                         struct problems *problems)
{
        CLEANUP(cleanup_json) struct json_object *whole = whole_registry(scenario);
        CLEANUP(cleanup_problems) struct problems found = {0};
        const char *text = whole ? json_object_to_json_string_ext(whole, JSON_C_TO_STRING_PLAIN) : NULL;
        int r = text ? registry_scenario_parse(text, strlen(text), NULL, ret, &found) : -ENOMEM;

        return r == -EINVAL ? pass_problems(&found, problems) : r;
}

static int judge_files(const struct scenario *scenario, struct problems *problems)
{
        static const struct place top = {0}, files = {&top, "files", 0};
        int r = 0;

        if (!scenario->files)
                return 0;
        json_object_object_foreach (scenario->files, name, value) {
                const struct place here = {&files, name, 0};

                if (!*name || *name == '.' || strchr(name, '/'))
                        r = problem(problems, &here, "expected the name of a file");
                if (!json_object_is_type(value, json_type_string) &&
                    !json_object_is_type(value, json_type_object))
                        r = problem(problems, &here, "expected a string or an object, not %s",
                                    document_value_words(value));
                if (r == -ENOMEM)
                        break;
        }
        return r;
}

/* What is said beside a registry, and what makes no sense without one. */
static int judge_rest(const struct scenario *scenario, struct version *since, struct problems *problems)
{
        static const struct place top = {0}, upstream = {&top, "upstream", 0},
                                  release = {&upstream, "since", 0};

        if (!scenario->registry && (scenario_needs_upstream(scenario) || scenario->files))
                return problem(
                        problems, &top,
                        "`upstream`, `forward` and `files` are for a real server, and the client suite has one "
                        "only where there is a `registry`");
        if (scenario->upstream.since && version_parse(scenario->upstream.since, since) < 0)
                return problem(problems, &release, "expected a release, such as \"1.13.0\"");
        return judge_files(scenario, problems);
}

/* The scenario's image, and behind it those that the registry has of its own. */
static struct registry_image *make_images(const struct scenario *scenario, const struct registry_config *config)
{
        struct registry_image *images = calloc(config->n_images + 1, sizeof(*images));

        if (!images)
                return NULL;
        images[0] = (struct registry_image){.repository = REPOSITORY,
                                            .tag = TAG,
                                            .fixture = scenario->fixture,
                                            .has_recipe = !scenario->fixture,
                                            .recipe = scenario->image};
        if (config->n_images)
                memcpy(images + 1, config->images, config->n_images * sizeof(*images));
        return images;
}

int client_registry_read(const struct scenario *scenario, struct client_registry **ret,
                         struct problems *problems)
{
        CLEANUP(cleanup_client_registry_free) struct client_registry *registry = calloc(1, sizeof(*registry));
        int r = registry ? judge_rest(scenario, &registry->since, problems) : -ENOMEM, wrong = 0;

        if (r == 0 && !scenario->registry) {
                *ret = NULL;
                return 0;
        }
        if (r != -ENOMEM && scenario->registry)
                wrong = read_registry(scenario, &registry->registry, problems);
        if (r < 0 || wrong < 0 || !registry->registry)
                return wrong < 0 ? wrong : r;
        registry->images = make_images(scenario, &registry->registry->config);
        if (!registry->images)
                return -ENOMEM;
        registry->registry->config.images = registry->images;
        registry->registry->config.n_images++;
        *ret = STEAL(registry);
        return 0;
}

void client_registry_free(struct client_registry *registry)
{
        if (!registry)
                return;
        registry_scenario_free(registry->registry);
        free(registry->images);
        free(registry);
}

/* ---- the real skopeo ---- */

/* Whether both are the same file. */
static bool is_same(const char *a, const char *b)
{
        struct stat first, second;

        return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
               first.st_ino == second.st_ino;
}

int client_find_skopeo(const char *fake, char **ret, const char **ret_reason)
{
        const char *path = getenv("PATH");

        *ret = NULL;
        *ret_reason = "there is no skopeo on PATH, which fetches from the registry; --skopeo PROGRAM names one";
        for (path = path ? path : "/usr/bin:/bin"; *path;) {
                size_t len = strcspn(path, ":");
                CLEANUP(cleanup_free) char *file = NULL;
                char whole[PATH_MAX];

                if (asprintf(&file, "%.*s/skopeo", len ? (int)len : 1, len ? path : ".") < 0) {
                        file = NULL;
                        return -ENOMEM;
                }
                path += len + (path[len] == ':');
                if (access(file, X_OK) < 0 || !realpath(file, whole))
                        continue;
                if (is_same(whole, fake)) {
                        *ret_reason = "skopeo on PATH is cip-fakeproxy, which fetches from no registry; "
                                      "--skopeo PROGRAM "
                                      "names a real one";
                        continue;
                }
                *ret = strdup(whole);
                return *ret ? 0 : -ENOMEM;
        }
        return 0;
}

/* The release that the program calls itself; all zero where it says none. */
static struct version ask_release(struct check_context *c, const char *skopeo)
{
        const char *const argv[] = {skopeo, "--version", NULL};
        CLEANUP(cleanup_child_free) struct child *child = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        struct version version = {0};
        struct cip_error error = {0};
        int ends[2];
        size_t len;

        if (pipe2(ends, O_CLOEXEC) < 0)
                check_error(c, "cannot make a pipe: %s", strerror(errno));
        context_doing(c, "asking %s for its release", skopeo);
        if (child_start(&(struct child_spec){.argv = argv,
                                             .envp = world_environment(c->world),
                                             .fds = &(struct child_fd){ends[1], 1},
                                             .n_fds = 1},
                        &child, &error) < 0)
                check_error(c, "%s", error.message);
        fd_close(ends[1]);
        if (read_to_end(ends[0], VERSION_TEXT_MAX, c->deadline, &text, &len) == 0)
                (void)sscanf(text, "skopeo version %u.%u.%u", &version.major, &version.minor, &version.patch);
        fd_close(ends[0]);
        return version;
}

static void want_skopeo(const struct visit *visit)
{
        const struct client *client = visit->client;
        struct version since = visit->detail->registry->since, release;
        char has[VERSION_TEXT_SIZE], wants[VERSION_TEXT_SIZE];

        if (!client->skopeo)
                check_skip(visit->c, "%s", client->no_skopeo);
        if (version_compare(since, (struct version){0}) == 0)
                return;
        release = ask_release(visit->c, client->skopeo);
        if (version_compare(release, since) < 0)
                check_skip(visit->c,
                           "%s is skopeo %s, and only %s or a later one does what the scenario is about",
                           client->skopeo, version_format(release, has), version_format(since, wants));
}

/* ---- the start ---- */

/* @text with "{NAME}" replaced by @value everywhere. */
static const char *put(struct check_context *c, const char *text, const char *name, const char *value)
{
        const char *mark = check_text(c, "{%s}", name), *at;

        while ((at = strstr(text, mark)))
                text = check_text(c, "%.*s%s%s", (int)(at - text), text, value, at + strlen(mark));
        return text;
}

/* The files stand in a folder of their own, and name the registry's addresses. */
static void write_files(struct visit *visit, const struct registry *registry, const char *folder)
{
        struct json_object *files = visit->detail->scenario->files;
        const struct registry_config *config = &visit->detail->registry->registry->config;
        struct check_context *c = visit->c;
        struct cip_error error = {0};

        if (!files)
                return;
        json_object_object_foreach (files, name, value) {
                const char *text =
                        json_object_is_type(value, json_type_string)
                                ? json_object_get_string(value)
                                : json_object_to_json_string_ext(value, JSON_C_TO_STRING_NOSLASHESCAPE);

                text = put(c, text, "CIP_FILES", folder);
                text = put(c, text, "CIP_REGISTRY", registry_address(registry, NULL));
                for (size_t i = 0; i < config->n_listeners; i++)
                        if (config->listeners[i].name)
                                text = put(c, text, check_text(c, "CIP_REGISTRY:%s", config->listeners[i].name),
                                           registry_address(registry, config->listeners[i].name));
                if (replace_file_at(AT_FDCWD, check_text(c, "%s/%s", folder, name), text, strlen(text),
                                    &error) < 0)
                        check_error(c, "%s", error.message);
        }
}

static bool has_tls(const struct registry_config *config)
{
        for (size_t i = 0; i < config->n_listeners; i++)
                if (config->listeners[i].tls)
                        return true;
        return false;
}

static const char *quoted(struct check_context *c, const char *word)
{
        CLEANUP(cleanup_free) char *text = shell_quote((const char *const[]){word, NULL});

        if (!text)
                check_error(c, "out of memory");
        return check_text(c, "%s", text);
}

/* The world's places, which a client may have cleared, and what the scenario's texts may name. */
static const char *exports(struct visit *visit, const struct registry *registry, const char *folder)
{
        struct check_context *c = visit->c;
        const char *const *world = world_environment(c->world);
        const char *text = check_text(c, "export CIP_FILES=%s CIP_REGISTRY=%s", quoted(c, folder),
                                      quoted(c, registry_address(registry, NULL)));

        for (size_t i = 0; world[i]; i++) {
                size_t len = strcspn(world[i], "=");

                if (strncmp(world[i] + len + 1, check_folder(c), strlen(check_folder(c))) == 0)
                        text = check_text(c, "%s %.*s=%s", text, (int)len, world[i],
                                          quoted(c, world[i] + len + 1));
        }
        return text;
}

void client_registry_start(struct visit *visit)
{
        struct check_context *c = visit->c;
        const struct registry_config *config = &visit->detail->registry->registry->config;
        const char *folder = check_text(c, "%s/files", check_folder(c));
        const struct registry *registry;
        struct cip_error error = {0};

        want_skopeo(visit);
        registry = registries_start(c, config);
        if (mkdir(folder, 0700) < 0)
                check_error(c, "cannot make the folder %s: %s", folder, strerror(errno));
        if (has_tls(config) &&
            registry_write_certificates(registry, check_text(c, "%s/certs", folder), &error) < 0)
                check_error(c, "%s", error.message);
        write_files(visit, registry, folder);
        visit->reference = check_text(c, "docker://%s/" REPOSITORY ":" TAG, registry_address(registry, NULL));
        visit->server = check_text(c, "%s\nexec %s --upstream %s", exports(visit, registry, folder),
                                   quoted(c, visit->client->fake), quoted(c, visit->client->skopeo));
}
