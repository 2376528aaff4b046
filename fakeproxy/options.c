/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the command line in the ways of skopeo's flag library: global flags are taken before the subcommand and
 * behind it, those of the subcommand behind it alone; what is refused is refused in the same words.
 */
#include "fakeproxy/options.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/completion.h"
#include "base/error.h"
#include "fakeproxy/go.h"
#include "protocol/message.h"

enum flag_kind {
        FLAG_STRING,
        FLAG_STRING_SET, /* a string, and whether it was given at all */
        FLAG_BOOL,
        FLAG_INT,
        FLAG_DURATION, /* judged, not kept */
        FLAG_EMULATE,
        FLAG_OWN, /* read beforehand */
};

enum flag_place {
        PLACE_GLOBAL,      /* everywhere */
        PLACE_GLOBAL_ONLY, /* before the subcommand */
        PLACE_PROXY,       /* behind the subcommand */
        PLACE_OWN,         /* everywhere, and not skopeo's */
};

struct flag {
        const char *name;
        char letter;
        enum flag_place place;
        enum flag_kind kind;
        size_t offset;        /* in struct options; NOWHERE: taken, and nothing follows from it */
        struct version since; /* the release that has it */
        bool only_pure;       /* no release has it, clients give it all the same */
        struct completion_value value;
};

#define NOWHERE ((size_t)-1)
#define TO(member) offsetof(struct options, member)

/* What --help and --version are kept in while the rest is read. */
struct reading {
        struct options options;
        bool help, version;
};
#define READING(member) offsetof(struct reading, member)

static void offer_emulations(struct completer *completer)
{
        for (const char *const *name = emulation_names; *name; name++)
                completion_offer(completer, *name, NULL);
}

static const struct flag flags[] = {
        {"command-timeout", 0, PLACE_GLOBAL, FLAG_DURATION, NOWHERE},
        {"debug", 0, PLACE_GLOBAL, FLAG_BOOL, TO(debug)},
        {"help", 'h', PLACE_GLOBAL, FLAG_BOOL, READING(help)},
        {"insecure-policy", 0, PLACE_GLOBAL, FLAG_BOOL, TO(insecure_policy)},
        {"override-arch", 0, PLACE_GLOBAL, FLAG_STRING, TO(override_arch)},
        {"override-os", 0, PLACE_GLOBAL, FLAG_STRING, TO(override_os)},
        {"override-variant", 0, PLACE_GLOBAL, FLAG_STRING, TO(override_variant)},
        {"policy", 0, PLACE_GLOBAL, FLAG_STRING, TO(policy), .value = {COMPLETION_FILE}},
        {"registries.d", 0, PLACE_GLOBAL, FLAG_STRING, NOWHERE, .value = {COMPLETION_FOLDER}},
        {"registries-conf", 0, PLACE_GLOBAL, FLAG_STRING, NOWHERE, .value = {COMPLETION_FILE}},
        {"tls-verify", 0, PLACE_GLOBAL_ONLY, FLAG_BOOL, TO(global_tls_verify)},
        {"tmpdir", 0, PLACE_GLOBAL, FLAG_STRING, TO(tmpdir), .value = {COMPLETION_FOLDER}},
        {"user-agent-prefix", 0, PLACE_GLOBAL, FLAG_STRING, NOWHERE, {1, 22, 0}},
        {"version", 'v', PLACE_GLOBAL_ONLY, FLAG_BOOL, READING(version)},

        {"authfile", 0, PLACE_PROXY, FLAG_STRING, TO(authfile), .value = {COMPLETION_FILE}},
        {"cert-dir", 0, PLACE_PROXY, FLAG_STRING, NOWHERE, .value = {COMPLETION_FOLDER}},
        {"creds", 0, PLACE_PROXY, FLAG_STRING_SET, TO(creds)},
        {"daemon-host", 0, PLACE_PROXY, FLAG_STRING, NOWHERE},
        {"decryption-key", 0, PLACE_PROXY, FLAG_STRING, NOWHERE, {0, 0, 0}, true, .value = {COMPLETION_FILE}},
        {"no-creds", 0, PLACE_PROXY, FLAG_BOOL, TO(no_creds)},
        {"password", 0, PLACE_PROXY, FLAG_STRING, TO(password)},
        {"registry-token", 0, PLACE_PROXY, FLAG_STRING, TO(registry_token)},
        {"shared-blob-dir", 0, PLACE_PROXY, FLAG_STRING, NOWHERE, .value = {COMPLETION_FOLDER}},
        {"sockfd", 0, PLACE_PROXY, FLAG_INT, TO(sockfd)},
        {"tls-verify", 0, PLACE_PROXY, FLAG_BOOL, TO(tls_verify)},
        {"username", 0, PLACE_PROXY, FLAG_STRING, TO(username)},

        {"emulate", 0, PLACE_OWN, FLAG_EMULATE, NOWHERE, .value = {COMPLETION_WORDS, NULL, offer_emulations}},
        /* This, the next and upstream are read in upstream.c. */
        {"record", 0, PLACE_OWN, FLAG_OWN, NOWHERE, .value = {COMPLETION_FILE}},
        {"record-data", 0, PLACE_OWN, FLAG_BOOL, NOWHERE},
        {"replay", 0, PLACE_OWN, FLAG_STRING, TO(replay), .value = {COMPLETION_FILE}},
        {"replay-any-order", 0, PLACE_OWN, FLAG_BOOL, TO(replay_any_order)},
        {"scenario", 0, PLACE_OWN, FLAG_OWN, NOWHERE, .value = {COMPLETION_FILE}},
        {"seed", 0, PLACE_OWN, FLAG_OWN, NOWHERE},
        {"upstream", 0, PLACE_OWN, FLAG_OWN, NOWHERE, .value = {COMPLETION_PROGRAM}},
        {"verdict", 0, PLACE_OWN, FLAG_OWN, NOWHERE, .value = {COMPLETION_FILE}},
};

