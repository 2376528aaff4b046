/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates on OpenSSL's libcrypto: an EC key, an X.509 structure with the extensions that clients look at,
 * a signature. What a wrong one has wrong is a row of a table.
 */
#include "fakeregistry/certificates.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/io.h"
#include "image/local-error.h"

#define DAY (24L * 60 * 60)

DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);
DEFINE_CLEANUP(X509 *, X509_free);
DEFINE_CLEANUP(BIO *, BIO_free_all);

struct registry_authority {
        EVP_PKEY *key;
        X509 *certificate;
        char *pem;
};

/* What is made. */
struct certificate_spec {
        const char *name;                           /* CN of the subject */
        const struct registry_authority *authority; /* NULL: signed by its own key */
        const char *alternatives;                   /* subjectAltName, in OpenSSL's words; NULL: none */
        const char *usage;                          /* extendedKeyUsage; NULL: it is an authority */
        long from, until;                           /* seconds from now */
};

static const struct {
        long from, until;
        bool wrong_name, other_authority, self_signed;
} kinds[] = {
        [REGISTRY_CERTIFICATE_GOOD] = {-DAY, 30 * DAY, false, false, false},
        [REGISTRY_CERTIFICATE_EXPIRED] = {-30 * DAY, -DAY, false, false, false},
        [REGISTRY_CERTIFICATE_NOT_YET] = {DAY, 30 * DAY, false, false, false},
        [REGISTRY_CERTIFICATE_WRONG_NAME] = {-DAY, 30 * DAY, true, false, false},
        [REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY] = {-DAY, 30 * DAY, false, true, false},
        [REGISTRY_CERTIFICATE_SELF_SIGNED] = {-DAY, 30 * DAY, false, false, true},
};

/* What libcrypto says of its last failure. */
static int crypto_error(struct cip_error *error, const char *what)
{
        char reason[200] = "no memory";
        unsigned long code = ERR_get_error();

        if (code)
                ERR_error_string_n(code, reason, sizeof(reason));
        ERR_clear_error();
        return local_error(error, code ? -EIO : -ENOMEM, "cannot make %s: %s", what, reason);
}

/* ---- making one ---- */

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
        X509_EXTENSION *extension;
        X509V3_CTX context;
        bool added;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
        added = extension && X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
        return added;
}

static bool add_extensions(X509 *certificate, X509 *issuer, const struct certificate_spec *spec)
{
        return add_extension(certificate, issuer, NID_basic_constraints,
                             spec->usage ? "critical,CA:FALSE" : "critical,CA:TRUE") &&
               add_extension(certificate, issuer, NID_key_usage,
                             spec->usage ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign") &&
               (!spec->usage || add_extension(certificate, issuer, NID_ext_key_usage, spec->usage)) &&
               (!spec->alternatives ||
                add_extension(certificate, issuer, NID_subject_alt_name, spec->alternatives)) &&
               add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
               add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
}

static bool set_serial(X509 *certificate)
{
        unsigned char bytes[8];
        uint64_t serial = 0;

        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
                return false;
        for (size_t i = 0; i < sizeof(bytes); i++)
                serial = serial << 8 | bytes[i];
        return ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1);
}

static X509 *make(const struct certificate_spec *spec, EVP_PKEY *key)
{
        CLEANUP(cleanup_X509_free) X509 *certificate = X509_new();
        X509_NAME *name = certificate ? X509_get_subject_name(certificate) : NULL;
        X509 *issuer = spec->authority ? spec->authority->certificate : certificate;

        if (!name || !X509_set_version(certificate, X509_VERSION_3) || !set_serial(certificate) ||
            !X509_gmtime_adj(X509_getm_notBefore(certificate), spec->from) ||
            !X509_gmtime_adj(X509_getm_notAfter(certificate), spec->until) ||
            !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)spec->name, -1, -1,
                                        0) ||
            !X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) ||
            !X509_set_pubkey(certificate, key) || !add_extensions(certificate, issuer, spec) ||
            !X509_sign(certificate, spec->authority ? spec->authority->key : key, EVP_sha256()))
                return NULL;
        return STEAL(certificate);
}

/* ---- as text ---- */

static char *text_of(BIO *bio)
{
        char *data = NULL;
        long len = BIO_get_mem_data(bio, &data);
        char *text = len > 0 ? malloc((size_t)len + 1) : NULL;

        if (!text)
                return NULL;
        memcpy(text, data, (size_t)len);
        text[len] = '\0';
        return text;
}

static char *certificate_pem(X509 *certificate)
{
        CLEANUP(cleanup_BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());

        return bio && PEM_write_bio_X509(bio, certificate) ? text_of(bio) : NULL;
}

static char *key_pem(EVP_PKEY *key)
{
        CLEANUP(cleanup_BIO_free_all) BIO *bio = BIO_new(BIO_s_mem());

        return bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) ? text_of(bio) : NULL;
}

/* ---- an authority ---- */

int registry_authority_new(const char *name, struct registry_authority **ret, struct cip_error *error)
{
        const struct certificate_spec spec = {.name = name, .from = -DAY, .until = 30 * DAY};
        CLEANUP(cleanup_registry_authority_free)
        struct registry_authority *authority = calloc(1, sizeof(*authority));

        if (!authority)
                return local_error(error, -ENOMEM, "no memory for an authority");
        authority->key = EVP_EC_gen("P-256");
        authority->certificate = authority->key ? make(&spec, authority->key) : NULL;
        authority->pem = authority->certificate ? certificate_pem(authority->certificate) : NULL;
        if (!authority->pem)
                return crypto_error(error, "an authority's certificate");
        *ret = STEAL(authority);
        return 0;
}

