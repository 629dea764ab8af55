// SPDX-License-Identifier: MIT

#include "cml_upgrade.h"

#include "../../common/cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  //  RFC 6455 section 1.3
#define SHA1_SIZE   20
#define STATUS_LINE "HTTP/1.1 "
#define STATUS_DONE 101
#define BROKEN      (-1)  //  a sentence's code where the kind itself is returned

static int
base64 (char *text, size_t text_size, const unsigned char *bytes, unsigned size)
{
    const gnutls_datum_t in = {(unsigned char *) (uintptr_t) bytes, size};
    gnutls_datum_t out = {0};

    if (gnutls_base64_encode2 (&in, &out) < 0) {
        return -ENOMEM;
    }
    snprintf (text, text_size, "%.*s", (int) out.size, (const char *) out.data);
    gnutls_free (out.data);
    return 0;
}

int
cml_upgrade_key (const unsigned char nonce [CML_UPGRADE_NONCE], char key [CML_UPGRADE_KEY_SIZE])
{
    return base64 (key, CML_UPGRADE_KEY_SIZE, nonce, CML_UPGRADE_NONCE);
}

void
cml_upgrade_write (buffer_t *out, const char *host, const char *path, const char *key)
{
    buffer_format (out,
                   "GET %s HTTP/1.1\r\n"
                   "Host: %s\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Key: %s\r\n"
                   "Sec-WebSocket-Version: 13\r\n"
                   "User-Agent: cmlwatch\r\n"
                   "\r\n",
                   path, host, key);
}

//  --- the answer

typedef struct field {  //  one header, within the answer
    const char *name, *value;
    size_t name_size, value_size;
} field_t;

static bool
is_named (const field_t *field, const char *name)
{
    return field->name_size == strlen (name) && strncasecmp (field->name, name, strlen (name)) == 0;
}

//  The value is a list with commas, and this word is in it (RFC 9110 section 5.6.1).
static bool
lists (const field_t *field, const char *word)
{
    const char *at = field->value, *end = field->value + field->value_size;

    while (at < end) {
        const char *comma = memchr (at, ',', (size_t) (end - at));
        const char *last = comma ? comma : end;
        while (at < last && isblank ((unsigned char) *at)) {
            at++;
        }
        const char *word_end = last;
        while (word_end > at && isblank ((unsigned char) word_end [-1])) {
            word_end--;
        }
        if ((size_t) (word_end - at) == strlen (word) &&
            strncasecmp (at, word, strlen (word)) == 0) {
            return true;
        }
        at = last + 1;
    }
    return false;
}

//  The next header of the head, after *at; false at its end, or (name null) when it is none.
static bool
next_field (const char **at, const char *end, field_t *field)
{
    if (*at >= end) {
        return false;
    }
    const char *line_end = memmem (*at, (size_t) (end - *at), "\r\n", 2);
    const char *colon = line_end ? memchr (*at, ':', (size_t) (line_end - *at)) : NULL;

    *field = (field_t){0};
    if (!colon || colon == *at) {
        return true;
    }
    const char *value = colon + 1, *value_end = line_end;
    while (value < value_end && isblank ((unsigned char) *value)) {
        value++;
    }
    while (value_end > value && isblank ((unsigned char) value_end [-1])) {
        value_end--;
    }
    *field = (field_t){*at, value, (size_t) (colon - *at), (size_t) (value_end - value)};
    *at = line_end + 2;
    return true;
}

//  What proves that the other side has read our key, section 4.2.2.
static int
expected (const char *key, char accept [CML_UPGRADE_KEY_SIZE])
{
    char text [CML_UPGRADE_KEY_SIZE + sizeof GUID];
    unsigned char digest [SHA1_SIZE];

    snprintf (text, sizeof text, "%s%s", key, GUID);
    if (gnutls_hash_fast (GNUTLS_DIG_SHA1, text, strlen (text), digest) < 0) {
        return -EIO;
    }
    return base64 (accept, CML_UPGRADE_KEY_SIZE, digest, SHA1_SIZE);
}

