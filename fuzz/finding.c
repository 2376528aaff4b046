/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing and reading findings. A folder is made under another name and renamed when all of it is there.
 */
#include "fuzz/finding.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/tmpdir.h"
#include "conformance/report.h"
#include "protocol/message.h"

#define FINDING_MAX ((size_t)1024 * 1024)
#define NAME_MAX_LEN 100
#define SCENARIO_FOLDER "scenario"

static bool is_folder(const char *path)
{
        struct stat st;

        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int finding_judge_folder(const char *folder, struct cip_error *error)
{
        if (mkdir(folder, 0777) < 0 && errno != EEXIST)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot make the folder %s", folder);
        if (access(folder, F_OK) == 0 && !is_folder(folder))
                return error_set(error, CIP_ERROR_LOCAL, -ENOTDIR,
                                 "cannot write findings to %s: it is no folder", folder);
        if (access(folder, W_OK | X_OK) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write to %s", folder);
        return 0;
}

char *finding_name(const char *key)
{
        char *name = malloc(NAME_MAX_LEN + 1);
        size_t n = 0;

        for (const char *p = key; name && *p && n < NAME_MAX_LEN; p++) {
                if (isalnum((unsigned char)*p))
                        name[n++] = *p;
                else if (n && name[n - 1] != '-')
                        name[n++] = '-';
        }
        while (name && n && name[n - 1] == '-')
                n--;
        if (name)
                name[n] = '\0';
        return name;
}

static void add(struct json_object *object, const char *key, const char *text)
{
        json_add_member(object, key, json_object_new_string(text ? text : ""));
}

static size_t count(const char *const *words)
{
        size_t n = 0;

        while (words && words[n])
                n++;
        return n;
}

/* The command of a scenario, with its folder filled in. NULL: no memory. */
static char *scenario_again(const struct finding *finding, const char *path)
{
        CLEANUP(cleanup_free) const char **words = calloc(count(finding->again) + 1, sizeof(*words));
        CLEANUP(cleanup_free) char *folder = NULL;

        if (asprintf(&folder, "%s/" SCENARIO_FOLDER, path) < 0)
                folder = NULL;
        if (!words || !folder)
                return NULL;
        for (size_t n = 0; finding->again[n]; n++)
                words[n] = strcmp(finding->again[n], FINDING_SCENARIOS) == 0 ? folder : finding->again[n];
        return shell_quote(words);
}

/* The command line that shows it again. NULL: no memory. */
static char *again(const struct finding *finding, const char *path)
{
        const size_t n_command = count(finding->command), n_other = count(finding->other);
        CLEANUP(cleanup_free) const char **words = NULL;
        size_t n = 0;

        if (finding->again)
                return scenario_again(finding, path);
        words = calloc(n_command + n_other + 8, sizeof(*words));
        if (!words)
                return NULL;
        words[n++] = "cip-fuzz";
        words[n++] = "replay";
        if (finding->bare) {
                words[n++] = "--profile";
                words[n++] = "bare";
        }
        words[n++] = path;
        words[n++] = "--";
        for (size_t i = 0; i < n_command; i++)
                words[n++] = finding->command[i];
        if (n_other)
                words[n++] = "--";
        for (size_t i = 0; i < n_other; i++)
                words[n++] = finding->other[i];
        return shell_quote(words);
}

static int write_json(int folder, const struct finding *finding, const char *path, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *object = json_object_new_object();
        const struct sequence *sequence = finding->sequence;
        CLEANUP(cleanup_free) char *line = again(finding, path);
        char after[32];
        const char *text;

        json_add_member(object, "finding", json_object_new_int(1));
        add(object, "way", finding->way);
        add(object, "key", finding->fault->key);
        add(object, "oracle", finding->fault->oracle->name);
        add(object, "wrong", finding->fault->sentence);
        add(object, "effect", finding->fault->oracle->about);
        add(object, "release", finding->release);
        add(object, "protocol", finding->protocol);
        json_add_member(object, "seed", json_object_new_uint64(sequence ? sequence->seed : finding->seed));
        json_add_member(object, "number",
                        json_object_new_uint64(sequence ? sequence->number : finding->number));
        snprintf(after, sizeof(after), "%.1f", finding->fault->after);
        json_add_member(object, "after", json_object_new_double_s(finding->fault->after, after));
        if (sequence)
                json_add_member(object, "steps", json_object_new_uint64(sequence->n_steps));
        json_add_member(object, "again", line ? json_object_new_string(line) : NULL);
        text = json_text(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE, NULL);
        if (!text)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a finding");
        return replace_file_at(folder, "finding.json", text, strlen(text), error);
}

static int write_steps(int folder, const struct sequence *sequence, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        if (!out || sequence_write(sequence, out) < 0 || fclose(out) != 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write the steps");
        return replace_file_at(folder, "steps.jsonl", text, len, error);
}

static int copy_transcript(int folder, const char *path, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        int r = read_file_at(AT_FDCWD, path, SIZE_MAX, &text, &len, error);

        return r < 0 ? r : replace_file_at(folder, "transcript.jsonl", text, len, error);
}

static int write_scenario(int folder, const struct finding *finding, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *name = NULL;

        if (asprintf(&name, SCENARIO_FOLDER "/%s.json", finding->scenario_name) < 0) {
                name = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write the scenario");
        }
        if (mkdirat(folder, SCENARIO_FOLDER, 0777) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write the scenario");
        return replace_file_at(folder, name, finding->scenario, strlen(finding->scenario), error);
}

static int write_text(int folder, const char *name, const char *text, struct cip_error *error)
{
        return text ? replace_file_at(folder, name, text, strlen(text), error) : 0;
}

static int fill(const char *path, const struct finding *finding, const char *final, struct cip_error *error)
{
        CLEANUP_FD int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = 0;

        if (folder < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot open %s", path);
        if (finding->sequence)
                r = write_steps(folder, finding->sequence, error);
        if (r == 0 && finding->scenario)
                r = write_scenario(folder, finding, error);
        if (r == 0 && finding->transcript)
                r = copy_transcript(folder, finding->transcript, error);
        if (r == 0)
                r = write_text(folder, "transcript.jsonl", finding->transcript_text, error);
        if (r == 0)
                r = write_text(folder, "stderr.txt", finding->stderr_text, error);
        if (r == 0)
                r = write_text(folder, "output.txt", finding->output, error);
        if (r == 0)
                r = write_json(folder, finding, final, error);
        return r;
}

int finding_write(const char *folder, const struct finding *finding, char **ret_path, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *name = finding_name(finding->fault->key);
        CLEANUP(cleanup_free) char *path = NULL, *unfinished = NULL;
        int r;

        if (!name || asprintf(&path, "%s/%s", folder, name) < 0 ||
            asprintf(&unfinished, "%s/.%s.%d", folder, name, getpid()) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot write a finding");
        if (access(path, F_OK) == 0) {
                *ret_path = STEAL(path);
                return 0;
        }
        if (mkdir(unfinished, 0777) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write a finding to %s", folder);
        r = fill(unfinished, finding, path, error);
        if (r == 0 && rename(unfinished, path) < 0)
                r = error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot write the finding %s", path);
        if (r < 0) {
                remove_tree_at(AT_FDCWD, unfinished);
                return r;
        }
        *ret_path = STEAL(path);
        return 0;
}

static int read_key(const char *folder, char **ret, struct cip_error *error)
{
        CLEANUP(cleanup_json) struct json_object *object = NULL;
        CLEANUP(cleanup_free) char *path = NULL, *text = NULL;
        struct json_object *key;
        size_t len;
        int r;

        if (asprintf(&path, "%s/finding.json", folder) < 0) {
                path = NULL;
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read %s", folder);
        }
        r = read_file_at(AT_FDCWD, path, FINDING_MAX, &text, &len, error);
        if (r == 0)
                r = json_parse(text, len, 16, &object, error);
        if (r < 0)
                return r;
        if (json_object_object_get_ex(object, "way", &key) &&
            strcmp(json_object_is_type(key, json_type_string) ? json_object_get_string(key) : "", "client") ==
                    0)
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL,
                                 "%s is about a client: run the command that %s has as \"again\"", folder,
                                 path);
        key = json_object_object_get(object, "key");
        if (!json_object_is_type(key, json_type_string))
                return error_set(error, CIP_ERROR_LOCAL, -EINVAL, "%s is no finding: it has no key", path);
        *ret = strdup(json_object_get_string(key));
        return *ret ? 0 : error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read %s", path);
}

int finding_read(const char *path, struct sequence **ret, char **ret_key, struct cip_error *error)
{
        CLEANUP(cleanup_free) char *steps = NULL, *key = NULL;
        struct stat st;
        int r;

        if (stat(path, &st) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot read %s", path);
        if (!S_ISDIR(st.st_mode)) {
                *ret_key = NULL;
                return sequence_read(path, ret, error);
        }
        r = read_key(path, &key, error);
        if (r == 0 && asprintf(&steps, "%s/steps.jsonl", path) < 0) {
                steps = NULL;
                r = error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot read %s", path);
        }
        if (r == 0)
                r = sequence_read(steps, ret, error);
        if (r == 0)
                *ret_key = STEAL(key);
        return r;
}
