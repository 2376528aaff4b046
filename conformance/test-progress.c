/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what a run tells while it lasts, through a pseudo-terminal and through a file. Time is what jobs say of
 * their start: nothing is waited for.
 */
#include "conformance/progress.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/fd.h"
#include "base/testing.h"
#include "protocol/version.h"

#define SECOND UINT64_C(1000000000)

static const struct check short_id = {.id = "pipes/short"};
static const struct check long_id = {
        .id = "images/a-check-whose-name-is-as-long-as-names-of-checks-become-here"};
static const struct check hostile_id = {.id = "data/\033[2J\nx"};

/* A terminal of this width, and what was shown on it. */
struct screen {
        int master;
        FILE *out;
        char text[4096];
};

static void screen_open(struct screen *screen, unsigned short width)
{
        char name[64];
        struct winsize size = {.ws_row = 24, .ws_col = width};

        screen->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        ck_assert_int_ge(screen->master, 0);
        ck_assert_int_eq(grantpt(screen->master), 0);
        ck_assert_int_eq(unlockpt(screen->master), 0);
        ck_assert_int_eq(ptsname_r(screen->master, name, sizeof(name)), 0);
        screen->out = fopen(name, "r+e");
        ck_assert_ptr_nonnull(screen->out);
        ck_assert_int_eq(ioctl(fileno(screen->out), TIOCSWINSZ, &size), 0);
        setenv("TERM", "xterm", 1);
        unsetenv("NO_COLOR");
}

/* All that came. It is in the terminal's buffer when the writer has flushed. */
static const char *screen_read(struct screen *screen)
{
        struct pollfd fd = {.fd = screen->master, .events = POLLIN};
        size_t len = 0;

        while (len < sizeof(screen->text) - 1 && poll(&fd, 1, len ? 50 : 1000) > 0) {
                ssize_t n = read(screen->master, screen->text + len, sizeof(screen->text) - 1 - len);

                if (n <= 0)
                        break;
                len += (size_t)n;
        }
        screen->text[len] = '\0';
        return screen->text;
}

static void screen_close(struct screen *screen)
{
        fclose(screen->out);
        fd_close(screen->master);
}

/* 10 jobs: 4 are done, the others run since so many seconds; 0: they begin later, however slow this machine is. */
static void make_jobs(struct job jobs[10], const struct job *running[6], const struct check *check,
                      uint64_t seconds)
{
        uint64_t start = seconds ? monotonic_ns() - seconds * SECOND : monotonic_ns() + 3600 * SECOND;

        for (size_t i = 0; i < 10; i++) {
                jobs[i] = (struct job){.check = check, .done = i < 4, .started_ns = start};
                if (i >= 4)
                        running[i - 4] = &jobs[i];
        }
}

START_TEST(a_terminal_shows_what_is_done_and_what_runs_and_for_how_long)
{
        struct screen screen;
        struct progress progress = {.title = "1.18.0"};
        struct job jobs[10];
        const struct job *running[6];

        screen_open(&screen, 120);
        make_jobs(jobs, running, &short_id, 0);
        jobs[4].started_ns = monotonic_ns() - 300 * SECOND;
        jobs[6].started_ns = monotonic_ns() - 14400 * SECOND;
        progress_start(&progress, screen.out);
        progress_show(&progress, jobs, 10, running, 6);
        ck_assert_str_eq(screen_read(&screen),
                         "\r\033[K1.18.0: [########............] 4 of 10 done; 6 under way: "
                         "pipes/short 4 h, pipes/short 5 min");
        progress_end(&progress);
        ck_assert_str_eq(screen_read(&screen), "\r\033[K");
        screen_close(&screen);
}
END_TEST

START_TEST(what_is_left_is_guessed_from_what_was_done)
{
        struct screen screen;
        struct progress progress = {0};
        struct job jobs[10];
        const struct job *running[6];

        screen_open(&screen, 120);
        make_jobs(jobs, running, &short_id, 0);
        progress_start(&progress, screen.out);
        progress.start_ns = monotonic_ns() - 14400 * SECOND;
        progress_show(&progress, jobs, 10, running, 6);
        ck_assert_str_eq(screen_read(&screen),
                         "\r\033[K[########............] 4 of 10 done, about 6 h left; 6 under way");
        screen_close(&screen);
}
END_TEST

START_TEST(a_line_never_wraps)
{
        static const unsigned short widths[] = {1, 2, 3, 4, 5, 20, 40, 79, 80, 200};
        struct job jobs[10];
        const struct job *running[6];

        for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
                struct progress progress = {0};
                struct screen screen;
                const char *text;

                screen_open(&screen, widths[i]);
                make_jobs(jobs, running, &long_id, 100);
                progress_start(&progress, screen.out);
                progress_show(&progress, jobs, 10, running, 6);
                text = screen_read(&screen);
                ck_assert_msg(strlen(text) - strlen("\r\033[K") < (widths[i] < 4 ? 4U : widths[i]), "%u: '%s'",
                              widths[i], text);
                screen_close(&screen);
        }
}
END_TEST

