/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cip-fixture: writes the fixtures for scripts, tests and benchmarks, of this project and of others. Exit status 0
 * when the image is written, 2 for wrong use and for a place where it cannot be written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cip-error.h"
#include "base/cleanup.h"
#include "base/completion.h"
#include "image/fixture.h"
#include "image/source.h"

#define EXIT_USAGE 2

static const char help[] =
        "Usage: cip-fixture list\n"
        "       cip-fixture write NAME "
        "oci:DIR[:TAG]|dir:DIR|oci-archive:FILE[:TAG]|docker-archive:FILE[:NAME]\n"
        "       cip-fixture blob SIZE oci:DIR[:TAG]\n"
        "       cip-fixture --help | --version\n"
        "\n"
        "Writes an image for tests, the same to the byte everywhere.\n"
        "\n"
        "  list   name the images that there are: name, what it is\n"
        "  write  write the image NAME into a layout or a dir: folder, which is made if missing, or into\n"
        "         an archive, which is replaced if it is there; one named .gz or .tgz is compressed\n"
        "  blob   write a layout with one layer of SIZE zero bytes, as a sparse file; SIZE may end in\n"
        "         K, M or G (1024, its square, its cube)\n"
        "\n"
        "Exit status: 0 written, 2 wrong use or a place that cannot be written to.\n";

__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...)
{
        va_list args;

        fputs("cip-fixture: ", stderr);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputs(" (try cip-fixture --help)\n", stderr);
        return EXIT_USAGE;
}

static int report(const struct cip_error *error)
{
        fprintf(stderr, "cip-fixture: %s\n", error->message);
        return EXIT_USAGE;
}

/* Output that did not arrive is an error: a full disk, a reader that left. */
static int finish_output(void)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return 0;
        fprintf(stderr, "cip-fixture: cannot write the output: %s\n", strerror(errno));
        return EXIT_USAGE;
}

static int run_list(char **args)
{
        (void)args;
        for (size_t i = 0; i < n_fixtures; i++)
                printf("%-20s %s\n", fixtures[i].name, fixtures[i].about);
        return finish_output();
}

static const char *skip_prefix(const char *text, const char *prefix)
{
        return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : NULL;
}

struct archive_kind {
        const char *prefix;
        int (*write)(const struct fixture *fixture, const char *path, const char *tag, bool gzip,
                     struct cip_error *error);
};

static const struct archive_kind archive_kinds[] = {
        {"oci-archive:", fixture_write_oci_archive},
        {"docker-archive:", fixture_write_docker_archive},
};

