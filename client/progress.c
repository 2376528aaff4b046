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
#include "client/quantity.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S 1e9

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

void progress_draw(struct progress *progress, const struct standing *standing)
{
        struct winsize window = {0};
        char text[300], line[sizeof(text) + 16];
        uint64_t now = monotonic_ns();
        int width = 80, n;

        if (!progress->lively ||
            (progress->shown && now - progress->drawn_ns < PROGRESS_INTERVAL_MS * NS_PER_MS))
                return;
        measure(progress, now, standing->bytes_done);
        if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 10)
                width = window.ws_col;
        progress_text(standing, progress->rate, text, sizeof(text));
        n = snprintf(line, sizeof(line), "\r%.*s\033[K", width - 1, text);
        /* A terminal that is gone is noticed by nobody, and stops no pull. */
        if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
                progress->lively = false;
        progress->shown = true;
        progress->drawn_ns = now;
}

void progress_end(struct progress *progress)
{
        static const char wipe[] = "\r\033[K";

        if (progress->shown && write(STDERR_FILENO, wipe, sizeof(wipe) - 1) < 0)
                progress->lively = false;
        progress->shown = false;
}
