/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference of an OCI layout, DIR[:TAG], as servers take it apart. Apart from source.c, so that a program which
 * only writes layouts does not need what opens archives.
 */
#include <errno.h>
#include <string.h>

#include "image/local-error.h"
#include "image/source.h"

static int no_memory(struct cip_error *error)
{
        return local_error(error, -ENOMEM, "no memory for a reference");
}

/* One component of a tag: letters and digits, with single separators (or "--") within. Returns its length. */
static size_t tag_component(const char *text)
{
        static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        size_t len = strspn(text, alnum);

        while (len > 0) {
                size_t separator = strncmp(text + len, "--", 2) == 0          ? 2
                                   : text[len] && strchr("-._:@+", text[len]) ? 1
                                                                              : 0;
                size_t more = separator ? strspn(text + len + separator, alnum) : 0;

                if (more == 0)
                        break;
                len += separator + more;
        }
        return len;
}

static bool is_tag(const char *text)
{
        for (;;) {
                size_t len = tag_component(text);

                if (len == 0)
                        return false;
                if (text[len] == '\0')
                        return true;
                if (text[len] != '/')
                        return false;
                text += len + 1;
        }
}

int oci_reference_parse(const char *text, char **ret_path, char **ret_tag, struct cip_error *error)
{
        size_t len = strcspn(text, ":");
        const char *tag = text[len] && text[len + 1] ? text + len + 1 : NULL;
        CLEANUP(cleanup_free) char *path = strndup(text, len);
        CLEANUP(cleanup_free) char *tag_copy = tag ? strdup(tag) : NULL;

        if (tag && !is_tag(tag))
                return local_error(error, -EINVAL, "Invalid image %s", tag);
        if (!path || (tag && !tag_copy))
                return no_memory(error);
        *ret_path = STEAL(path);
        *ret_tag = STEAL(tag_copy);
        return 0;
}
