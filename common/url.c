// url.c - see url.h.
//
// SPDX-License-Identifier: MIT

#include "url.h"

#include <ctype.h>
#include <string.h>

static bool
is_unreserved (unsigned char byte)
{
    return isalnum (byte) || (byte != '\0' && strchr ("-_.~", byte));
}

void
url_encode (buffer_t *out, const char *text)
{
    static const char HEX [] = "0123456789ABCDEF";

    for (; *text; text++) {
        unsigned char byte = (unsigned char) *text;
        if (is_unreserved (byte)) {
            buffer_append (out, text, 1);
        } else {
            char escaped [3] = {'%', HEX [byte >> 4], HEX [byte & 15]};
            buffer_append (out, escaped, sizeof escaped);
        }
    }
}

void
url_add_field (buffer_t *out, const char *name, const char *value)
{
    if (out->size > 0) {
        buffer_append (out, "&", 1);
    }
    url_encode (out, name);
    buffer_append (out, "=", 1);
    url_encode (out, value);
}

static int
hex_digit (char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

long
url_decode (char *text, const char *encoded, size_t size)
{
    size_t length = 0;

    for (size_t i = 0; i < size; i++) {
        char byte = encoded [i] == '+' ? ' ' : encoded [i];
        if (byte == '%') {
            bool whole = i + 2 < size;
            int high = whole ? hex_digit (encoded [i + 1]) : -1;
            int low = whole ? hex_digit (encoded [i + 2]) : -1;
            if (high < 0 || low < 0) {
                return -1;
            }
            byte = (char) (high * 16 + low);
            i += 2;
        }
        if (byte == '\0') {
            return -1;
        }
        text [length++] = byte;
    }
    text [length] = '\0';
    return (long) length;
}
