/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The questions after every check: is the server alive or gone as it should be, does it end well, did it leak
 * descriptors, processes or files, did it write on stderr what it should not? Each has a sentence of its own
 * where it falls short; they are gathered, and fail a check whose own function found nothing.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/error.h"
#include "base/fd.h"
#include "conformance/context.h"
#include "conformance/descendants.h"

/* How long what the server leaves behind may take to be gone by itself. */
#define LEFTOVER_GRACE_MS 2000

/*
 * How long a server may take to close a descriptor before it is looked at whether it sleeps; the first look is
 * after 1 ms.
 */
#define MOMENT_MAX_MS 8

static void fall_short(struct check_context *c, enum closing_question question, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void fall_short(struct check_context *c, enum closing_question question, const char *format, ...)
{
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        c->closing_text =
                c->closing_text ? strdup(check_text(c, "%s; %s", c->closing_text, text)) : strdup(text);
        c->outcome->closing |= question;
        transcript_note(c->transcript, "closing question: %s", text);
}

/* A server that ended without the check's knowledge has died. */
static void ask_alive(struct check_context *c)
{
        if (!c->ended && child_wait(c->child, deadline_in_ms(0), &c->status) == 0)
                c->ended = true;
        if (c->ended && !c->end_is_due)
                fall_short(c, CLOSING_EXIT, "the server %s in mid-session", context_server_state(c));
}

/*
 * Counts descriptors until they are no more than after Initialize. A server that closes some in the background
 * gets the time that it needs, but not once it sleeps. Most need a moment only, which is far less than it takes
 * to see that one sleeps.
 */
static void ask_descriptors(struct check_context *c)
{
        size_t n;
        bool sleeps = false;
        unsigned moment_ms = 1;

        if (c->ended || c->end_is_due || c->expect_open || !c->counted)
                return;
        context_doing(c, "counting the server's descriptors");
        while ((n = check_server_fds(c)) > c->fds_at_start && !sleeps) {
                if (moment_ms <= MOMENT_MAX_MS) {
                        (void)context_wait(c, -1, 0, deadline_in_ms(moment_ms));
                        moment_ms *= 2;
                        continue;
                }
                sleeps = context_server_sleeps(c, deadline_in_seconds(c->timeout / 4), -1);
                if (!sleeps)
                        break;
        }
        if (n > c->fds_at_start)
                fall_short(c, CLOSING_DESCRIPTORS,
                           "the server has %zu pipes, sockets and files open, %zu more than after Initialize",
                           n, n - c->fds_at_start);
}

static void ask_end(struct check_context *c)
{
        char status[96];

        fd_clear(&c->socket);
        context_doing(c, "waiting for the server's end after hanging up");
        if (!c->ended && child_wait(c->child, c->deadline, &c->status) < 0) {
                fall_short(c, CLOSING_EXIT, "the server did not end within %g s after the client had hung up",
                           c->timeout);
                child_signal(c->child, SIGKILL);
                child_wait(c->child, deadline_in_ms(LEFTOVER_GRACE_MS), &c->status);
                c->ended = true;
                return;
        }
        c->ended = true;
        transcript_exit(c->transcript, c->status);
        if (c->expect_exit >= 0 && !(WIFEXITED(c->status) && WEXITSTATUS(c->status) == c->expect_exit))
                fall_short(c, CLOSING_EXIT, "the server %s, and not with status %d",
                           child_status_text(c->status, status, sizeof(status)), c->expect_exit);
}

static bool has_text(const char *text, const char *const *words, size_t n_words)
{
        for (size_t i = 0; i < n_words; i++)
                if (strstr(text, words[i]))
                        return true;
        return false;
}

static void ask_stderr(struct check_context *c)
{
        static const char *const never[] = {
                "panic: ",         "fatal error: ",        "WARNING: DATA RACE", "ERROR: AddressSanitizer",
                "runtime error: ", "ERROR: LeakSanitizer",
        };

        child_read_stderr(c->child);
        if (child_stderr_total(c->child) == 0)
                return;
        if (has_text(child_stderr(c->child, NULL), never, ARRAY_SIZE(never)) || !c->expect_stderr)
                fall_short(c, CLOSING_STDERR, "the server wrote on stderr: %s", context_stderr_line(c));
}

/* This process is a subreaper: what the server left behind is a child of ours now. */
static void ask_processes(struct check_context *c)
{
        struct deadline grace = deadline_in_ms(LEFTOVER_GRACE_MS);
        char name[DESCENDANT_NAME_SIZE] = "?";
        size_t n;

        child_reap(c->child);
        while (!descendants_gone() && !deadline_passed(grace))
                context_wait(c, -1, 0, deadline_in_ms(20));
        n = descendants_end(name);
        if (n)
                fall_short(c, CLOSING_PROCESSES, "the server left %zu process%s behind (%s)", n,
                           n == 1 ? "" : "es", name);
}

/* ---- the two ends ---- */

void closing_session(struct check_context *c)
{
        ask_alive(c);
        ask_descriptors(c);
        ask_end(c);
        ask_stderr(c);
        ask_processes(c);
        if (c->outcome->closing) {
                size_t len;
                const char *text = child_stderr(c->child, &len);

                len = len < OUTCOME_STDERR_SIZE ? len : OUTCOME_STDERR_SIZE - 1;
                memcpy(c->outcome->stderr_tail, text, len);
                c->outcome->stderr_tail[len] = '\0';
        }
        child_free(c->child);
        observed_clear(&c->seen_fds);
        observed_clear(&c->seen_threads);
        c->child = NULL;
        c->outcome->server = 0;
        c->ended = c->end_is_due = c->expect_open = c->expect_stderr = false;
        c->expect_exit = 0;
}

void closing_world(struct check_context *c)
{
        char names[1024];
        int n = world_leftovers(c->world, names, sizeof(names));

        if (n < 0)
                check_error(c, "cannot see what the server left in %s: %s", c->folder, strerror(-n));
        if (n > 0)
                fall_short(c, CLOSING_FILES, "the server left %d file%s behind: %s", n, n == 1 ? "" : "s",
                           names);
}
