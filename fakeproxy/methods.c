/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thirteen methods: each takes the arguments of a request and fills in an answer. Errors are in skopeo's
 * words. docs/protocol.md#methods
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "fakeproxy/go.h"
#include "fakeproxy/policy.h"
#include "fakeproxy/reference.h"
#include "fakeproxy/server.h"
#include "image/config.h"
#include "image/digest.h"
#include "image/docker-archive.h"

void answer_fail(struct answer *answer, enum error_code code, const char *format, ...)
{
        va_list ap;

        free(answer->error);
        va_start(ap, format);
        if (vasprintf(&answer->error, format, ap) < 0)
                answer->error = NULL;
        va_end(ap);
        answer->success = false;
        answer->code = code;
}

static void succeed(struct answer *answer, struct json_object *take_value)
{
        answer->success = true;
        answer->value = take_value;
}

/* Takes the quotes from the name that follows @words in the text. */
static void unquote_behind(char *text, const char *words)
{
        char *from = strstr(text, words), *end;

        if (!from)
                return;
        from += strlen(words);
        end = *from == '"' ? strchr(from + 1, '"') : NULL;
        if (!end)
                return;
        memmove(from, from + 1, (size_t)(end - from - 1));
        memmove(end - 1, end + 1, strlen(end + 1) + 1);
}

/* What skopeo before 1.18 said of archives, and of a history that does not hang together. */
static void use_old_words(struct answer *answer)
{
        static const char *const words[] = {"tar component ", "decoding tar config ", "Layer tarfile ",
                                            "archive component ", ", got "};
        static const char missing[] = "archive file not found: ";
        char *found = answer->error ? strstr(answer->error, missing) : NULL;
        char *path CLEANUP(cleanup_free) = NULL;

        for (size_t i = 0; answer->error && i < ARRAY_SIZE(words); i++)
                unquote_behind(answer->error, words[i]);
        if (!found)
                return;
        unquote_behind(answer->error, missing);
        path = strdup(found + strlen(missing));
        if (!path)
                return;
        answer_fail(answer, ERROR_CODE_OTHER, "creating temp directory: open %s: no such file or directory",
                    path);
}

static void fail_with(const struct server *server, struct answer *answer, const struct cip_error *error)
{
        char *to;

        answer_fail(answer, ERROR_CODE_OTHER, "%s", error->message);
        if (server->b.archives_in_old_words)
                use_old_words(answer);
        if (!server->b.names_platform_unquoted || !answer->error || !strstr(answer->error, "no image found in"))
                return;
        to = answer->error;
        for (const char *from = answer->error; *from; from++)
                if (*from != '"' || from[1] == '"' || (from > answer->error && from[-1] == '"'))
                        *to++ = *from;
        *to = '\0';
}

/* ---- arguments ---- */

static double number_of(struct json_object *object)
{
        return json_object_get_double(object);
}

/* An integer argument, as far as the emulated server is strict about it. */
static bool take_number(struct server *server, struct json_object *object, const char *expecting, uint64_t *ret,
                        struct answer *answer)
{
        bool is_string = json_object_is_type(object, json_type_string) && server->b.accepts_string_numbers;
        double f = is_string ? atof(json_object_get_string(object)) : number_of(object);

        if (!is_string && strcmp(go_type_name(object), "float64") != 0) {
                answer_fail(answer, ERROR_CODE_OTHER, "expecting %s, not %s", expecting, go_type_name(object));
                return false;
        }
        if (f > (double)JSON_INTEGER_MAX && !server->b.accepts_large_numbers && !strcmp(expecting, "numeric")) {
                answer_fail(answer, ERROR_CODE_OTHER, "out of range integer for numeric %f", f);
                return false;
        }
        if ((f < 0 && !server->b.wraps_negatives) ||
            (f >= -0x1p53 && f <= 0x1p53 && f != (double)(int64_t)f && !server->b.cuts_fractions)) {
                answer_fail(answer, ERROR_CODE_OTHER, "expecting an integer of 0 or more, not %g", f);
                return false;
        }
        *ret = go_uint64(f);
        return true;
}

static struct open_image *find_image(struct server *server, uint64_t id)
{
        for (size_t i = 0; i < server->n_images; i++)
                if (server->images[i].id == id && !server->images[i].closed)
                        return &server->images[i];
        for (size_t i = 0; server->b.keeps_closed_images && i < server->n_images; i++)
                if (server->images[i].id == id)
                        return &server->images[i];
        return NULL;
}

/* The open image that an argument names; NULL, and the answer says why. */
static struct open_image *take_image(struct server *server, struct json_object *object, struct answer *answer)
{
        bool narrow = server->b.image_ids_are_32_bit;
        struct open_image *found;
        uint64_t id;

        if (!take_number(server, object, narrow ? "integer imageid" : "numeric", &id, answer))
                return NULL;
        if (narrow)
                id = (uint32_t)id;
        if (id == 0 && server->b.accepts_image_zero && server->n_images > 0)
                return &server->images[server->n_images - 1];
        if (id == 0 && !server->b.answers_no_image_for_zero && !server->b.image_ids_start_at_zero) {
                answer_fail(answer, ERROR_CODE_OTHER, "Invalid imageid value of zero");
                return NULL;
        }
        found = find_image(server, id);
        if (!found)
                answer_fail(answer, ERROR_CODE_OTHER, "no image %" PRIu64, id);
        return found;
}

/*
 * The same, with its manifest read: so far that it can be sent (image_load), or just understood
 * (image_resolve).
 */
static struct open_image *take_read_image(struct server *server, struct json_object *object,
                                          int (*read)(struct image *image, struct cip_error *error),
                                          struct answer *answer)
{
        struct open_image *found = take_image(server, object, answer);
        struct cip_error error;

