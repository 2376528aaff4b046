/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging references in skopeo's words and its order: the transport, then what that transport asks. What
 * depends on the image, and what is not there, is left to image/, which says it too.
 */
#include "fakeproxy/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fakeproxy/go.h"
#include "image/source.h"

static char *say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *say(const char *format, ...)
{
        char *text;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        return text;
}

/* "CALL PATH: what errno says", as Go writes it. */
static char *call_failed(const char *call, const char *path, int errnum)
{
        const char *text = strerrordesc_np(errnum);

        return say("%s %s: %c%s", call, path, text[0] | 0x20, text + 1);
}

/* ---- transports of files ---- */

/* A path that is not there may have a parent that is, which image/ finds out. */
static char *judge_path(const struct behaviours *b, const char *path)
{
        const char *call = b->says_faccessat ? "faccessat" : "lstat";
        struct stat st;

        if (strstr(path, GO_NUL))
                return call_failed(call, path, EINVAL);
        return lstat(path, &st) == 0 || errno == ENOENT ? NULL : call_failed(call, path, errno);
}

static char *judge_dir(const struct behaviours *b, const char *text)
{
        return judge_path(b, text);
}

/* Whether the folder is there in which the path ends. */
static bool has_parent(const char *path)
{
        char *parent CLEANUP(cleanup_free) = strdup(path);
        char *slash = parent ? strrchr(parent, '/') : NULL;

        if (!slash || slash == parent)
                return true;
        *slash = '\0';
        return access(parent, F_OK) == 0;
}

/* A path, and a tag behind a colon, which is looked at last. */
static char *judge_oci(const struct behaviours *b, const char *text)
{
        size_t len = strcspn(text, ":");
        char *path CLEANUP(cleanup_free) = strndup(text, len);
        char *parsed_path CLEANUP(cleanup_free) = NULL;
        char *parsed_tag CLEANUP(cleanup_free) = NULL;
        char *problem = path ? judge_path(b, path) : NULL;
        struct cip_error ignored;

        if (problem || !path || !has_parent(path) ||
            oci_reference_parse(text, &parsed_path, &parsed_tag, &ignored) != -EINVAL)
                return problem;
        return say("Invalid image %s", text + len + 1);
}

/* The file is opened at once. */
static char *judge_docker_archive(const struct behaviours *b, const char *text)
{
        char *path CLEANUP(cleanup_free) = strndup(text, strcspn(text, ":"));
        char *quoted CLEANUP(cleanup_free) = NULL;
        char *failed CLEANUP(cleanup_free) = NULL;
        bool has_nul = path && strstr(path, GO_NUL);
        struct stat st;

        (void)b;
        if (!path || (!has_nul && (text[strlen(path)] || lstat(path, &st) == 0 || errno != ENAMETOOLONG)))
                return NULL;
        quoted = go_quote(path);
        failed = call_failed("open", path, has_nul ? EINVAL : ENAMETOOLONG);
        return quoted && failed ? say("opening file %s: %s", quoted, failed) : NULL;
}

/* ---- docker: ---- */

/* The grammar of github.com/distribution/reference. */
#define NAME_WORD "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define DOMAIN_WORD "([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
#define DOCKER_REFERENCE                                                                         \
        "^(" DOMAIN_WORD "(\\." DOMAIN_WORD ")*(:[0-9]+)?/)?(" NAME_WORD "(/" NAME_WORD ")*)"    \
        "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[A-Za-z][A-Za-z0-9]*([-_+.][A-Za-z][A-Za-z0-9]*" \
        ")*:[0-9a-fA-F]{32,})?$"

/* Bytes that a repository's name may have. */
#define DOCKER_NAME_MAX 255

static bool fits(const char *pattern, const char *text)
{
        regex_t regex;
        bool ret;

        if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
                return false;
        ret = regexec(&regex, text, 0, NULL, 0) == 0;
        regfree(&regex);
        return ret;
}

/* Whether the part in front of the first slash is a host, which may have capitals. */
static bool is_host(const char *text, size_t len)
{
        return memchr(text, '.', len) || memchr(text, ':', len) ||
               (len == strlen("localhost") && !strncmp(text, "localhost", len));
}

static bool is_hub(const char *host, size_t len)
{
        static const char *const names[] = {"", "docker.io", "index.docker.io"};

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                if (len == strlen(names[i]) && memcmp(host, names[i], len) == 0)
                        return true;
        return false;
}

/* How long a name is with what may be left out of it: the host, and Docker Hub's folder for what has none. */
static size_t full_length(const char *host, size_t host_len, const char *path, size_t len)
{
        if (!is_hub(host, host_len))
                return host_len + 1 + len;
        return strlen("docker.io/") + (memchr(path, '/', len) ? 0 : strlen("library/")) + len;
}