/* What holds for the whole command line. */
struct parser {
        int argc;
        char *const *argv;
        int next;
        bool behind; /* the subcommand */
        struct behaviours b;
        struct reading *reading;
};

/* ---- the fake's own settings ---- */

/* The value of an own flag, wherever it stands; NULL: it is not there. */
static const char *own_value(int argc, char *const argv[], const char *name)
{
        size_t len = strlen(name);

        for (int i = 1; i < argc; i++) {
                if (strncmp(argv[i], "--", 2) != 0 || strncmp(argv[i] + 2, name, len) != 0)
                        continue;
                if (argv[i][2 + len] == '=')
                        return argv[i] + 3 + len;
                if (!argv[i][2 + len] && i + 1 < argc)
                        return argv[i + 1];
        }
        return NULL;
}

/* The value of an own flag, or of its variable; NULL: neither says anything. */
static const char *own_setting(int argc, char *const argv[], const char *name, const char *variable)
{
        const char *value = own_value(argc, argv, name);

        if (!value)
                value = getenv(variable);
        return value && *value ? value : NULL;
}

/* What the environment says of replaying, which flags may change. */
static void read_replay(struct options *options)
{
        const char *replay = getenv("CIP_FAKEPROXY_REPLAY");
        const char *any_order = getenv("CIP_FAKEPROXY_REPLAY_ANY_ORDER");

        if (replay && *replay)
                options->replay = replay;
        if (any_order)
                (void)go_parse_bool(any_order, &options->replay_any_order);
}

static int read_scenario(struct options *options, struct cip_error *error)
{
        int r = scenario_read(options->scenario_file, &options->scenario, &options->problems);

        if (r == -ENOMEM)
                return error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read %s", options->scenario_file);
        if (r < 0)
                return error_set(error, CIP_ERROR_LOCAL, r, "this scenario cannot be served");
        if (scenario_needs_upstream(options->scenario))
                return error_set(
                        error, CIP_ERROR_LOCAL, -EINVAL,
                        "%s changes how an upstream is started or what it is asked: it holds only beside "
                        "--upstream",
                        options->scenario_file);
        options->seed = options->scenario->seed;
        return 0;
}

static int read_seed(const char *text, struct options *options, struct cip_error *error)
{
        char *end;
        unsigned long long value;

        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno || *end || *text < '0' || *text > '9' || value > JSON_INTEGER_MAX)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "--seed \"%s\": expected an integer of 0 to 2^53-1", text);
        options->seed = value;
        if (options->scenario)
                options->scenario->image.seed = value;
        return 0;
}

