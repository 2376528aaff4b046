/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of cip. Options may stand before and behind the command and between its operands, but for
 * `call`, whose operands may begin with a dash: there they end at the method. Nothing here opens a file or
 * starts anything: that a path or a command exists is found out by who uses it.
 */
#include "client/arguments.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/completion.h"
#include "base/error.h"
#include "base/text.h"
#include "client/cip.h"
#include "protocol/method.h"

const struct command commands[COMMANDS] = {
        [COMMAND_INSPECT] = {COMMAND_INSPECT, "inspect", "REF", 1, 1, "Sum up an image.",
                             "Prints its digest, platform, age, layers and settings.\n"
                             "Example: cip inspect docker://quay.io/fedora/fedora:latest"},
        [COMMAND_MANIFEST] =
                {COMMAND_MANIFEST, "manifest", "REF", 1, 1, "Print the manifest.",
                 "Prints the manifest's bytes as they came: always as OCI, and of the picked platform.\n"
                 "Example: cip manifest docker://docker.io/library/debian:stable | jq ."},
        [COMMAND_CONFIG] = {COMMAND_CONFIG, "config", "REF", 1, 1, "Print the config.",
                            "Prints the bytes of the image's config.\n"
                            "Example: cip config oci:./image:latest | jq .config.Env"},
        [COMMAND_LAYERS] = {COMMAND_LAYERS, "layers", "REF", 1, 1, "List the layers.",
                            "A line each, bottom first: number, digest, bytes, media type.\n"
                            "Example: cip layers oci:./image:latest"},
        [COMMAND_BLOB] = {COMMAND_BLOB, "blob", "REF DIGEST", 2, 2, "Fetch one blob, verified.",
                          "Writes it to standard output or, with -o, to a file that appears when it is whole.\n"
                          "Example: cip blob docker://quay.io/a/b sha256:9f86d0.. -o layer.tar.gz"},
        [COMMAND_PULL] = {COMMAND_PULL, "pull", "REF oci:DIR[:TAG]", 2, 2, "Copy an image into an OCI layout.",
                          "Fetches several layers at once, each verified before it gets its name. What an\n"
                          "interrupted pull has finished stays, and the next one goes on from there.\n"
                          "With --retry it goes on by itself, after a while.\n"
                          "Example: cip pull docker://quay.io/fedora/fedora:latest oci:./fedora:latest"},
        [COMMAND_CALL] =
                {COMMAND_CALL, "call", "METHOD [ARG ..] [+ METHOD [ARG ..]] ..", 1, SIZE_MAX,
                 "Call methods of the protocol as they are.",
                 "Prints each reply, and what came through its pipes, which are read and finished.\n"
                 "Calls of one session are separated by a lone +. @N stands for the value of the Nth\n"
                 "call, @N.pipeid for its pipe. Numbers and strings are told apart by the method's\n"
                 "arguments; with --raw every ARG is JSON. Options stand before METHOD. Initialize is\n"
                 "called by itself.\n"
                 "Example: cip call OpenImage oci:./image:latest + GetManifest @1 + CloseImage @1"},
};

enum option_kind {
        OPTION_FLAG,    /* bool: there or not */
        OPTION_BOOL,    /* bool: --name, --name=true, --name=false */
        OPTION_TEXT,    /* const char * */
        OPTION_LIST,    /* const char **, with its size behind it: may be given many times */
        OPTION_SECONDS, /* uint64_t of milliseconds */
        OPTION_JOBS,    /* uint64_t, 1 to JOBS_MAX */
        OPTION_RETRIES, /* uint64_t, 0 to RETRIES_MAX */
        OPTION_ACTION,  /* enum action, whose value stands in the offset's place */
};

struct option {
        const char *name;
        char letter;       /* 0: none */
        const char *value; /* its name in help; NULL: takes none */
        enum option_kind kind;
        size_t offset;                   /* in struct arguments */
        unsigned commands;               /* a bit for each; 0: all */
        enum completion_kind completion; /* of its value */
        const char *about;
};

