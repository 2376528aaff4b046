/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes and times as people read them. A number never grows a digit by rounding: what would become "1024 KiB"
 * is "1.0 MiB", and "60 s" is "1 min 0 s".
 */
#include "client/quantity.h"

#include <stdio.h>

#include "base/cleanup.h"

const char *size_text(int64_t bytes, char ret[QUANTITY_TEXT_SIZE])
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        double amount = (double)bytes;
        size_t unit = 0;

        if (bytes < 0) {
                snprintf(ret, QUANTITY_TEXT_SIZE, "unknown");
                return ret;
        }
        while (unit + 1 < ARRAY_SIZE(units) && amount >= (unit ? 1023.5 : 1024)) {
                amount /= 1024;
                unit++;
        }
        snprintf(ret, QUANTITY_TEXT_SIZE, "%.*f %s", unit && amount < 9.95 ? 1 : 0, amount, units[unit]);
        return ret;
}

const char *duration_text(double seconds, char ret[QUANTITY_TEXT_SIZE])
{
        uint64_t whole;

        if (!(seconds > 0))
                seconds = 0;
        if (seconds > 1e9)
                seconds = 1e9;
        if (seconds < 9.95) {
                snprintf(ret, QUANTITY_TEXT_SIZE, "%.1f s", seconds);
                return ret;
        }
        whole = (uint64_t)(seconds + 0.5);
        if (whole < 60)
                snprintf(ret, QUANTITY_TEXT_SIZE, "%u s", (unsigned)whole);
        else if (whole < 3600)
                snprintf(ret, QUANTITY_TEXT_SIZE, "%u min %u s", (unsigned)(whole / 60),
                         (unsigned)(whole % 60));
        else
                snprintf(ret, QUANTITY_TEXT_SIZE, "%u h %u min", (unsigned)(whole / 3600),
                         (unsigned)(whole / 60 % 60));
        return ret;
}
