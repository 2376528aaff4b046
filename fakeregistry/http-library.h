/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd and GnuTLS, loaded when the first registry starts: base/library.h says why. A suite that has registries
 * in some of its checks forks a process for each of all. For the files of this room alone.
 */
#ifndef FAKEREGISTRY_HTTP_LIBRARY_H
#define FAKEREGISTRY_HTTP_LIBRARY_H

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "base/cip-error.h"

/* All that this room calls. */
#define MICROHTTPD_FUNCTIONS(X)              \
        X(MHD_add_response_header)           \
        X(MHD_create_post_processor)         \
        X(MHD_create_response_from_callback) \
        X(MHD_destroy_post_processor)        \
        X(MHD_destroy_response)              \
        X(MHD_get_connection_info)           \
        X(MHD_get_connection_values)         \
        X(MHD_get_reason_phrase_for)         \
        X(MHD_is_feature_supported)          \
        X(MHD_lookup_connection_value)       \
        X(MHD_post_process)                  \
        X(MHD_queue_response)                \
        X(MHD_set_connection_option)         \
        X(MHD_set_response_options)          \
        X(MHD_start_daemon)                  \
        X(MHD_stop_daemon)

#define GNUTLS_FUNCTIONS(X)                 \
        X(gnutls_alert_send)                \
        X(gnutls_certificate_get_peers)     \
        X(gnutls_certificate_verify_peers2) \
        X(gnutls_protocol_get_version)      \
        X(gnutls_record_send)               \
        X(gnutls_transport_get_int)         \
        X(gnutls_session_set_verify_function)

struct http_library {
#define HTTP_LIBRARY_MEMBER(name) __typeof__(name) *(name);
        MICROHTTPD_FUNCTIONS(HTTP_LIBRARY_MEMBER)
        GNUTLS_FUNCTIONS(HTTP_LIBRARY_MEMBER)
#undef HTTP_LIBRARY_MEMBER
};

/* Loads both, to stay until the process ends; threads may call it at once. Returns 0 or -ELIBACC with @error. */
int http_library_load(struct cip_error *error);

/* The table, once it is loaded. */
const struct http_library *http_library(void);

#endif
