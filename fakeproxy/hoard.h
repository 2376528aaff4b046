/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server that leaks has in use and never gives back before its end: memory and threads. Only behaviours
 * of a scenario ask for it.
 */
#ifndef FAKEPROXY_HOARD_H
#define FAKEPROXY_HOARD_H

#include <stdint.h>

struct hoard;

/* Takes @bytes of memory, and uses them. Where there is none, nothing happens. */
void hoard_memory(struct hoard **hoard, uint64_t bytes);

/* Starts a thread that waits until the process ends. Where it cannot be started, nothing happens. */
void hoard_thread(void);

void hoard_free(struct hoard *hoard);

#endif
