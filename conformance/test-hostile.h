/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server says that means harm: to terminals, to XML, JSON, YAML, HTML and Markdown, to readers of TAP, to the
 * runner of GitHub Actions. FORGED marks what must never be taken for what it looks like (judge-report).
 */
#ifndef CONFORMANCE_TEST_HOSTILE_H
#define CONFORMANCE_TEST_HOSTILE_H

/* Bytes, with lines. */
static const char *const hostile_texts[] = {
        "\033[2J\033]0;FORGED\007 \x9b\x33\x31m \xc2\x9b\x33\x31m \x7f\b\b\r erased",
        "\nok 1 - FORGED\nnot ok 2 - FORGED\n1..9\nBail out! FORGED\n...\n---\nTAP version 13\n",
        "# TODO FORGED # SKIP FORGED \\# SKIP \\\\ \\",
        "\n::error::FORGED\n::add-mask::FORGED\n##[error]FORGED\n::stop-commands::FORGED\n",
        "%0A::error::FORGED%0D%0a::warning title=a,b:c::FORGED %25 %",
        "]]> <forged> <img src=x onerror=FORGED()> <script>FORGED()</script> <![CDATA[ &forged; &#0; &amp; "
        "<!-- --> ?>",
        "' onclick='FORGED()' \" onclick=\"FORGED()\" x",
        "` ``` FORGED | FORGED ** [FORGED](javascript:FORGED) @forged \\| \\` ~~~\n# FORGED\n- FORGED\n> "
        "FORGED\n| FORGED |",
        "\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80 \xe2\x82",
        "\xef\xbf\xbe \xef\xbf\xbf \xf0\x9f\xbf\xbe \xef\xbb\xbf \xe2\x80\x8b \xe2\x80\xa8 \xe2\x80\xa9",
        "\xe2\x80\xae"
        "FORGED\xe2\x81\xa6 \xd8\x9c \xe2\x80\x8f\xe2\x81\xa9\xe2\x80\xac",
        "\": \"FORGED\", \\u0000 \\x \\\" }]}\n{\"id\": \"FORGED\"}\n  status: \"pass\"",
        "%s%n%d $(FORGED) `FORGED` ${FORGED}",
        " ",
};

#define N_HOSTILE_TEXTS (sizeof(hostile_texts) / sizeof(hostile_texts[0]))

#endif
