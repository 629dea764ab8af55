// url.h - form fields, as AWS's query protocol and our own query strings use them.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_URL_H
#define COMMON_URL_H

#include "buffer.h"

//  Percent-encodes all but A-Z a-z 0-9 - _ . ~ (RFC 3986), as SigV4 wants it.
void url_encode (buffer_t *out, const char *text);

//  `&name=value`, without the '&' when out is empty.
void url_add_field (buffer_t *out, const char *name, const char *value);

//  Decodes size bytes of %XX and '+' into text (as long as the input at the most, plus NUL);
//  -1 on a malformed escape or an encoded NUL, else the length.
long url_decode (char *text, const char *encoded, size_t size);

#endif
