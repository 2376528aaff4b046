/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options are rows of a table, which --help and the shells' completion are made from too. The files that they
 * name are read afterwards: what is said on the command line stands in front of, or takes the place of, what a
 * scenario says.
 */
#include "fakeregistry/options.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/completion.h"
#include "base/io.h"
#include "image/fixture.h"
#include "image/local-error.h"
#include "image/source.h"

#define FILE_MAX ((size_t)1024 * 1024)

enum option_kind {
        OPTION_TEXT,
        OPTION_FLAG,
        OPTION_PORT,
        OPTION_TLS,
        OPTION_CLIENTS,
        OPTION_AUTH,
        OPTION_ACTION,
};

struct option_row {
        const char *name;
        char letter;
        enum option_kind kind;
        const char *value; /* its name in --help; NULL: it takes none */
        bool attached;     /* which stands behind '=' alone, and need not be there */
        size_t offset;
        enum registry_action action;
        struct completion_value completion;
        const char *about;
};

#define TO(member) .offset = offsetof(struct registry_options, member)
#define KINDS "good|expired|not-yet|wrong-name|unknown-authority|self-signed"

static const struct option_row rows[] = {
        {"scenario", 0, OPTION_TEXT, "FILE", TO(scenario_file), .completion = {COMPLETION_FILE},
         .about = "what it does wrong, see docs/fake-registry.md"},
        {"port", 0, OPTION_PORT, "N", .about = "listen on this port (default: a free one)"},
        {"tls", 0, OPTION_TLS, "KIND", .attached = true, .completion = {COMPLETION_WORDS, KINDS},
         .about = "speak TLS, with a certificate made for the run: good (the default),\n"
                  "expired, not-yet, wrong-name, unknown-authority, self-signed"},
        {"tls-cert", 0, OPTION_TEXT, "FILE", TO(certificate_file), .completion = {COMPLETION_FILE},
         .about = "speak TLS with this certificate (PEM)"},
        {"tls-key", 0, OPTION_TEXT, "FILE", TO(key_file), .completion = {COMPLETION_FILE},
         .about = "and this key to it"},
        {"client-certificates", 0, OPTION_CLIENTS, "HOW", .attached = true,
         .completion = {COMPLETION_WORDS, "required|wanted"},
         .about = "ask clients for a certificate: required (the default) or wanted"},
        {"cert-out", 0, OPTION_TEXT, "DIR", TO(certificates_out), .completion = {COMPLETION_FOLDER},
         .about = "write there what clients need for TLS, as skopeo's --cert-dir has it"},
        {"users", 0, OPTION_TEXT, "FILE", TO(users), .completion = {COMPLETION_FILE},
         .about = "let in only these users; a line each, NAME:PASSWORD"},
        {"auth", 0, OPTION_AUTH, "KIND", .completion = {COMPLETION_WORDS, "basic|bearer"},
         .about = "by which way: basic (the default), bearer (with a token service)"},
        {"log", 0, OPTION_TEXT, "FILE", TO(log), .completion = {COMPLETION_FILE},
         .about = "write a line of JSON for each request; '-' is standard output"},
        {"json", 0, OPTION_FLAG, NULL, TO(json), .about = "tell the address as JSON"},
        {"help", 'h', OPTION_ACTION, NULL, .action = REGISTRY_HELP, .about = "print this"},
        {"version", 0, OPTION_ACTION, NULL, .action = REGISTRY_VERSION, .about = "print the version"},
};

static const struct {
        const char *name;
        enum registry_action action;
        bool takes_files;
        const char *about;
} commands[] = {
        {"check", REGISTRY_CHECK, true, "say what is wrong with scenarios"},
        {"schema", REGISTRY_SCHEMA, false, "print the JSON Schema of scenarios"},
        {"format", REGISTRY_FORMAT, false, "print the tables of the scenario format"},
};

/* ---- help and completion ---- */

