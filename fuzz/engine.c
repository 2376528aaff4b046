/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker processes that take numbers and count in shared memory and tell faults through a pipe. They end when
 * their stop pipe ends, which it does with the caller, however that ends. One more process shows the progress,
 * as the caller may be at one fault for a while.
 */
#include "fuzz/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/random.h"

#define STATES_MAX 65536 /* bits; two states that fall together count once */
#define JOBS_MAX 256
#define DOING_SIZE 128

/* Between two lines of progress: on a terminal, and, beginning there and doubling, elsewhere. */
#define PROGRESS_MS 500
#define PROGRESS_MAX_MS 10000

/* Seconds that what comes late may take in all. */
#define LATE_SECONDS 30

/* Counted by all. */
struct counters {
        _Atomic uint64_t next; /* the number of the next piece that a worker takes */
        _Atomic uint64_t pieces, steps;
        _Atomic uint64_t slowest_us, slowest_piece;
        _Atomic unsigned char states[STATES_MAX / 8];
        _Atomic char
                doing[DOING_SIZE]; /* the caller; the last one stays 0, so that it may be read at any time */
};

/* A word of a worker. */
struct word {
        uint64_t number;
        int error; /* negative: the worker has ended, and why */
        union {
                struct fault fault;
                char message[FAULT_SENTENCE_SIZE];
        } u;
};

/* So that the words of two workers do not mix. */
static_assert(sizeof(struct word) <= PIPE_BUF, "a word is written in one piece");

static struct counters *counters;
static struct deadline over = {UINT64_MAX};
static int signals = -1, interrupted;
static bool ended;

/* ---- in a worker ---- */

void engine_state(const char *word)
{
        uint64_t hash = UINT64_C(14695981039346656037);

        for (; *word; word++)
                hash = (hash ^ (unsigned char)*word) * UINT64_C(1099511628211);
        hash = random_mix(hash) % STATES_MAX;
        if (counters)
                atomic_fetch_or(&counters->states[hash / 8], (unsigned char)(1U << hash % 8));
}

static void tell(int out, const struct word *word)
{
        write_all(out, word, sizeof(*word));
}

static void count(const struct piece *piece, uint64_t number)
{
        uint64_t us = (uint64_t)(piece->slowest * 1e6);

        atomic_fetch_add(&counters->pieces, 1);
        atomic_fetch_add(&counters->steps, piece->steps);
        if (us > atomic_load(&counters->slowest_us)) {
                atomic_store(&counters->slowest_us, us);
                atomic_store(&counters->slowest_piece, number);
        }
}

/* Numbers are taken one by one, so that those of a run have no gaps, whichever worker is slow. */
static int work(const struct engine_options *options, const struct engine_job *job, void *state, int stop_fd,
                int out, struct cip_error *error)
{
        struct pollfd stop = {stop_fd, POLLIN, 0};

        for (;;) {
                struct piece piece = {0};
                uint64_t number;
                int r;

                /* The caller may be at a fault when the time is over, and not say so yet. */
                if (poll(&stop, 1, 0) != 0 || deadline_passed(over) ||
                    (options->steps && atomic_load(&counters->steps) >= options->steps))
                        return 0;
                number = atomic_fetch_add(&counters->next, 1);
                r = job->run(state, number, stop_fd, &piece, error);
                if (r == -EINTR)
                        return 0;
                if (r < 0)
                        return r;
                count(&piece, number);
                for (size_t i = 0; i < piece.n_faults; i++) {
                        struct word word = {.number = number, .u.fault = piece.faults[i]};

                        word.u.fault.after = (double)(monotonic_ns() - options->start) / 1e9;
                        tell(out, &word);
                }
        }
}

static _Noreturn void run_worker(const struct engine_options *options, const struct engine_job *job,
                                 size_t worker, int stop_fd, int out)
{
        struct word word = {0};
        struct cip_error error = {0};
        void *state = NULL;
        int r;

        signal(SIGINT, SIG_IGN); /* the caller says when it is over */
        r = job->begin(job->data, worker, &state, &error);
        if (r == 0)
                r = work(options, job, state, stop_fd, out, &error);
        if (state)
                job->end(state);
        if (r < 0) {
                word.error = r;
                snprintf(word.u.message, sizeof(word.u.message), "%.*s", FAULT_SENTENCE_SIZE - 1,
                         error.message);
                tell(out, &word);
        }
        _exit(r < 0);
}

/* ---- in the caller ---- */

