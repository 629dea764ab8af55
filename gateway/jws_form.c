// jws_form.c - see jws_form.h.
//
// SPDX-License-Identifier: MIT

#include "jws_form.h"

#include "../common/cleanup.h"
#include "../common/json_doc.h"
#include "jws.h"

#include <errno.h>
#include <orcania.h>
#include <string.h>

#define PARTS 3

bool
jws_is_base64url (const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text [i];
        bool is_one = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_';
        if (!is_one) {
            return false;
        }
    }
    return size % 4 != 1;
}

static int
check_header (const char *text, size_t size, reason_t *why)
{
    _cleanup_ (json_doc_clear) json_doc_t doc = {0};
    unsigned char json [JWS_TOKEN_MOST];
    reason_t detail = {""};
    size_t length = 0;

    if (!o_base64url_decode ((const unsigned char *) text, size, json, &length) ||
        json_doc_read (&doc, json, length, sizeof json, &detail) < 0) {
        return reason_set (why, -EACCES,
                           "the token is no signed JWT: its header is no JSON object: %.200s",
                           *detail.text ? detail.text : "it is empty");
    }
    if (json_doc_root (&doc)->kind != JSON_OBJECT) {
        return reason_set (why, -EACCES,
                           "the token is no signed JWT: its header is no JSON object");
    }
    if (json_node_get (json_doc_root (&doc), "zip")) {
        return reason_set (why, -EACCES, "the token is no signed JWT: it is compressed (zip)");
    }
    return 0;
}

int
jws_check_form (const char *token, size_t size, reason_t *why)
{
    const char *part = token, *end = token + size;
    size_t parts = 0, header = 0;

    if (size > JWS_TOKEN_MOST) {
        return reason_set (why, -EACCES, "the token has over %d bytes", JWS_TOKEN_MOST);
    }
    for (bool last = false; !last; parts++) {
        const char *dot = memchr (part, '.', (size_t) (end - part));
        last = !dot;
        size_t length = (size_t) ((dot ? dot : end) - part);
        if (!jws_is_base64url (part, length)) {
            return reason_set (
                why, -EACCES, "the token is no signed JWT: part %zu is not base64url (RFC 7515, 2)",
                parts + 1);
        }
        header = parts == 0 ? length : header;
        part = dot ? dot + 1 : end;
    }
    return parts == PARTS
               ? check_header (token, header, why)
               : reason_set (why, -EACCES, "the token is no signed JWT: it has %zu parts, not 3",
                             parts);
}

//  RFC 7518, 6, and the digests of certificates.
static bool
has_numbers (const json_node_t *key)
{
    static const char *const NUMBERS [] = {"n",  "e", "d", "p", "q",   "dp",      "dq",
                                           "qi", "x", "y", "k", "x5t", "x5t#S256"};
    bool are_right = key->kind == JSON_OBJECT;

    for (size_t i = 0; are_right && i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        const json_node_t *number = json_node_get (key, NUMBERS [i]);
        const char *text = number ? json_node_text (number) : NULL;
        are_right = !number || (text && jws_is_base64url (text, strlen (text)));
    }
    return are_right;
}

void
jws_each_key (const char *set, jws_key_fn *fn, void *argument)
{
    _cleanup_ (json_doc_clear) json_doc_t doc = {0};
    size_t size = strlen (set);
    reason_t why;

    if (json_doc_read (&doc, set, size, size, &why) < 0) {
        return;
    }
    FOR_EACH_NODE (key, json_node_get_array (json_doc_root (&doc), "keys"))
    {
        _cleanup_ (buffer_clear) buffer_t text = {0};
        json_writer_t json = json_writer (&text);
        if (has_numbers (key)) {
            json_put_node (&json, key);
            fn (argument, buffer_failed (&text) ? "" : text.data);
        }
    }
}