        if (!found || read(found->image, &error) == 0)
                return found;
        fail_with(server, answer, &error);
        return NULL;
}

/* ---- pipes ---- */

static void add_pipe(struct server *server, struct pipe *take_pipe)
{
        struct pipe **link = &server->pipes;

        while (*link)
                link = &(*link)->next;
        take_pipe->seed = server->options->seed * 1000003 + server->n_pipes_made;
        take_pipe->forgets_reader_gone = server->b.forgets_reader_gone;
        take_pipe->never_notices_reader_gone = server->b.never_notices_reader_gone;
        *link = take_pipe;
        server->n_pipes_made++;
}

static size_t count_open_pipes(const struct server *server)
{
        size_t n = 0;

        for (const struct pipe *pipe = server->pipes; pipe; pipe = pipe->next)
                n++;
        return n;
}

/* Makes one more pipe of the answer. NULL, and the answer says why. */
static struct pipe *open_pipe(struct server *server, uint64_t size, struct answer *answer)
{
        struct pipe *pipe;
        int fd, r;

        if (server->b.pipes_at_most && count_open_pipes(server) >= server->b.pipes_at_most) {
                answer_fail(answer, ERROR_CODE_OTHER, "pipe2: too many open files");
                return NULL;
        }
        r = pipe_new(size, &pipe, &fd);
        if (r < 0) {
                answer_fail(answer, ERROR_CODE_OTHER, "pipe2: %s", strerrordesc_np(-r));
                return NULL;
        }
        if (server->b.sends_nonblocking_pipes)
                (void)fd_set_nonblocking(fd, true);
        add_pipe(server, pipe);
        answer->fds[answer->n_fds++] = fd;
        return pipe;
}

void pipe_seen(struct server *server, const struct pipe *pipe)
{
        struct pollfd poll_fd = {.fd = pipe->write_fd};
        bool gone = pipe->reader_gone, finished;

        if (!server->verdict || !pipe->verdict_number)
                return;
        if (!gone && pipe->write_fd >= 0 && poll(&poll_fd, 1, 0) == 1)
                gone = poll_fd.revents & POLLERR;
        finished = pipe->was_finished || (!pipe->id && pipe->done && !gone);
        verdict_pipe_is(server->verdict, pipe->verdict_number, pipe->written, finished, gone);
}

/* Gives a pipe its number of the session, by which rules and the verdict know it. */
static void number_pipe(struct server *server, struct pipe *pipe)
{
        pipe->number = ++server->n_numbered;
        pipe->verdict_number = verdict_pipe(server->verdict, pipe->id);
}

/* Makes it one that FinishPipe ends, and the answer's. */
static void send_pipe(struct server *server, struct pipe *pipe, struct answer *answer)
{
        const struct behaviours *b = &server->b;

        pipe->id = b->same_pipe_id ? 1 : (uint32_t)pipe->write_fd;
        pipe->closes_when_done = b->pipes_end_early;
        pipe->held = b->writes_after_finish;
        answer->pipe = pipe;
        answer->pipeid = pipe->id;
        number_pipe(server, pipe);
}

/* Sends text, of which a fault may cut the end off, on a pipe. Owns @take_value. */
static void send_text(struct server *server, const char *text, size_t len, uint64_t at_most,
                      struct json_object *take_value, struct answer *answer)
{
        struct pipe *pipe = open_pipe(server, len, answer);

        if (!pipe) {
                json_object_put(take_value);
                return;
        }
        if (pipe_set_memory(pipe, text, at_most && at_most < len ? at_most : len) < 0)
                pipe_end(pipe, ERROR_CODE_OTHER, "out of memory");
        send_pipe(server, pipe, answer);
        succeed(answer, take_value);
}

/* ---- Initialize, OpenImage, CloseImage ---- */

/* The flags with credentials are judged only here, as skopeo does. */
static const char *wrong_credentials(const struct options *options, bool accept_conflicts)
{
        const char *creds = options->creds;

        if (accept_conflicts)
                return NULL;
        if (options->has_creds && options->no_creds)
                return "creds and no-creds cannot be specified at the same time";
        if (options->username && options->no_creds)
                return "username and no-creds cannot be specified at the same time";
        if (options->has_creds && options->username)
                return "creds and username cannot be specified at the same time";
        if (options->username && !options->password)
                return "password must be specified when username is specified";
        if (options->password && !options->username)
                return "username must be specified when password is specified";
        if (options->has_creds && !*creds)
                return "credentials can't be empty";
        return options->has_creds && *creds == ':' ? "username can't be empty" : NULL;
}

static void initialize(struct server *server, struct json_object *args, struct answer *answer)
{
        const char *wrong = wrong_credentials(server->options, server->b.accepts_conflicting_credentials);
        char version[VERSION_TEXT_SIZE];

        (void)args;
        if (server->initialized && !server->b.allows_second_initialize) {
                answer_fail(answer, ERROR_CODE_OTHER, "already initialized");
                return;
        }
        if (wrong) {
                answer_fail(answer, ERROR_CODE_OTHER, "%s", wrong);
                return;
        }
        server->initialized = true;
        version_format(server->options->emulation.protocol, version);
        succeed(answer, json_object_new_string(server->b.announces ? server->b.announces : version));
}

static uint64_t new_image_id(struct server *server)
{
        uint64_t id = 1;

        if (server->b.same_image_id)
                return 1;
        if (server->b.reuses_image_ids) {
                while (find_image(server, id))
                        id++;
                return id;
        }
        if (server->b.image_ids_start_at_zero)
                return server->last_image_id++;
        return ++server->last_image_id;
}