typedef struct answer {
    bool upgrade, connection, accept, more;  //  more: something that was not asked for
} answer_t;

static void
take_field (answer_t *answer, const field_t *field, const char *accept)
{
    if (is_named (field, "Upgrade")) {
        answer->upgrade = lists (field, "websocket");
    } else if (is_named (field, "Connection")) {
        answer->connection = answer->connection || lists (field, "upgrade");
    } else if (is_named (field, "Sec-WebSocket-Accept")) {
        answer->accept = field->value_size == strlen (accept) &&
                         memcmp (field->value, accept, field->value_size) == 0;
    } else if (is_named (field, "Sec-WebSocket-Extensions") ||
               is_named (field, "Sec-WebSocket-Protocol")) {
        answer->more = answer->more || field->value_size > 0;
    }
}

static cml_upgrade_t
check_fields (const char *at, const char *end, const char *key, reason_t *why)
{
    char accept [CML_UPGRADE_KEY_SIZE];
    answer_t answer = {0};
    field_t field;

    if (expected (key, accept) < 0) {
        reason_set (why, BROKEN, "out of memory");
        return CML_UPGRADE_BROKEN;
    }
    while (next_field (&at, end, &field)) {
        if (!field.name) {
            reason_set (why, BROKEN, "the answer to the upgrade has a line that is no header");
            return CML_UPGRADE_BROKEN;
        }
        take_field (&answer, &field, accept);
    }
    if (answer.upgrade && answer.connection && answer.accept && !answer.more) {
        return CML_UPGRADE_DONE;
    }
    reason_set (why, BROKEN, "the answer to the upgrade %s",
                !answer.upgrade      ? "lacks 'Upgrade: websocket'"
                : !answer.connection ? "lacks 'Connection: Upgrade'"
                : !answer.accept     ? "has not the Sec-WebSocket-Accept of our key"
                                     : "names an extension or a protocol that was not offered");
    return CML_UPGRADE_BROKEN;
}

//  Three digits after the version; 0 when it is no status line.
static int
status_of (const char *bytes, size_t size)
{
    size_t start = strlen (STATUS_LINE);

    if (size < start + 4 || memcmp (bytes, STATUS_LINE, start) != 0) {
        return 0;
    }
    int status = 0;
    for (size_t i = start; i < start + 3; i++) {
        if (!isdigit ((unsigned char) bytes [i])) {
            return 0;
        }
        status = status * 10 + (bytes [i] - '0');
    }
    return bytes [start + 3] == ' ' || bytes [start + 3] == '\r' ? status : 0;
}

cml_upgrade_t
cml_upgrade_read (const char *bytes, size_t size, const char *key, cml_upgraded_t *head,
                  reason_t *why)
{
    const char *blank = memmem (bytes, size, "\r\n\r\n", 4);

    *head = (cml_upgraded_t){0};
    if (!blank && size < CML_UPGRADE_ANSWER_MAX) {
        return CML_UPGRADE_MORE;
    }
    if (!blank || blank - bytes > CML_UPGRADE_ANSWER_MAX) {
        reason_set (why, BROKEN, "the answer to the upgrade has no end within %d bytes",
                    CML_UPGRADE_ANSWER_MAX);
        return CML_UPGRADE_BROKEN;
    }
    head->size = (size_t) (blank - bytes) + 4;
    head->status = status_of (bytes, head->size);
    if (head->status == 0) {
        reason_set (why, BROKEN, "the answer to the upgrade is not HTTP/1.1");
        return CML_UPGRADE_BROKEN;
    }
    if (head->status != STATUS_DONE) {
        reason_set (why, BROKEN, "the upgrade was answered with %d, not 101", head->status);
        return CML_UPGRADE_REFUSED;
    }
    const char *fields = (const char *) memmem (bytes, head->size, "\r\n", 2) + 2;
    return check_fields (fields, blank + 2, key, why);
}
