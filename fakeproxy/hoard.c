/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaks made on purpose: so that a check of memory and threads has something to find. The memory is in a list
 * that is freed at the end, for leak checkers look for leaks that are none of ours.
 */
#include "fakeproxy/hoard.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct hoard {
        struct hoard *next;
};

void hoard_memory(struct hoard **hoard, uint64_t bytes)
{
        struct hoard *more = malloc(sizeof(*more) + bytes);

        if (!more)
                return;
        memset(more + 1, 1, bytes); /* memory that is not touched is not in use */
        more->next = *hoard;
        *hoard = more;
}

static void *wait_for_the_end(void *unused)
{
        for (;;)
                pause();
        return unused;
}

void hoard_thread(void)
{
        pthread_attr_t attributes;
        pthread_t thread;

        if (pthread_attr_init(&attributes) != 0)
                return;
        if (pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0)
                (void)pthread_create(&thread, &attributes, wait_for_the_end, NULL);
        pthread_attr_destroy(&attributes);
}

void hoard_free(struct hoard *hoard)
{
        while (hoard) {
                struct hoard *next = hoard->next;

                free(hoard);
                hoard = next;
        }
}
