/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process of a check tells the runner: a record in memory that both share, so that what was written
 * survives a crash of the check and a kill. The last member to be written is @kind.
 */
#ifndef CONFORMANCE_OUTCOME_H
#define CONFORMANCE_OUTCOME_H

#include <sys/types.h>

#include "base/cip-error.h"

enum outcome_kind {
        OUTCOME_NONE, /* the process ended without a word */
        OUTCOME_PASS,
        OUTCOME_FAIL,
        OUTCOME_SKIP,
        OUTCOME_ERROR,
};

/* The questions that are asked after every check, as bits. */
enum closing_question {
        CLOSING_EXIT = 1 << 0,
        CLOSING_DESCRIPTORS = 1 << 1,
        CLOSING_PROCESSES = 1 << 2,
        CLOSING_FILES = 1 << 3,
        CLOSING_STDERR = 1 << 4,
};

#define OUTCOME_VALUE_SIZE 512
#define OUTCOME_DOING_SIZE 512
#define OUTCOME_STDERR_SIZE 4096

struct outcome {
        enum outcome_kind kind;
        unsigned closing; /* of a failure: the closing questions that fell short; 0: the check itself did */
        char message[CIP_ERROR_MESSAGE_SIZE];  /* safe text */
        char value[OUTCOME_VALUE_SIZE];        /* of LEVEL_INFO; safe text */
        char doing[OUTCOME_DOING_SIZE];        /* what the check waits for; safe text */
        char stderr_tail[OUTCOME_STDERR_SIZE]; /* the end of the server's stderr; hostile text */
        pid_t server;                          /* the server's process group while it runs, else 0 */
};

#endif
