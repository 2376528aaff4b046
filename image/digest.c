/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests on OpenSSL's EVP interface. One table row for each algorithm; what is said in digest.h about the form
 * of a digest's text is checked here and nowhere else, so that a digest which passed digest_parse is safe as a
 * file name.
 */
#include "image/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

struct algorithm {
        const char *prefix;
        size_t prefix_len;
        size_t hex_len;
        const EVP_MD *(*evp)(void);
};

static const struct algorithm algorithms[] = {
        [DIGEST_SHA256] = {"sha256:", 7, 64, EVP_sha256},
        [DIGEST_SHA512] = {"sha512:", 7, 128, EVP_sha512},
};

static const char hex_digits[] = "0123456789abcdef";

struct digest {
        const struct algorithm *algorithm;
        EVP_MD_CTX *context;
};

static const struct algorithm *find_algorithm(const char *text)
{
        for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
                if (strncmp(text, algorithms[i].prefix, algorithms[i].prefix_len) == 0)
                        return &algorithms[i];
        }
        return NULL;
}

/* The general form that OCI gives digests: an algorithm's name, a colon, lower-case hex digits. */
static bool has_digest_form(const char *text)
{
        size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+._-");
        const char *hex = text + name + 1;

        return name > 0 && text[name] == ':' && *hex && hex[strspn(hex, hex_digits)] == '\0';
}

/* In the order in which servers look: the algorithm, the length, the digits. */
const char *digest_problem(const char *text)
{
        const struct algorithm *algorithm = find_algorithm(text);

        if (algorithm && text[algorithm->prefix_len] &&
            strlen(text + algorithm->prefix_len) != algorithm->hex_len)
                return "invalid checksum digest length";
        if (algorithm || !has_digest_form(text))
                return "invalid checksum digest format";
        return "unsupported digest algorithm";
}

bool digest_parse(const char *text, enum digest_algorithm *ret_algorithm)
{
        const struct algorithm *algorithm = find_algorithm(text);
        const char *hex;

        if (!algorithm)
                return false;
        hex = text + algorithm->prefix_len;
        if (strspn(hex, hex_digits) != algorithm->hex_len || hex[algorithm->hex_len] != '\0')
                return false;
        if (ret_algorithm)
                *ret_algorithm = (enum digest_algorithm)(algorithm - algorithms);
        return true;
}

const char *digest_hex(const char *text)
{
        return strchr(text, ':') + 1;
}

int digest_new(enum digest_algorithm algorithm, struct digest **ret)
{
        struct digest *digest = malloc(sizeof(*digest));

        if (!digest)
                return -ENOMEM;
        digest->algorithm = &algorithms[algorithm];
        digest->context = EVP_MD_CTX_new();
        if (!digest->context || !EVP_DigestInit_ex(digest->context, digest->algorithm->evp(), NULL)) {
                digest_free(digest);
                return -ENOMEM;
        }
        *ret = digest;
        return 0;
}

void digest_free(struct digest *digest)
{
        if (!digest)
                return;
        EVP_MD_CTX_free(digest->context);
        free(digest);
}

int digest_update(struct digest *digest, const void *data, size_t len)
{
        return EVP_DigestUpdate(digest->context, data, len) ? 0 : -ENOMEM;
}

static void format_digest(const struct algorithm *algorithm, const unsigned char *bytes,
                          char ret[DIGEST_TEXT_SIZE])
{
        char *p = ret + algorithm->prefix_len;

        memcpy(ret, algorithm->prefix, algorithm->prefix_len);
        for (size_t i = 0; i < algorithm->hex_len / 2; i++) {
                *p++ = hex_digits[bytes[i] >> 4];
                *p++ = hex_digits[bytes[i] & 15];
        }
        *p = '\0';
}

int digest_finish(struct digest *digest, char ret[DIGEST_TEXT_SIZE])
{
        unsigned char bytes[EVP_MAX_MD_SIZE];

        if (!EVP_DigestFinal_ex(digest->context, bytes, NULL) ||
            !EVP_DigestInit_ex(digest->context, NULL, NULL))
                return -ENOMEM;
        format_digest(digest->algorithm, bytes, ret);
        return 0;
}

void digest_skip_configuration(void)
{
        OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

int digest_of(enum digest_algorithm algorithm, const void *data, size_t len, char ret[DIGEST_TEXT_SIZE])
{
        unsigned char bytes[EVP_MAX_MD_SIZE];

        if (!EVP_Digest(data, len, bytes, NULL, algorithms[algorithm].evp(), NULL))
                return -ENOMEM;
        format_digest(&algorithms[algorithm], bytes, ret);
        return 0;
}
