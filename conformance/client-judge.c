/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a good client does, asked one after another: did it come to an end, with the status that it should have,
 * did it say why, did it ask for all that it says it has, did it end its session, is its result right, and did it
 * leave anything behind? All that falls short is told in one message.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/tmpdir.h"
#include "conformance/client.h"
#include "conformance/result-layout.h"

/* What crashes say when nothing else tells of them. A panic of the server in Go is not among them. */
static const char *const crash_words[] = {"panicked at", "ERROR: AddressSanitizer", "ERROR: LeakSanitizer"};

static void fall_short(struct visit *visit, unsigned closing, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void fall_short(struct visit *visit, unsigned closing, const char *format, ...)
{
        char text[CIP_ERROR_MESSAGE_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        visit->shortfalls =
                strdup(visit->shortfalls ? check_text(visit->c, "%s; %s", visit->shortfalls, text) : text);
        visit->c->outcome->closing |= closing;
}

/* ---- the end ---- */

static bool has_succeeded(const struct visit *visit)
{
        return !visit->hung && WIFEXITED(visit->status) && WEXITSTATUS(visit->status) == 0;
}

/* By a signal, or as a shell tells of one. */
static bool has_crashed(const struct visit *visit)
{
        static const int signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGPIPE, SIGSYS};

        if (WIFSIGNALED(visit->status))
                return true;
        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                if (WEXITSTATUS(visit->status) == 128 + signals[i])
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(crash_words); i++)
                if (strstr(visit->output, crash_words[i]))
                        return true;
        return false;
}

/* The latest request that a server saw. */
static const char *last_call(const struct visit *visit)
{
        for (size_t i = visit->seen.n; i > 0; i--)
                if (*visit->seen.sessions[i - 1].last_call)
                        return visit->seen.sessions[i - 1].last_call;
        return visit->n_started ? "none" : "none, no server was started";
}

/* The last line of what the client said, for messages. */
static const char *last_line(const struct visit *visit)
{
        char safe[400];
        const char *text = visit->output, *line;
        size_t len = visit->output_len;

        while (len && strchr("\n\r ", text[len - 1]))
                len--;
        line = len ? memrchr(text, '\n', len) : NULL;
        line = line ? line + 1 : text;
        text_make_safe(safe, sizeof(safe), line, len - (size_t)(line - text));
        return check_text(visit->c, "%s", safe);
}

static void judge_end(struct visit *visit)
{
        const struct scenario *scenario = visit->detail->scenario;
        char status[96];

        child_status_text(visit->status, status, sizeof(status));
        if (visit->hung)
                fall_short(visit, 0,
                           "it hangs: still running after %.0f s, where %llu s and %g s of patience are due "
                           "(the latest request: %s)",
                           visit->seconds, (unsigned long long)scenario_within(scenario),
                           visit->client->patience, last_call(visit));
        else if (has_crashed(visit))
                fall_short(visit, 0, "it crashed: the client %s", status);
        else if (scenario->client.must == CLIENT_FAILS && has_succeeded(visit))
                fall_short(visit, 0, "it exited with status 0, as if all were well");
        else if (scenario->client.must == CLIENT_SUCCEEDS && !has_succeeded(visit))
                fall_short(visit, 0, "it %s, and all was well (it said: %s)", status, last_line(visit));
}

/* ---- what it said ---- */

static void judge_words(struct visit *visit)
{
        const struct scenario_client *client = &visit->detail->scenario->client;

        /* A client that succeeds where it may has nothing to tell; one that was killed could not. */
        if (!visit->hung && (!has_succeeded(visit) || client->must == CLIENT_SUCCEEDS))
                for (size_t i = 0; client->mention && client->mention[i]; i++)
                        if (!strcasestr(visit->output, client->mention[i]))
                                fall_short(visit, 0, "it did not say \"%s\" (it said: %s)", client->mention[i],
                                           last_line(visit));
        for (size_t i = 0; client->not_mention && client->not_mention[i]; i++)
                if (strcasestr(visit->output, client->not_mention[i]))
                        fall_short(visit, 0, "it said \"%s\"", client->not_mention[i]);
}

/* ---- what the server saw ---- */

