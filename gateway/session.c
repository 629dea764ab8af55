// session.c - see session.h. A cookie is base64url (JSON) "." base64url (HMAC of the former's text).
//
// SPDX-License-Identifier: MIT

#include "session.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <czmq.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <orcania.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_BYTES     32
#define MAC_TEXT_SIZE 43  //  in base64url, without padding

struct sessions {
    unsigned char key [MAC_BYTES];
    int64_t seconds;
    zhashx_t *ended;             //  by session: when its time is over, as time_us_t *
    time_us_t over, over_began;  //  wall; what had begun by over_began, and ends by over, has ended
};

static void
destroy_time (void **time_p)
{
    free (*time_p);
    *time_p = NULL;
}

sessions_t *
sessions_new (const char *key, int64_t seconds, reason_t *why)
{
    _cleanup_ (sessions_destroy) sessions_t *self = calloc (1, sizeof *self);
    size_t size = strlen (key);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->seconds = seconds;
    self->ended = zhashx_new ();
    zhashx_set_destructor (self->ended, destroy_time);
    int rc = size == 0 ? gnutls_rnd (GNUTLS_RND_KEY, self->key, sizeof self->key)
                       : gnutls_hash_fast (GNUTLS_DIG_SHA256, key, size, self->key);
    if (rc < 0) {
        reason_set (why, -EIO, "session_key: %s", gnutls_strerror (rc));
        return NULL;
    }
    return take_ptr (self);
}

void
sessions_destroy (sessions_t **self_p)
{
    sessions_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->ended);
        gnutls_memset (self->key, 0, sizeof self->key);
        free (self);
        *self_p = NULL;
    }
}

static void
append_base64 (buffer_t *out, const void *bytes, size_t size)
{
    size_t length = 0;
    char *place = buffer_reserve (out, 4 * ((size + 2) / 3) + 4);

    if (place && o_base64url_encode (bytes, size, (unsigned char *) place, &length)) {
        out->size += length;
        out->data [out->size] = '\0';
    }
}

static bool
append_mac (const sessions_t *self, buffer_t *out, const char *text, size_t size)
{
    unsigned char mac [MAC_BYTES];

    if (gnutls_hmac_fast (GNUTLS_MAC_SHA256, self->key, sizeof self->key, text, size, mac) < 0) {
        return false;
    }
    append_base64 (out, mac, sizeof mac);
    return true;
}

static void
put_names (json_writer_t *json, const char *key, bool limited, const name_set_t *names)
{
    buffer_t list = {0};

    if (limited) {
        names_write (names, "", &list);
        json_member_text (json, key, list.data ? list.data : "");
    }
    buffer_clear (&list);
}

static void
write_identity (const identity_t *identity, const char *session, time_us_t began, time_us_t expires,
                buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_text (&json, "session", session);
    json_member_text (&json, "name", identity->name);
    json_member_text (&json, "role", role_text (identity->role));
    json_member_text (&json, "credential", identity->credential);
    json_member_integer (&json, "began", began);
    json_member_integer (&json, "expires", expires);
    put_names (&json, "regions", identity->view->by_region, &identity->view->regions);
    put_names (&json, "worker_ids", identity->view->by_worker, &identity->view->workers);
    json_close_object (&json);
}

int
sessions_seal (sessions_t *self, const identity_t *identity, time_us_t now, buffer_t *out,
               time_us_t *expires)
{
    unsigned char random [16];
    char session [IDENTITY_CREDENTIAL_SIZE];
    buffer_t json = {0}, text = {0};
    time_us_t end = now + self->seconds * SECOND_US;

    if (gnutls_rnd (GNUTLS_RND_NONCE, random, sizeof random) < 0) {
        return -EIO;
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf (session + 2 * i, 3, "%02x", random [i]);
    }
    end = identity->expires_at > 0 && identity->expires_at < end ? identity->expires_at : end;
    write_identity (identity, session, now, end, &json);
    append_base64 (&text, json.data, json.size);
    size_t size = text.size;
    buffer_text (&text, ".");
    bool sealed = append_mac (self, &text, text.data, size) && !buffer_failed (&text) &&
                  !buffer_failed (&json);
    int rc = !sealed ? -ENOMEM : text.size > SESSION_BYTES_MOST ? -E2BIG : 0;
    if (rc == 0) {
        buffer_append (out, text.data, text.size);
        *expires = end;
    }
    buffer_clear (&json);
    buffer_clear (&text);
    return rc;
}