static char *judge_docker(const struct behaviours *b, const char *text)
{
        static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        const char *rest, *slash;
        size_t host_len = 0, len;

        (void)b;
        if (strncmp(text, "//", 2) != 0)
                return say("docker: image reference %s does not start with //", text);
        rest = text + 2;
        slash = strchr(rest, '/');
        if (slash && is_host(rest, (size_t)(slash - rest))) {
                host_len = (size_t)(slash - rest);
                rest = slash + 1;
        }
        len = strcspn(rest, ":@");
        if (strcspn(rest, capitals) < len)
                return say("invalid reference format: repository name must be lowercase");
        if (!fits(DOCKER_REFERENCE, text + 2))
                return say("invalid reference format");
        return full_length(text + 2, host_len, rest, len) > DOCKER_NAME_MAX
                       ? say("repository name must not be more than %d characters", DOCKER_NAME_MAX)
                       : NULL;
}

/* ---- others ---- */

static char *judge_ostree(const struct behaviours *b, const char *text)
{
        (void)b;
        (void)text;
        return say("The transport \"ostree:\" is not supported in this build");
}

/* What else image/ serves or refuses. */
static char *judge_nothing(const struct behaviours *b, const char *text)
{
        (void)b;
        (void)text;
        return NULL;
}

static const struct {
        const char *name;
        char *(*judge)(const struct behaviours *b, const char *text);
} transports[] = {
        {"containers-storage", judge_nothing},
        {"dir", judge_dir},
        {"docker", judge_docker},
        {"docker-archive", judge_docker_archive},
        {"docker-daemon", judge_nothing},
        {"fake", judge_nothing},
        {"oci", judge_oci},
        {"oci-archive", judge_oci},
        {"ostree", judge_ostree},
        {"sif", judge_nothing},
        {"tarball", judge_nothing},
};

/* As Go's %q, or in plain quotes. */
static char *quote(const struct behaviours *b, const char *text)
{
        return b->quotes_plainly ? say("\"%s\"", text) : go_quote(text);
}

/* The transport is all that stands before the first colon, whatever it is. */
char *reference_problem(const struct behaviours *behaviours, const char *reference)
{
        size_t len = strcspn(reference, ":");
        char *whole CLEANUP(cleanup_free) = quote(behaviours, reference);
        char *name CLEANUP(cleanup_free) = strndup(reference, len);
        char *quoted CLEANUP(cleanup_free) = NULL;

        if (!whole || !name)
                return NULL;
        if (!reference[len])
                return say("Invalid image name %s, expected colon-separated transport:reference", whole);
        for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
                if (!strcmp(transports[i].name, name))
                        return transports[i].judge(behaviours, reference + len + 1);
        quoted = quote(behaviours, name);
        return quoted ? say("Invalid image name %s, unknown transport %s", whole, quoted) : NULL;
}

char *reference_whole_error(const char *reference, const char *message)
{
        static const char no_tag[] = "no descriptor found for reference \"";
        const char *path = strchr(reference, ':'), *tag = path ? strchr(path + 1, ':') : NULL;

        if (!tag || strlen(message) < CIP_ERROR_MESSAGE_SIZE - 8 ||
            strncmp(message, no_tag, strlen(no_tag)) != 0)
                return NULL;
        return say("%s%s\"", no_tag, tag + 1);
}

/* Writes @path to @to without empty, "." and ".." elements as far as that goes; as long as @path at most. */
static void clean_path(const char *path, char *to)
{
        bool rooted = *path == '/';
        char *start = to, *floor;

        if (rooted)
                *to++ = '/';
        floor = to; /* what ".." cannot take away */
        while (*path) {
                size_t len = strcspn(path, "/");
                bool up = len == 2 && !strncmp(path, "..", 2);

                if (up && to > floor) {
                        while (to > floor && to[-1] != '/')
                                to--;
                        to -= to > floor;
                } else if (len > 0 && !(len == 1 && *path == '.') && !(up && rooted)) {
                        if (to > start && to[-1] != '/')
                                *to++ = '/';
                        to = mempcpy(to, path, len);
                        if (up)
                                floor = to;
                }
                path += len + (path[len] == '/');
        }
        *to = '\0';
}

char *reference_clean(const char *reference)
{
        static const struct {
                const char *name;
                bool has_tag;
        } with_path[] = {{"oci:", true}, {"dir:", false}};
        char *path CLEANUP(cleanup_free) = NULL;
        char *clean CLEANUP(cleanup_free) = NULL;

        for (size_t i = 0; i < ARRAY_SIZE(with_path); i++) {
                const char *text = reference + strlen(with_path[i].name);
                size_t len;

                if (strncmp(reference, with_path[i].name, strlen(with_path[i].name)) != 0)
                        continue;
                len = with_path[i].has_tag ? strcspn(text, ":") : strlen(text);
                path = strndup(text, len);
                clean = malloc(len + 2);
                if (!path || !clean)
                        return NULL;
                clean_path(path, clean);
                return say("%s%s%s", with_path[i].name, clean, text + len);
        }
        return strdup(reference);
}
