/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One check in a catalogue of one, given to the runner. The judge tells in sentences what falls short; a table
 * finds them and names the symptom, which with what does harm in the scenario is the cause.
 */
#include "fuzz/client-try.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "conformance/runner.h"

/* For judging and ending, beyond the client's own time. */
#define JUDGING_SECONDS 60

const struct oracle client_oracles[] = {
        {"hangs", "The user waits for ever.", NULL},
        {"crashes", "The client dies, and says nothing of use.", NULL},
        {"believes", "The client says that all is well, and it is not.", NULL},
        {"gives-up", "An image cannot be fetched from a server that serves it.", NULL},
        {"wrong-result", "What the client wrote is not the image, and it says that it is.", NULL},
        {"misleads", "What a failed fetch left will be taken for an image.", NULL},
        {"unfinished", "The client cannot know whether its data is whole.", NULL},
        {"incomplete", "The client says that it has what it never asked for.", NULL},
        {"kills", "The server cannot clean up, and leaves files behind.", NULL},
        {"descriptors", "The server gets descriptors that it has no use for.", NULL},
        {"processes", "Processes stay behind, and add up.", NULL},
        {"files", "Files stay behind, and fill the disk.", NULL},
        {"not-run", "The client does not start the server, or ends without asking it anything.", NULL},
        {"other", "The client falls short.", NULL},
};
const size_t n_client_oracles = ARRAY_SIZE(client_oracles);

/* How client-judge.c says it. */
static const struct symptom {
        const char *phrase, *oracle;
        const char *detail,
                *detail_end; /* what follows these words, up to those, is part of the symptom; may be NULL */
} symptoms[] = {
        {"it hangs: ", "hangs", "latest request: ", ")"},
        {"it crashed: ", "crashes", "the client ", ";"},
        {"as if all were well", "believes", NULL, NULL},
        {"and all was well (", "gives-up", "it said: ", ")"},
        {"its result ", "wrong-result", "its result ", ";"},
        {"what it left ", "misleads", "what it left ", ";"},
        {"it never called FinishPipe", "unfinished", "for a pipe of ", ","},
        {"it says that all is well and never asked", "incomplete", "never asked for ", ";"},
        {"it says that all is well and got ", "incomplete", NULL, NULL},
        {"it killed the server", "kills", NULL, NULL},
        {"descriptors to the server", "descriptors", NULL, NULL},
        {"behind (", "processes", NULL, NULL},
        {" in TMPDIR", "files", NULL, NULL},
        {" in XDG_RUNTIME_DIR", "files", NULL, NULL},
        {"it never started skopeo", "not-run", NULL, NULL},
        {"it started skopeo, which saw no session", "not-run", NULL, NULL},
};

struct client_try {
        struct client_try_options options;
        char *folder; /* a copy of the options' */
        struct runner *runner;
        const struct client_limit *limit; /* of the try under way */
        bool ended_by_us;
};

void client_trial_clear(struct client_trial *trial)
{
        free(trial->output);
        free(trial->transcript);
        free(trial->scenario);
        *trial = (struct client_trial){0};
}

/* The runner asks now and then: it ends for a signal, so it gets one. */
static void look_at_limit(void *data, const struct job *jobs, size_t n, const struct job *const *running,
                          size_t n_running)
{
        struct client_try *try = data;
        struct pollfd stop = {try->limit->stop_fd, POLLIN, 0};

        (void)jobs;
        (void)n;
        (void)running;
        if (try->ended_by_us || n_running == 0 ||
            (poll(&stop, 1, 0) <= 0 && !deadline_passed(try->limit->deadline)))
                return;
        try->ended_by_us = true;
        kill(getpid(), SIGTERM);
}

int client_try_new(const struct client_try_options *options, struct client_try **ret, struct cip_error *error)
{
        CLEANUP(cleanup_client_try_free) struct client_try *try = calloc(1, sizeof(*try));
        int r;

        if (!try || !(try->folder = strdup(options->folder)))
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot try a client");
        try->options = *options;
        r = runner_new(
                &(struct run_options){
                        .jobs = 1,
                        .timeout = options->seconds + options->client->patience + JUDGING_SECONDS,
                        .folder = try->folder,
                        .progress = look_at_limit,
                        .progress_data = try,
                },
                &try->runner, error);
        if (r == 0)
                *ret = STEAL(try);
        return r;
}

void client_try_free(struct client_try *try)
{
        if (!try)
                return;
        runner_free(try->runner);
        free(try->folder);
        free(try);
}

/* ---- keys ---- */

/* The words without what is by chance: digits, absolute paths, what is in quotes. */
static void essence(const char *text, size_t len, char *ret, size_t size)
{
        size_t used = 0;
        char quote = 0;
        bool path = false;

        for (size_t i = 0; i < len && used + 1 < size; i++) {
                char c = text[i];

                if (c == quote) {
                        quote = 0;
                        continue;
                }
                if (!quote && (c == '"' || (c == '\'' && (i == 0 || text[i - 1] == ' '))))
                        quote = c;
                path = c != ' ' && c != ':' && (path || (c == '/' && (i == 0 || text[i - 1] == ' ')));
                if (quote || path)
                        continue;
                if ((c >= '0' && c <= '9') || c == '|' || (used && c == ' ' && ret[used - 1] == ' '))
                        continue;
                ret[used++] = c;
        }
        while (used && ret[used - 1] == ' ')
                used--;
        ret[used] = '\0';
}

#define DETAIL_MAX 80

static void find_detail(const struct symptom *symptom, const char *sentence, char ret[DETAIL_MAX])
{
        const char *start = symptom->detail ? strstr(sentence, symptom->detail) : NULL;
        const char *end;

        *ret = '\0';
        if (!start)
                return;
        start += strlen(symptom->detail);
        end = strstr(start, symptom->detail_end);
        essence(start, end ? (size_t)(end - start) : strlen(start), ret, DETAIL_MAX);
}