void registry_authority_free(struct registry_authority *authority)
{
        if (!authority)
                return;
        EVP_PKEY_free(authority->key);
        X509_free(authority->certificate);
        free(authority->pem);
        free(authority);
}

const char *registry_authority_pem(const struct registry_authority *authority)
{
        return authority->pem;
}

/* ---- its certificates ---- */

void registry_certificate_clear(struct registry_certificate *certificate)
{
        free(certificate->certificate);
        free(certificate->key);
        *certificate = (struct registry_certificate){0};
}

static int make_pair(const struct certificate_spec *spec, struct registry_certificate *ret,
                     struct cip_error *error)
{
        CLEANUP(cleanup_EVP_PKEY_free) EVP_PKEY *key = EVP_EC_gen("P-256");
        CLEANUP(cleanup_X509_free) X509 *certificate = key ? make(spec, key) : NULL;
        CLEANUP(cleanup_free) char *text = certificate ? certificate_pem(certificate) : NULL;
        CLEANUP(cleanup_free) char *key_text = certificate ? key_pem(key) : NULL;

        if (!text || !key_text)
                return crypto_error(error, "a certificate");
        *ret = (struct registry_certificate){STEAL(text), STEAL(key_text)};
        return 0;
}

/* By whom one of this kind is signed. @ret_other is an authority that nobody knows, made for this. */
static int pick_authority(const struct registry_authority *authority, enum registry_certificate_kind kind,
                          const struct registry_authority **ret, struct registry_authority **ret_other,
                          struct cip_error *error)
{
        int r;

        *ret = kinds[kind].self_signed ? NULL : authority;
        if (!kinds[kind].other_authority)
                return 0;
        r = registry_authority_new("an authority that nobody knows", ret_other, error);
        if (r == 0)
                *ret = *ret_other;
        return r;
}

/* "DNS:localhost,IP:127.0.0.1" */
static char *alternatives_of(const char *const *hosts)
{
        char *text = NULL;
        size_t len = 0;
        FILE *stream = open_memstream(&text, &len);

        if (!stream)
                return NULL;
        for (size_t i = 0; hosts[i]; i++) {
                unsigned char address[sizeof(struct in6_addr)];
                bool is_ip = inet_pton(AF_INET, hosts[i], address) == 1 ||
                             inet_pton(AF_INET6, hosts[i], address) == 1;

                fprintf(stream, "%s%s:%s", i ? "," : "", is_ip ? "IP" : "DNS", hosts[i]);
        }
        return memstream_close(stream, &text);
}

int registry_certificate_server(const struct registry_authority *authority, enum registry_certificate_kind kind,
                                const char *const *hosts, struct registry_certificate *ret,
                                struct cip_error *error)
{
        static const char *const wrong_hosts[] = {"wrong.example", NULL};
        const char *const *names = kinds[kind].wrong_name ? wrong_hosts : hosts;
        CLEANUP(cleanup_registry_authority_free) struct registry_authority *other = NULL;
        CLEANUP(cleanup_free) char *alternatives = alternatives_of(names);
        struct certificate_spec spec = {
                .name = names[0],
                .alternatives = alternatives,
                .usage = "serverAuth",
                .from = kinds[kind].from,
                .until = kinds[kind].until,
        };
        int r;

        if (!alternatives)
                return local_error(error, -ENOMEM, "no memory for a certificate");
        r = pick_authority(authority, kind, &spec.authority, &other, error);
        return r < 0 ? r : make_pair(&spec, ret, error);
}

int registry_certificate_client(const struct registry_authority *authority, enum registry_certificate_kind kind,
                                const char *name, struct registry_certificate *ret, struct cip_error *error)
{
        CLEANUP(cleanup_registry_authority_free) struct registry_authority *other = NULL;
        struct certificate_spec spec = {
                .name = kinds[kind].wrong_name ? "wrong" : name,
                .usage = "clientAuth",
                .from = kinds[kind].from,
                .until = kinds[kind].until,
        };
        int r = pick_authority(authority, kind, &spec.authority, &other, error);

        return r < 0 ? r : make_pair(&spec, ret, error);
}

/* ---- somebody else's ---- */

/* A key with a password is refused instead of asking for it at the terminal. */
static int no_password(char *buffer, int size, int writing, void *data)
{
        (void)buffer;
        (void)size;
        (void)writing;
        (void)data;
        return -1;
}

int registry_certificate_judge(const char *certificate, const char *certificate_name, const char *key,
                               const char *key_name, struct cip_error *error)
{
        CLEANUP(cleanup_BIO_free_all) BIO *certificate_bio = BIO_new_mem_buf(certificate, -1);
        CLEANUP(cleanup_BIO_free_all) BIO *key_bio = BIO_new_mem_buf(key, -1);
        CLEANUP(cleanup_X509_free) X509 *parsed = NULL;
        CLEANUP(cleanup_EVP_PKEY_free) EVP_PKEY *parsed_key = NULL;
        int matches;

        if (!certificate_bio || !key_bio)
                return local_error(error, -ENOMEM, "no memory to read a certificate");
        parsed = PEM_read_bio_X509(certificate_bio, NULL, no_password, NULL);
        parsed_key = PEM_read_bio_PrivateKey(key_bio, NULL, no_password, NULL);
        matches = parsed && parsed_key ? X509_check_private_key(parsed, parsed_key) : 0;
        ERR_clear_error();
        if (!parsed)
                return local_error(error, -EINVAL, "there is no certificate in %s (PEM is wanted)",
                                   certificate_name);
        if (!parsed_key)
                return local_error(error, -EINVAL, "there is no key in %s (PEM without a password is wanted)",
                                   key_name);
        if (!matches)
                return local_error(error, -EINVAL, "the key in %s is not that of the certificate in %s",
                                   key_name, certificate_name);
        return 0;
}
