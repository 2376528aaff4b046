/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `client`: scenarios by chance against one client. The same engine as for servers runs them; what one piece of
 * work is, and what is made smaller, is a scenario here.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/tmpdir.h"
#include "conformance/client-options.h"
#include "conformance/place.h"
#include "fuzz/causes.h"
#include "fuzz/client-try.h"
#include "fuzz/commands.h"
#include "fuzz/finding.h"
#include "fuzz/invent.h"
#include "fuzz/reduce.h"

/* Scenarios at once for each processor: many wait. */
#define JOBS_PER_PROCESSOR 4

/* The client's own seconds, where nobody says, and what it gets beyond them. */
#define SECONDS_DEFAULT 30
#define PATIENCE 10

/* Seconds that one fault's minimising may take, also when the run's time is over. */
#define REDUCE_SECONDS 60
#define REDUCE_LATE_SECONDS 5

struct client_hunt {
        struct fuzz_settings settings; /* the first member, for option tables */
        struct client_options options;
        struct client client;
        char *fake_path, *folder;
        struct scenarios *scenarios; /* for the baseline */
        struct baseline *baseline;
        struct client_try *try; /* for minimising, in this process */
        struct causes causes;
        int error; /* of writing a finding */
};

/* ---- options ---- */

#define OF_CLIENT offsetof(struct client_hunt, options)

static const struct option_row rows[] = {
        {"time", "SECONDS", "how long (default: until Ctrl-C, or until --steps)", take_time},
        {"steps", "N", "end after about so many scenarios", take_steps},
        {"seed", "N", "the same seed makes the same scenarios (default: by chance; it is printed)", take_seed},
        {"jobs", "N", "scenarios at once (default: four for each processor, as many wait)", take_jobs},
        {"result", "[=DIR]", CLIENT_RESULT_HELP, client_take_result, OF_CLIENT},
        {"deadline", "SECONDS",
         "the client is to end within so many in each scenario, and\n10 of patience (default: 30)",
         take_deadline},
        {"findings", "DIR", "where findings are written (default: findings)", take_findings},
        {"known", "FILE",
         "a baseline of the client suite with what is known; its `faults` are globs\nover keys", take_known},
        {"release", "VERSION", "the client's release, for --known", client_take_release, OF_CLIENT},
        {"env", "NAME=VALUE", CLIENT_ENVIRONMENT_HELP, client_take_environment, OF_CLIENT},
        {"fake", "PROGRAM", CLIENT_FAKE_HELP, client_take_fake, OF_CLIENT},
        {"help", NULL, "print this", take_help},
};
const struct option_table client_options = {rows, ARRAY_SIZE(rows)};

