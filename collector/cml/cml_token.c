// SPDX-License-Identifier: MIT

#include "cml_token.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_MOST 253402300799.0  //  9999-12-31T23:59:59Z

bool
cml_token_is_sound (const char *token)
{
    size_t size = strlen (token);

    for (size_t i = 0; i < size; i++) {
        if (token [i] <= ' ' || token [i] > '~') {
            return false;
        }
    }
    return size > 0 && size < CML_TOKEN_MAX;
}

//  The value of a base64url digit (RFC 4648 section 5), -1 of anything else.
static int
digit (char c)
{
    static const char DIGITS [] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *place = c ? strchr (DIGITS, c) : NULL;
    return place ? (int) (place - DIGITS) : -1;
}

//  Returns the bytes written, or -1 when it is not base64url. out has room for size of them.
static long
decode (unsigned char *out, const char *text, size_t size)
{
    unsigned bits = 0, have = 0;
    long written = 0;

    while (size > 0 && text [size - 1] == '=') {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        int value = digit (text [i]);
        if (value < 0) {
            return -1;
        }
        bits = bits << 6 | (unsigned) value;
        have += 6;
        if (have >= CHAR_BIT) {
            have -= CHAR_BIT;
            out [written++] = (unsigned char) (bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return written;
}

static time_us_t
get_seconds (struct json_object *claims, const char *key)
{
    double seconds;  //  RFC 7519's NumericDate may have a fraction

    if (!json_get_number (claims, key, &seconds) || !(seconds > 0 && seconds < SECONDS_MOST)) {
        return TIME_UNKNOWN;
    }
    return (time_us_t) (seconds * (double) SECOND_US);
}

cml_claims_t
cml_token_claims (const char *token)
{
    cml_claims_t claims = {.issued = TIME_UNKNOWN, .expires = TIME_UNKNOWN};
    unsigned char bytes [CML_TOKEN_MAX];
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    const char *begin = strchr (token, '.');
    const char *end = begin ? strchr (begin + 1, '.') : NULL;

    if (!end || (size_t) (end - begin) >= sizeof bytes) {
        return claims;
    }
    long size = decode (bytes, begin + 1, (size_t) (end - begin - 1));
    if (size <= 0 || json_parse (&json, bytes, (size_t) size, sizeof bytes, NULL) < 0) {
        return claims;
    }
    claims.issued = get_seconds (json, "iat");
    claims.expires = get_seconds (json, "exp");
    const char *account = json_get_text (json, "sub");
    if (account && strlen (account) < sizeof claims.account_id) {
        snprintf (claims.account_id, sizeof claims.account_id, "%s", account);
    }
    return claims;
}