/* The defaults that the help of the options below tells. */
_Static_assert(JOBS_DEFAULT == 6, "--jobs");
_Static_assert(CIP_REQUEST_TIMEOUT_MS == 120 * 1000, "--timeout");
_Static_assert(CIP_STALL_TIMEOUT_MS == 60 * 1000, "--stall-timeout");

#define MEMBER(member) offsetof(struct arguments, member)
#define ONLY(id) (1u << (id))

static const struct option options[] = {
        {"output", 'o', "FILE", OPTION_TEXT, MEMBER(output),
         ONLY(COMMAND_BLOB) | ONLY(COMMAND_MANIFEST) | ONLY(COMMAND_CONFIG), COMPLETION_FILE,
         "write to FILE, which appears when it is whole"},
        {"jobs", 'j', "N", OPTION_JOBS, MEMBER(jobs), ONLY(COMMAND_PULL), COMPLETION_NONE,
         "how many layers are fetched at once (6)"},
        {"retry", 0, "N", OPTION_RETRIES, MEMBER(retries), ONLY(COMMAND_PULL), COMPLETION_NONE,
         "how often to try again when the network or the registry fails (0)"},
        {"raw", 0, NULL, OPTION_FLAG, MEMBER(raw), ONLY(COMMAND_CALL), COMPLETION_NONE,
         "every ARG is JSON, and any METHOD is sent"},
        {"json", 0, NULL, OPTION_FLAG, MEMBER(json), 0, COMPLETION_NONE, "print JSON, for programs"},
        {"skopeo", 0, "COMMAND", OPTION_TEXT, MEMBER(skopeo), 0, COMPLETION_PROGRAM,
         "the server to start, its words separated by blanks (CIP_SKOPEO, else skopeo)"},
        {"authfile", 0, "FILE", OPTION_TEXT, MEMBER(authfile), 0, COMPLETION_FILE,
         "credentials for registries: a containers-auth.json(5) file"},
        {"auth-stdin", 0, NULL, OPTION_FLAG, MEMBER(auth_stdin), 0, COMPLETION_NONE,
         "the same, read from standard input"},
        {"no-creds", 0, NULL, OPTION_FLAG, MEMBER(no_creds), 0, COMPLETION_NONE,
         "use no credentials, even where there are some"},
        {"cert-dir", 0, "DIR", OPTION_TEXT, MEMBER(cert_dir), 0, COMPLETION_FOLDER,
         "certificates and keys for the registry: *.crt, *.cert, *.key"},
        {"decryption-key", 0, "KEY", OPTION_LIST, MEMBER(decryption_keys), 0, COMPLETION_FILE,
         "a key for encrypted images; may be given many times"},
        {"tls-verify", 0, "BOOL", OPTION_BOOL, MEMBER(tls_verify), 0, COMPLETION_NONE,
         "false: allow plain HTTP and any certificate (true)"},
        {"insecure-policy", 0, NULL, OPTION_FLAG, MEMBER(insecure_policy), 0, COMPLETION_NONE,
         "ask for no signatures, whatever policy.json says"},
        {"policy", 0, "FILE", OPTION_TEXT, MEMBER(policy), 0, COMPLETION_FILE,
         "the signature policy: a containers-policy.json(5) file"},
        {"user-agent-prefix", 0, "TEXT", OPTION_TEXT, MEMBER(user_agent_prefix), 0, COMPLETION_NONE,
         "put before skopeo's user agent, where skopeo can do that"},
        {"override-arch", 0, "ARCH", OPTION_TEXT, MEMBER(architecture), 0, COMPLETION_NONE,
         "the architecture to pick out of a list, as amd64 or arm64"},
        {"override-os", 0, "OS", OPTION_TEXT, MEMBER(os), 0, COMPLETION_NONE,
         "the operating system to pick, as linux"},
        {"override-variant", 0, "VARIANT", OPTION_TEXT, MEMBER(variant), 0, COMPLETION_NONE,
         "the variant of the architecture to pick, as v8"},
        {"timeout", 0, "SECONDS", OPTION_SECONDS, MEMBER(timeout_ms), 0, COMPLETION_NONE,
         "how long the server may take for one request; 0: for ever (120)"},
        {"stall-timeout", 0, "SECONDS", OPTION_SECONDS, MEMBER(stall_timeout_ms), 0, COMPLETION_NONE,
         "how long no byte may come; 0: for ever (60)"},
        {"transcript", 0, "FILE", OPTION_TEXT, MEMBER(transcript), 0, COMPLETION_FILE,
         "write what is said in the session to FILE, as JSON Lines"},
        {"debug", 0, NULL, OPTION_FLAG, MEMBER(debug), 0, COMPLETION_NONE,
         "have skopeo log in detail, and show its log and the transcript on stderr"},
        {"help", 'h', NULL, OPTION_ACTION, ACTION_HELP, 0, COMPLETION_NONE, "print help, of a command too"},
        {"version", 'V', NULL, OPTION_ACTION, ACTION_VERSION, 0, COMPLETION_NONE, "print the version"},
};