/* They decide which other flags there are, so they are read first. */
static int read_own(int argc, char *const argv[], struct options *options, struct cip_error *error)
{
        const char *emulate = own_setting(argc, argv, "emulate", "CIP_FAKEPROXY_EMULATE");
        const char *seed = own_setting(argc, argv, "seed", "CIP_FAKEPROXY_SEED");
        int r = 0;

        options->seed = 1;
        read_replay(options);
        options->verdict = own_setting(argc, argv, "verdict", "CIP_FAKEPROXY_VERDICT");
        options->scenario_file = own_setting(argc, argv, "scenario", "CIP_FAKEPROXY_SCENARIO");
        if (options->scenario_file)
                r = read_scenario(options, error);
        if (r == 0 && seed)
                r = read_seed(seed, options, error);
        if (r < 0)
                return r;
        if (!emulate && options->scenario)
                emulate = options->scenario->emulate;
        options->emulation_name = emulate ? emulate : EMULATE_DEFAULT;
        return emulation_find(options->emulation_name, &options->emulation, error);
}

/* The commands that serve nothing, for which settings in the environment say nothing. */
static const struct {
        const char *name, *about;
        enum options_action action;
        bool takes_words;
} own_commands[] = {
        {"check", "say all that is wrong with scenarios", ACTION_CHECK, true},
        {"schema", "print the JSON Schema of scenarios", ACTION_SCHEMA, false},
        {"format", "print the tables of docs/scenarios.md", ACTION_FORMAT, false},
};

static bool is_own_command(const char *word)
{
        for (size_t i = 0; i < ARRAY_SIZE(own_commands); i++)
                if (!strcmp(own_commands[i].name, word))
                        return true;
        return false;
}

static int read_own_command(int argc, char *const argv[], struct options *options, struct cip_error *error)
{
        options->words = argv + 2;
        options->n_words = (size_t)argc - 2;
        for (size_t i = 0; i < ARRAY_SIZE(own_commands); i++) {
                if (strcmp(own_commands[i].name, argv[1]) != 0)
                        continue;
                options->action = own_commands[i].action;
                if (own_commands[i].takes_words == (options->n_words > 0))
                        return 0;
        }
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "`%s`: %s", argv[1],
                         options->n_words ? "takes no arguments" : "name at least one file");
}

/* ---- skopeo's flags ---- */

int options_takes_value(const char *name, struct nearest *nearest)
{
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                if (flags[i].place == PLACE_OWN)
                        continue;
                if (!strcmp(flags[i].name, name))
                        return flags[i].kind != FLAG_BOOL;
                if (nearest)
                        text_nearest(nearest, flags[i].name);
        }
        return -ENOENT;
}

/* skopeo's words, and what they are about behind them or in their midst. */
#define refuse(error, ...) error_set((error), CIP_ERROR_LOCAL, -EPERM, __VA_ARGS__)

static int refuse_value(const struct flag *flag, const char *value, const char *parser, const char *why,
                        struct cip_error *error)
{
        char *quoted CLEANUP(cleanup_free) = go_quote(value);
        char letter[] = {'-', flag->letter, ',', ' ', '\0'};

        return error_set(error, CIP_ERROR_LOCAL, -EPERM,
                         "invalid argument %s for \"%s--%s\" flag: strconv.%s: parsing %s: %s", quoted,
                         flag->letter ? letter : "", flag->name, parser, quoted, why);
}

/* The integer that --sockfd's text begins with, for a behaviour. */
static const char *parse_int(const struct parser *parser, const char *value, int64_t *ret)
{
        const char *wrong;

        assert(ret);
        wrong = go_parse_int(value, ret);

        if (wrong && parser->b.reads_sockfd_loosely) {
                *ret = strtoll(value, NULL, 10);
                return NULL;
        }
        return wrong;
}

static int set(const struct parser *parser, const struct flag *flag, const char *value, struct cip_error *error)
{
        void *to = flag->offset == NOWHERE ? NULL : (char *)parser->reading + flag->offset;
        const char *wrong;
        bool unused;

        switch (flag->kind) {
        case FLAG_BOOL:
                if (!go_parse_bool(value, to ? to : &unused))
                        return refuse_value(flag, value, "ParseBool", "invalid syntax", error);
                if (flag->place == PLACE_GLOBAL_ONLY && flag->offset == TO(global_tls_verify))
                        parser->reading->options.global_tls_verify = true; /* given, whatever it says */
                return 0;
        case FLAG_INT:
                wrong = parse_int(parser, value, to);
                return wrong ? refuse_value(flag, value, "ParseInt", wrong, error) : 0;
        case FLAG_DURATION:
                if (strspn(value, "0123456789.hmsnu") == strlen(value) && *value)
                        return 0;
                return error_set(error, CIP_ERROR_LOCAL, -EPERM,
                                 "invalid argument \"%s\" for \"--%s\" flag: time: invalid duration \"%s\"",
                                 value, flag->name, value);
        case FLAG_STRING_SET:
                assert(to);
                parser->reading->options.has_creds = true;
                *(const char **)to = value;
                return 0;
        case FLAG_STRING:
                if (to)
                        *(const char **)to = value;
                return 0;
        default:
                return 0;
        }
}

