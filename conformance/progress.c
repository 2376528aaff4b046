/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress: the text of a line, cut to the width of the terminal so that it never wraps, and when to show it. Ids
 * of scenarios are their authors', so that the line is made safe as a whole.
 */
#include "conformance/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/text.h"
#include "conformance/report.h"

#define SECOND UINT64_C(1000000000)

/* A line is written anew at most so often, and a plain one comes so often. */
#define TERMINAL_EVERY_NS (SECOND / 10)
#define PLAIN_EVERY_NS (10 * SECOND)

/* What runs longer is named, and what is left is guessed from then on. */
#define SLOW_NS SECOND
#define GUESS_NS (2 * SECOND)

#define BAR_WIDTH 20
#define LINE_MAX_BYTES 512

/* The width of a terminal that does not say; and no line needs more than the largest. */
#define WIDTH_DEFAULT 80

/* How many of the longest that run are named. */
#define NAMED_MAX 4

void progress_start(struct progress *progress, FILE *out)
{
        /* The same question as for colour: both need a terminal that knows what an escape is. */
        bool terminal = wants_colour(out);

        *progress = (struct progress){
                .title = progress->title,
                .waits_for = progress->waits_for,
                .out = out,
                .plain = !terminal,
                .every_ns = terminal ? TERMINAL_EVERY_NS : PLAIN_EVERY_NS,
        };
}

/* ---- the line ---- */

static size_t count_done(const struct job *jobs, size_t n)
{
        size_t done = 0;

        for (size_t i = 0; i < n; i++)
                done += jobs[i].done;
        return done;
}

static void print_bar(size_t done, size_t n, FILE *out)
{
        size_t filled = n ? done * BAR_WIDTH / n : BAR_WIDTH;

        fputc('[', out);
        for (size_t i = 0; i < BAR_WIDTH; i++)
                fputc(i < filled ? '#' : '.', out);
        fputs("] ", out);
}

/* "12 s", "3 min", "2 h". */
static void print_time(uint64_t ns, FILE *out)
{
        uint64_t s = (ns + SECOND / 2) / SECOND;

        if (s < 120)
                fprintf(out, "%llu s", (unsigned long long)s);
        else if (s < 7200)
                fprintf(out, "%llu min", (unsigned long long)(s + 30) / 60);
        else
                fprintf(out, "%llu h", (unsigned long long)(s + 1800) / 3600);
}

/* The longest that runs of those that began after @after (the first: 0); NULL: there is none, or it is not slow. */
static const struct job *next_slow(const struct job *const *running, size_t n, uint64_t now,
                                   const struct job *after)
{
        const struct job *found = NULL;

        for (size_t i = 0; i < n; i++) {
                const struct job *job = running[i];
                bool behind = !after || job->started_ns > after->started_ns ||
                              (job->started_ns == after->started_ns && job > after);

                if (job->started_ns + SLOW_NS > now || !behind)
                        continue;
                if (!found || job->started_ns < found->started_ns ||
                    (job->started_ns == found->started_ns && job < found))
                        found = job;
        }
        return found;
}

static void print_slow(const struct job *const *running, size_t n, uint64_t now, FILE *out)
{
        const struct job *job = NULL;

        for (size_t i = 0; i < NAMED_MAX; i++) {
                job = next_slow(running, n, now, job);
                if (!job)
                        return;
                fprintf(out, "%s%s ", i ? ", " : ": ", job->check->id);
                print_time(now - job->started_ns, out);
        }
}

/* What there is to say, as one safe line of less than @size bytes. */
static void make_line(const struct progress *progress, size_t done, size_t n, const struct job *const *running,
                      size_t n_running, uint64_t now, char *ret, size_t size)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        uint64_t elapsed = now - progress->start_ns;

        *ret = '\0';
        if (!out)
                return;
        if (progress->title)
                fprintf(out, "%s: ", progress->title);
        if (!progress->plain)
                print_bar(done, n, out);
        fprintf(out, "%zu of %zu done", done, n);
        if (progress->plain) {
                fputs(" after ", out);
                print_time(elapsed, out);
        }
        if (done > 0 && done < n && elapsed > GUESS_NS) {
                fputs(", about ", out);
                print_time((uint64_t)((double)elapsed / (double)done * (double)(n - done)), out);
                fputs(" left", out);
        }
        fprintf(out, "; %zu under way", n_running);
        print_slow(running, n_running, now, out);
        if (fclose(out) == 0 && text)
                text_make_safe(ret, size, text, len);
}

/* ---- when, and where ---- */

/* Bytes that fit in a line with their NUL. The last column stays free: some terminals wrap when it is written. */
static size_t line_size(const struct progress *progress)
{
        struct winsize size;
        size_t width = WIDTH_DEFAULT;

        if (progress->plain)
                return LINE_MAX_BYTES;
        if (ioctl(fileno(progress->out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                width = size.ws_col;
        /* Room for the ".." of a cut line is what text_make_safe wants at least. */
        return width < 4 ? 4 : width > LINE_MAX_BYTES ? LINE_MAX_BYTES : width;
}

static void say_waits_for(struct progress *progress, const struct job *const *running, size_t n_running,
                          uint64_t now)
{
        if (!next_slow(running, n_running, now, NULL))
                return;
        fprintf(progress->out, "%s\n", progress->waits_for);
        fflush(progress->out);
        progress->waits_for = NULL;
}

void progress_show(void *data, const struct job *jobs, size_t n, const struct job *const *running,
                   size_t n_running)
{
        struct progress *progress = data;
        uint64_t now = monotonic_ns();
        char line[LINE_MAX_BYTES];
        size_t done;

        if (progress->waits_for) {
                if (!progress->plain)
                        say_waits_for(progress, running, n_running, now);
                return;
        }
        if (progress->start_ns == 0) {
                progress->start_ns = now;
                progress->shown_ns = progress->plain ? now : 0;
        }
        if (now - progress->shown_ns < progress->every_ns)
                return;
        progress->shown_ns = now;
        done = count_done(jobs, n);
        make_line(progress, done, n, running, n_running, now, line, line_size(progress));
        fprintf(progress->out, progress->plain ? "%s\n" : "\r\033[K%s", line);
        fflush(progress->out);
        progress->shown = !progress->plain;
}

void progress_end(struct progress *progress)
{
        if (progress->shown)
                fputs("\r\033[K", progress->out);
        if (progress->shown)
                fflush(progress->out);
        progress->shown = false;
        progress->start_ns = 0;
}
