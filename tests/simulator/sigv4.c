// SPDX-License-Identifier: MIT

#include "sigv4.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"
#include "../../common/url.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define ALGORITHM   "AWS4-HMAC-SHA256"
#define DIGEST_SIZE 32
#define PAIRS_MAX   256

//  --- bytes

static void
to_hex (const uint8_t digest [DIGEST_SIZE], char text [SIGV4_HEX_SIZE])
{
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        snprintf (text + 2 * i, 3, "%02x", digest [i]);
    }
}

static void
sha256_hex (const void *bytes, size_t size, char text [SIGV4_HEX_SIZE])
{
    uint8_t digest [DIGEST_SIZE];

    int rc = gnutls_hash_fast (GNUTLS_DIG_SHA256, size ? bytes : "", size, digest);
    assert (rc == 0);
    (void) rc;
    to_hex (digest, text);
}

static void
hmac (const void *key, size_t key_size, const char *text, uint8_t digest [DIGEST_SIZE])
{
    uint8_t result [DIGEST_SIZE];  //  key may be digest

    int rc = gnutls_hmac_fast (GNUTLS_MAC_SHA256, key, key_size, text, strlen (text), result);
    assert (rc == 0);
    (void) rc;
    memcpy (digest, result, sizeof result);
}

//  --- the canonical request

//  Decodes a part of the query as sent and encodes it as the rules want it.
static void
canonical_part (buffer_t *out, const char *from, size_t size)
{
    _cleanup_ (string_destroy) char *plain = malloc (size + 1);
    _cleanup_ (string_destroy) char *raw = strndup (from, size);

    if (plain && raw && url_decode (plain, from, size) >= 0) {
        url_encode (out, plain);
    } else if (raw) {
        url_encode (out, raw);
    }
}

static int
by_text (const void *a, const void *b)
{
    return strcmp (*(char *const *) a, *(char *const *) b);
}

//  One `name=value` of the query in canonical form; the caller frees it.
static char *
canonical_pair (const char *from, size_t size)
{
    buffer_t pair = {0};
    const char *equals = memchr (from, '=', size);
    size_t name_size = equals ? (size_t) (equals - from) : size;

    canonical_part (&pair, from, name_size);
    buffer_text (&pair, "=");
    if (equals) {
        canonical_part (&pair, equals + 1, size - name_size - 1);
    }
    return pair.data;
}

//  Sorted by name, then value. '=' sorts after '-' and '.', so a name that begins another
//  must be compared by name alone: 0x01 stands for '=' while sorting.
static void
canonical_query (buffer_t *out, const char *query)
{
    char *pairs [PAIRS_MAX] = {NULL};
    size_t count = 0;

    for (const char *at = query; *at && count < PAIRS_MAX;) {
        size_t size = strcspn (at, "&");
        char *pair = size ? canonical_pair (at, size) : NULL;
        if (pair) {
            //  -fanalyzer: a pair has its '='
            *strchr (pair, '=') = '\x01';
            pairs [count++] = pair;
        }
        at += size + (at [size] == '&');
    }
    qsort (pairs, count, sizeof pairs [0], by_text);
    for (size_t i = 0; i < count; i++) {
        *strchr (pairs [i], '\x01') = '=';
        buffer_text (out, i ? "&" : "");
        buffer_text (out, pairs [i]);
        free (pairs [i]);
    }
}

//  Encoded once more, as all services but S3 want it. Clients send "/" only; a path with
//  dot segments is not normalised, for none of our clients sends one.
static void
canonical_path (buffer_t *out, const char *path)
{
    for (const char *at = path; *at;) {
        size_t size = strcspn (at, "/");
        _cleanup_ (string_destroy) char *part = strndup (at, size);
        if (part) {
            url_encode (out, part);
        }
        buffer_text (out, at [size] == '/' ? "/" : "");
        at += size + (at [size] == '/');
    }
    if (!*path) {
        buffer_text (out, "/");
    }
}

