/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs numbered pieces of work in several processes until the time, the number of steps or the caller's
 * patience is over, and hands the faults that they find to the caller, one by one. What a piece of work is, is
 * the caller's: a session with a server, the same session with two, a client in a random scenario.
 */
#ifndef FUZZ_ENGINE_H
#define FUZZ_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cip-error.h"
#include "base/deadline.h"
#include "fuzz/oracle.h"

#define ENGINE_FAULTS_MAX 8

/* What came of one piece of work. */
struct piece {
        size_t steps;
        struct fault faults[ENGINE_FAULTS_MAX];
        size_t n_faults;
        double slowest; /* seconds that its slowest step took */
};

struct engine_job {
        /* In each worker process, once: what it needs. *@ret_state is its own, and goes with the process. */
        int (*begin)(void *data, size_t worker, void **ret_state, struct cip_error *error);
        /* One piece. -EINTR: @stop_fd said that it is over. Other errors end the run. */
        int (*run)(void *state, uint64_t number, int stop_fd, struct piece *ret, struct cip_error *error);
        void (*end)(void *state);

        /* In the caller's process. */
        void (*found)(void *data, uint64_t number, const struct fault *fault);
        void *data;
};

struct engine_options {
        const char *what; /* "sessions": of what there are so many, for the progress */
        bool is_step;     /* each of them is one step */
        size_t jobs;
        double seconds; /* 0: no end */
        uint64_t steps; /* 0: no end */
        bool progress;  /* shown on stderr */
        uint64_t start; /* when what faults are timed from began, by monotonic_ns(); 0: now */
};

/* What a run came to. */
struct engine_result {
        uint64_t pieces, steps, states;
        double seconds;
        double slowest;         /* of a step, */
        uint64_t slowest_piece; /* and in which piece */
        int interrupted;        /* the signal's number, or 0 */
};

/*
 * Returns 0 with *@ret, or a negative errno with @error, when work cannot begin or go on. Signals that ask to
 * end are taken meanwhile. Calls @found between; the workers go on then.
 */
int engine_run(const struct engine_options *options, const struct engine_job *job, struct engine_result *ret,
               struct cip_error *error);

/* Tells, from a worker, that a state of the session was reached: any word about it. Counted once each. */
void engine_state(const char *word);

/* The time left, for what the caller does meanwhile; and whether a signal asked to end. */
bool engine_is_over(void);

/*
 * In @seconds, but no more than @late_seconds after the time is over; and when it is over, in @late_seconds, as
 * long as all that comes late does not take too long together.
 */
struct deadline engine_deadline(double seconds, double late_seconds);

/* What the caller does meanwhile, for the progress, which goes on: "minimising .."; NULL: nothing any more. */
void engine_doing(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes on stderr, in place of a line of progress that may stand there. */
void engine_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the run: it makes no sense any more. */
void engine_stop(void);

/* A signal asked to end: what the caller does, it does in a hurry. */
bool engine_interrupted(void);

/* A descriptor that is readable when such a signal waits to be taken; -1 outside of engine_run. */
int engine_signal_fd(void);

#endif
