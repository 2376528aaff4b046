/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures of images, made for one check: simple signing with GnuPG, and sigstore's with a key of the curve P-256.
 * Keys lie below the check's folder, and no process of GnuPG outlives a call. What cannot be made ends the check:
 * by check_skip where there is no gpg.
 */
#ifndef CONFORMANCE_SIGNATURES_H
#define CONFORMANCE_SIGNATURES_H

#include "conformance/check.h"

/* A key pair, with the check's lifetime. */
struct signer;

/* @name is that of its files in the check's folder, one for each signer. */
struct signer *signatures_gnupg(struct check_context *c, const char *name);
struct signer *signatures_sigstore(struct check_context *c, const char *name);

/* The path of the file with the public key, as a policy's keyPath wants it. */
const char *signer_public_key(const struct signer *signer);

/* A signature as files of a dir: image and of a lookaside have it. */
struct signature {
        const char *data;
        size_t len;
};

/* Text with the check's lifetime. */
const char *signatures_base64(struct check_context *c, const void *data, size_t len);

/* States that the manifest with @digest is the image @identity, "vendor.example/app:latest". */
struct signature signatures_sign(struct check_context *c, const struct signer *signer, const char *digest,
                                 const char *identity);

/* Puts it beside the manifest of the dir: image in @folder, as number @n from 1. */
void signatures_write_dir(struct check_context *c, const char *folder, unsigned n,
                          const struct signature *signature);

/* Puts it into the folder @lookaside, for the manifest with @digest in @repository. */
void signatures_write_lookaside(struct check_context *c, const char *lookaside, const char *repository,
                                const char *digest, const struct signature *signature);

/*
 * Signs by sigstore's @signer, and puts the signature into the layout of the fixture: as an image of its own, with
 * the tag that the digest of the fixture's manifest becomes. @digest is what the signature states.
 */
void signatures_attach(struct check_context *c, const struct signer *signer, const char *fixture,
                       const char *digest, const char *identity);

#endif
