/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry that is the fake one or, in a check whose `detail` says so, docker-registry, so that a check which
 * needs no fault is run on both by the same code. docker-registry is a process of the check's own with a folder
 * below the check's; it takes a free port by itself and tells of it in its log, so that no two can want the
 * same one. It ends with the check. Where it is not installed the check is skipped.
 */
#ifndef CONFORMANCE_REAL_REGISTRY_H
#define CONFORMANCE_REAL_REGISTRY_H

#include "conformance/check.h"
#include "fakeregistry/registry.h"

/* The `detail` of a check that wants docker-registry. Its id is that of the one on the fake, and "-real". */
extern const char on_real_registry[];

struct either_registry;

/*
 * Starts one that serves what @config (NULL: registries_usual) says. Of docker-registry a config can ask for
 * images of layouts by a tag and of fixtures, one listener with or without a good certificate, and Basic logins
 * that may pull everything; the check is an error where there is more in it.
 */
struct either_registry *either_start(struct check_context *c, const struct registry_config *config);

/* The fake registry, for its log; NULL: it is docker-registry. */
struct registry *either_fake(const struct either_registry *either);

/* "HOST:PORT". */
const char *either_address(const struct either_registry *either);

/* "docker://HOST:PORT/NAME", with the check's lifetime. */
const char *either_reference(struct check_context *c, const struct either_registry *either, const char *name);

/* A folder for --cert-dir, with the certificate of the registry's authority. With the check's lifetime. */
const char *either_certificates(struct check_context *c, const struct either_registry *either);

#endif
