/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates made for one run: an authority, and server and client certificates of it, right and wrong ones.
 * Keys are of the curve P-256, made anew each time, and stay in memory unless they are written. On OpenSSL's
 * libcrypto.
 */
#ifndef FAKEREGISTRY_CERTIFICATES_H
#define FAKEREGISTRY_CERTIFICATES_H

#include "base/cip-error.h"
#include "base/cleanup.h"

enum registry_certificate_kind {
        REGISTRY_CERTIFICATE_GOOD = 0,
        REGISTRY_CERTIFICATE_EXPIRED,    /* since yesterday */
        REGISTRY_CERTIFICATE_NOT_YET,    /* valid from tomorrow on */
        REGISTRY_CERTIFICATE_WRONG_NAME, /* of wrong.example */
        REGISTRY_CERTIFICATE_UNKNOWN_AUTHORITY,
        REGISTRY_CERTIFICATE_SELF_SIGNED,
};

struct registry_authority;

/* Makes one of this name. Returns 0 or a negative errno with @error. */
int registry_authority_new(const char *name, struct registry_authority **ret, struct cip_error *error);
void registry_authority_free(struct registry_authority *authority);
DEFINE_CLEANUP(struct registry_authority *, registry_authority_free);

/* Its certificate as PEM, for clients to trust. Borrowed. */
const char *registry_authority_pem(const struct registry_authority *authority);

/* A certificate and its key, as PEM. */
struct registry_certificate {
        char *certificate;
        char *key;
};

void registry_certificate_clear(struct registry_certificate *certificate);
static inline void cleanup_registry_certificate(struct registry_certificate *certificate)
{
        registry_certificate_clear(certificate);
}

/*
 * A server's, for the names and IP addresses in @hosts (ended by NULL). Returns 0 or a negative errno with
 * @error.
 */
int registry_certificate_server(const struct registry_authority *authority, enum registry_certificate_kind kind,
                                const char *const *hosts, struct registry_certificate *ret,
                                struct cip_error *error);

/* A client's, of the subject CN=@name. */
int registry_certificate_client(const struct registry_authority *authority, enum registry_certificate_kind kind,
                                const char *name, struct registry_certificate *ret, struct cip_error *error);

/*
 * Whether the texts are a certificate and the key to it. -EINVAL with @error, class `local`, which names
 * @certificate_name or @key_name, where the texts came from.
 */
int registry_certificate_judge(const char *certificate, const char *certificate_name, const char *key,
                               const char *key_name, struct cip_error *error);

#endif
