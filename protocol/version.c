/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version numbers of three parts.
 */
#include "protocol/version.h"

#include <errno.h>
#include <stdio.h>

/* Reads decimal digits without a sign; a leading zero stands alone. Returns what is behind, or NULL. */
static const char *parse_number(const char *text, unsigned *ret)
{
        unsigned value = 0;
        const char *at = text;

        while (*at >= '0' && *at <= '9' && value < 100000000)
                value = value * 10 + (unsigned)(*at++ - '0');
        if (at == text || (text[0] == '0' && at != text + 1) || (*at >= '0' && *at <= '9'))
                return NULL;
        *ret = value;
        return at;
}

int version_parse(const char *text, struct version *ret)
{
        struct version version;

        text = parse_number(text, &version.major);
        if (!text || *text != '.')
                return -EINVAL;
        text = parse_number(text + 1, &version.minor);
        if (!text || *text != '.')
                return -EINVAL;
        text = parse_number(text + 1, &version.patch);
        if (!text || *text)
                return -EINVAL;
        *ret = version;
        return 0;
}

const char *version_format(struct version version, char ret[VERSION_TEXT_SIZE])
{
        snprintf(ret, VERSION_TEXT_SIZE, "%u.%u.%u", version.major, version.minor, version.patch);
        return ret;
}

int version_compare(struct version a, struct version b)
{
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        if (a.minor != b.minor)
                return a.minor < b.minor ? -1 : 1;
        return a.patch < b.patch ? -1 : a.patch > b.patch;
}