static void close_image(struct server *server, struct open_image *image)
{
        if (server->b.leaks_per_image) {
                int fds[2];

                (void)!pipe2(fds, O_CLOEXEC);
        }
        if (server->b.keeps_closed_images) {
                image->closed = true;
                return;
        }
        image_free(image->image);
        free(image->reference);
        memmove(image, image + 1, (size_t)(server->images + server->n_images - image - 1) * sizeof(*image));
        server->n_images--;
}

void images_free(struct server *server)
{
        for (size_t i = 0; i < server->n_images; i++) {
                const char *reference = server->images[i].reference;

                /* Not in TMPDIR, where skopeo has none. */
                if (server->b.leaves_archives_at_end && server->options->tmpdir && reference &&
                    strncmp(reference, "oci-archive:", strlen("oci-archive:")) == 0)
                        leave_file();
                image_free(server->images[i].image);
                free(server->images[i].reference);
        }
        free(server->images);
        server->images = NULL;
        server->n_images = 0;
}

static void add_image(struct server *server, struct image *take_image, const char *reference,
                      struct answer *answer)
{
        struct open_image *grown;

        while (server->b.one_image_at_a_time && server->n_images > 0)
                close_image(server, &server->images[0]);
        grown = reallocarray(server->images, server->n_images + 1, sizeof(*grown));
        if (!grown) {
                image_free(take_image);
                answer_fail(answer, ERROR_CODE_OTHER, "out of memory");
                return;
        }
        server->images = grown;
        grown[server->n_images] = (struct open_image){
                .id = new_image_id(server), .reference = strdup(reference), .image = take_image};
        succeed(answer, json_object_new_uint64(grown[server->n_images++].id));
}

/* Whether a release that is asked for a tag looks for an entry of this media type. */
static bool is_looked_for(const struct server *server, const char *type)
{
        if (!strcmp(type, MEDIA_OCI_MANIFEST) || !strcmp(type, MEDIA_OCI_INDEX))
                return true;
        if (!strcmp(type, MEDIA_DOCKER_MANIFEST) || !strcmp(type, MEDIA_DOCKER_LIST))
                return !server->b.oci_refuses_docker;
        return !server->b.oci_refuses_other_types;
}

/* What releases say of a tag's entry of another media type. 0: it is looked for. */
static int check_entry_type(struct server *server, const char *reference, const struct image *image,
                            struct cip_error *error)
{
        const char *text = strncmp(reference, "oci:", 4) == 0 || strncmp(reference, "oci-archive:", 12) == 0
                                   ? strchr(reference, ':') + 1
                                   : NULL;
        const char *type = image_entry_type(image);
        char *path CLEANUP(cleanup_free) = NULL;
        char *tag CLEANUP(cleanup_free) = NULL;
        struct cip_error ignored;

        if (!text || !type || is_looked_for(server, type) ||
            oci_reference_parse(text, &path, &tag, &ignored) < 0 || !tag)
                return 0;
        if (server->b.oci_ignores_other_types)
                return error_set(error, CIP_ERROR_LOCAL, -ENOENT, "no descriptor found for reference \"%s\"",
                                 tag);
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                         "reference \"%s\" matches unsupported manifest MIME types [\"%s\"]", tag, type);
}

/* The platform that is wanted: the overrides', or a wrong one. NULL: this machine's. */
static const struct platform *wanted_platform(const struct server *server, struct platform *space)
{
        static const struct platform wrong[] = {{"arm64", "linux", NULL}, {"amd64", "linux", NULL}};
        const struct options *options = server->options;

        if (server->b.picks_wrong_platform)
#if defined(__aarch64__)
                return &wrong[1];
#else
                return &wrong[0];
#endif
        if (server->b.ignores_overrides ||
            (!options->override_arch && !options->override_os && !options->override_variant))
                return NULL;
        *space = (struct platform){options->override_arch, options->override_os, options->override_variant};
        return space;
}

/* The image that a scenario describes. It is made when it is first opened, as that may take a while. */
static int open_generated(struct server *server, struct image **ret, struct cip_error *error)
{
        int r = server->generated ? 0 : generated_new(&server->scenario->image, &server->generated, error);

        return r < 0 ? r : image_open_generated(server->generated, ret, error);
}

/* fake:scenario is what the scenario says; all else is as image/ knows it. */
static int open_unread(struct server *server, const char *reference, struct image **ret, bool *ret_no_tag,
                       struct cip_error *error)
{
        const struct scenario *scenario = server->scenario;
        char *clean CLEANUP(cleanup_free) = NULL;
        char fixture[100];
        struct platform space;

        if (scenario && !strcmp(reference, "fake:scenario")) {
                if (!scenario->fixture)
                        return open_generated(server, ret, error);
                snprintf(fixture, sizeof(fixture), "fake:%s", scenario->fixture);
                reference = fixture;
        }
        clean = reference_clean(reference);
        if (!clean)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot open an image");
        return image_open_unread(clean, wanted_platform(server, &space), ret, ret_no_tag, error);
}

/* What 1.9.3 says of a docker-archive: file in gzip, which it cuts short as it unpacks it. 0: it is none. */
static int check_docker_archive(const struct server *server, const char *reference, struct cip_error *error)
{
        static const char transport[] = "docker-archive:";
        char *path CLEANUP(cleanup_free) = NULL;
        unsigned char magic[2];
        CLEANUP_FD int fd = -1;

        if (!server->b.docker_archive_in_gzip_is_error || strncmp(reference, transport, strlen(transport)) != 0)
                return 0;
        reference += strlen(transport);
        path = strndup(reference, strcspn(reference, ":"));
        if (path)
                fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd < 0 || read(fd, magic, 2) != 2 || magic[0] != 0x1f || magic[1] != 0x8b)
                return 0;
        return error_set(error, CIP_ERROR_LOCAL, -EBADMSG,
                         "loading tar component manifest.json: unexpected EOF");
}

