/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes and times as people read them: "1.5 MiB", "2 min 5 s". For tables, summaries and progress.
 */
#ifndef CLIENT_QUANTITY_H
#define CLIENT_QUANTITY_H

#include <stdint.h>

/* Bytes that either function may need. */
#define QUANTITY_TEXT_SIZE 40

/*
 * "999 B", "1.0 KiB", "12 MiB": bytes by powers of 1,024, two or three digits; "unknown" below zero. Returns
 * @ret.
 */
const char *size_text(int64_t bytes, char ret[QUANTITY_TEXT_SIZE]);

/* "0.4 s", "59 s", "2 min 5 s", "3 h 12 min". Returns @ret. */
const char *duration_text(double seconds, char ret[QUANTITY_TEXT_SIZE]);

#endif
