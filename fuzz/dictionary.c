/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the fuzzers' dictionary, in the form that libFuzzer and AFL++ read: the words of the protocol from the table of
 * methods, and those of the JSON around them.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "protocol/message.h"
#include "protocol/method.h"

static const char *const words[] = {
        "\"method\":",
        "\"args\":",
        "\"success\":",
        "\"value\":",
        "\"pipeid\":",
        "\"error_code\":",
        "\"error\":",
        "\"code\":",
        "\"message\":",
        "\"digest\":",
        "\"size\":",
        "\"media_type\":",
        "\"mediaType\":",
        "\"config\":",
        "\"layers\":",
        "\"manifests\":",
        "\"platform\":",
        "\"annotations\":",
        "\"schemaVersion\":",
        "true",
        "false",
        "null",
        "-1",
        "0",
        "4294967295",
        "4294967296",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551616",
        "1e0",
        "1.5",
        "sha256:",
        "sha512:",
        "oci:",
        "dir:",
        "fake:",
        "oci-archive:",
        "docker-archive:",
        "0.2.3",
        "0.2.8",
        "\\ud800",
        "\\u0000",
};

/* A line WORD="TEXT" with the escapes that both know. */
static void print(const char *text)
{
        putchar('"');
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        putchar('\\');
                putchar(*text);
        }
        puts("\"");
}

int main(void)
{
        for (size_t i = 0; i < METHODS; i++)
                print(methods[i].name);
        for (enum error_code code = ERROR_CODE_EPIPE; code <= ERROR_CODE_OTHER; code++)
                print(error_code_name(code));
        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                print(words[i]);
        return 0;
}
