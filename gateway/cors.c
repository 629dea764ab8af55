// cors.c - see cors.h.
//
// SPDX-License-Identifier: MIT

#include "cors.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define MAX_AGE "600"  //  seconds a browser need not ask again
#define HEADERS "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
#define EXPOSED "Location, Retry-After"

//  The next word of the list; null: no more.
static const char *
next_word (const char **list, size_t *size)
{
    *list += strspn (*list, ", \t");
    const char *word = *list;
    *size = strcspn (word, ", \t");
    *list += *size;
    return *size > 0 ? word : NULL;
}

static bool
is_origin (const char *word, size_t size)
{
    const char *host = memmem (word, size, "://", 3);
    size_t scheme = host ? (size_t) (host - word) : 0;

    return (scheme == 4 || scheme == 5) && strncmp (word, "https", scheme) == 0 &&
           size > scheme + 3 && !memchr (host + 3, '/', size - scheme - 3) &&
           !memchr (word, '*', size);
}

int
cors_check (const char *origins, reason_t *why)
{
    const char *word;
    size_t size;

    while ((word = next_word (&origins, &size))) {
        if (!is_origin (word, size)) {
            return reason_set (why, -EINVAL,
                               "cors_origins: '%.*s' is no origin, it must be "
                               "http://host[:port] or https://host[:port]",
                               (int) (size > 200 ? 200 : size), word);
        }
    }
    return 0;
}

const char *
cors_origin (const char *origins, struct MHD_Connection *connection)
{
    const char *origin = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Origin");
    const char *word;
    size_t size;

    while (origin && (word = next_word (&origins, &size))) {
        if (strlen (origin) == size && memcmp (origin, word, size) == 0) {
            return origin;
        }
    }
    return NULL;
}

void
cors_add (const char *origins, struct MHD_Connection *connection, struct MHD_Response *response,
          const char *methods)
{
    const char *origin = cors_origin (origins, connection);

    if (*origins) {
        MHD_add_response_header (response, "Vary", "Origin");
    }
    if (!origin) {
        return;
    }
    MHD_add_response_header (response, "Access-Control-Allow-Origin", origin);
    MHD_add_response_header (response, "Access-Control-Allow-Credentials", "true");
    MHD_add_response_header (response, "Access-Control-Expose-Headers", EXPOSED);
    if (methods) {
        MHD_add_response_header (response, "Access-Control-Allow-Methods", methods);
        MHD_add_response_header (response, "Access-Control-Allow-Headers", HEADERS);
        MHD_add_response_header (response, "Access-Control-Max-Age", MAX_AGE);
    }
}

void
cors_write (const char *origins, struct MHD_Connection *connection, buffer_t *out)
{
    const char *origin = cors_origin (origins, connection);

    buffer_text (out, *origins ? "Vary: Origin\r\n" : "");
    if (origin) {
        buffer_format (out,
                       "Access-Control-Allow-Origin: %s\r\n"
                       "Access-Control-Allow-Credentials: true\r\n",
                       origin);
    }
}