static unsigned archive_quirks(const struct server *server)
{
        return (server->b.docker_archive_links_are_empty ? DOCKER_ARCHIVE_EMPTY_LINKS : 0U) |
               (server->b.docker_archive_says_gzip ? DOCKER_ARCHIVE_SAYS_GZIP : 0U);
}

/* Returns 0 with an image, or a negative errno; *@ret_missing: the image does not exist. */
static int open_reference(struct server *server, const char *reference, struct image **ret, bool *ret_missing,
                          struct cip_error *error)
{
        struct image *image CLEANUP(cleanup_image_free) = NULL;
        bool no_tag = false;
        int r = open_unread(server, reference, &image, &no_tag, error);

        if (r == -ENOENT && !no_tag && server->b.leaves_missing_archives && server->options->tmpdir &&
            strncmp(reference, "oci-archive:", strlen("oci-archive:")) == 0)
                leave_file();
        if (server->b.leaves_file_per_archive && strstr(reference, "-archive:"))
                leave_file();
        *ret_missing = r == -ENOENT &&
                       (no_tag ? !server->b.optional_oci_tag_is_error : !server->b.optional_layout_is_error);
        if (r == 0 || r == -EBADMSG) {
                int wrong = check_docker_archive(server, reference, error);

                r = wrong < 0 ? wrong : r;
        }
        if (r == 0)
                image_set_archive_quirks(image, archive_quirks(server));
        if (r == 0 && !server->b.open_is_lazy) {
                r = image_load(image, error);
                *ret_missing = r == -ENOENT;
        }
        if (r == 0)
                r = check_entry_type(server, reference, image, error);
        if (r == 0 && !server->b.ignores_policy && !server->options->insecure_policy)
                r = policy_check(server->options->policy, reference, error);
        if (r == -ENOENT && image && server->b.ignores_missing_policy)
                r = 0;
        if (r == 0)
                *ret = STEAL(image);
        return r;
}

static void open_any(struct server *server, struct json_object *args, bool optional, struct answer *answer)
{
        struct json_object *argument = json_object_array_get_idx(args, 0);
        char *reference CLEANUP(cleanup_free) = NULL;
        char *problem CLEANUP(cleanup_free) = NULL;
        struct image *image = NULL;
        struct cip_error error = {0};
        bool missing = false;
        int r;

        if (!json_object_is_type(argument, json_type_string)) {
                answer_fail(answer, ERROR_CODE_OTHER, "expecting string imageref, not %s",
                            go_type_name(argument));
                return;
        }
        reference = go_text(argument);
        if (!reference) {
                answer_fail(answer, ERROR_CODE_OTHER, "out of memory");
                return;
        }
        if (server->b.images_at_most && server->n_images >= server->b.images_at_most) {
                answer_fail(answer, ERROR_CODE_OTHER, "too many images are open");
                return;
        }
        problem = reference_problem(&server->b, reference);
        if (problem && !(optional && server->b.optional_errors_are_zero)) {
                answer_fail(answer, ERROR_CODE_OTHER, "%s", problem);
                return;
        }
        /* A NUL byte cannot be in a file's name. */
        if (strstr(reference, GO_NUL))
                r = error_set(&error, CIP_ERROR_LOCAL, -EINVAL, "Invalid image name: it has a NUL byte");
        else
                r = open_reference(server, reference, &image, &missing, &error);
        if (r == 0)
                add_image(server, image, reference, answer);
        else if (optional ? server->b.optional_errors_are_zero ||
                                    (missing && !server->b.optional_missing_is_error)
                          : r == -ENOENT && server->b.open_answers_zero)
                succeed(answer, json_object_new_int(0));
        else if ((problem = reference_whole_error(reference, error.message)))
                answer_fail(answer, ERROR_CODE_OTHER, "%s", problem);
        else
                fail_with(server, answer, &error);
}

static void open_image(struct server *server, struct json_object *args, struct answer *answer)
{
        open_any(server, args, false, answer);
}

static void open_image_optional(struct server *server, struct json_object *args, struct answer *answer)
{
        open_any(server, args, true, answer);
}

static void close_image_call(struct server *server, struct json_object *args, struct answer *answer)
{
        struct open_image *image = take_image(server, json_object_array_get_idx(args, 0), answer);

        if (!image || image->closed) {
                if (image)
                        answer_fail(answer, ERROR_CODE_OTHER, "no image %" PRIu64, image->id);
                if (!server->b.close_twice_succeeds)
                        return;
        } else {
                for (struct pipe *pipe = server->pipes; pipe && server->b.close_ends_pipes; pipe = pipe->next)
                        pipe_end(pipe, ERROR_CODE_OTHER, "image closed");
                close_image(server, image);
        }
        succeed(answer, NULL);
}

/* ---- GetManifest, GetConfig, GetFullConfig ---- */

static struct json_object *manifest_value(const struct server *server, const struct image *image)
{
        const char *digest = server->b.answers_platform_digest ? image_digest(image) : image_list_digest(image);
        char other[DIGEST_TEXT_SIZE];
        size_t len;
        const char *text = image_manifest(image, &len);

        if (server->b.answers_wrong_digest && digest_of(DIGEST_SHA256, "wrong", 5, other) == 0)
                digest = other;
        if (server->b.answers_converted_digest && digest_of(DIGEST_SHA256, text, len, other) == 0)
                digest = other;
        return json_object_new_string(digest);
}

static void get_manifest(struct server *server, struct json_object *args, struct answer *answer)
{
        struct open_image *found =
                take_read_image(server, json_object_array_get_idx(args, 0), image_load, answer);
        char *anew CLEANUP(cleanup_free) = NULL;
        const struct manifest *manifest;
        const char *text;
        size_t len;

        if (!found)
                return;
        manifest = image_parsed_manifest(found->image);
        text = image_manifest(found->image, &len);
        if ((server->b.reformats_manifests ||
             (server->b.keeps_docker_manifests && manifest->kind == MANIFEST_DOCKER)) &&
            json_format_go(manifest->json, &anew, &len) == 0)
                text = anew;
        send_text(server, text, len, server->b.manifest_at_most, manifest_value(server, found->image), answer);
}

