/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker processes that take numbers and count in shared memory and tell faults through a
 * pipe. They end when their stop pipe ends, which it does with the caller, however that ends.
 */
#include "fuzz/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#define PROGRESS_MS 500

/* Counted by all. */
struct counters {
        _Atomic uint64_t next; /* the number of the next piece that a worker takes */
        _Atomic uint64_t pieces, steps;
        _Atomic uint64_t slowest_us, slowest_piece;
        _Atomic unsigned char states[STATES_MAX / 8];
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

                if (poll(&stop, 1, 0) != 0 ||
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
        bool shown;
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

struct deadline engine_deadline(double seconds, double late_seconds)
{
        struct deadline soon = deadline_in_seconds(seconds);
        uint64_t late_ns = (uint64_t)(late_seconds * 1e9);

        if (engine_is_over())
                return deadline_in_seconds(late_seconds);
        return over.ns > UINT64_MAX - late_ns ? soon : deadline_min(soon, (struct deadline){over.ns + late_ns});
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

static void show(struct engine *engine)
{
        double seconds = (double)(monotonic_ns() - engine->start) / 1e9;
        uint64_t steps = counters->steps;
        const char *clear = isatty(STDERR_FILENO) ? "\r\033[K" : "";

        if (!engine->options->progress)
                return;
        fprintf(stderr, "%s%.0f s: %" PRIu64 " %s", clear, seconds, (uint64_t)counters->pieces,
                engine->options->what);
        if (!engine->options->is_step)
                fprintf(stderr, ", %" PRIu64 " steps", steps);
        fprintf(stderr, " (%.0f a second), %" PRIu64 " states", (double)steps / seconds, count_states());
        if (counters->slowest_us > 1000000)
                fprintf(stderr, ", slowest step %.1f s in %" PRIu64, (double)counters->slowest_us / 1e6,
                        (uint64_t)counters->slowest_piece);
        fputs(*clear ? "" : "\n", stderr);
        fflush(stderr);
        engine->shown = *clear;
}

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
        if (engine->shown)
                fputs("\r\033[K", stderr);
        engine->shown = false;
        engine->job->found(engine->job->data, word.number, &word.u.fault);
        return 1;
}

static int attend(struct engine *engine, struct cip_error *error)
{
        uint64_t next_show = engine->start + PROGRESS_MS * UINT64_C(1000000);
        int r = 1;

        while (r == 1) {
                struct pollfd fds[] = {{engine->words, POLLIN, 0}, {signals, POLLIN, 0}};
                struct deadline until =
                        deadline_min((struct deadline){next_show}, ended ? DEADLINE_NEVER : over);

                if (poll(fds, 2, deadline_poll_ms(until)) > 0 && fds[0].revents)
                        r = take_word(engine, error);
                if (!ended && engine_is_over()) {
                        fd_clear(&engine->stop);
                        ended = true;
                }
                if (monotonic_ns() >= next_show) {
                        bool is_terminal = isatty(STDERR_FILENO);

                        show(engine);
                        next_show = monotonic_ns() + UINT64_C(1000000) * PROGRESS_MS * (is_terminal ? 1 : 20);
                }
        }
        return r;
}

int engine_run(const struct engine_options *options, const struct engine_job *job, struct engine_result *ret,
               struct cip_error *error)
{
        struct engine engine = {
                .options = options, .job = job, .words = -1, .stop = -1, .start = monotonic_ns()};
        sigset_t set, old;
        int r;

        counters = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (counters == MAP_FAILED)
                return error_set_errno(error, CIP_ERROR_LOCAL, -ENOMEM, "cannot count");
        ended = false;
        interrupted = 0;
        sigemptyset(&set);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, &old);
        signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        over = deadline_in_seconds(options->seconds);
        r = start_workers(&engine, error);
        if (r == 0)
                r = attend(&engine, error);
        fd_clear(&engine.stop);
        for (size_t i = 0; i < engine.n_workers; i++) {
                int status;

                if (waitpid(engine.workers[i], &status, 0) == engine.workers[i] && WIFSIGNALED(status) &&
                    r == 0)
                        r = error_set(error, CIP_ERROR_LOCAL, -ECHILD, "a worker was ended by signal %d",
                                      WTERMSIG(status));
        }
        if (engine.shown)
                fputs("\r\033[K", stderr);
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