static void print_option(const struct option_row *row, FILE *to)
{
        const char *about = row->about;
        char left[60];

        snprintf(left, sizeof(left), "%s%c%s--%s%s%s%s", row->letter ? "-" : "",
                 row->letter ? row->letter : ' ', row->letter ? ", " : "   ", row->name,
                 row->attached ? "[="
                 : row->value  ? " "
                               : "",
                 row->value ? row->value : "", row->attached ? "]" : "");
        while (*about) {
                int len = (int)strcspn(about, "\n");

                fprintf(to, "  %-32s %.*s\n", left, len, about);
                left[0] = '\0';
                about += len + (about[len] == '\n');
        }
}

void registry_options_help(FILE *to)
{
        fputs("Usage: cip-fakeregistry [OPTION ..] [NAME[:TAG]=IMAGE ..]\n"
              "       cip-fakeregistry check FILE ..\n"
              "       cip-fakeregistry schema | format\n"
              "       cip-fakeregistry --help | --version\n"
              "\n"
              "A container registry for tests: serves images on 127.0.0.1, faithfully or with the faults\n"
              "of a scenario, until it is ended by a signal or with the program that started it. The first\n"
              "line on standard output is its address, as it stands behind docker://.\n"
              "\n"
              "IMAGE is oci:DIR[:TAG], an OCI layout, or fake:NAME, a fixture (cip-fixture list). Without\n"
              ":TAG it is all that is tagged in the layout.\n"
              "\n",
              to);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                print_option(&rows[i], to);
        fputs("\n", to);
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                fprintf(to, "  %-32s %s\n", commands[i].name, commands[i].about);
        fputs("\nExit status: 0 ended by SIGTERM, 1 lines of the log were lost, 2 wrong use or a file or port\n"
              "that cannot be used, 130 ended by SIGINT.\n",
              to);
}

void registry_options_complete(const char *const *words, size_t n_words, FILE *to)
{
        struct completion_option options[ARRAY_SIZE(rows)];
        struct completion_command all[ARRAY_SIZE(commands) + 1] = {
                {.options = options, .n_options = ARRAY_SIZE(rows)},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                options[i] = (struct completion_option){
                        .name = rows[i].name,
                        .letter = rows[i].letter,
                        .takes_value = rows[i].value != NULL,
                        .attached = rows[i].attached,
                        .value = rows[i].completion,
                        .about = rows[i].about,
                };
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
                const struct completion_value files = {.kind = commands[i].takes_files ? COMPLETION_FILE
                                                                                       : COMPLETION_NONE};

                all[i + 1] = (struct completion_command){
                        .name = commands[i].name, .about = commands[i].about, .first = files, .rest = files};
        }
        completion_answer(all, ARRAY_SIZE(all), words, n_words, to);
}

/* ---- single options ---- */

static int parse_port(const char *text, struct registry_options *to, struct cip_error *error)
{
        size_t digits = strspn(text, "0123456789");
        unsigned long port =
                digits > 0 && digits < 6 && !text[digits] ? strtoul(text, NULL, 10) : UINT16_MAX + 1;

        if (port > UINT16_MAX)
                return local_error(error, -EINVAL, "--port wants a number of 0 to 65535, not '%s'", text);
        to->port = (uint16_t)port;
        to->has_port = true;
        return 0;
}

/* The number of @text among words with '|' between them; -EINVAL: it is none. */
static int find_word(const char *words, const char *text)
{
        size_t len = strlen(text);

        for (int i = 0; *words; i++) {
                size_t n = strcspn(words, "|");

                if (n == len && !strncmp(words, text, n))
                        return i;
                words += n + (words[n] == '|');
        }
        return -EINVAL;
}

static int parse_choice(const struct option_row *row, const char *text, struct registry_options *to,
                        struct cip_error *error)
{
        /* The words stand in the order of the enums. */
        int i = *text ? find_word(row->completion.choices, text) : 0;