static void print_help(void)
{
        puts("Usage: cip-fuzz client [options] -- COMMAND .. {ref} ..\n\n"
             "Runs COMMAND, which fetches the image {ref} completely, verified, with status 0 when all is well "
             "and "
             "another\n"
             "one when it is not, against servers that do this and that by chance. What counts is that it ends "
             "in "
             "time,\n"
             "crashes nowhere, leaves nothing behind, bears what does no harm, and says of nothing wrong that "
             "it is "
             "right.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        oracles_print(client_oracles, n_client_oracles, stdout);
        puts("\nExit status: 0 nothing new, 1 something was found, 2 wrong use or environment, 130 after "
             "Ctrl-C.\n\n"
             "  cip-fuzz client --time 60 --result -- cip pull {ref} oci:{result}");
}

/* ---- in a worker ---- */

struct client_worker {
        struct client_hunt *hunt;
        struct client_try *try;
        char *folder;
};

static int begin_try(const struct client_hunt *hunt, const char *folder, struct client_try **ret,
                     struct cip_error *error)
{
        if (mkdir(folder, 0700) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make the folder %s", folder);
        return client_try_new(
                &(struct client_try_options){
                        .client = &hunt->client,
                        .folder = folder,
                        .seconds = (unsigned)hunt->settings.deadline,
                },
                ret, error);
}

static int worker_begin(void *data, size_t number, void **ret_state, struct cip_error *error)
{
        struct client_worker *worker = calloc(1, sizeof(*worker));

        if (!worker)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot begin");
        *ret_state = worker;
        worker->hunt = data;
        if (asprintf(&worker->folder, "%s/worker-%zu", worker->hunt->folder, number) < 0) {
                worker->folder = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot begin");
        }
        return begin_try(worker->hunt, worker->folder, &worker->try, error);
}

static void worker_end(void *state)
{
        struct client_worker *worker = state;

        client_try_free(worker->try);
        free(worker->folder);
        free(worker);
}

static int worker_run(void *state, uint64_t number, int stop_fd, struct piece *ret, struct cip_error *error)
{
        struct client_worker *worker = state;
        CLEANUP(cleanup_json)
        struct json_object *scenario = invent_scenario(worker->hunt->settings.seed, number);
        CLEANUP(cleanup_client_trial) struct client_trial trial = {0};
        const struct client_limit limit = {stop_fd, DEADLINE_NEVER};
        char state_words[HARM_WORDS_SIZE + 32];
        int r;

        if (!scenario)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot make a scenario");
        r = client_try(worker->try, scenario, &limit, &trial, error);
        if (r == -EINVAL) { /* it would take for ever by itself */
                *ret = (struct piece){.steps = 1};
                return 0;
        }
        if (r < 0)
                return r;
        snprintf(state_words, sizeof(state_words), "%s %s", trial.outcome, trial.words);
        engine_state(state_words);
        *ret = trial.piece;
        return 0;
}

/* ---- findings ---- */

static size_t count_rules(struct json_object *scenario)
{
        struct json_object *rules = json_object_object_get(scenario, "rules");

        return rules ? json_object_array_length(rules) : 0;
}

/* What minimising asks: does the scenario still have a fault with this symptom? */
struct question {
        struct client_hunt *hunt;
        const char *key;
        struct client_limit limit;
        struct fault fault;        /* of the last yes, .. */
        struct client_trial trial; /* .. and what came of it */
        size_t tries;
};

static int ask(void *data, struct json_object *scenario)
{
        struct question *question = data;
        CLEANUP(cleanup_client_trial) struct client_trial trial = {0};
        int r;

        if (engine_interrupted())
                return -EINTR;
        engine_doing("minimising %.60s (%zu rules, try %zu)", question->key, count_rules(scenario),
                     ++question->tries);
        r = client_try(question->hunt->try, scenario, &question->limit, &trial, NULL);
        if (r == -EINVAL)
                return 0;
        if (r < 0)
                return r;
        for (size_t i = 0; i < trial.piece.n_faults; i++) {
                struct client_trial old = question->trial;

                if (!client_same_symptom(trial.piece.faults[i].key, question->key))
                        continue;
                trial.piece.faults[i].after = question->fault.after;
                question->fault = trial.piece.faults[i];
                question->trial = trial;
                trial = old;
                return 1;
        }
        return 0;
}

/* Only what can be parsed is asked about. */
static int ask_if_valid(void *data, struct json_object *scenario)
{
        CLEANUP(cleanup_problems) struct problems problems = {0};
        CLEANUP(cleanup_scenario_free) struct scenario *parsed = NULL;
        size_t len;
        const char *text = json_object_to_json_string_length(scenario, JSON_C_TO_STRING_PLAIN, &len);
        int r = scenario_parse(text, len, NULL, &parsed, &problems);

        if (r == -EINVAL)
                return 0;
        return r < 0 ? r : ask(data, scenario);
}

/*
 * `cip-conformance client` with the finding's folder; an array to free, or NULL. @result: room for one of its
 * words.
 */
static const char **make_again(const struct client_hunt *hunt, char result[PATH_MAX])
{
        static const char *const begin[] = {"cip-conformance", "client",   "--scenarios",
                                            FINDING_SCENARIOS, "--filter", "other"};
        const struct client_options *options = &hunt->options;
        const char *const *command = hunt->client.subject.command;
        size_t n = ARRAY_SIZE(begin), n_command = 0;
        const char **words;

        while (command[n_command])
                n_command++;
        words = calloc(n + 2 * options->n_environment + n_command + 3, sizeof(*words));
        if (!words)
                return NULL;
        memcpy(words, begin, sizeof(begin));
        if (options->has_result) {
                snprintf(result, PATH_MAX, "--result%s%s", options->result ? "=" : "",
                         options->result ? options->result : "");
                words[n++] = result;
        }
        for (size_t i = 0; i < options->n_environment; i++) {
                words[n++] = "--env";
                words[n++] = options->environment[i];
        }
        words[n++] = "--";
        memcpy(words + n, command, n_command * sizeof(*words));
        return words;
}

static int write_down(struct client_hunt *hunt, uint64_t number, struct json_object *scenario,
                      const struct question *question, char **ret_path, struct cip_error *error)
{
        char result[PATH_MAX];
        CLEANUP(cleanup_free) const char **again = make_again(hunt, result);

        if (!again)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a finding");
        return finding_write(
                hunt->settings.findings,
                &(struct finding){
                        .way = "client",
                        .fault = &question->fault,
                        .scenario = question->trial.scenario ? question->trial.scenario
                                                             : client_scenario_text(hunt->try, scenario),
                        .scenario_name = json_object_get_string(json_object_object_get(scenario, "scenario")),
                        .seed = hunt->settings.seed,
                        .number = number,
                        .again = again,
                        .command = hunt->client.subject.command,
                        .release = hunt->options.release,
                        .output = question->trial.output,
                        .transcript_text = question->trial.transcript,
                },
                ret_path, error);
}

static const char *known_sentence(const struct client_hunt *hunt, const char *key)
{
        return known_fault(hunt->baseline, hunt->client.subject.version,
                           hunt->options.release ? hunt->options.release : "", key);
}

/* Makes the scenario smaller, which may show that the cause is a known one. */
static void look_closely(struct client_hunt *hunt, uint64_t number, struct cause *cause,
                         const struct fault *fault)
{
        struct json_object *scenario = invent_scenario(hunt->settings.seed, number);
        struct question question = {.hunt = hunt,
                                    .key = fault->key,
                                    .fault = *fault,
                                    .limit = {-1, engine_deadline(REDUCE_SECONDS, REDUCE_LATE_SECONDS)}};
        CLEANUP(cleanup_free) char *path = NULL;
        struct cip_error error = {0};
        bool again;

        if (!scenario)
                return;
        again = ask(&question, scenario) == 1;
        if (again)
                reduce(&scenario, ask_if_valid, &question, question.limit.deadline, NULL);
        cause = causes_rename(&hunt->causes, cause, question.fault.key);
        if (cause)
                causes_settle(&hunt->causes, cause, known_sentence(hunt, cause->key));
        if (cause && !cause->known) {
                if (write_down(hunt, number, scenario, &question, &path, &error) < 0) {
                        engine_say("%s", "");
                        hunt->error = fail_usage("client: %s", error.message);
                        engine_stop();
                } else {
                        engine_say("found  %s  after %.1f s\n       %s\n       %s%zu rules: %s\n", cause->key,
                                   fault->after, question.fault.sentence,
                                   again ? "" : "not again at the second try; ", count_rules(scenario), path);
                }
        }
        engine_doing(NULL);
        client_trial_clear(&question.trial);
        json_object_put(scenario);
}

static void found(void *data, uint64_t number, const struct fault *fault)
{
        struct client_hunt *hunt = data;
        struct cause *cause = causes_count(&hunt->causes, fault);
        const char *known;

        if (!cause)
                return;
        known = known_sentence(hunt, fault->key);
        if (known)
                causes_settle(&hunt->causes, cause, known);
        else
                look_closely(hunt, number, cause, fault);
}

/* ---- before ---- */

static int load_known(struct client_hunt *hunt, struct cip_error *error)
{
        int r = hunt->settings.known ? scenarios_load(NULL, stderr, &hunt->scenarios, error) : 0;

        if (r < 0 || !hunt->settings.known)
                return r;
        return baseline_load(&hunt->scenarios->catalogue, hunt->settings.known, &hunt->baseline, error);
}

static int make_places(struct client_hunt *hunt, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *folder = NULL;
        int r = finding_judge_folder(hunt->settings.findings, error);

        if (r == 0)
                r = place_new("cip-fuzz", &hunt->folder, error);
        if (r < 0)
                return r;
        if (asprintf(&folder, "%s/minimise", hunt->folder) < 0) {
                folder = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot begin");
        }
        return begin_try(hunt, folder, &hunt->try, error);
}

/* A client that cannot fetch an image from a faithful server would fall short of everything. */
static int probe(struct client_hunt *hunt, struct cip_error *error)
{
        static const char text[] = "{\"scenario\": \"probe\", \"about\": \"Nothing is wrong.\"}";
        CLEANUP(cleanup_json) struct json_object *scenario = json_tokener_parse(text);
        CLEANUP(cleanup_client_trial) struct client_trial trial = {0};
        const struct client_limit limit = {-1, DEADLINE_NEVER};
        int r = client_try(hunt->try, scenario, &limit, &trial, error);

        if (r == 0 && trial.piece.n_faults)
                return error_set(
                        error, CIP_ERROR_LOCAL, -EPROTO,
                        "nothing can be learned of a client that falls short where nothing is wrong: %s",
                        trial.piece.faults[0].sentence);
        return r;
}

static int prepare(struct client_hunt *hunt, struct cip_error *error)
{
        int r = client_options_judge(&hunt->options, hunt->client.subject.command, hunt->settings.known, error);

        if (r == 0)
                r = client_options_apply(&hunt->options, &hunt->client, &hunt->fake_path, error);
        if (r == 0)
                r = load_known(hunt, error);
        if (r < 0)
                return r;
        hunt->client.reference = "fake:scenario";
        hunt->client.patience = PATIENCE;
        r = make_places(hunt, error);
        return r < 0 ? r : probe(hunt, error);
}

/* ---- the run ---- */

static int run(struct client_hunt *hunt)
{
        const struct engine_job job = {worker_begin, worker_run, worker_end, found, hunt};
        struct engine_result result;
        struct cip_error error = {0};
        int r = engine_run(
                &(struct engine_options){
                        .what = "scenarios",
                        .is_step = true,
                        .jobs = hunt->settings.jobs,
                        .seconds = hunt->settings.seconds,
                        .steps = hunt->settings.steps,
                        .progress = true,
                        .start = hunt->settings.start,
                },
                &job, &result, &error);

        if (r < 0)
                return fail_usage("client: %s", error.message);
        printf("%" PRIu64 " scenarios in %.1f s (%.1f a second), %" PRIu64 " states; seed %lu\n", result.pieces,
               result.seconds, (double)result.pieces / result.seconds, result.states, hunt->settings.seed);
        causes_print(&hunt->causes, hunt->settings.findings, stdout);
        if (hunt->error)
                return hunt->error;
        return result.interrupted ? 128 + result.interrupted : hunt->causes.n_new ? EXIT_FOUND : EXIT_FINE;
}

static void client_hunt_free(struct client_hunt *hunt)
{
        client_try_free(hunt->try);
        tmpdir_remove(hunt->folder);
        baseline_free(hunt->baseline);
        scenarios_free(hunt->scenarios);
        client_options_clear(&hunt->options);
        free(hunt->fake_path);
        free(hunt);
}

static int prepare_and_run(struct client_hunt *hunt)
{
        struct cip_error error = {0};
        int r;

        fuzz_settings_complete(&hunt->settings);
        fprintf(stderr, "seed %lu\n", hunt->settings.seed);
        r = prepare(hunt, &error);
        if (r == -EINTR)
                return 128 + SIGINT;
        return r < 0 ? fail_usage("client: %s", error.message) : run(hunt);
}

int command_client(const char *const *argv)
{
        struct client_hunt *hunt = calloc(1, sizeof(*hunt));
        struct cip_error error = {0};
        bool dashes;
        int r;

        if (!hunt)
                return fail_usage("out of memory");
        fuzz_settings_init(&hunt->settings);
        hunt->settings.jobs *= JOBS_PER_PROCESSOR;
        hunt->settings.deadline = SECONDS_DEFAULT;
        r = options_parse(rows, ARRAY_SIZE(rows), argv, hunt, &dashes, &error);
        if (r < 0) {
                r = fail_usage("client: %s", error.message);
        } else if (hunt->settings.help) {
                print_help();
                r = EXIT_FINE;
        } else if (!argv[r]) {
                r = fail_usage("client: which client? For example: cip-fuzz client -- cip pull {ref} oci:DIR");
        } else {
                hunt->client.subject.command = argv + r;
                r = prepare_and_run(hunt);
        }
        client_hunt_free(hunt);
        return r;
}