/* Options of skopeo that are refused on purpose, as their values would be there for every user to see. */
static const char *const secret_options[] = {"creds", "username", "password", "registry-token"};

void arguments_clear(struct arguments *arguments)
{
        free(arguments->words);
        free(arguments->decryption_keys);
        *arguments = (struct arguments){.action = ACTION_RUN};
}

static int wrong(struct cip_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An error of the command line. */
static int wrong(struct cip_error *error, const char *format, ...)
{
        char text[CIP_ERROR_MESSAGE_SIZE];
        va_list list;

        va_start(list, format);
        vsnprintf(text, sizeof(text), format, list);
        va_end(list);
        return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "%s", text);
}

static bool is_for(const struct option *option, const struct command *command)
{
        return option->commands == 0 || (command && option->commands & ONLY(command->id));
}

/* Which commands an option is for, as "blob, manifest". */
static const char *commands_of(const struct option *option, char *ret, size_t size)
{
        size_t n = 0;

        ret[0] = '\0';
        for (size_t i = 0; i < COMMANDS && n < size; i++)
                if (option->commands & ONLY(i))
                        n += (size_t)snprintf(ret + n, size - n, "%s%s", n ? ", " : "", commands[i].name);
        return ret;
}

/* A word between quotes in a message, which hostile lengths must not fill. */
#define QUOTED "'%.200s'"

static int no_such_option(const char *name, size_t len, struct cip_error *error)
{
        char word[128];
        struct nearest nearest = {.name = word};

        snprintf(word, sizeof(word), "%.*s", (int)len, name);
        for (size_t i = 0; i < ARRAY_SIZE(secret_options); i++)
                if (!strcmp(word, secret_options[i]))
                        return wrong(error,
                                     "--%s is not taken, as other users can read a command line: give "
                                     "credentials with "
                                     "--authfile FILE or --auth-stdin",
                                     word);
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                text_nearest(&nearest, options[i].name);
        if (nearest.best)
                return wrong(error, "there is no option '--%s'; did you mean '--%s'?", word, nearest.best);
        return wrong(error, "there is no option '--%s'; `cip --help` names them all", word);
}

static int parse_seconds(const struct option *option, const char *text, uint64_t *ret, struct cip_error *error)
{
        char *end;
        double seconds;

        assert(text);
        errno = 0;
        seconds = strtod(text, &end);
        if (end == text || *end || errno || !isfinite(seconds) || seconds < 0 || seconds > 1e9)
                return wrong(error, "--%s wants seconds, 0 or more, as in --%s=30, not " QUOTED, option->name,
                             option->name, text);
        *ret = (uint64_t)(seconds * 1000 + 0.5);
        /* What is that short is not meant to be for ever. */
        if (*ret == 0 && seconds > 0)
                *ret = 1;
        return 0;
}

static int parse_count(const struct option *option, const char *text, unsigned long least, unsigned long most,
                       uint64_t *ret, struct cip_error *error)
{
        char *end;
        unsigned long count;

        assert(text);
        errno = 0;
        count = strtoul(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end || errno || count < least || count > most)
                return wrong(error, "--%s wants a number from %lu to %lu, not " QUOTED, option->name, least,
                             most, text);
        *ret = count;
        return 0;
}

