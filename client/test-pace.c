/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of pace.c, for tests of attempts that go as they do there, but without the waiting.
 */
#include "client/retry.h"

const struct retry_pace retry_pace = {.first_ms = 1, .most_ms = 2};