struct engine {
        const struct engine_options *options;
        const struct engine_job *job;
        pid_t workers[JOBS_MAX];
        size_t n_workers;
        int words, stop; /* read end; write end */
        uint64_t start;
        pid_t teller; /* shows the progress, until .. */
        int silence;  /* .. this, a write end, is closed */
};

static bool take_signal(void)
{
        struct signalfd_siginfo info;

        if (signals >= 0 && read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
                interrupted = (int)info.ssi_signo;
        return interrupted != 0;
}

bool engine_is_over(void)
{
        return ended || take_signal() || deadline_passed(over);
}

void engine_stop(void)
{
        over = (struct deadline){0};
}

static struct deadline after_over(double seconds)
{
        uint64_t ns = (uint64_t)(seconds * 1e9);

        return over.ns > UINT64_MAX - ns ? DEADLINE_NEVER : (struct deadline){over.ns + ns};
}

struct deadline engine_deadline(double seconds, double late_seconds)
{
        struct deadline late = deadline_in_seconds(late_seconds);

        if (deadline_passed(over))
                return deadline_min(late, after_over(LATE_SECONDS));
        return engine_is_over() ? late : deadline_min(deadline_in_seconds(seconds), after_over(late_seconds));
}

bool engine_interrupted(void)
{
        return take_signal();
}

int engine_signal_fd(void)
{
        return signals;
}

static uint64_t count_states(void)
{
        uint64_t n = 0;

        for (size_t i = 0; i < sizeof(counters->states); i++)
                n += (unsigned)__builtin_popcount(counters->states[i]);
        return n;
}

/* ---- progress ---- */

void engine_doing(const char *format, ...)
{
        char text[DOING_SIZE] = "";
        va_list args;

        if (!counters)
                return;
        va_start(args, format);
        if (format)
                vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        for (size_t i = 0; i < sizeof(text); i++)
                atomic_store_explicit(&counters->doing[i], text[i], memory_order_relaxed);
}

/* One line that is written anew. */
static bool is_live(void)
{
        return isatty(STDERR_FILENO) && !getenv("NO_COLOR");
}

void engine_say(const char *format, ...)
{
        char *text = NULL;
        va_list args;
        int n;

        va_start(args, format);
        n = vasprintf(&text, format, args);
        va_end(args);
        if (n < 0)
                return;
        dprintf(STDERR_FILENO, "%s%s", is_live() ? "\r\033[K" : "", text);
        free(text);
}

static size_t columns(void)
{
        struct winsize size;

        return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : 80;
}

static void show(const struct engine *engine)
{
        double seconds = (double)(monotonic_ns() - engine->start) / 1e9;
        uint64_t steps = counters->steps;
        char line[512], doing[DOING_SIZE];
        int n = snprintf(line, sizeof(line), "%.0f s: %" PRIu64 " %.40s", seconds, (uint64_t)counters->pieces,
                         engine->options->what);

        for (size_t i = 0; i < sizeof(doing); i++)
                doing[i] = atomic_load_explicit(&counters->doing[i], memory_order_relaxed);
        if (!engine->options->is_step)
                n += snprintf(line + n, sizeof(line) - (size_t)n, ", %" PRIu64 " steps", steps);
        n += snprintf(line + n, sizeof(line) - (size_t)n, " (%.0f a second), %" PRIu64 " states",
                      (double)steps / seconds, count_states());
        if (*doing)
                n += snprintf(line + n, sizeof(line) - (size_t)n, "; %s", doing);
        if (counters->slowest_us > 1000000)
                snprintf(line + n, sizeof(line) - (size_t)n, ", slowest step %.1f s in %" PRIu64,
                         (double)counters->slowest_us / 1e6, (uint64_t)counters->slowest_piece);
        if (!is_live())
                engine_say("%s\n", line);
        else
                engine_say("%.*s", (int)(columns() - 1), line);
}

static _Noreturn void tell_progress(const struct engine *engine, int silence)
{
        struct pollfd end = {silence, POLLIN, 0};
        int ms = PROGRESS_MS, r;

        while ((r = poll(&end, 1, ms)) == 0 || (r < 0 && errno == EINTR)) {
                show(engine);
                if (!is_live())
                        ms = ms * 2 < PROGRESS_MAX_MS ? ms * 2 : PROGRESS_MAX_MS;
        }
        _exit(0);
}

/* Without it a run goes on all the same. */
static void start_teller(struct engine *engine)
{
        int silence[2];

        if (!engine->options->progress || pipe2(silence, O_CLOEXEC) < 0)
                return;
        engine->teller = fork();
        if (engine->teller == 0) {
                fd_close(silence[1]);
                fd_close(engine->words);
                fd_close(engine->stop);
                tell_progress(engine, silence[0]);
        }
        fd_close(silence[0]);
        engine->silence = silence[1];
}

static void end_teller(struct engine *engine)
{
        fd_clear(&engine->silence);
        if (engine->teller <= 0)
                return;
        kill(engine->teller, SIGKILL);
        waitpid(engine->teller, NULL, 0);
        engine_say("%s", "");
}

/* ---- all of it ---- */

static int start_workers(struct engine *engine, struct cip_error *error)
{
        int words[2], stop[2];

        if (pipe2(words, O_CLOEXEC) < 0 || pipe2(stop, O_CLOEXEC) < 0)
                return error_set_errno(error, CIP_ERROR_LOCAL, -errno, "cannot start workers");
        engine->words = words[0];
        engine->stop = stop[1];
        for (size_t i = 0; i < engine->options->jobs && i < JOBS_MAX; i++) {
                pid_t pid = fork();

                if (pid == 0) {
                        fd_close(words[0]);
                        fd_close(stop[1]);
                        run_worker(engine->options, engine->job, i, stop[0], words[1]);
                }
                if (pid > 0)
                        engine->workers[engine->n_workers++] = pid;
        }
        fd_close(words[1]);
        fd_close(stop[0]);
        return engine->n_workers ? 0 : error_set(error, CIP_ERROR_LOCAL, -EAGAIN, "cannot start workers");
}

/* Takes in one word. 1: there may be more; 0: every worker has ended. */
static int take_word(struct engine *engine, struct cip_error *error)
{
        struct word word;
        size_t got = 0;
        ssize_t n = 0;

        while (got < sizeof(word) && (n = read(engine->words, (char *)&word + got, sizeof(word) - got)) > 0)
                got += (size_t)n;
        if (got < sizeof(word))
                return 0;
        if (word.error < 0)
                return error_set(error, CIP_ERROR_LOCAL, word.error, "%s", word.u.message);
        engine->job->found(engine->job->data, word.number, &word.u.fault);
        return 1;
}

static int attend(struct engine *engine, struct cip_error *error)
{
        int r = 1;

        while (r == 1) {
                struct pollfd fds[] = {{engine->words, POLLIN, 0}, {signals, POLLIN, 0}};

                if (poll(fds, 2, deadline_poll_ms(ended ? DEADLINE_NEVER : over)) > 0 && fds[0].revents)
                        r = take_word(engine, error);
                take_signal();
                if (!ended && engine_is_over()) {
                        fd_clear(&engine->stop);
                        ended = true;
                }
        }
        return r;
}

int engine_run(const struct engine_options *given, const struct engine_job *job, struct engine_result *ret,
               struct cip_error *error)
{
        struct engine_options options = *given;
        struct engine engine = {.options = &options,
                                .job = job,
                                .words = -1,
                                .stop = -1,
                                .silence = -1,
                                .start = monotonic_ns()};
        sigset_t set, old;
        int r;

        counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (counters == MAP_FAILED)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot count");
        options.start = options.start ? options.start : engine.start;
        ended = false;
        interrupted = 0;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, &old);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        over = deadline_in_seconds(options.seconds);
        r = start_workers(&engine, error);
        if (r == 0) {
                start_teller(&engine);
                r = attend(&engine, error);
        }
        fd_clear(&engine.stop);
        for (size_t i = 0; i < engine.n_workers; i++) {
                int status;

                if (waitpid(engine.workers[i], &status, 0) == engine.workers[i] && WIFSIGNALED(status) &&
                    r == 0)
                        r = error_set(error, CIP_ERROR_LOCAL, -ECHILD, "a worker was ended by signal %d",
                                      WTERMSIG(status));
        }
        end_teller(&engine);
        *ret = (struct engine_result){
                .pieces = counters->pieces,
                .steps = counters->steps,
                .states = count_states(),
                .seconds = (double)(monotonic_ns() - engine.start) / 1e9,
                .slowest = (double)counters->slowest_us / 1e6,
                .slowest_piece = counters->slowest_piece,
                .interrupted = interrupted,
        };
        munmap(counters, sizeof(*counters));
        counters = NULL;
        fd_close(engine.words);
        fd_clear(&signals);
        sigprocmask(SIG_SETMASK, &old, NULL);
        return r;
}