static int parse_bool(const struct option *option, const char *text, bool *ret, struct cip_error *error)
{
        if (!text || !strcmp(text, "true") || !strcmp(text, "1"))
                *ret = true;
        else if (!strcmp(text, "false") || !strcmp(text, "0"))
                *ret = false;
        else
                return wrong(error, "--%s wants true or false, as in --%s=false, not " QUOTED, option->name,
                             option->name, text);
        return 0;
}

static int append(const char ***list, size_t *n, const char *text)
{
        const char **more = reallocarray(*list, *n + 1, sizeof(**list));

        if (!more)
                return -ENOMEM;
        more[(*n)++] = text;
        *list = more;
        return 0;
}

/* Notes one option in @arguments. @value is NULL where the option takes none. */
static int take_option(const struct option *option, const char *value, struct arguments *arguments,
                       struct cip_error *error)
{
        char *member = (char *)arguments + option->offset;

        switch (option->kind) {
        case OPTION_FLAG:
                *(bool *)member = true;
                return 0;
        case OPTION_BOOL:
                return parse_bool(option, value, (bool *)member, error);
        case OPTION_TEXT:
                *(const char **)(void *)member = value;
                return 0;
        case OPTION_LIST:
                return append(&arguments->decryption_keys, &arguments->n_decryption_keys, value);
        case OPTION_SECONDS:
                return parse_seconds(option, value, (uint64_t *)(void *)member, error);
        case OPTION_JOBS:
                return parse_count(option, value, 1, JOBS_MAX, (uint64_t *)(void *)member, error);
        case OPTION_RETRIES:
                return parse_count(option, value, 0, RETRIES_MAX, (uint64_t *)(void *)member, error);
        case OPTION_ACTION:
                if (arguments->action == ACTION_RUN)
                        arguments->action = (enum action)option->offset;
                return 0;
        }
        return 0;
}

/* Where the reading of a command line is. */
struct reader {
        const char *const *argv;
        size_t argc, at;
        struct arguments *arguments;
        unsigned used; /* a bit for each row of options: which were given */
};

_Static_assert(ARRAY_SIZE(options) <= 32, "struct reader counts options in 32 bits");

/* Finds the option of the word, and the value that stands in the word itself (NULL: none). */
static int find_option(const char *word, const struct option **ret, const char **ret_value,
                       struct cip_error *error)
{
        size_t len;

        if (word[1] != '-') {
                for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                        if (options[i].letter != word[1] || (word[2] && !options[i].value))
                                continue;
                        *ret = &options[i];
                        *ret_value = word[2] ? word + 2 : NULL;
                        return 0;
                }
                return wrong(error, "there is no option " QUOTED "; `cip --help` names them all", word);
        }
        word += 2;
        len = strcspn(word, "=");
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                if (strlen(options[i].name) != len || strncmp(options[i].name, word, len) != 0)
                        continue;
                *ret = &options[i];
                *ret_value = word[len] ? word + len + 1 : NULL;
                return 0;
        }
        return no_such_option(word, len, error);
}

static int read_option(struct reader *reader, struct cip_error *error)
{
        const struct option *option = NULL;
        const char *value = NULL;
        int r = find_option(reader->argv[reader->at++], &option, &value, error);

        if (r < 0)
                return r;
        if (value && !option->value)
                return wrong(error, "--%s takes no value", option->name);
        if (!value && option->value && option->kind != OPTION_BOOL) {
                if (reader->at == reader->argc)
                        return wrong(error, "--%s wants a value: --%s %s", option->name, option->name,
                                     option->value);
                value = reader->argv[reader->at++];
        }
        if (value && !*value)
                return wrong(error, "--%s was given an empty value: --%s %s", option->name, option->name,
                             option->value);
        reader->used |= 1u << (option - options);
        return take_option(option, value, reader->arguments, error);
}

