/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `server`: sequences of a model against one server, judged by the oracles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fuzz/hunt.h"

static const struct option_row rows[] = {
        {"time", "SECONDS", "how long (default: until Ctrl-C, or until --steps)", take_time},
        {"steps", "N", "end after about so many steps", take_steps},
        {"seed", "N", "the same seed makes the same sequences (default: by chance; it is printed)", take_seed},
        {"jobs", "N", "sessions at once (default: one for each processor)", take_jobs},
        {"deadline", "SECONDS", "no answer for so long, while the server sleeps, is a fault (default: 10)",
         take_deadline},
        {"findings", "DIR", "where findings are written (default: findings)", take_findings},
        {"known", "FILE", "a baseline with what is known (default: the known defects of released skopeos)",
         take_known},
        {"no-known", NULL, "nothing is known", take_no_known},
        {"profile", "skopeo|bare",
         "how the server is called:\nskopeo: COMMAND experimental-image-proxy (default)\nbare: COMMAND "
         "--sockfd 3",
         take_profile},
        {"help", NULL, "print this", take_help},
};
const struct option_table server_options = {rows, ARRAY_SIZE(rows)};

/* ---- the way of one server ---- */

static int begin(struct hunt *hunt, const char *name, size_t ready, void **ret_state, struct cip_error *error)
{
        return ground_stable(&hunt->ground, &hunt->subject, name, ready, (struct stable **)ret_state, error);
}

static void end(void *state)
{
        stable_free(state);
}

/* What a session has been through, as words: methods and what became of them, in pairs. */
static void tell_states(const struct sequence *sequence, const struct run *run)
{
        char last[32] = "", word[128];

        for (size_t i = 0; i < run->n_packets; i++) {
                const struct seen_packet *packet = &run->packets[i];
                const struct step *step =
                        packet->step < sequence->n_steps ? &sequence->steps[packet->step] : NULL;
                const char *name =
                        step && step->len ? memmem(step->text, step->len, "\"method\":\"", 10) : NULL;
                char now[32];

                snprintf(now, sizeof(now), "%.20s%s%zu", name ? name + 10 : "?",
                         strstr(packet->data, "\"success\":true") ? "+" : "-", packet->n_fds);
                snprintf(word, sizeof(word), "%s>%s", last, now);
                engine_state(word);
                memcpy(last, now, sizeof(last));
        }
        snprintf(word, sizeof(word), "%s.%d.%d", last, run->end, run->status);
        engine_state(word);
}

void hunt_judge(struct hunt *hunt, const struct sequence *sequence, const struct run *run, struct piece *ret)
{
        ret->steps = run->end_step ? run->end_step : 1;
        ret->slowest = run->slowest;
        ret->n_faults = oracles_judge(&(struct evidence){sequence, run, hunt->ground.images}, ret->faults,
                                      ENGINE_FAULTS_MAX);
}

static int try_sequence(struct hunt *hunt, void *state, struct trial *trial, struct cip_error *error)
{
        struct run run;
        int r = drive(state, trial->sequence,
                      &(struct drive_options){
                              .deadline = hunt->settings.deadline,
                              .stop_fd = trial->stop_fd,
                              .transcript = trial->transcript,
                      },
                      &run, error);

        if (r < 0)
                return r;
        tell_states(trial->sequence, &run);
        hunt_judge(hunt, trial->sequence, &run, &trial->piece);
        trial->stderr_text = STEAL(run.stderr_text);
        run_clear(&run);
        return 0;
}

const struct hunt_way hunt_server = {"server", begin, try_sequence, end};

/* ---- the command ---- */

static void print_help(void)
{
        puts("Usage: cip-fuzz server [options] -- COMMAND ..\n\n"
             "Sends sequences of right, nearly right and wrong requests to COMMAND, a fresh one for each, and "
             "looks for\n"
             "crashes, hangs, broken replies, wrong data and leaks.\n");
        options_print(rows, ARRAY_SIZE(rows), stdout);
        oracles_print(oracles, n_oracles, stdout);
        puts("\nExit status: 0 nothing new, 1 something was found, 2 wrong use or environment, 130 after "
             "Ctrl-C.\n\n"
             "  cip-fuzz server --time 60 -- skopeo");
}

int command_server(const char *const *argv)
{
        CLEANUP(cleanup_free) struct hunt *hunt = calloc(1, sizeof(*hunt));
        struct cip_error error = {0};
        bool dashes;
        int r;

        if (!hunt)
                return fail_usage("out of memory");
        fuzz_settings_init(&hunt->settings);
        r = options_parse(rows, ARRAY_SIZE(rows), argv, hunt, &dashes, &error);
        if (r < 0)
                return fail_usage("server: %s", error.message);
        if (hunt->settings.help) {
                print_help();
                return EXIT_FINE;
        }
        if (!argv[r])
                return fail_usage("server: which server? For example: cip-fuzz server --time 60 -- skopeo");
        fuzz_settings_complete(&hunt->settings);
        hunt->way = &hunt_server;
        hunt->subject = (struct subject){.command = argv + r, .profile = hunt->settings.profile};
        r = hunt_prepare(hunt);
        if (r == 0)
                r = hunt_run(hunt);
        hunt_clear(hunt);
        return r;
}