/* Bookworm's Go struct had variant before os. */
static int move_variant(char **text, size_t *len)
{
        struct json_object *from CLEANUP(cleanup_json) = NULL;
        struct json_object *to CLEANUP(cleanup_json) = json_object_new_object();
        struct json_object *variant;
        char *moved;

        if (!to || json_parse(*text, *len, 1000, &from, NULL) < 0 ||
            !json_object_object_get_ex(from, "variant", &variant))
                return 0;
        json_object_object_foreach (from, key, value) {
                if (!strcmp(key, "os"))
                        json_object_object_add(to, "variant", json_object_get(variant));
                json_object_object_add(to, key, json_object_get(value));
        }
        if (json_format_go(to, &moved, len) < 0)
                return -ENOMEM;
        free(*text);
        *text = moved;
        return 0;
}

/* What an error about an artifact said before there was an artifactType. */
static void name_artifact_by_config(const struct image *image, struct cip_error *error)
{
        const struct manifest *manifest = image_parsed_manifest(image);
        const char *quote = strstr(error->message, "artifact with type \"");

        if (manifest && quote)
                error_set(error, CIP_ERROR_LOCAL, -ENOTSUP,
                          "unsupported image-specific operation on artifact with type \"%s\"",
                          manifest->config.media_type);
}

static void send_config(struct server *server, struct json_object *args, bool member_only,
                        struct answer *answer)
{
        struct open_image *found = take_image(server, json_object_array_get_idx(args, 0), answer);
        char *text CLEANUP(cleanup_free) = NULL;
        struct cip_error error = {0};
        size_t len;
        int r;

        if (!found)
                return;
        r = image_read_oci_config(found->image, member_only, &text, &len, &error);
        if (r < 0 && server->b.ignores_config_digest) {
                text = strdup("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
                              "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
                len = text ? strlen(text) : 0;
                r = text ? 0 : -ENOMEM;
        }
        if (r == 0 && !member_only && server->b.variant_before_os)
                r = move_variant(&text, &len);
        if (r < 0) {
                if (r == -ENOTSUP && server->b.names_artifact_by_config)
                        name_artifact_by_config(found->image, &error);
                fail_with(server, answer, &error);
                return;
        }
        send_text(server, text, len, server->b.manifest_at_most, NULL, answer);
}

static void get_config(struct server *server, struct json_object *args, struct answer *answer)
{
        send_config(server, args, !server->b.get_config_gives_full, answer);
}

static void get_full_config(struct server *server, struct json_object *args, struct answer *answer)
{
        send_config(server, args, server->b.get_full_config_gives_part, answer);
}

/* ---- layers ---- */

static const char *layer_media_type(const struct server *server, const struct content *layer)
{
        if (!server->b.lists_docker_layer_types)
                return layer->media_type;
        if (!strcmp(layer->media_type, MEDIA_OCI_LAYER))
                return MEDIA_DOCKER_LAYER;
        return strcmp(layer->media_type, MEDIA_OCI_LAYER_GZIP) ? layer->media_type : MEDIA_DOCKER_LAYER_GZIP;
}

static struct json_object *layer_array(const struct server *server, const struct image *image)
{
        struct json_object *array = json_object_new_array();
        size_t n;
        const struct content *layers = image_layers(image, &n);