START_TEST(hostile_names_harm_no_terminal)
{
        struct screen screen;
        struct progress progress = {0};
        struct job jobs[10];
        const struct job *running[6];
        const char *text;

        screen_open(&screen, 120);
        make_jobs(jobs, running, &hostile_id, 100);
        progress_start(&progress, screen.out);
        progress_show(&progress, jobs, 10, running, 6);
        text = screen_read(&screen) + strlen("\r\033[K");
        ck_assert_ptr_nonnull(strstr(text, "data/?[2J x"));
        for (const char *p = text; *p; p++)
                ck_assert_int_ge(*p, ' ');
        screen_close(&screen);
}
END_TEST

START_TEST(a_line_is_not_written_anew_all_the_time)
{
        struct screen screen;
        struct progress progress = {0};
        struct job jobs[10];
        const struct job *running[6];

        screen_open(&screen, 120);
        make_jobs(jobs, running, &short_id, 0);
        progress_start(&progress, screen.out);
        progress.every_ns = 3600 * SECOND;
        for (int i = 0; i < 100; i++)
                progress_show(&progress, jobs, 10, running, 6);
        ck_assert_ptr_eq(strrchr(screen_read(&screen), '\r'), screen.text);
        screen_close(&screen);
}
END_TEST

/* What a file gets in which a run began so many seconds ago. */
static char *plain_text(uint64_t seconds)
{
        struct progress progress = {0};
        struct job jobs[10];
        const struct job *running[6];
        char *text = NULL;
        size_t len;
        FILE *file = tmpfile(), *memory = open_memstream(&text, &len);

        ck_assert_ptr_nonnull(file);
        make_jobs(jobs, running, &short_id, seconds);
        progress_start(&progress, file);
        progress_show(&progress, jobs, 10, running, 6);
        progress.start_ns -= seconds * SECOND;
        progress.shown_ns -= seconds * SECOND;
        progress_show(&progress, jobs, 10, running, 6);
        progress_show(&progress, jobs, 10, running, 6);
        progress_end(&progress);
        rewind(file);
        for (int c; (c = fgetc(file)) != EOF;)
                fputc(c, memory);
        fclose(file);
        fclose(memory);
        return text;
}

START_TEST(a_file_gets_a_line_now_and_then)
{
        CLEANUP(cleanup_free) char *text = plain_text(14400);

        ck_assert_str_eq(text, "4 of 10 done after 4 h, about 6 h left; 6 under way: pipes/short 4 h, "
                               "pipes/short 4 h, pipes/short 4 h, pipes/short 4 h\n");
}
END_TEST

START_TEST(a_file_gets_nothing_of_a_short_run)
{
        CLEANUP(cleanup_free) char *text = plain_text(0);

        ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_terminal_that_knows_no_escapes_is_as_a_file)
{
        struct screen screen;
        struct progress progress = {0};

        screen_open(&screen, 80);
        progress_start(&progress, screen.out);
        ck_assert(!progress.plain);
        setenv("TERM", "dumb", 1);
        progress_start(&progress, screen.out);
        ck_assert(progress.plain);
        setenv("TERM", "xterm", 1);
        setenv("NO_COLOR", "1", 1);
        progress_start(&progress, screen.out);
        ck_assert(progress.plain);
        screen_close(&screen);
}
END_TEST

START_TEST(a_long_wait_says_once_what_it_is_for)
{
        struct screen screen;
        struct progress progress = {.waits_for = "It waits."};
        struct job job = {.check = &short_id, .started_ns = monotonic_ns() + 3600 * SECOND};
        const struct job *running[] = {&job};

        screen_open(&screen, 80);
        progress_start(&progress, screen.out);
        progress_show(&progress, &job, 1, running, 1);
        ck_assert_ptr_nonnull(progress.waits_for);
        job.started_ns = monotonic_ns() - 5 * SECOND;
        progress_show(&progress, &job, 1, running, 1);
        ck_assert_str_eq(screen_read(&screen), "It waits.\r\n");
        ck_assert_ptr_null(progress.waits_for);
        screen_close(&screen);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("progress");
        TCase *cases = testing_case(suite, "progress");

        tcase_add_test(cases, a_terminal_shows_what_is_done_and_what_runs_and_for_how_long);
        tcase_add_test(cases, what_is_left_is_guessed_from_what_was_done);
        tcase_add_test(cases, a_line_never_wraps);
        tcase_add_test(cases, hostile_names_harm_no_terminal);
        tcase_add_test(cases, a_line_is_not_written_anew_all_the_time);
        tcase_add_test(cases, a_file_gets_a_line_now_and_then);
        tcase_add_test(cases, a_file_gets_nothing_of_a_short_run);
        tcase_add_test(cases, a_terminal_that_knows_no_escapes_is_as_a_file);
        tcase_add_test(cases, a_long_wait_says_once_what_it_is_for);
        return testing_main(suite);
}