static identity_t *
read_identity (struct json_object *tree, time_us_t now, reason_t *why)
{
    const char *session = json_get_text (tree, "session"), *name = json_get_text (tree, "name"),
               *role = json_get_text (tree, "role"),
               *credential = json_get_text (tree, "credential"),
               *regions = json_get_text (tree, "regions"),
               *workers = json_get_text (tree, "worker_ids");
    int64_t expires = 0;

    if (!session || !name || !role || !credential ||
        !json_get_integer (tree, "expires", &expires) || role_of_text (role) == ROLE_NONE) {
        reason_set (why, -EACCES, "the session's cookie is of another version; log in again");
        return NULL;
    }
    if (expires <= now) {
        reason_set (why, -EACCES, "the session has ended; log in again");
        return NULL;
    }
    _cleanup_ (identity_release) identity_t *self = identity_new (name, role_of_text (role));
    if (!self || (regions && view_limit_regions (self->view, regions, why) < 0) ||
        (workers && view_limit_workers (self->view, workers, why) < 0)) {
        return NULL;
    }
    self->expires_at = expires;
    (void) json_get_integer (tree, "began", &self->began_at);  //  an older cookie does not say it
    snprintf (self->session, sizeof self->session, "%s", session);
    snprintf (self->credential, sizeof self->credential, "%s", credential);
    return take_ptr (self);
}

//  True when the text carries our seal; *body is how much of it is sealed.
static bool
is_sealed (const sessions_t *self, const char *text, size_t size, size_t *body)
{
    buffer_t mac = {0};
    bool right = size > MAC_TEXT_SIZE + 1 && size <= SESSION_BYTES_MOST &&
                 text [size - MAC_TEXT_SIZE - 1] == '.';

    *body = right ? size - MAC_TEXT_SIZE - 1 : 0;
    right = right && append_mac (self, &mac, text, *body) && mac.size == MAC_TEXT_SIZE &&
            gnutls_memcmp (mac.data, text + *body + 1, MAC_TEXT_SIZE) == 0;
    buffer_clear (&mac);
    return right;
}

identity_t *
sessions_open (const sessions_t *self, const char *text, size_t size, time_us_t now, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    unsigned char json [SESSION_BYTES_MOST];
    size_t body, length = 0;

    if (!is_sealed (self, text, size, &body)) {
        reason_set (why, -EACCES, "the session's cookie is not of this gateway; log in again");
        return NULL;
    }
    if (!o_base64url_decode ((const unsigned char *) text, body, json, &length) ||
        json_parse (&tree, json, length, sizeof json, why) < 0) {
        reason_set (why, -EACCES, "the session's cookie is of another version; log in again");
        return NULL;
    }
    identity_t *identity = read_identity (tree, now, why);
    if (identity && sessions_have_ended (self, identity)) {
        identity_release (&identity);
        reason_set (why, -EACCES, "the session has ended; log in again");
    }
    return identity;
}

//  Those whose time is over by then need not be remembered.
static void
forget_until (sessions_t *self, time_us_t until)
{
    zlistx_t *keys = zhashx_keys (self->ended);

    for (const char *key = zlistx_first (keys); key; key = zlistx_next (keys)) {
        const time_us_t *end = zhashx_lookup (self->ended, key);
        if (*end <= until) {
            zhashx_delete (self->ended, key);
        }
    }
    zlistx_destroy (&keys);
}

static int
earlier_first (const void *a, const void *b)
{
    const time_us_t *first = a, *second = b;

    return *first < *second ? -1 : *first > *second;
}

//  When the time is over of the quarter of them that ends first.
static time_us_t
end_of_first_quarter (const sessions_t *self, time_us_t otherwise)
{
    size_t count = zhashx_size (self->ended), at = 0;
    time_us_t *ends = calloc (count, sizeof *ends);

    for (const time_us_t *end = ends ? zhashx_first (self->ended) : NULL; end;
         end = zhashx_next (self->ended)) {
        ends [at++] = *end;
    }
    if (ends) {
        qsort (ends, count, sizeof *ends, earlier_first);
        otherwise = ends [count / 4];
    }
    free (ends);
    return otherwise;
}

static void
end_all_until (sessions_t *self, time_us_t until, time_us_t now)
{
    self->over = until > self->over ? until : self->over;
    self->over_began = now > self->over_began ? now : self->over_began;
    forget_until (self, self->over);
}

void
sessions_end (sessions_t *self, const identity_t *identity, time_us_t now)
{
    if (!*identity->session) {
        return;
    }
    if (zhashx_size (self->ended) >= SESSIONS_ENDED_MOST) {
        forget_until (self, now);
    }
    if (zhashx_size (self->ended) >= SESSIONS_ENDED_MOST) {
        end_all_until (self, end_of_first_quarter (self, identity->expires_at), now);
    }
    time_us_t *end = malloc (sizeof *end);
    if (end) {
        *end = identity->expires_at;
        zhashx_update (self->ended, identity->session, end);
    } else {
        end_all_until (self, identity->expires_at, now);
    }
}

bool
sessions_have_ended (const sessions_t *self, const identity_t *identity)
{
    bool is_over = identity->began_at <= self->over_began && identity->expires_at <= self->over;

    return *identity->session && (is_over || zhashx_lookup (self->ended, identity->session));
}