//  Trimmed, and runs of blanks within made one.
static void
canonical_value (buffer_t *out, const char *value)
{
    while (*value) {
        value += strspn (value, " \t");
        size_t size = strcspn (value, " \t");
        buffer_append (out, value, size);
        value += size;
        if (value [strspn (value, " \t")]) {
            buffer_text (out, " ");
        }
    }
}

static void
canonical_headers (buffer_t *out, const sigv4_request_t *request, const char *names)
{
    for (const char *at = names; *at;) {
        size_t size = strcspn (at, ";");
        buffer_append (out, at, size);
        const char *between = ":";
        for (size_t i = 0; i < request->header_count; i++) {
            const sigv4_header_t *header = &request->headers [i];
            if (strlen (header->name) == size && strncasecmp (header->name, at, size) == 0) {
                buffer_text (out, between);
                canonical_value (out, header->value);
                between = ",";
            }
        }
        //  A name that was signed but not sent spoils the signature, as it does at AWS.
        buffer_text (out, *between == ':' ? ":(absent)\n" : "\n");
        at += size + (at [size] == ';');
    }
}

static void
canonical_request (buffer_t *out, const sigv4_request_t *request, const char *signed_headers)
{
    char hash [SIGV4_HEX_SIZE];

    buffer_format (out, "%s\n", request->method);
    canonical_path (out, request->path);
    buffer_text (out, "\n");
    canonical_query (out, request->query);
    buffer_text (out, "\n");
    canonical_headers (out, request, signed_headers);
    sha256_hex (request->body, request->body_size, hash);
    buffer_format (out, "\n%s\n%s", signed_headers, hash);
}

void
sigv4_sign (const sigv4_request_t *request, const sigv4_claim_t *claim, const char *secret,
            char signature [SIGV4_HEX_SIZE])
{
    _cleanup_ (buffer_clear) buffer_t canonical = {0};
    _cleanup_ (buffer_clear) buffer_t to_sign = {0};
    _cleanup_ (buffer_clear) buffer_t start = {0};
    char hash [SIGV4_HEX_SIZE];
    uint8_t key [DIGEST_SIZE];

    canonical_request (&canonical, request, claim->signed_headers);
    sha256_hex (canonical.data, canonical.size, hash);
    buffer_format (&to_sign, "%s\n%s\n%s/%s/%s/aws4_request\n%s", ALGORITHM, claim->time,
                   claim->date, claim->region, claim->service, hash);
    buffer_format (&start, "AWS4%s", secret);
    hmac (start.data, start.size, claim->date, key);
    hmac (key, sizeof key, claim->region, key);
    hmac (key, sizeof key, claim->service, key);
    hmac (key, sizeof key, "aws4_request", key);
    hmac (key, sizeof key, to_sign.data, key);
    to_hex (key, signature);
}

//  --- what was claimed

const char *
sigv4_header (const sigv4_request_t *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        if (strcasecmp (request->headers [i].name, name) == 0) {
            return request->headers [i].value;
        }
    }
    return NULL;
}

//  Copies `key=value` up to ',' or a blank.
static bool
take_part (const char *header, const char *key, char *value, size_t size)
{
    const char *at = strstr (header, key);

    if (!at) {
        return false;
    }
    at += strlen (key);
    size_t length = strcspn (at, ", ");
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy (value, at, length);
    value [length] = '\0';
    return true;
}

static bool
take_credential (const char *credential, sigv4_claim_t *claim)
{
    char terminator [16];

    return sscanf (credential, "%79[^/]/%8[0-9]/%79[^/]/%79[^/]/%15s", claim->access_key_id,
                   claim->date, claim->region, claim->service, terminator) == 5 &&
           strcmp (terminator, "aws4_request") == 0;
}

