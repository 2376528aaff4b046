/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long cip waits between the attempts of a pull. A file of its own, as the tests link another one in its
 * place, so as not to wait.
 */
#include "client/retry.h"

const struct retry_pace retry_pace = {.first_ms = 2000, .most_ms = 30000};