        if (server->b.drops_last_layer && n > 0)
                n--;
        if (server->b.layers_at_most && n > server->b.layers_at_most)
                n = server->b.layers_at_most;
        for (size_t i = 0; array && i < n; i++) {
                const struct content *layer = &layers[server->b.reverses_layers ? n - 1 - i : i];
                struct json_object *object = json_object_new_object();
                int64_t size = server->b.lists_wrong_layer_sizes ? -1 : layer->size;

                json_add_member(object, "digest", json_object_new_string(layer->digest));
                json_add_member(object, "size", json_object_new_int64(size));
                json_add_member(object, "media_type", json_object_new_string(layer_media_type(server, layer)));
                json_add_item(array, object);
        }
        return array;
}

/* More bytes than a reply's other members take. */
#define REPLY_REST 128

static void get_layer_info(struct server *server, struct json_object *args, struct answer *answer)
{
        struct open_image *found =
                take_read_image(server, json_object_array_get_idx(args, 0), image_resolve, answer);
        struct json_object *layers;
        size_t len = 0;

        if (!found)
                return;
        layers = layer_array(server, found->image);
        if (!json_text(layers, JSON_C_TO_STRING_PLAIN, &len)) {
                json_object_put(layers);
                answer_fail(answer, ERROR_CODE_OTHER, "out of memory");
                return;
        }
        /* Clients read no more than a server does. */
        if (!server->b.sends_large_layer_info && len + REPLY_REST > PACKET_REQUEST_MAX) {
                json_object_put(layers);
                answer_fail(answer, ERROR_CODE_OTHER, "too many layers for one packet");
                return;
        }
        succeed(answer, layers);
}

static void get_layer_info_piped(struct server *server, struct json_object *args, struct answer *answer)
{
        struct open_image *found =
                take_read_image(server, json_object_array_get_idx(args, 0), image_resolve, answer);
        struct json_object *layers CLEANUP(cleanup_json) = NULL;
        char *text CLEANUP(cleanup_free) = NULL;
        size_t len;

        if (!found)
                return;
        layers = layer_array(server, found->image);
        if (json_format_go(layers, &text, &len) < 0)
                answer_fail(answer, ERROR_CODE_OTHER, "out of memory");
        else
                send_text(server, text, len, 0, NULL, answer);
}

/* ---- blobs ---- */

/* Where a blob's bytes come from. */
struct blob_source {
        int fd;                                 /* owned; -1: from `generated` */
        const struct generated_blob *generated; /* borrowed */
        bool is_so;                             /* its digest is known to be the one that was asked for */
        uint64_t size;
};

/* A generated blob. False: there is none, and the answer says so. */
static bool find_generated(const struct image *image, const char *digest, struct blob_source *ret,
                           struct answer *answer)
{
        *ret = (struct blob_source){.fd = -1};
        ret->generated = generated_find(image_generated(image), digest, &ret->is_so);
        if (!ret->generated) {
                answer_fail(answer, ERROR_CODE_OTHER, "open %s: no such file or directory", digest);
                return false;
        }
        ret->size = generated_blob_size(ret->generated);
        return true;
}

/* Opens the blob that the arguments name. False: the answer says why not. */
static bool open_blob(struct server *server, struct json_object *args, bool with_size,
                      uint64_t *ret_wanted_size, struct blob_source *ret, struct answer *answer)
{
        struct open_image *found = take_image(server, json_object_array_get_idx(args, 0), answer);
        struct json_object *argument = json_object_array_get_idx(args, 1);
        char *digest CLEANUP(cleanup_free) = NULL;
        struct cip_error error;

        *ret = (struct blob_source){.fd = -1};
        if (!found)
                return false;
        if (!json_object_is_type(argument, json_type_string)) {
                answer_fail(answer, ERROR_CODE_OTHER, "expecting string blobid");
                return false;
        }
        digest = go_text(argument);
        if (!digest) {
                answer_fail(answer, ERROR_CODE_OTHER, "out of memory");
                return false;
        }
        if (with_size &&
            !take_number(server, json_object_array_get_idx(args, 2), "numeric", ret_wanted_size, answer))
                return false;
        if (!digest_parse(digest, NULL)) {
                answer_fail(answer, ERROR_CODE_OTHER, "%s", digest_problem(digest));
                return false;
        }
        if (image_generated(found->image))
                return find_generated(found->image, digest, ret, answer);
        if (image_open_blob(found->image, digest, &ret->fd, &ret->size, &error) == 0)
                return true;
        if (server->b.missing_blob_is_empty) {
                ret->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
                return ret->fd >= 0;
        }
        fail_with(server, answer, &error);
        return false;
}

static struct json_object *blob_value(const struct server *server, uint64_t size, uint64_t wanted)
{
        if (server->b.answers_unknown_blob_size)
                return json_object_new_int64(-1);
        if (server->b.answers_requested_size)
                return json_object_new_uint64(wanted);
        return json_object_new_uint64(server->b.answers_wrong_blob_size ? size + 1 : size);
}

/* Wants the digest of what goes through the pipe. False: no memory. */
static bool expect_digest(struct pipe *pipe, const char *digest)
{
        enum digest_algorithm algorithm;

        if (!digest_parse(digest, &algorithm) || digest_new(algorithm, &pipe->digest) < 0)
                return false;
        snprintf(pipe->expected_digest, sizeof(pipe->expected_digest), "%s", digest);
        return true;
}

/* A pipe with the blob's content. NULL, and the answer says why. */
static struct pipe *open_blob_pipe(struct server *server, struct blob_source *take_source,
                                   struct answer *answer)
{
        struct pipe *pipe = open_pipe(server, take_source->size, answer);
        uint64_t at_most = server->b.blob_at_most;