sigv4_verdict_t
sigv4_read (const sigv4_request_t *request, sigv4_claim_t *claim, reason_t *why)
{
    const char *header = sigv4_header (request, "Authorization");
    const char *date = sigv4_header (request, "X-Amz-Date");
    char credential [4 * SIGV4_WORD_SIZE];

    *claim = (sigv4_claim_t){0};
    if (!header) {
        reason_set (why, -EACCES, "Request is missing Authentication Token");
        return SIGV4_MISSING;
    }
    if (strncmp (header, ALGORITHM " ", strlen (ALGORITHM) + 1) != 0) {
        reason_set (why, -EACCES, "Authorization header requires the algorithm %s.", ALGORITHM);
        return SIGV4_INCOMPLETE;
    }
    if (!take_part (header, "Credential=", credential, sizeof credential) ||
        !take_credential (credential, claim)) {
        reason_set (why, -EACCES,
                    "Authorization header requires 'Credential' parameter of the form "
                    "<key>/<date>/<region>/<service>/aws4_request.");
        return SIGV4_INCOMPLETE;
    }
    if (!take_part (header, "SignedHeaders=", claim->signed_headers,
                    sizeof claim->signed_headers) ||
        !take_part (header, "Signature=", claim->signature, sizeof claim->signature)) {
        reason_set (why, -EACCES,
                    "Authorization header requires 'SignedHeaders' and 'Signature' parameters.");
        return SIGV4_INCOMPLETE;
    }
    if (!date || strlen (date) != sizeof claim->time - 1) {
        reason_set (why, -EACCES,
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
                    "header of the form 20150830T123600Z.");
        return SIGV4_INCOMPLETE;
    }
    memcpy (claim->time, date, sizeof claim->time);
    return SIGV4_RIGHT;
}

//  Of X-Amz-Date; TIME_UNKNOWN when it is none.
static time_us_t
signed_at (const sigv4_claim_t *claim)
{
    struct tm parts = {0};
    const char *end = strptime (claim->time, "%Y%m%dT%H%M%SZ", &parts);

    return end && *end == '\0' ? (time_us_t) timegm (&parts) * SECOND_US : TIME_UNKNOWN;
}

static sigv4_verdict_t
verify_time (const sigv4_claim_t *claim, time_us_t wall, reason_t *why)
{
    time_us_t at = signed_at (claim);
    char now [CLOCK_TEXT_SIZE];

    if (at == TIME_UNKNOWN || strncmp (claim->time, claim->date, strlen (claim->date)) != 0) {
        reason_set (why, -EACCES, "Date in Credential scope does not match X-Amz-Date: %s",
                    claim->time);
        return SIGV4_INCOMPLETE;
    }
    if (at < wall - SIGV4_SKEW_US) {
        reason_set (why, -EACCES, "Signature expired: %s is now earlier than %s - 5 min.",
                    claim->time, clock_format (now, wall));
        return SIGV4_EXPIRED;
    }
    if (at > wall + SIGV4_SKEW_US) {
        reason_set (why, -EACCES, "Signature not yet current: %s is still later than %s + 5 min.",
                    claim->time, clock_format (now, wall));
        return SIGV4_EARLY;
    }
    return SIGV4_RIGHT;
}

sigv4_verdict_t
sigv4_verify (const sigv4_request_t *request, const sigv4_claim_t *claim, const char *secret,
              time_us_t wall, reason_t *why)
{
    char signature [SIGV4_HEX_SIZE];

    sigv4_verdict_t verdict = verify_time (claim, wall, why);
    if (verdict != SIGV4_RIGHT) {
        return verdict;
    }
    sigv4_sign (request, claim, secret, signature);
    if (gnutls_memcmp (signature, claim->signature, SIGV4_HEX_SIZE) != 0) {
        reason_set (why, -EACCES,
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your AWS Secret Access Key and signing method.");
        return SIGV4_WRONG;
    }
    return SIGV4_RIGHT;
}