static bool is_known(const struct parser *parser, const struct flag *flag)
{
        const struct emulation *emulation = &parser->reading->options.emulation;
        const char *refused = parser->b.refuses_flag;

        if (refused && !strncmp(refused, "--", 2) && !strcmp(refused + 2, flag->name))
                return false;
        if (flag->only_pure && emulation->is_release)
                return false;
        if (version_compare(emulation->release, flag->since) < 0)
                return false;
        return flag->place == PLACE_GLOBAL || flag->place == PLACE_OWN ||
               (flag->place == PLACE_PROXY) == parser->behind;
}

static const struct flag *find(const struct parser *parser, const char *name, size_t len)
{
        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (is_known(parser, &flags[i]) && strlen(flags[i].name) == len &&
                    !strncmp(flags[i].name, name, len))
                        return &flags[i];
        return NULL;
}

/* A behaviour that takes a flag in one of its two forms only. */
static bool form_is_refused(const struct parser *parser, const struct flag *flag, bool equals)
{
        const char *refused = parser->b.refuses_flag;
        size_t len = strlen(flag->name);

        if (!equals)
                return flag->kind == FLAG_INT && parser->b.sockfd_needs_equals;
        return refused && !strncmp(refused + 2, flag->name, len) && !strcmp(refused + 2 + len, "=");
}

static int read_long(struct parser *parser, const char *text, struct cip_error *error)
{
        const char *equals = strchr(text, '=');
        size_t len = equals ? (size_t)(equals - text) : strlen(text);
        const struct flag *flag = find(parser, text, len);
        char *name CLEANUP(cleanup_free) = strndup(text, len);

        if (!name)
                return error_set(error, CIP_ERROR_LOCAL, -EPERM, "out of memory");
        if (len == 0 || *text == '-')
                return refuse(error, "bad flag syntax: --%s", text);
        if (!flag && parser->b.accepts_unknown_flags)
                return 0;
        if (!flag)
                return refuse(error, "unknown flag: --%s", name);
        if (form_is_refused(parser, flag, equals))
                return equals ? refuse(error, "unknown flag: --%s=", name)
                              : refuse(error, "flag needs an argument: --%s", name);
        if (equals)
                return set(parser, flag, equals + 1, error);
        if (flag->kind == FLAG_BOOL)
                return set(parser, flag, "true", error);
        if (parser->next >= parser->argc)
                return refuse(error, "flag needs an argument: --%s", name);
        return set(parser, flag, parser->argv[parser->next++], error);
}

/* "-h", "-hv", "-h=false". */
static int read_short(struct parser *parser, const char *text, struct cip_error *error)
{
        for (const char *c = text; *c; c++) {
                const struct flag *flag = NULL;

                for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                        if (flags[i].letter == *c && is_known(parser, &flags[i]))
                                flag = &flags[i];
                if (!flag && parser->b.accepts_unknown_flags)
                        continue;
                if (!flag)
                        return error_set(error, CIP_ERROR_LOCAL, -EPERM, "unknown shorthand flag: '%c' in -%s",
                                         *c, c);
                if (c[1] == '=')
                        return set(parser, flag, c + 2, error);
                (void)set(parser, flag, "true", error);
        }
        return 0;
}