        if (!pipe) {
                fd_clear(&take_source->fd);
                return NULL;
        }
        pipe->source_fd = steal_fd(&take_source->fd);
        pipe->generated = take_source->generated;
        pipe->size = take_source->size;
        if (at_most && take_source->size > at_most) {
                char *part = malloc(at_most);

                if (part && (pipe->generated ? (ssize_t)generated_read(pipe->generated, 0, part, at_most)
                                             : pread(pipe->source_fd, part, at_most, 0)) == (ssize_t)at_most) {
                        fd_clear(&pipe->source_fd);
                        pipe->generated = NULL;
                        pipe->memory = STEAL(part);
                        pipe->size = at_most;
                }
                free(part);
        }
        return pipe;
}

/* The fault that gives every second pipe the source of the one before. */
static void mix(struct server *server, struct pipe *pipe)
{
        struct pipe *before = server->pipes;

        while (before && before->next && before->next != pipe)
                before = before->next;
        if (!server->b.mixes_pipes || server->n_pipes_made % 2 || !before || before == pipe ||
            before->source_fd < 0)
                return;
        fd_clear(&pipe->source_fd);
        pipe->source_fd = dup_fd(before->source_fd, 0);
}

static void get_blob(struct server *server, struct json_object *args, struct answer *answer)
{
        struct blob_source source;
        uint64_t wanted = 0;
        struct pipe *pipe;

        if (!open_blob(server, args, true, &wanted, &source, answer))
                return;
        pipe = open_blob_pipe(server, &source, answer);
        if (!pipe)
                return;
        /* What rules do to the data comes behind the check, as it would on the way. */
        if (!server->b.ignores_blob_digest && !server->b.missing_blob_is_empty && !source.is_so)
                expect_digest(pipe, json_object_get_string(json_object_array_get_idx(args, 1)));
        pipe->verify_size = !server->b.ignores_blob_size && !server->b.missing_blob_is_empty;
        pipe->expected_size = wanted;
        pipe->keeps_source = server->b.leaves_blobs_open;
        mix(server, pipe);
        send_pipe(server, pipe, answer);
        succeed(answer, blob_value(server, source.size, wanted));
}

static void get_raw_blob(struct server *server, struct json_object *args, struct answer *answer)
{
        struct blob_source source;
        uint64_t unused = 0;
        struct pipe *data, *errors;

        if (!open_blob(server, args, false, &unused, &source, answer))
                return;
        data = open_blob_pipe(server, &source, answer);
        if (!data)
                return;
        errors = open_pipe(server, 0, answer);
        if (!errors) {
                data->closes_when_done = true;
                pipe_end(data, ERROR_CODE_OTHER, NULL);
                fd_clear(&answer->fds[0]);
                answer->n_fds = 0;
                return;
        }
        if (server->b.verifies_raw_blobs)
                expect_digest(data, json_object_get_string(json_object_array_get_idx(args, 1)));
        mix(server, data);
        data->error_pipe = errors;
        data->silent_errors = server->b.raw_errors_are_silent;
        data->errors_on_success = server->b.raw_errors_on_success;
        data->closes_when_done = !server->b.raw_data_pipe_stays_open && !server->b.raw_blobs_need_finish;
        errors->closes_when_done = !server->b.raw_error_pipe_stays_open;
        errors->held = true;
        if (server->b.raw_blobs_need_finish)
                data->id = (uint32_t)data->write_fd;
        number_pipe(server, data);
        answer->pipe = data;
        answer->errors = errors;
        answer->pipeid = server->b.raw_blobs_have_pipe_id || server->b.raw_blobs_need_finish
                                 ? (uint32_t)data->write_fd
                                 : 0;
        if (server->b.swaps_raw_pipes) {
                int first = answer->fds[0];

                answer->fds[0] = answer->fds[1];
                answer->fds[1] = first;
        }
        succeed(answer, blob_value(server, source.size, source.size));
}

/* ---- FinishPipe, Shutdown ---- */

void close_left_open(struct server *server)
{
        while (server->n_left_open > 0)
                fd_close(server->left_open[--server->n_left_open]);
}

/* Until there are many, as a garbage collector comes by when much was allocated. */
static void leave_open(struct server *server, struct pipe *pipe)
{
        if (pipe->source_fd < 0)
                return;
        if (server->n_left_open == LEFT_OPEN_MAX)
                close_left_open(server);
        server->left_open[server->n_left_open++] = steal_fd(&pipe->source_fd);
}

void finish_pipe(struct server *server, struct pipe *pipe, struct answer *ret)
{
        struct pipe **link = &server->pipes;

        pipe_seen(server, pipe);
        if (server->b.finish_always_fails)
                answer_fail(ret, ERROR_CODE_OTHER, "something went wrong");
        else if (pipe->error && !server->b.finish_always_succeeds)
                answer_fail(ret, pipe->code, "%s", pipe->error);
        else
                succeed(ret, NULL);
        while (*link && *link != pipe)
                link = &(*link)->next;
        if (*link)
                *link = pipe->next;
        if (server->b.leaks_per_pipe || server->b.finish_leaves_pipe_open)
                (void)dup_fd(pipe->write_fd, 0);
        if (pipe->keeps_source)
                leave_open(server, pipe);
        pipe_free(pipe);
}

static struct pipe *find_pipe(struct server *server, uint32_t id)
{
        struct pipe *pipe = server->pipes;