/* A client that failed without having asked has found out nothing, and one that succeeded has nothing. */
static bool judge_start(struct visit *visit)
{
        if (!visit->detail->path || visit->seen.n)
                return true;
        if (!visit->hung && visit->n_started)
                fall_short(
                        visit, 0,
                        "it started skopeo, which saw no session: it got no socket, or was killed at once (it "
                        "said: %s)",
                        last_line(visit));
        else if (!visit->hung)
                fall_short(visit, 0,
                           "it never started skopeo, neither from PATH nor as CIP_SKOPEO says (it said: %s)",
                           last_line(visit));
        return false;
}

/* Whether the server could have been ended by a client that does all as it should. */
static bool server_ends(const struct scenario *scenario)
{
        for (size_t i = 0; i < scenario->n_rules; i++) {
                const struct rule_do *act = &scenario->rules[i].act;

                if (act->ignore_end || act->stop_reading || act->close_socket || act->delay_ms ||
                    act->delay_after_ms || act->panic || act->exit || act->signal || act->become ||
                    act->become_first)
                        return false;
        }
        return !behaviours_any(&scenario->with);
}

/* What a successful client must have asked for. */
static void judge_success(struct visit *visit, const struct expected_image *image)
{
        size_t opened = 0, manifests = 0, blobs = 0, layers = image ? expected_image_layers(image) : 0;

        for (size_t i = 0; i < visit->seen.n; i++) {
                const struct session_seen *session = &visit->seen.sessions[i];

                opened += session->n_opened;
                manifests += session->n_manifests;
                blobs += session->n_blobs;
                if (session->unfinished)
                        fall_short(
                                visit, 0,
                                "it never called FinishPipe for a pipe of %s, so that it cannot know whether "
                                "the data is whole",
                                session->unfinished);
                if (session->n_calls && !*session->ended && server_ends(visit->detail->scenario))
                        fall_short(visit, 0,
                                   "it killed the server in place of ending the session (Shutdown, or "
                                   "closing the socket)");
        }
        if (!opened || !manifests)
                fall_short(visit, 0, "it says that all is well and never asked for %s",
                           opened ? "the manifest" : "the image");
        else if (blobs < layers)
                fall_short(visit, 0, "it says that all is well and got %zu of %zu layers", blobs, layers);
}

static void judge_calls(struct visit *visit)
{
        const struct scenario_client *client = &visit->detail->scenario->client;
        size_t n = 0, descriptors = 0;

        for (size_t i = 0; i < visit->seen.n; i++) {
                n += visit->seen.sessions[i].n_calls;
                descriptors += visit->seen.sessions[i].descriptors;
        }
        if (client->has_calls_at_most && n > client->calls_at_most)
                fall_short(visit, 0, "it made %zu requests, where %llu are enough", n,
                           (unsigned long long)client->calls_at_most);
        if (descriptors)
                fall_short(visit, 0, "it sent %zu descriptors to the server", descriptors);
}

/* ---- the result ---- */

/* @may_succeed: success is not the shortfall itself. */
static void judge_result(struct visit *visit, const struct expected_image *image, bool may_succeed)
{
        const struct scenario_client *client = &visit->detail->scenario->client;
        char reason[RESULT_TEXT_SIZE];

        if (!visit->client->has_result)
                return;
        if (has_succeeded(visit) && may_succeed && !client->no_result) {
                if (image && !result_is_image(visit->result, image, reason))
                        fall_short(visit, 0, "its result %s", reason);
        } else if (result_misleads(visit->result, client->no_result ? NULL : image, reason)) {
                fall_short(visit, has_succeeded(visit) ? 0 : CLOSING_FILES, "what it left %s", reason);
        }
}

/* ---- what it left behind ---- */

/* The names in a folder of the world that should be empty. */
static size_t list_names(const char *path, char *ret, size_t size)
{
        DIR *dir = opendir(path);
        struct dirent *entry;
        size_t n = 0, used = 0;

        *ret = '\0';
        while (dir && (entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (used < size)
                        used += (size_t)snprintf(ret + used, size - used, "%s%s", n ? ", " : "", entry->d_name);
                n++;
        }
        if (dir)
                closedir(dir);
        return n;
}

static void judge_leftovers(struct visit *visit)
{
        static const char *const folders[] = {"tmp", "run"};
        static const char *const variables[] = {"TMPDIR", "XDG_RUNTIME_DIR"};

        if (visit->n_left && !visit->hung)
                fall_short(visit, CLOSING_PROCESSES, "it left %zu process%s behind (%s)", visit->n_left,
                           visit->n_left == 1 ? "" : "es", visit->left);
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                char names[300];
                size_t n = list_names(check_text(visit->c, "%s/%s", check_folder(visit->c), folders[i]), names,
                                      sizeof(names));

                /* One that was killed could not clean up. */
                if (n && !visit->hung)
                        fall_short(visit, CLOSING_FILES, "it left %zu file%s in %s: %s", n, n == 1 ? "" : "s",
                                   variables[i], names);
        }
}