        if (i < 0)
                return local_error(error, -EINVAL, "--%s is one of %s, not '%s'", row->name,
                                   row->completion.choices, text);
        if (row->kind == OPTION_TLS) {
                to->tls = true;
                to->certificate = (enum registry_certificate_kind)i;
        } else if (row->kind == OPTION_CLIENTS) {
                to->clients =
                        i == 0 ? REGISTRY_CLIENT_CERTIFICATES_REQUIRED : REGISTRY_CLIENT_CERTIFICATES_WANTED;
        } else {
                to->auth = i == 0 ? REGISTRY_AUTH_BASIC : REGISTRY_AUTH_BEARER;
                to->has_auth = true;
        }
        return 0;
}

static int take_option(const struct option_row *row, const char *value, struct registry_options *to,
                       struct cip_error *error)
{
        void *member = (char *)to + row->offset;

        switch (row->kind) {
        case OPTION_TEXT:
                if (!*value)
                        return local_error(error, -EINVAL, "--%s wants a %s", row->name, row->value);
                *(const char **)member = value;
                return 0;
        case OPTION_FLAG:
                *(bool *)member = true;
                return 0;
        case OPTION_PORT:
                return parse_port(value, to, error);
        case OPTION_ACTION:
                to->action = row->action;
                return 0;
        default:
                return parse_choice(row, value, to, error);
        }
}

static const struct option_row *find_row(const char *name, size_t len)
{
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                if (strlen(rows[i].name) == len && !strncmp(rows[i].name, name, len))
                        return &rows[i];
        return NULL;
}

static int unknown_option(const char *word, struct cip_error *error)
{
        char name[60];
        struct nearest nearest = {.name = name};

        snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
                text_nearest(&nearest, rows[i].name);
        return local_error(error, -EINVAL, "there is no option '%s'%s%s%s", word,
                           nearest.best ? "; did you mean --" : "", nearest.best ? nearest.best : "",
                           nearest.best ? "?" : "");
}

