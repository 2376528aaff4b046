/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delta debugging over steps: halves, quarters, .. single ones, from the end, as what comes after the fault
 * matters least.
 */
#include "fuzz/minimise.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/message.h"

struct work {
        struct sequence *best;
        minimise_test test;
        void *data;
        struct deadline deadline;
        size_t tries, taken;
        int error; /* what ended it, or 0 */
};

static bool is_over(struct work *work)
{
        return work->error < 0 || deadline_passed(work->deadline);
}

/* Takes @candidate over where the test holds for it. Owns it. */
static bool try_sequence(struct work *work, struct sequence *take_candidate)
{
        int r;

        if (!take_candidate) {
                work->error = -ENOMEM;
                return false;
        }
        work->tries++;
        r = work->test(work->data, take_candidate);
        if (r < 0)
                work->error = r;
        if (r <= 0) {
                sequence_free(take_candidate);
                return false;
        }
        sequence_free(work->best);
        work->best = take_candidate;
        work->taken++;
        return true;
}

/* Without @count steps from @first on. */
static bool try_without(struct work *work, size_t first, size_t count)
{
        bool *skip = calloc(work->best->n_steps + 1, sizeof(*skip));
        bool taken;

        if (!skip) {
                work->error = -ENOMEM;
                return false;
        }
        for (size_t i = first; i < first + count && i < work->best->n_steps; i++)
                skip[i] = true;
        taken = try_sequence(work, sequence_copy(work->best, skip));
        free(skip);
        return taken;
}

static void leave_out_steps(struct work *work)
{
        for (size_t size = (work->best->n_steps + 1) / 2; size > 0; size /= 2) {
                bool again;

                do {
                        size_t end = work->best->n_steps;

                        again = false;
                        while (end > 0 && work->best->n_steps > 1 && !is_over(work)) {
                                size_t first = end > size ? end - size : 0;

                                again |= try_without(work, first, end - first);
                                end = first;
                        }
                } while (again && !is_over(work));
        }
}

/* A copy whose step @i can be changed. */
static struct step *copy_for(struct work *work, size_t i, struct sequence **ret)
{
        *ret = sequence_copy(work->best, NULL);
        if (!*ret)
                work->error = -ENOMEM;
        return *ret ? &(*ret)->steps[i] : NULL;
}

static void leave_out_extras(struct work *work, size_t i)
{
        struct sequence *copy;
        struct step *step;

        if (work->best->steps[i].n_fds && (step = copy_for(work, i, &copy))) {
                step->n_fds = 0;
                try_sequence(work, copy);
        }
        while (work->best->steps[i].n_fds > 1 && !is_over(work) && (step = copy_for(work, i, &copy))) {
                step->n_fds /= 2;
                if (!try_sequence(work, copy))
                        break;
        }
        if (work->best->steps[i].pipelined && (step = copy_for(work, i, &copy))) {
                step->pipelined = false;
                try_sequence(work, copy);
        }
        if (work->best->steps[i].leave && (step = copy_for(work, i, &copy))) {
                step->leave = false;
                try_sequence(work, copy);
        }
}

/* The step's packet is @text from now on, if that will do. Owns it. */
static bool try_text(struct work *work, size_t i, char *take_text, size_t len)
{
        struct sequence *copy;
        struct step *step = take_text ? copy_for(work, i, &copy) : NULL;

        if (!step) {
                free(take_text);
                return false;
        }
        free(step->text);
        step->text = take_text;
        step->len = len;
        return try_sequence(work, copy);
}

static bool try_request(struct work *work, size_t i, const char *method, struct json_object *args)
{
        char *text;
        size_t len;

        if (request_format(method, args, &text, &len) < 0)
                return false;
        if (len >= work->best->steps[i].len) {
                free(text);
                return false;
        }
        return try_text(work, i, text, len);
}

/*
 * False: it is no request. Else it is written plainly, then without its last arguments, then each one simpler.
 */
static bool simplify_arguments(struct work *work, size_t i)
{
        static const char *const simple[] = {"null", "0", "1", "\"\""};
        CLEANUP(cleanup_request) struct request request = {0};
        const struct step *step = &work->best->steps[i];
        size_t n;

        if (request_parse(step->text, step->len, &request, NULL) < 0)
                return false;
        try_request(work, i, request.method, request.args);
        for (n = json_object_array_length(request.args); n > 0 && !is_over(work); n--) {
                struct json_object *last = json_object_get(json_object_array_get_idx(request.args, n - 1));

                json_object_array_del_idx(request.args, n - 1, 1);
                if (!try_request(work, i, request.method, request.args)) {
                        json_object_array_add(request.args, last);
                        break;
                }
                json_object_put(last);
        }
        for (size_t a = 0; a < n && !is_over(work); a++) {
                struct json_object *old = json_object_get(json_object_array_get_idx(request.args, a));
                bool taken = false;

                for (size_t s = 0; s < ARRAY_SIZE(simple) && !taken; s++) {
                        json_object_array_put_idx(request.args, a, json_tokener_parse(simple[s]));
                        taken = try_request(work, i, request.method, request.args);
                }
                if (taken)
                        json_object_put(old);
                else
                        json_object_array_put_idx(request.args, a, old);
        }
        return true;
}

static char *without_bytes(const struct step *step, size_t first, size_t count)
{
        char *text = malloc(step->len - count + 1);

        if (text) {
                memcpy(text, step->text, first);
                memcpy(text + first, step->text + first + count, step->len - first - count);
                text[step->len - count] = '\0';
        }
        return text;
}

static void leave_out_bytes(struct work *work, size_t i)
{
        for (size_t size = work->best->steps[i].len / 2; size > 0; size /= 2) {
                size_t end = work->best->steps[i].len;

                while (end >= size && end > 0 && !is_over(work)) {
                        size_t first = end - size;

                        try_text(work, i, without_bytes(&work->best->steps[i], first, size),
                                 work->best->steps[i].len - size);
                        end = first;
                }
        }
}

static void simplify_step(struct work *work, size_t i)
{
        if (work->best->steps[i].kind != STEP_SEND)
                return;
        leave_out_extras(work, i);
        /* What is a request stays a tidy one. */
        if (!is_over(work) && !simplify_arguments(work, i))
                leave_out_bytes(work, i);
}

int minimise(struct sequence **sequence, minimise_test test, void *data, struct deadline deadline,
             size_t *ret_tries)
{
        struct work work = {.best = *sequence, .test = test, .data = data, .deadline = deadline};
        size_t taken;

        leave_out_steps(&work);
        taken = work.taken;
        for (size_t i = 0; i < work.best->n_steps && !is_over(&work); i++)
                simplify_step(&work, i);
        /* What is simpler now may need fewer of the others. */
        if (work.taken > taken && !is_over(&work))
                leave_out_steps(&work);
        *sequence = work.best;
        if (ret_tries)
                *ret_tries = work.tries;
        return work.error;
}
