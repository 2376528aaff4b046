/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The named faults: each makes the fake break one rule of the protocol, and is named after the check of
 * `cip-conformance server` that must notice it. Chosen by --fault NAME or CIP_FAKEPROXY_FAULT, listed by
 * `cip-fakeproxy faults`.
 */
#ifndef FAKEPROXY_FAULTS_H
#define FAKEPROXY_FAULTS_H

#include "fakeproxy/rule.h"

struct fault {
        const char *name;  /* the check's id: "pipes/finish-waits-for-writer" */
        const char *about; /* what the server then does, as a phrase; NULL: the behaviour's own words will do */
        struct behaviours with;
        const struct rule *rules; /* tried in order, the first match acts */
        size_t n_rules;
};

/* For the table: .RULES({.when = {..}, .act = {..}}, {..}) */
#define RULES(...)                                  \
        rules = (const struct rule[]){__VA_ARGS__}, \
        .n_rules = sizeof((const struct rule[]){__VA_ARGS__}) / sizeof(struct rule)

/* For a rule: .STEPS({DATA_SEND, 100}, {DATA_CLOSE}) and .ERROR_STEPS(..) */
#define STEPS(...)                        \
        data = (const struct data_step[]) \
        {                                 \
                __VA_ARGS__,              \
                {                         \
                        DATA_REST         \
                }                         \
        }
#define ERROR_STEPS(...)                    \
        errors = (const struct data_step[]) \
        {                                   \
                __VA_ARGS__,                \
                {                           \
                        DATA_REST           \
                }                           \
        }

/* For a rule: .BEFORE(BYTES("{}")) and .AFTER(..) */
#define BEFORE(...)                     \
        before = (const struct bytes[]) \
        {                               \
                __VA_ARGS__,            \
                {                       \
                        NULL, 0         \
                }                       \
        }
#define AFTER(...)                     \
        after = (const struct bytes[]) \
        {                              \
                __VA_ARGS__,           \
                {                      \
                        NULL, 0        \
                }                      \
        }

/* The tables, by who breaks what. */
extern const struct fault faults_one[]; /* start-up, handshake, framing, replies, arguments, the end */
extern const size_t n_faults_one;
extern const struct fault faults_two[]; /* images, manifest and config, layers, pipes, blobs, raw blobs */
extern const size_t n_faults_two;

/* All of them: how many, and the @i-th. */
size_t fault_count(void);
const struct fault *fault_at(size_t i);

/* What the server then does, as a phrase. Static text. */
const char *fault_about(const struct fault *fault);

/* The fault of that exact name, or NULL. */
const struct fault *fault_find(const char *name);

#endif
