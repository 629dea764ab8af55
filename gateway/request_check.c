// request_check.c - see request_check.h.
//
// SPDX-License-Identifier: MIT

#include "request_check.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

//  Beside letters and digits (RFC 9110, 5.6.2).
#define TOKEN_MARKS "!#$%&'*+-.^_`|~"

typedef struct head {
    unsigned hosts, lengths, codings;
    reason_t *why;
    int rc;
} head_t;

static enum MHD_Result
refuse (head_t *head, const char *what)
{
    head->rc = reason_set (head->why, -EINVAL, "%s", what);
    return MHD_NO;
}

static bool
is_token (const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!isalnum ((unsigned char) name [i]) && (!name [i] || !strchr (TOKEN_MARKS, name [i]))) {
            return false;
        }
    }
    return size > 0;
}

static enum MHD_Result
check_header (void *argument, enum MHD_ValueKind kind, const char *name, size_t name_size,
              const char *value, size_t value_size)
{
    head_t *head = argument;

    (void) kind;
    if (!is_token (name, name_size)) {
        return refuse (head, "a header's name is one word, and a colon stands right behind it");
    }
    if (value && (strlen (value) != value_size || strpbrk (value, "\r\n"))) {
        return refuse (head, "a header has a NUL or a line's end in its value");
    }
    head->hosts += strcasecmp (name, MHD_HTTP_HEADER_HOST) == 0;
    head->lengths += strcasecmp (name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    if (strcasecmp (name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        head->codings++;
        if (!value || strcasecmp (value, "chunked") != 0) {
            return refuse (head, "Transfer-Encoding is chunked or absent");
        }
    }
    return MHD_YES;
}

static enum MHD_Result
check_parameter (void *argument, enum MHD_ValueKind kind, const char *name, size_t name_size,
                 const char *value, size_t value_size)
{
    head_t *head = argument;

    (void) kind;
    return strlen (name) == name_size && (!value || strlen (value) == value_size)
               ? MHD_YES
               : refuse (head, "a parameter has a NUL within");
}

int
request_check (struct MHD_Connection *connection, const char *version, reason_t *why)
{
    head_t head = {.why = why};
    bool newer = strcmp (version, MHD_HTTP_VERSION_1_1) == 0;

    if (!newer && strcmp (version, MHD_HTTP_VERSION_1_0) != 0) {
        return reason_set (why, -EINVAL, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    }
    MHD_get_connection_values_n (connection, MHD_HEADER_KIND, check_header, &head);
    if (head.rc == 0) {
        MHD_get_connection_values_n (connection, MHD_GET_ARGUMENT_KIND, check_parameter, &head);
    }
    if (head.rc == 0 && (head.hosts > 1 || (newer && head.hosts == 0))) {
        (void) refuse (&head, "a request has one Host");
    }
    if (head.rc == 0 && head.lengths + head.codings > 1) {
        (void) refuse (&head, "a body has one length: Content-Length or Transfer-Encoding, once");
    }
    return head.rc;
}

const char *
request_path (const char *target)
{
    static const char *const SCHEMES [] = {"http://", "https://"};

    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        size_t size = strlen (SCHEMES [i]);
        if (strncasecmp (target, SCHEMES [i], size) == 0) {
            const char *path = strchr (target + size, '/');
            return path ? path : "/";
        }
    }
    return target;
}

static int
hex_digit (char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

size_t
request_unescape (void *argument, struct MHD_Connection *connection, char *text)
{
    char *out = text;

    (void) argument, (void) connection;
    for (const char *in = text; *in; in++) {
        int high = *in == '%' ? hex_digit (in [1]) : -1;
        int low = high >= 0 ? hex_digit (in [2]) : -1;
        int byte = low >= 0 ? high * 16 + low : 0;
        *out++ = byte > 0 ? (char) byte : *in;
        in += byte > 0 ? 2 : 0;
    }
    *out = '\0';
    return (size_t) (out - text);
}
