/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finding on disk: a folder with the minimised steps (steps.jsonl) or the minimised scenario (scenario/NAME.json), the
 * session that shows it (transcript.jsonl), the server's stderr (stderr.txt) or the client's output (output.txt), and what is
 * wrong, on what, and how to see it again (finding.json). Findings of one cause have one folder, named after their key.
 */
#ifndef FUZZ_FINDING_H
#define FUZZ_FINDING_H

#include "base/cip-error.h"
#include "fuzz/oracle.h"
#include "fuzz/step.h"

/* A word of a command that becomes the folder of the finding's scenario. */
#define FINDING_SCENARIOS "{scenarios}"

struct finding {
        const char *way; /* the command that found it: "server", "diff" */
        const struct fault *fault;
        const struct sequence *sequence; /* NULL: it is told by a scenario */
        const char *scenario;            /* its text, which goes to scenario/NAME.json; NULL: none */
        const char *scenario_name;
        uint64_t seed, number; /* of the scenario */
        const char *const
                *again; /* the command that shows it, where a scenario does; FINDING_SCENARIOS in it */
        const char *const *command; /* of the server, NULL-terminated */
        const char *const *other;   /* of the one that it is compared with, or NULL */
        bool bare;                  /* profile */
        const char *release, *protocol;
        const char *stderr_text;     /* hostile; may be NULL */
        const char *output;          /* likewise: what the client said */
        const char *transcript;      /* path of a file that is copied; may be NULL */
        const char *transcript_text; /* or its text */
};

/* Makes sure that findings can be written to @folder, which is made where it is missing. 0 or a negative errno. */
int finding_judge_folder(const char *folder, struct cip_error *error);

/* The name of a key's folder: letters, digits and dashes. The caller frees. NULL without memory. */
char *finding_name(const char *key);

/*
 * Writes it below @folder; one of the same key that is there already stays as it is. *@ret_path (the caller's) is the
 * finding's folder. 0 or a negative errno with @error.
 */
int finding_write(const char *folder, const struct finding *finding, char **ret_path, struct cip_error *error);

/*
 * Reads the steps of @path: a finding's folder, a file of steps, a transcript. *@ret_key is what the finding is about,
 * NULL where the path does not say; the caller frees both. 0 or a negative errno with @error.
 */
int finding_read(const char *path, struct sequence **ret, char **ret_key, struct cip_error *error);

#endif