static int read_command(const char *word, struct arguments *arguments, struct cip_error *error)
{
        struct nearest nearest = {.name = word};

        for (size_t i = 0; i < COMMANDS; i++) {
                if (!strcmp(commands[i].name, word)) {
                        arguments->command = &commands[i];
                        return 0;
                }
                text_nearest(&nearest, commands[i].name);
        }
        if (nearest.best)
                return wrong(error, "there is no command " QUOTED "; did you mean '%s'?", word, nearest.best);
        return wrong(error, "there is no command " QUOTED "; `cip --help` names them all", word);
}

/* Sorts the words into options, the command and its operands. */
static int read_words(struct reader *reader, struct cip_error *error)
{
        struct arguments *arguments = reader->arguments;
        bool options_end = false;
        int r = 0;

        while (r == 0 && reader->at < reader->argc) {
                const char *word = reader->argv[reader->at];

                if (!options_end && word[0] == '-' && word[1]) {
                        options_end = !strcmp(word, "--");
                        if (options_end)
                                reader->at++;
                        else
                                r = read_option(reader, error);
                        continue;
                }
                reader->at++;
                if (!arguments->command) {
                        r = read_command(word, arguments, error);
                        continue;
                }
                arguments->words[arguments->n_operands++] = word;
                if (arguments->command->id == COMMAND_CALL)
                        options_end = true;
        }
        arguments->operands = arguments->words;
        return r;
}

/* What the options and operands have to be together. */
static int judge(const struct reader *reader, struct cip_error *error)
{
        const struct arguments *arguments = reader->arguments;
        const struct command *command = arguments->command;
        char text[200];

        if (arguments->action != ACTION_RUN)
                return 0;
        if (!command)
                return wrong(error, "a command is missing: try `cip inspect REF`, or `cip --help`");
        for (size_t i = 0; i < ARRAY_SIZE(options); i++)
                if (reader->used & (1u << i) && !is_for(&options[i], command))
                        return wrong(error, "--%s is an option of %s, not of %s", options[i].name,
                                     commands_of(&options[i], text, sizeof(text)), command->name);
        if (arguments->n_operands < command->n_min)
                return wrong(error, "too few arguments: it is `cip %s %s`", command->name, command->operands);
        if (arguments->n_operands > command->n_max)
                return wrong(error, "too many arguments, " QUOTED " is the first: it is `cip %s %s`",
                             arguments->operands[command->n_max], command->name, command->operands);
        if (!!arguments->authfile + arguments->auth_stdin + arguments->no_creds > 1)
                return wrong(error, "of --authfile, --auth-stdin and --no-creds only one can be given");
        return 0;
}

int arguments_parse(int argc, const char *const *argv, struct arguments *ret, struct cip_error *error)
{
        struct arguments arguments = {
                .timeout_ms = CIP_REQUEST_TIMEOUT_MS,
                .stall_timeout_ms = CIP_STALL_TIMEOUT_MS,
                .jobs = JOBS_DEFAULT,
                .tls_verify = true,
        };
        struct reader reader = {.argv = argv, .argc = (size_t)argc, .at = 1, .arguments = &arguments};
        int r;

        arguments.words = calloc((size_t)argc + 1, sizeof(*arguments.words));
        if (!arguments.words)
                return error_set(error, CIP_ERROR_LOCAL, -ENOMEM, "out of memory");
        r = read_words(&reader, error);
        if (r == 0)
                r = judge(&reader, error);
        if (r == -ENOMEM)
                error_set(error, CIP_ERROR_LOCAL, r, "out of memory");
        if (r < 0) {
                arguments_clear(&arguments);
                return r;
        }
        *ret = arguments;
        return 0;
}

/* ---- help ---- */