        while (pipe && (!pipe->id || (pipe->id != id && !server->b.finish_ends_another)))
                pipe = pipe->next;
        return pipe;
}

static bool is_finished(struct server *server, struct pipe *pipe)
{
        if (!server->b.finish_waits_for_all)
                return pipe->done;
        for (const struct pipe *p = server->pipes; p; p = p->next)
                if (!p->done)
                        return false;
        return true;
}

static void finish(struct server *server, struct json_object *args, struct answer *answer)
{
        struct pipe *pipe;
        uint64_t id;

        if (json_object_array_length(args) == 0 && server->b.panics_on_finish_without_args) {
                session_ended(server, "exit", 2);
                go_panic(PANIC_INDEX);
        }
        if (!take_number(server, json_object_array_get_idx(args, 0), "numeric", &id, answer))
                return;
        if (server->b.pipe_ids_wrap)
                id = (uint32_t)id;
        pipe = id <= UINT32_MAX ? find_pipe(server, (uint32_t)id) : NULL;
        if (!pipe) {
                if (server->b.finish_twice_succeeds)
                        succeed(answer, NULL);
                else
                        answer_fail(answer, ERROR_CODE_OTHER, "finishpipe: no active pipe %" PRIu64, id);
                return;
        }
        pipe->was_finished = true;
        if (server->b.writes_after_finish)
                pipe->held = false;
        if (server->b.finish_cuts)
                pipe_end(pipe, ERROR_CODE_NONE, NULL);
        if (server->b.finish_does_not_wait && !pipe->done) {
                pipe->id = 0;
                pipe->closes_when_done = true;
                succeed(answer, NULL);
                return;
        }
        if (!is_finished(server, pipe)) {
                pipe->finish_waits = true;
                answer->later = true;
                return;
        }
        finish_pipe(server, pipe, answer);
}

static void shut_down(struct server *server, struct json_object *args, struct answer *answer)
{
        (void)args;
        answer->none = !server->b.replies_to_shutdown;
        succeed(answer, NULL);
        if (!server->b.ignores_shutdown) {
                server->ended_by = "shutdown";
                server_end(server, 0);
        }
}

/* ---- the table ---- */

static const struct {
        void (*call)(struct server *server, struct json_object *args, struct answer *answer);
        const char *wrong_count; /* %zu is how many there are */
} calls[METHODS] = {
        [METHOD_INITIALIZE] = {initialize, "invalid request, expecting zero arguments"},
        [METHOD_OPEN_IMAGE] = {open_image, "invalid request, expecting one argument"},
        [METHOD_OPEN_IMAGE_OPTIONAL] = {open_image_optional, "invalid request, expecting one argument"},
        [METHOD_CLOSE_IMAGE] = {close_image_call, "invalid request, expecting one argument"},
        [METHOD_GET_MANIFEST] = {get_manifest, "invalid request, expecting one argument"},
        [METHOD_GET_CONFIG] = {get_config, "invalid request, expecting: [imgid]"},
        [METHOD_GET_FULL_CONFIG] = {get_full_config, "invalid request, expecting: [imgid]"},
        [METHOD_GET_BLOB] = {get_blob, "found # args, expecting (imgid, digest, size)"},
        [METHOD_GET_RAW_BLOB] = {get_raw_blob, "found # args, expecting (imgid, digest)"},
        [METHOD_GET_LAYER_INFO] = {get_layer_info, "found # args, expecting (imgid)"},
        [METHOD_GET_LAYER_INFO_PIPED] = {get_layer_info_piped, "found # args, expecting (imgid)"},
        [METHOD_FINISH_PIPE] = {finish, "invalid request, expecting one argument"},
        [METHOD_SHUTDOWN] = {shut_down, ""},
};

/* The sentence for a wrong number of arguments, with the number in the place of '#'. */
static void fail_count(struct answer *answer, const char *sentence, size_t n)
{
        const char *place = strchr(sentence, '#');

        if (place)
                answer_fail(answer, ERROR_CODE_OTHER, "%.*s%zu%s", (int)(place - sentence), sentence, n,
                            place + 1);
        else
                answer_fail(answer, ERROR_CODE_OTHER, "%s", sentence);
}

static bool count_is_wrong(const struct server *server, const struct method *method, size_t n)
{
        bool loose = server->b.ignores_extra_args ||
                     (method->id == METHOD_FINISH_PIPE && server->b.finish_ignores_extra_args);

        if (method->id == METHOD_SHUTDOWN)
                return false;
        if (n < method->n_arguments)
                return !server->b.ignores_missing_args &&
                       !(method->id == METHOD_FINISH_PIPE && server->b.panics_on_finish_without_args);
        return n > method->n_arguments && !loose;
}

static const struct method *find_method(const struct server *server, const char *name)
{
        const struct method *method = method_find(name);

        for (size_t i = 0; !method && server->b.matches_methods_loosely && i < METHODS; i++)
                if (!strcasecmp(methods[i].name, name))
                        method = &methods[i];
        if (method && version_compare(method->since, server->options->emulation.protocol) > 0)
                return NULL;
        return method;
}

static bool needs_initialize(const struct server *server, const struct method *method)
{
        return !server->initialized && !server->b.needs_no_initialize && method->id != METHOD_INITIALIZE &&
               method->id != METHOD_FINISH_PIPE && method->id != METHOD_SHUTDOWN;
}

/* Arguments that are missing where a fault lets them: numbers are 1, text is empty. */
static void fill_missing(const struct method *method, struct json_object *args)
{
        for (size_t i = json_object_array_length(args); i < method->n_arguments; i++) {
                bool text =
                        method->arguments[i] == ARGUMENT_REFERENCE || method->arguments[i] == ARGUMENT_DIGEST;

                json_object_array_add(args, text ? json_object_new_string("") : json_object_new_int(1));
        }
}

/* A number that no float64 holds, which Go refuses while it reads the request. */
static struct json_object *find_overflow(struct json_object *value)
{
        struct json_object *found = NULL;

        if (json_object_is_type(value, json_type_double))
                return isfinite(json_object_get_double(value)) ? NULL : value;
        if (json_object_is_type(value, json_type_array))
                for (size_t i = 0; !found && i < json_object_array_length(value); i++)
                        found = find_overflow(json_object_array_get_idx(value, i));
        if (json_object_is_type(value, json_type_object)) {
                json_object_object_foreach (value, key, member) {
                        (void)key;
                        if (!found)
                                found = find_overflow(member);
                }
        }
        return found;
}

static bool refuse_overflow(struct json_object *args, struct answer *answer)
{
        struct json_object *found = find_overflow(args);

        if (found)
                answer_fail(answer, ERROR_CODE_OTHER,
                            "invalid request: json: cannot unmarshal number %s into Go struct field "
                            "request.args of type float64",
                            json_object_to_json_string(found));
        return found;
}

static void execute(struct server *server, const struct request *request, struct answer *ret)
{
        const struct method *method = find_method(server, request->method);
        size_t n = json_object_array_length(request->args);

        if (refuse_overflow(request->args, ret))
                return;
        if (!method) {
                if (server->b.accepts_unknown_methods)
                        succeed(ret, NULL);
                else
                        answer_fail(ret, ERROR_CODE_OTHER, "unknown method: %s", request->method);
                return;
        }
        if (needs_initialize(server, method)) {
                answer_fail(ret, ERROR_CODE_OTHER, "client error: must invoke Initialize");
                return;
        }
        if (count_is_wrong(server, method, n)) {
                fail_count(ret, calls[method->id].wrong_count, n);
                return;
        }
        if (server->b.ignores_missing_args)
                fill_missing(method, request->args);
        calls[method->id].call(server, request->args, ret);
}

/* Bytes of an error that fit what clients read, though JSON write each of them as six. */
#define ERROR_FITS ((size_t)5000)

/* Cuts an error that repeats so much of what was sent that clients could not read it. */
static void shorten_error(struct answer *answer)
{
        size_t len = ERROR_FITS;

        if (!answer->error || strlen(answer->error) + REPLY_REST <= PACKET_REQUEST_MAX / 6)
                return;
        while (len > 0 && ((unsigned char)answer->error[len] & 0xc0) == 0x80)
                len--;
        memcpy(answer->error + len, "..", sizeof(".."));
}

void method_execute(struct server *server, const struct request *request, struct answer *ret)
{
        execute(server, request, ret);
        if (!ret->success && !server->b.sends_large_errors)
                shorten_error(ret);
}