static const struct oracle *find_oracle(const char *name)
{
        size_t i = 0;

        while (strcmp(client_oracles[i].name, name) != 0)
                i++;
        return &client_oracles[i];
}

static void add_fault(struct client_trial *trial, const char *oracle, const char *detail, const char *message)
{
        struct piece *piece = &trial->piece;
        struct fault *fault = &piece->faults[piece->n_faults];

        for (size_t i = 0; i < piece->n_faults; i++)
                if (strcmp(piece->faults[i].oracle->name, oracle) == 0)
                        return;
        if (piece->n_faults == ENGINE_FAULTS_MAX)
                return;
        piece->n_faults++;
        *fault = (struct fault){.oracle = find_oracle(oracle)};
        snprintf(fault->key, sizeof(fault->key), "%s%s%s | %s", oracle, *detail ? " " : "", detail,
                 trial->words);
        snprintf(fault->sentence, sizeof(fault->sentence), "%.*s", FAULT_SENTENCE_SIZE - 1, message);
}

static void find_symptoms(struct client_trial *trial, const char *message)
{
        for (size_t i = 0; i < ARRAY_SIZE(symptoms); i++) {
                const char *found = strstr(message, symptoms[i].phrase);
                char detail[DETAIL_MAX];

                if (!found)
                        continue;
                find_detail(&symptoms[i], found, detail);
                add_fault(trial, symptoms[i].oracle, detail, message);
        }
        if (trial->piece.n_faults == 0)
                add_fault(trial, "other", "", message);
}

bool client_same_symptom(const char *key, const char *other)
{
        size_t len = strcspn(key, "|");

        return len == strcspn(other, "|") && strncmp(key, other, len) == 0;
}

/* ---- one ---- */

const char *client_scenario_text(const struct client_try *try, struct json_object *scenario)
{
        char words[HARM_WORDS_SIZE];

        harm_add_client(scenario, harm_expect(scenario, words), try->options.seconds);
        return json_object_to_json_string_ext(scenario, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                                JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* The scenario with what is expected, in a file. *@ret_path is the caller's. */
static int write_scenario(struct client_try *try, struct json_object *scenario, struct client_trial *trial,
                          char **ret_path, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *copy = NULL;
        const char *name = json_object_get_string(json_object_object_get(scenario, "scenario"));

        if (json_object_deep_copy(scenario, &copy, NULL) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a scenario");
        trial->must = harm_expect(copy, trial->words);
        if (asprintf(&trial->scenario, "%s\n", client_scenario_text(try, copy)) < 0) {
                trial->scenario = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a scenario");
        }
        if (asprintf(ret_path, "%s/%s.json", try->folder, name) < 0) {
                *ret_path = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a scenario");
        }
        return replace_file_at(AT_FDCWD, *ret_path, trial->scenario, strlen(trial->scenario), error);
}

static int take_job(const struct job *job, struct client_trial *trial, struct cip_error *error)
{
        trial->piece.steps = 1;
        trial->piece.slowest = job->seconds;
        trial->outcome = job->kind == OUTCOME_PASS ? "pass" : job->kind == OUTCOME_SKIP ? "skip" : "fail";
        if (job->kind == OUTCOME_ERROR)
                return error_set(error, CIP_ERROR_LOCAL, -EIO, "%s", job->message);
        if (job->kind != OUTCOME_FAIL)
                return 0;
        find_symptoms(trial, job->message);
        trial->output = job->stderr_text ? strdup(job->stderr_text) : NULL;
        trial->transcript = job->transcript ? strdup(job->transcript) : NULL;
        return 0;
}

static int run_job(struct client_try *try, const struct scenario_case *detail, struct client_trial *trial,
                   struct cip_error *error)
{
        const struct check check = {.id = "fuzz/scenario",
                                    .requires = "",
                                    .reference = "",
                                    .run = client_run,
                                    .own_start = true,
                                    .detail = detail};
        struct job job = {.check = &check, .subject = &try->options.client->subject};
        int r = runner_run(try->runner, &job, 1, error);

        if (r > 0 && !try->ended_by_us)
                raise(r); /* it was meant for the caller */
        if (r != 0)
                r = r > 0 ? error_set(error, CIP_ERROR_LOCAL, -EINTR, "interrupted") : r;
        else
                r = job.done ? take_job(&job, trial, error)
                             : error_set(error, CIP_ERROR_LOCAL, -EINTR, "interrupted");
        job_clear(&job);
        return r;
}

int client_try(struct client_try *try, struct json_object *scenario, const struct client_limit *limit,
               struct client_trial *ret, struct cip_error *error)
{
        CLEANUP(cleanup_problems) struct problems problems = {0};
        CLEANUP(cleanup_scenario_free) struct scenario *parsed = NULL;
        CLEANUP(cleanup_client_trial) struct client_trial trial = {0};
        CLEANUP(cleanup_free) char *path = NULL;
        int r;

        if (!harm_is_bounded(scenario))
                return -EINVAL;
        r = write_scenario(try, scenario, &trial, &path, error);
        if (r == 0 && (r = scenario_read(path, &parsed, &problems)) < 0)
                error_set_errno(error, CIP_ERROR_LOCAL, r, "cannot read a scenario");
        if (r == 0) {
                try->limit = limit;
                try->ended_by_us = false;
                r = run_job(try, &(struct scenario_case){.scenario = parsed, .path = path}, &trial, error);
        }
        if (path)
                unlink(path);
        if (r < 0)
                return r;
        *ret = trial;
        trial = (struct client_trial){0};
        return 0;
}
