// pages.c - see pages.h.
//
// SPDX-License-Identifier: MIT

#include "pages.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"

#include <errno.h>
#include <string.h>

#define PAGES_MAX 10000  //  a gateway that never ends is none

int
pages_each (session_t *session, const char *path, const char *member, pages_fn *fn, void *argument,
            reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t next = {0};

    buffer_text (&next, path);
    for (int pages = 0; pages < PAGES_MAX; pages++) {
        _cleanup_ (json_destroy) struct json_object *page = NULL;
        int rc = session_get_json (session, next.data, &page, why);
        struct json_object *entries = rc == 0 ? json_get_array (page, member) : NULL;
        if (rc < 0 || !entries) {
            return rc < 0 ? rc : reason_set (why, -EPROTO, "the answer has no list '%s'", member);
        }
        for (size_t i = 0; i < json_object_array_length (entries); i++) {
            fn (argument, json_object_array_get_idx (entries, i));
        }
        const char *cursor = json_get_text (page, "next_cursor");
        if (!cursor) {
            return 0;
        }
        buffer_reset (&next);
        buffer_format (&next, "%s%scursor=", path, strchr (path, '?') ? "&" : "?");
        url_encode (&next, cursor);
    }
    return reason_set (why, -EPROTO, "the list does not end");
}