/* Reads flags up to the next word, *@ret_word (NULL: the end). */
static int read_flags(struct parser *parser, const char **ret_word, struct cip_error *error)
{
        *ret_word = NULL;
        while (parser->next < parser->argc) {
                const char *argument = parser->argv[parser->next++];
                int r;

                if (!strcmp(argument, "--")) {
                        if (parser->next < parser->argc)
                                *ret_word = parser->argv[parser->next++];
                        return 0;
                }
                if (argument[0] != '-' || !argument[1]) {
                        *ret_word = argument;
                        return 0;
                }
                r = argument[1] == '-' ? read_long(parser, argument + 2, error)
                                       : read_short(parser, argument + 1, error);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Behind the subcommand no word is left to be said. */
static int read_proxy_flags(struct parser *parser, struct cip_error *error)
{
        const char *word;
        int n = 0, r;

        parser->behind = true;
        for (;;) {
                r = read_flags(parser, &word, error);
                if (r < 0 || !word)
                        break;
                n++;
        }
        if (r == 0 && n > 0 && !parser->reading->help && !parser->b.accepts_extra_words)
                return error_set(error, CIP_ERROR_LOCAL, -EPERM, "accepts 0 arg(s), received %d", n);
        return r;
}

static int read_command(struct parser *parser, const char *word, struct cip_error *error)
{
        static const char hint[] = "Try 'skopeo --help' for more information";
        struct options *options = &parser->reading->options;

        if (parser->reading->version) {
                options->action = ACTION_VERSION;
                return 0;
        }
        if (parser->reading->help || (word && !strcmp(word, "help"))) {
                options->action = ACTION_HELP;
                return 0;
        }
        if (!word) {
                options->hint = hint;
                return refuse(error, "Missing command 'skopeo COMMAND'");
        }
        if (!strcmp(word, "experimental-image-proxy")) {
                int r = read_proxy_flags(parser, error);

                options->action = parser->reading->help ? ACTION_PROXY_HELP : ACTION_SERVE;
                return r;
        }
        if (options->own_name && !strcmp(word, "quirks")) {
                options->action = ACTION_QUIRKS;
                return 0;
        }
        options->hint = hint;
        return refuse(error, "Unrecognized command `skopeo %s`", word);
}

int options_read(int argc, char *const argv[], struct options *ret, struct cip_error *error)
{
        struct reading reading = {.options = {.own_name = true, .tls_verify = true}};
        struct parser parser = {.argc = argc, .argv = argv, .next = 1, .reading = &reading};
        const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
        const char *word;
        int r;

        if (argc > 0)
                reading.options.own_name = strcmp(base ? base + 1 : argv[0], "skopeo") != 0;
        if (reading.options.own_name && argc > 1 && is_own_command(argv[1])) {
                r = read_own_command(argc, argv, &reading.options, error);
                *ret = reading.options;
                return r;
        }
        r = read_own(argc, argv, &reading.options, error);
        if (r < 0) {
                *ret = reading.options;
                return r;
        }
        parser.b = reading.options.emulation.behaviours;
        if (reading.options.scenario)
                behaviours_add(&parser.b, &reading.options.scenario->with);
        r = read_flags(&parser, &word, error);
        if (r == 0)
                r = read_command(&parser, word, error);
        *ret = reading.options;
        return r;
}

void options_clear(struct options *options)
{
        scenario_free(options->scenario);
        options->scenario = NULL;
        problems_clear(&options->problems);
}

/* ---- completion ---- */

/* The flags that may stand before the subcommand or behind it. Returns how many. */
static size_t completion_options(bool behind, struct completion_option *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
                const struct flag *flag = &flags[i];

                if (flag->place == (behind ? PLACE_GLOBAL_ONLY : PLACE_PROXY))
                        continue;
                ret[n++] = (struct completion_option){
                        .name = flag->name,
                        .letter = flag->letter,
                        .takes_value = flag->kind != FLAG_BOOL,
                        .value = flag->value,
                };
        }
        return n;
}

void options_complete(const char *const *words, size_t n_words, FILE *out)
{
        struct completion_option before[ARRAY_SIZE(flags)], behind[ARRAY_SIZE(flags)];
        struct completion_command all[ARRAY_SIZE(own_commands) + 3] = {
                {.options = before, .n_options = completion_options(false, before)},
                {.name = "experimental-image-proxy",
                 .about = "serve, called just as skopeo is",
                 .options = behind,
                 .n_options = completion_options(true, behind)},
                {.name = "quirks", .about = "list what emulated releases do wrong"},
        };

        for (size_t i = 0; i < ARRAY_SIZE(own_commands); i++) {
                struct completion_value value = {own_commands[i].takes_words ? COMPLETION_FILE
                                                                             : COMPLETION_NONE};

                all[i + 3] = (struct completion_command){
                        .name = own_commands[i].name,
                        .about = own_commands[i].about,
                        .first = value,
                        .rest = value,
                };
        }
        completion_answer(all, ARRAY_SIZE(all), words, n_words, out);
}