static bool ends_in(const char *text, const char *end)
{
        size_t len = strlen(text), end_len = strlen(end);

        return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* FILE[:TAG] behind the transport; a file with a colon in its name cannot be named. */
static int write_archive(const struct fixture *fixture, const struct archive_kind *kind, const char *text)
{
        CLEANUP(cleanup_free) char *path = strndup(text, strcspn(text, ":"));
        const char *tag = path && text[strlen(path)] ? text + strlen(path) + 1 : NULL;
        struct cip_error error = {0};

        if (!path)
                return usage("out of memory");
        return kind->write(fixture, path, tag && *tag ? tag : NULL,
                           ends_in(path, ".gz") || ends_in(path, ".tgz"), &error) < 0
                       ? report(&error)
                       : 0;
}

static int run_write(char **args)
{
        const struct fixture *fixture = fixture_find(args[0]);
        const char *oci = skip_prefix(args[1], "oci:"), *dir = skip_prefix(args[1], "dir:");
        CLEANUP(cleanup_free) char *path = NULL;
        CLEANUP(cleanup_free) char *tag = NULL;
        struct cip_error error = {0};
        int r;

        if (!fixture)
                return usage("there is no fixture named '%s'; cip-fixture list names them", args[0]);
        for (size_t i = 0; i < ARRAY_SIZE(archive_kinds); i++) {
                const char *archive = skip_prefix(args[1], archive_kinds[i].prefix);

                if (archive && *archive)
                        return write_archive(fixture, &archive_kinds[i], archive);
        }
        if ((!oci || !*oci) && (!dir || !*dir))
                return usage("'%s' is neither oci:DIR[:TAG] nor dir:DIR nor an archive", args[1]);
        if (dir)
                return fixture_write_dir(fixture, dir, &error) < 0 ? report(&error) : 0;
        r = oci_reference_parse(oci, &path, &tag, &error);
        if (r == 0)
                r = fixture_write_oci(fixture, path, tag, &error);
        return r < 0 ? report(&error) : 0;
}

static bool parse_size(const char *text, uint64_t *ret)
{
        static const char units[] = "KMG";
        uint64_t factor = 1;
        char *end;

        if (text[0] < '0' || text[0] > '9')
                return false;
        errno = 0;
        *ret = strtoull(text, &end, 10);
        if (errno != 0)
                return false;
        if (*end) {
                const char *unit = strchr(units, *end);

                if (!unit || end[1])
                        return false;
                factor <<= 10 * (unit - units + 1);
        }
        return !__builtin_mul_overflow(*ret, factor, ret) && *ret <= INT64_MAX;
}

static int run_blob(char **args)
{
        const char *oci = skip_prefix(args[1], "oci:");
        CLEANUP(cleanup_free) char *path = NULL;
        CLEANUP(cleanup_free) char *tag = NULL;
        struct cip_error error = {0};
        uint64_t size;
        int r;

        if (!parse_size(args[0], &size))
                return usage("'%s' is no size", args[0]);
        if (!oci || !*oci)
                return usage("'%s' is not oci:DIR[:TAG]", args[1]);
        r = oci_reference_parse(oci, &path, &tag, &error);
        if (r == 0)
                r = fixture_write_sparse(path, tag, size, &error);
        return r < 0 ? report(&error) : 0;
}

static int run_help(char **args)
{
        (void)args;
        fputs(help, stdout);
        return finish_output();
}

static int run_version(char **args)
{
        (void)args;
        puts("cip-fixture " CIP_VERSION);
        return finish_output();
}

static void offer_fixtures(struct completer *completer)
{
        for (size_t i = 0; i < n_fixtures; i++)
                completion_offer(completer, fixtures[i].name, fixtures[i].about);
}

static const struct {
        const char *name, *about;
        int n_args;
        int (*run)(char **args);
        struct completion_value first, rest;
} commands[] = {
        {"list", "name the images that there are", 0, run_list},
        {"write",
         "write an image into a layout or a dir: folder",
         2,
         run_write,
         {COMPLETION_WORDS, NULL, offer_fixtures},
         {COMPLETION_WORD_FILE, "oci:|dir:", NULL}},
        {"blob",
         "write a layout with one layer of zero bytes",
         2,
         run_blob,
         {COMPLETION_NONE},
         {COMPLETION_WORD_FILE, "oci:", NULL}},
        {"--help", NULL, 0, run_help},
        {"-h", NULL, 0, run_help},
        {"--version", NULL, 0, run_version},
};

/* Answers what may stand in place of the last of @words. */
static int run_complete(char **words, size_t n_words)
{
        struct completion_option options[] = {{.name = "help", .letter = 'h'}, {.name = "version"}};
        struct completion_command all[ARRAY_SIZE(commands) + 1] = {
                {.options = options, .n_options = ARRAY_SIZE(options)},
        };
        size_t n = 1;

        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                if (commands[i].about)
                        all[n++] = (struct completion_command){
                                .name = commands[i].name,
                                .about = commands[i].about,
                                .first = commands[i].first,
                                .rest = commands[i].rest,
                        };
        completion_answer(all, n, (const char *const *)words, n_words, stdout);
        return finish_output();
}

int main(int argc, char **argv)
{
        if (argc < 2)
                return usage("no command");
        if (!strcmp(argv[1], COMPLETION_OPTION))
                return run_complete(argv + 2, (size_t)argc - 2);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                if (strcmp(commands[i].name, argv[1]) != 0)
                        continue;
                if (argc - 2 != commands[i].n_args)
                        return usage("%s takes %d arguments, not %d", argv[1], commands[i].n_args, argc - 2);
                return commands[i].run(argv + 2);
        }
        return usage("there is no command '%s'", argv[1]);
}