static void print_options(FILE *file, const struct command *command)
{
        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                const struct option *option = &options[i];
                char text[64], only[100];
                int n = 0;

                if (command && !is_for(option, command))
                        continue;
                if (option->letter)
                        n = snprintf(text, sizeof(text), "-%c, ", option->letter);
                snprintf(text + n, sizeof(text) - (size_t)n, "--%s%s%s", option->name,
                         !option->value                ? ""
                         : option->kind == OPTION_BOOL ? "="
                                                       : " ",
                         option->value ? option->value : "");
                if (!command && option->commands)
                        fprintf(file, "  %-26s %s: %s\n", text, commands_of(option, only, sizeof(only)),
                                option->about);
                else
                        fprintf(file, "  %-26s %s\n", text, option->about);
        }
}

void arguments_print_help(FILE *file, const struct command *command)
{
        if (command) {
                fprintf(file, "Usage: cip [options] %s %s\n\n%s %s\n\nOptions:\n", command->name,
                        command->operands, command->about, command->details);
                print_options(file, command);
                return;
        }
        fprintf(file, "Usage: cip [options] COMMAND ARG ..\n\n"
                      "Fetches container images through `skopeo experimental-image-proxy`.\n\nCommands:\n");
        for (size_t i = 0; i < COMMANDS; i++)
                fprintf(file, "  %-9s%-18s  %s\n", commands[i].name,
                        commands[i].id == COMMAND_CALL ? "METHOD [ARG ..]" : commands[i].operands,
                        commands[i].about);
        fprintf(file,
                "\nREF is TRANSPORT:NAME as skopeo takes it: docker://quay.io/fedora/fedora:latest, "
                "oci:DIR:TAG,\n"
                "dir:DIR, oci-archive:FILE, docker-archive:FILE, containers-storage:NAME, ..\n\nOptions:\n");
        print_options(file, NULL);
        fprintf(file, "\nExit status: 0 all is well, 1 the server or the image fell short, 2 wrong use or "
                      "environment.\n"
                      "`cip COMMAND --help` says more of one command, cip(1) more of everything.\n");
}

/* ---- completion ---- */

/* What the protocol's methods are called, for `call`. */
static void offer_methods(struct completer *completer)
{
        for (size_t i = 0; i < METHODS; i++)
                completion_offer(completer, methods[i].name, NULL);
}

/* The options of a command, for completion; before a command all may stand. Returns how many. */
static size_t completion_options(const struct command *command, struct completion_option *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
                const struct option *option = &options[i];
                bool is_bool = option->kind == OPTION_BOOL;

                if (command && !is_for(option, command))
                        continue;
                ret[n++] = (struct completion_option){
                        .name = option->name,
                        .letter = option->letter,
                        .takes_value = option->value,
                        .attached = is_bool,
                        .value = {is_bool ? COMPLETION_WORDS : option->completion,
                                  is_bool ? "true|false" : NULL, NULL},
                        .about = option->about,
                };
        }
        return n;
}

/* The references of images that lie on disk are files behind a colon. */
#define TRANSPORTS "oci:|dir:|oci-archive:|docker-archive:|docker://|containers-storage:|docker-daemon:"

void arguments_complete(const char *const *words, size_t n_words, FILE *out)
{
        struct completion_option rows[COMMANDS + 1][ARRAY_SIZE(options)];
        struct completion_command all[COMMANDS + 1] = {
                {.options = rows[0], .n_options = completion_options(NULL, rows[0])},
        };

        for (size_t i = 0; i < COMMANDS; i++)
                all[i + 1] = (struct completion_command){
                        .name = commands[i].name,
                        .about = commands[i].about,
                        .options = rows[i + 1],
                        .n_options = completion_options(&commands[i], rows[i + 1]),
                        .first = {COMPLETION_WORD_FILE, TRANSPORTS, NULL},
                };
        all[COMMAND_PULL + 1].rest = (struct completion_value){COMPLETION_WORD_FILE, "oci:", NULL};
        all[COMMAND_CALL + 1].first = (struct completion_value){COMPLETION_WORDS, NULL, offer_methods};
        all[COMMAND_CALL + 1].rest = (struct completion_value){COMPLETION_WORD_FILE, TRANSPORTS, NULL};
        all[COMMAND_CALL + 1].again = "+";
        all[COMMAND_CALL + 1].options_end = true;
        completion_answer(all, COMMANDS + 1, words, n_words, out);
}