/* Its own home is its own affair, and all else has been judged: nothing is left for the closing questions. */
static void clear_world(struct visit *visit)
{
        static const char *const folders[] = {"tmp", "run", "home"};

        for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
                remove_tree_at(AT_FDCWD, check_text(visit->c, "%s/%s", check_folder(visit->c), folders[i]));
}

/* ---- the verdict ---- */

/* Whether every server came to tell how its session ended: one that was killed tells of a moment before. */
static bool is_all_told(const struct visit *visit)
{
        for (size_t i = 0; i < visit->seen.n; i++)
                if (!*visit->seen.sessions[i].ended)
                        return false;
        return visit->seen.n > 0;
}

static size_t count_fired(const struct visit *visit)
{
        size_t n = 0;

        for (size_t i = 0; i < visit->seen.n; i++)
                n += visit->seen.sessions[i].n_fired;
        return n;
}

/* Whether there is nothing wrong with the server until a rule acts. */
static bool is_faithful_at_first(const struct scenario *scenario)
{
        return scenario->n_rules && !behaviours_any(&scenario->with) &&
               (scenario->fixture || (!scenario->image.manifest && !scenario->image.config));
}

/* Failing is no merit where nothing was wrong yet. */
static void judge_reason(struct visit *visit)
{
        const struct scenario *scenario = visit->detail->scenario;

        if (visit->detail->path && scenario->client.must == CLIENT_FAILS && !has_succeeded(visit) &&
            !visit->hung && is_all_told(visit) && is_faithful_at_first(scenario) && count_fired(visit) == 0)
                fall_short(visit, 0, "it failed before the server had done anything wrong (it said: %s)",
                           last_line(visit));
}

/*
 * A client that does not use what the scenario is about (GetRawBlob, say) meets no fault at all, and may succeed
 * where it should fail: then there is nothing to judge.
 */
static bool was_untouched(const struct visit *visit)
{
        return is_faithful_at_first(visit->detail->scenario) && has_succeeded(visit) && is_all_told(visit) &&
               count_fired(visit) == 0;
}

/* The first method that a rule waits for. */
static const char *awaited(const struct scenario *scenario)
{
        for (size_t i = 0; i < scenario->n_rules; i++)
                if (scenario->rules[i].when.method && *scenario->rules[i].when.method)
                        return scenario->rules[i].when.method;
        return "what its rules wait for";
}

static struct expected_image *know_image(struct visit *visit)
{
        struct expected_image *image = NULL;
        struct cip_error error = {0};

        if (expected_image_new(visit->detail->scenario, &image, &error) < 0 &&
            visit->detail->scenario->client.must == CLIENT_SUCCEEDS && visit->detail->path)
                check_error(visit->c, "the scenario's image cannot be compared with: %s", error.message);
        return image;
}

/* A level that falls short of nothing: what the client does is told. */
static void record(struct visit *visit)
{
        check_record(visit->c, has_succeeded(visit) ? "succeeds" : "fails: %s", last_line(visit));
}

void client_judge(struct visit *visit)
{
        struct check_context *c = visit->c;
        const struct scenario *scenario = visit->detail->scenario;
        CLEANUP(cleanup_expected_image_free) struct expected_image *image = NULL;
        bool untouched = was_untouched(visit) && scenario->client.must == CLIENT_FAILS;

        if (visit->client->has_result || has_succeeded(visit))
                image = know_image(visit);
        if (!untouched)
                judge_end(visit);
        if (scenario->level == SCENARIO_INFO && !visit->hung && !has_crashed(visit)) {
                record(visit);
                visit->shortfalls = NULL;
        } else if (judge_start(visit)) {
                judge_reason(visit);
                judge_words(visit);
                judge_calls(visit);
                if (has_succeeded(visit) && visit->detail->path)
                        judge_success(visit, image);
        }
        judge_result(visit, image, untouched || scenario->client.must != CLIENT_FAILS);
        judge_leftovers(visit);
        clear_world(visit);
        if (visit->shortfalls)
                check_fail(c, "%s", visit->shortfalls);
        if (untouched)
                check_skip(c, "the client never did what this scenario is about: %s", awaited(scenario));
}
