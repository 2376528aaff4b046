/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of cip-fuzz, and what they have in common. Each gets the words behind its name, NULL-terminated,
 * and returns the exit status: 0 fine, 1 something was found, 2 wrong use or environment, 128 and more: ended
 * by a signal.
 */
#ifndef FUZZ_COMMANDS_H
#define FUZZ_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cip-error.h"
#include "conformance/baseline.h"
#include "conformance/commands.h"
#include "conformance/options.h"
#include "conformance/probe.h"
#include "conformance/subject.h"
#include "fuzz/drive.h"
#include "fuzz/engine.h"
#include "fuzz/images.h"

#define EXIT_FOUND 1

int command_replay(const char *const *argv);
int command_minimize(const char *const *argv);

/* Of `server`, `client` and `diff` they have conformance's names: one program has one of them each. */
extern const struct option_table replay_options, minimize_options;

/* ---- settings.c: options that commands share ---- */

/* The first member of a command's settings. */
struct fuzz_settings {
        unsigned long seed, jobs, steps;
        double seconds, deadline;
        uint64_t start; /* of the command, by monotonic_ns() */
        const char *findings, *known;
        bool has_seed, no_known, help;
        enum profile profile;
};

/* For rows of option tables. */
int take_seed(void *settings, const char *value, struct cip_error *error);
int take_jobs(void *settings, const char *value, struct cip_error *error);
int take_steps(void *settings, const char *value, struct cip_error *error);
int take_time(void *settings, const char *value, struct cip_error *error);
int take_deadline(void *settings, const char *value, struct cip_error *error);
int take_findings(void *settings, const char *value, struct cip_error *error);
int take_known(void *settings, const char *value, struct cip_error *error);
int take_no_known(void *settings, const char *value, struct cip_error *error);
int take_profile(void *settings, const char *value, struct cip_error *error);
int take_help(void *settings, const char *value, struct cip_error *error);

/* The defaults; a seed by chance where none was given. */
void fuzz_settings_init(struct fuzz_settings *settings);
void fuzz_settings_complete(struct fuzz_settings *settings);

/* ---- ground.c: where servers are tried ---- */

/* The images, and a folder for all that servers need. */
struct ground {
        char *folder;        /* temporary, owned */
        char *images_folder; /* below it */
        struct fuzz_images *images;
};

int ground_make(struct ground *ground, struct cip_error *error);
void ground_clear(struct ground *ground);

/*
 * Starts the server once and asks for its version. 0 with *@ret (whose message says what is wrong with the
 * server, if anything), the number of a signal, or a negative errno with @error.
 */
int ground_probe(const struct ground *ground, const struct subject *subject, struct probe *ret,
                 struct cip_error *error);

/* A stable for @subject in a folder of its own, below the ground's, called @name. */
int ground_stable(const struct ground *ground, const struct subject *subject, const char *name, size_t ready,
                  struct stable **ret, struct cip_error *error);

/* ---- known.c ---- */

/*
 * The sentence in which the baseline tells a fault of this key on this release or protocol; NULL: it is new.
 * The baseline is conformance's, whose entries may name the keys of faults.
 */
const char *known_fault(const struct baseline *baseline, struct version protocol, const char *release,
                        const char *key);

#endif
