/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The progress line. It goes to stderr in one write, cut to the terminal's width, and is drawn over in place.
 */
#include "client/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/text.h"
#include "client/quantity.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S 1e9

/* Bytes of a line at most. */
#define LINE_ROOM 300

void progress_begin(struct progress *progress, bool lively)
{
        *progress = (struct progress){.lively = lively, .started_ns = monotonic_ns()};
        progress->rate_ns = progress->started_ns;
}

const char *progress_text(const struct standing *standing, double rate, char *ret, size_t size)
{
        char done[QUANTITY_TEXT_SIZE], all[QUANTITY_TEXT_SIZE], per_second[QUANTITY_TEXT_SIZE];
        char left[QUANTITY_TEXT_SIZE];
        uint64_t bytes_left =
                standing->bytes > standing->bytes_done ? standing->bytes - standing->bytes_done : 0;
        int n = snprintf(ret, size, "%zu of %zu layers, %s of %s", standing->layers_done, standing->layers,
                         size_text((int64_t)standing->bytes_done, done),
                         size_text((int64_t)standing->bytes, all));

        if (rate > 0 && (size_t)n < size)
                n += snprintf(ret + n, size - (size_t)n, ", %s/s, %s left",
                              size_text((int64_t)rate, per_second),
                              duration_text((double)bytes_left / rate, left));
        if (standing->slowest && (size_t)n < size)
                snprintf(ret + n, size - (size_t)n, "; %.19s: %s to go", standing->slowest,
                         size_text((int64_t)standing->slowest_left, left));
        return ret;
}

/* The rate of the last second or so weighs as much as all before it. */
static void measure(struct progress *progress, uint64_t now, uint64_t bytes)
{
        double seconds = (double)(now - progress->rate_ns) / NS_PER_S;
        double rate;

        if (seconds < 1 && (progress->rate > 0 || seconds < 0.2))
                return;
        rate = (double)(bytes - progress->rate_bytes) / seconds;
        progress->rate = progress->rate > 0 ? (progress->rate + rate) / 2 : rate;
        progress->rate_ns = now;
        progress->rate_bytes = bytes;
}

void progress_say(struct progress *progress, const char *text)
{
        struct winsize window = {0};
        char line[LINE_ROOM + 16];
        size_t width = 80, most;
        int n;

        if (!progress->lively)
                return;
        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 10)
                width = window.ws_col;
        most = strnlen(text, (width < LINE_ROOM ? width : LINE_ROOM) - 1);
        n = snprintf(line, sizeof(line), "\r%.*s\033[K", (int)text_utf8_run(text, most), text);
        /* A terminal that is gone is noticed by nobody, and stops no pull. */
        if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
                progress->lively = false;
        progress->shown = true;
}

void progress_draw(struct progress *progress, const struct standing *standing)
{
        char text[LINE_ROOM];
        uint64_t now = monotonic_ns();

        if (!progress->lively ||
            (progress->shown && now - progress->drawn_ns < PROGRESS_INTERVAL_MS * NS_PER_MS))
                return;
        measure(progress, now, standing->bytes_done);
        progress_say(progress, progress_text(standing, progress->rate, text, sizeof(text)));
        progress->drawn_ns = now;
}

void progress_end(struct progress *progress)
{
        static const char wipe[] = "\r\033[K";

        if (progress->shown && write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
                progress->lively = false;
        progress->shown = false;
}