/* Reads the option at @i, and moves on to its value where that is the next word. */
static int parse_option(int argc, char **argv, int *i, struct registry_options *to, struct cip_error *error)
{
        const char *word = argv[*i], *equals = strchr(word, '=');
        const struct option_row *row;

        if (!strcmp(word, "-h"))
                row = find_row("help", strlen("help"));
        else if (word[1] != '-')
                return local_error(error, -EINVAL, "there is no option '%s'", word);
        else
                row = find_row(word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
        if (!row)
                return unknown_option(word, error);
        if (equals && !row->value)
                return local_error(error, -EINVAL, "--%s takes no value", row->name);
        if ((equals && !equals[1]) || (!equals && row->value && !row->attached && *i + 1 == argc))
                return local_error(error, -EINVAL, "--%s wants a %s", row->name, row->value);
        if (equals || !row->value || row->attached)
                return take_option(row, equals ? equals + 1 : "", to, error);
        return take_option(row, argv[++*i], to, error);
}

/* ---- the command line ---- */

static bool take_command(int argc, char **argv, struct registry_options *to)
{
        for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
                if (!strcmp(argv[1], commands[i].name)) {
                        to->action = commands[i].action;
                        to->words = argv + 2;
                        to->n_words = (size_t)argc - 2;
                        return true;
                }
        return false;
}

/* NAME[:TAG]=IMAGE, of which the words are cut. */
static int parse_image(const char *word, struct registry_options *to, struct cip_error *error)
{
        char *text = strdup(word);
        char *equals = text ? strchr(text, '=') : NULL, *value = equals ? equals + 1 : NULL, *colon;
        struct registry_image *image = &to->images[to->config.n_images];
        char *path = NULL, *tag = NULL;
        int r;

        if (!text)
                return local_error(error, -ENOMEM, "no memory for the command line");
        to->image_texts[to->n_image_texts++] = text;
        if (!equals || equals == text || !*value)
                return local_error(error, -EINVAL,
                                   "'%s' is no NAME[:TAG]=IMAGE, as app=oci:DIR or app=fake:layers-1", word);
        *equals = '\0';
        colon = strchr(text, ':');
        if (colon)
                *colon = '\0';
        *image = (struct registry_image){.repository = text, .tag = colon ? colon + 1 : NULL};
        to->config.n_images++;
        if (!strncmp(value, "fake:", strlen("fake:"))) {
                image->fixture = value + strlen("fake:");
                return 0;
        }
        r = oci_reference_parse(strncmp(value, "oci:", strlen("oci:")) ? value : value + strlen("oci:"), &path,
                                &tag, error);
        if (r < 0)
                return r;
        image->layout = to->image_texts[to->n_image_texts++] = path;
        image->layout_tag = to->image_texts[to->n_image_texts++] = tag;
        return 0;
}

int registry_options_parse(int argc, char **argv, struct registry_options *ret, struct cip_error *error)
{
        int r = 0;

        if (take_command(argc, argv, ret)) {
                if (ret->action == REGISTRY_CHECK && ret->n_words == 0)
                        return local_error(error, -EINVAL, "check wants a file");
                if (ret->action != REGISTRY_CHECK && ret->n_words > 0)
                        return local_error(error, -EINVAL, "%s takes no arguments", argv[1]);
                return 0;
        }
        ret->images = calloc((size_t)argc + 1, sizeof(*ret->images));
        ret->image_texts = calloc(3 * (size_t)argc + 1, sizeof(*ret->image_texts));
        if (!ret->images || !ret->image_texts)
                return local_error(error, -ENOMEM, "no memory for the command line");
        for (int i = 1; r == 0 && ret->action == REGISTRY_SERVE && i < argc; i++)
                r = argv[i][0] == '-' ? parse_option(argc, argv, &i, ret, error)
                                      : parse_image(argv[i], ret, error);
        return r;
}

/* ---- files ---- */

static int read_scenario(struct registry_options *options, struct cip_error *error)
{
        int r;

        if (!options->scenario_file)
                return 0;
        r = registry_scenario_read(options->scenario_file, &options->scenario, &options->problems);
        if (r == -EINVAL)
                return local_error(error, r, "the scenario %s is not good", options->scenario_file);
        return r < 0 ? local_error(error, r, "no memory for a scenario") : 0;
}

static int read_text(const char *path, char **ret, struct cip_error *error)
{
        size_t len;

        return read_file_at(AT_FDCWD, path, FILE_MAX, ret, &len, error);
}

/* A line each, NAME:PASSWORD. The text is cut at its line ends and colons. */
static int split_users(struct registry_options *options, size_t *n, struct cip_error *error)
{
        char *rest = options->users_text;

        for (size_t line = 1; rest; line++) {
                char *text = strsep(&rest, "\n");
                char *colon = strchr(text, ':');

                text[strcspn(text, "\r")] = '\0';
                if (!*text || *text == '#')
                        continue;
                if (!colon || colon == text)
                        return local_error(error, -EINVAL, "%s: line %zu is not NAME:PASSWORD", options->users,
                                           line);
                *colon = '\0';
                options->user_list[(*n)++] = (struct registry_user){.name = text, .password = colon + 1};
        }
        return 0;
}

/* The scenario's users, and those of the file. */
static int read_users(struct registry_options *options, struct cip_error *error)
{
        struct registry_auth *auth = &options->config.auth;
        size_t n_lines = 1, n = auth->n_users;
        int r;

        if (options->has_auth)
                auth->kind = options->auth;
        if (!options->users)
                return 0;
        r = read_text(options->users, &options->users_text, error);
        if (r < 0)
                return r;
        for (const char *c = options->users_text; *c; c++)
                n_lines += *c == '\n';
        options->user_list = calloc(n + n_lines, sizeof(*options->user_list));
        if (!options->user_list)
                return local_error(error, -ENOMEM, "no memory for the users");
        if (n > 0)
                memcpy(options->user_list, auth->users, n * sizeof(*options->user_list));
        r = split_users(options, &n, error);
        if (r == 0 && n == 0)
                r = local_error(error, -EINVAL, "there is no user in %s", options->users);
        auth->users = options->user_list;
        auth->n_users = n;
        if (auth->kind == REGISTRY_AUTH_NONE)
                auth->kind = REGISTRY_AUTH_BASIC;
        return r;
}

static int read_certificate(struct registry_options *options, struct registry_listener *listener,
                            struct cip_error *error)
{
        int r;

        if (!options->certificate_file && !options->key_file)
                return 0;
        if (!options->certificate_file || !options->key_file)
                return local_error(error, -EINVAL, "--tls-cert and --tls-key stand together");
        r = read_text(options->certificate_file, &options->certificate_text, error);
        if (r == 0)
                r = read_text(options->key_file, &options->key_text, error);
        if (r == 0)
                r = registry_certificate_judge(options->certificate_text, options->certificate_file,
                                               options->key_text, options->key_file, error);
        listener->tls = true;
        listener->certificate_pem = options->certificate_text;
        listener->key_pem = options->key_text;
        return r;
}

/* What the options say of a listener is said of the first. */
static int change_listener(struct registry_options *options, struct cip_error *error)
{
        struct registry_config *config = &options->config;
        size_t n = config->n_listeners ? config->n_listeners : 1;
        int r;

        options->listeners = calloc(n, sizeof(*options->listeners));
        if (!options->listeners)
                return local_error(error, -ENOMEM, "no memory for a listener");
        if (config->n_listeners)
                memcpy(options->listeners, config->listeners, n * sizeof(*options->listeners));
        config->listeners = options->listeners;
        config->n_listeners = n;
        if (options->has_port)
                options->listeners[0].port = options->port;
        if (options->tls) {
                options->listeners[0].tls = true;
                options->listeners[0].certificate = options->certificate;
        }
        r = read_certificate(options, &options->listeners[0], error);
        if (r < 0 || !options->clients)
                return r;
        options->listeners[0].clients = options->clients;
        return options->listeners[0].tls
                       ? 0
                       : local_error(error, -EINVAL,
                                     "--client-certificates wants --tls too: without it nobody "
                                     "shows a certificate");
}

/* Those of the command line, and the scenario's. */
static int join_images(struct registry_options *options, const struct registry_config *scenario,
                       struct cip_error *error)
{
        size_t n = options->config.n_images, n_more = scenario->n_images;
        struct registry_image *all = reallocarray(options->images, n + n_more + 1, sizeof(*all));

        if (!all)
                return local_error(error, -ENOMEM, "no memory for the images");
        if (n_more > 0)
                memcpy(all + n, scenario->images, n_more * sizeof(*all));
        options->images = all;
        options->config = *scenario;
        options->config.images = all;
        options->config.n_images = n + n_more;
        return 0;
}

int registry_options_read(struct registry_options *options, struct cip_error *error)
{
        const struct registry_config none = {0};
        int r = read_scenario(options, error);

        if (r == 0)
                r = join_images(options, options->scenario ? &options->scenario->config : &none, error);
        if (r == 0 && options->config.n_images == 0 && !options->scenario)
                r = local_error(
                        error, -EINVAL,
                        "there is nothing to serve; name an image, as app=oci:DIR or app=fake:layers-1");
        if (r == 0)
                r = read_users(options, error);
        if (r == 0)
                r = change_listener(options, error);
        return r;
}

void registry_options_clear(struct registry_options *options)
{
        problems_clear(&options->problems);
        registry_scenario_free(options->scenario);
        for (size_t i = 0; i < options->n_image_texts; i++)
                free(options->image_texts[i]);
        free(options->image_texts);
        free(options->images);
        free(options->listeners);
        free(options->user_list);
        free(options->users_text);
        free(options->certificate_text);
        free(options->key_text);
        *options = (struct registry_options){0};
}
