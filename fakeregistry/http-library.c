/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one table of the process: callbacks of GnuTLS have no way to be told of another. It is written once.
 */
#include "fakeregistry/http-library.h"

#include <pthread.h>

#include "base/cleanup.h"
#include "base/library.h"

#define USERS "registries"

static const struct library_function microhttpd[] = {
#define FUNCTION(name) LIBRARY_FUNCTION(struct http_library, name),
        MICROHTTPD_FUNCTIONS(FUNCTION)};

static const struct library_function gnutls[] = {GNUTLS_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static struct http_library library;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int http_library_load(struct cip_error *error)
{
        int r = 0;

        pthread_mutex_lock(&mutex);
        if (!library.MHD_start_daemon) {
                r = library_load("libgnutls.so.30", USERS, gnutls, ARRAY_SIZE(gnutls), &library, error);
                if (r == 0)
                        r = library_load("libmicrohttpd.so.12", USERS, microhttpd, ARRAY_SIZE(microhttpd),
                                         &library, error);
        }
        pthread_mutex_unlock(&mutex);
        return r;
}

const struct http_library *http_library(void)
{
        return &library;
}
