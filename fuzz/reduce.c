/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over the JSON from the outside in. A place is the way to it from the top, and each change is made to a copy.
 */
#include "fuzz/reduce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define DEPTH_MAX 12
#define KEYS_MAX 64

struct work {
        struct json_object *best;
        reduce_test test;
        void *data;
        struct deadline deadline;
        size_t tries;
        int error; /* what ended it, or 0 */
};

/* A key of an object, or a number in an array. */
struct part {
        const char *key;
        size_t index;
};

struct path {
        struct part parts[DEPTH_MAX];
        size_t n;
};

static bool is_over(const struct work *work)
{
        return work->error < 0 || deadline_passed(work->deadline);
}

static struct json_object *step_down(struct json_object *at, const struct part *part)
{
        if (part->key)
                return json_object_object_get(at, part->key);
        return json_object_array_get_idx(at, part->index);
}

static struct json_object *look_up(struct json_object *top, const struct path *path, size_t n)
{
        for (size_t i = 0; i < n; i++)
                top = step_down(top, &path->parts[i]);
        return top;
}

/* A copy in which what is at @path is replaced, or (NULL) taken out; it is the new best where the test holds for it. */
static bool try_with(struct work *work, const struct path *path, struct json_object *take_value)
{
        const struct part *last = &path->parts[path->n - 1];
        struct json_object *copy = NULL, *holder;
        int r;

        if (json_object_deep_copy(work->best, &copy, NULL) < 0) {
                json_object_put(take_value);
                work->error = -ENOMEM;
                return false;
        }
        holder = look_up(copy, path, path->n - 1);
        if (take_value && last->key)
                json_object_object_add(holder, last->key, take_value);
        else if (take_value)
                json_object_array_put_idx(holder, last->index, take_value);
        else if (last->key)
                json_object_object_del(holder, last->key);
        else
                json_object_array_del_idx(holder, last->index, 1);
        work->tries++;
        r = work->test(work->data, copy);
        if (r < 0)
                work->error = r;
        json_object_put(r > 0 ? work->best : copy);
        if (r > 0)
                work->best = copy;
        return r > 0;
}

static void simplify_number(struct work *work, const struct path *path)
{
        int64_t n = json_object_get_int64(look_up(work->best, path, path->n));

        for (int64_t small = 0; small < 2 && small < n && !is_over(work); small++)
                if (try_with(work, path, json_object_new_int64(small)))
                        return;
        for (; n > 3 && !is_over(work); n /= 2)
                if (!try_with(work, path, json_object_new_int64(n / 2)))
                        return;
}

static void simplify_text(struct work *work, const struct path *path)
{
        const char *text = json_object_get_string(look_up(work->best, path, path->n));

        if (strlen(text) > 1 && !try_with(work, path, json_object_new_string("")) && !is_over(work))
                try_with(work, path, json_object_new_string("x"));
}

static void visit(struct work *work, struct path *path);

static void visit_array(struct work *work, struct path *path)
{
        struct part *part = &path->parts[path->n++];

        *part = (struct part){0};
        for (size_t i = json_object_array_length(look_up(work->best, path, path->n - 1));
             i > 0 && !is_over(work); i--) {
                part->index = i - 1;
                try_with(work, path, NULL);
        }
        for (part->index = 0;
             part->index < json_object_array_length(look_up(work->best, path, path->n - 1)) && !is_over(work);
             part->index++)
                visit(work, path);
        path->n--;
}

/* The names of a scenario's own are not its content. */
static bool is_fixed(const struct path *path, const char *key)
{
        return path->n == 0 && (strcmp(key, "scenario") == 0 || strcmp(key, "about") == 0);
}

static void visit_object(struct work *work, struct path *path)
{
        struct json_object *object = look_up(work->best, path, path->n);
        char *keys[KEYS_MAX];
        size_t n = 0;
        struct part *part = &path->parts[path->n];

        json_object_object_foreach (object, key, value) {
                (void)value;
                if (n < KEYS_MAX && !is_fixed(path, key) && (keys[n] = strdup(key)))
                        n++;
        }
        path->n++;
        for (int pass = 0; pass < 2; pass++)
                for (size_t i = 0; i < n && !is_over(work); i++) {
                        *part = (struct part){.key = keys[i]};
                        if (!json_object_object_get_ex(look_up(work->best, path, path->n - 1), keys[i], NULL))
                                continue;
                        if (pass == 0)
                                try_with(work, path, NULL);
                        else
                                visit(work, path);
                }
        path->n--;
        for (size_t i = 0; i < n; i++)
                free(keys[i]);
}

static void visit(struct work *work, struct path *path)
{
        if (path->n == DEPTH_MAX)
                return;
        switch (json_object_get_type(look_up(work->best, path, path->n))) {
        case json_type_array:
                visit_array(work, path);
                break;
        case json_type_object:
                visit_object(work, path);
                break;
        case json_type_int:
                simplify_number(work, path);
                break;
        case json_type_string:
                simplify_text(work, path);
                break;
        case json_type_null:
        case json_type_boolean:
        case json_type_double:
        default:
                break;
        }
}

int reduce(struct json_object **scenario, reduce_test test, void *data, struct deadline deadline,
           size_t *ret_tries)
{
        struct work work = {.best = *scenario, .test = test, .data = data, .deadline = deadline};
        struct path rules = {.parts = {{.key = "rules"}}, .n = 1};
        struct path top = {0};

        if (json_object_is_type(json_object_object_get(work.best, "rules"), json_type_array))
                for (size_t i = json_object_array_length(json_object_object_get(work.best, "rules"));
                     i > 0 && !is_over(&work); i--) {
                        rules.parts[1] = (struct part){.index = i - 1};
                        rules.n = 2;
                        try_with(&work, &rules, NULL);
                }
        visit(&work, &top);
        *scenario = work.best;
        if (ret_tries)
                *ret_tries = work.tries;
        return work.error;
}
