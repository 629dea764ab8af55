// SPDX-License-Identifier: MIT

#include "token.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DIGEST_SIZE 32
#define REVOKED_MAX 256
#define TOKEN_MAX   2048

struct tokens {
    uint8_t secret [DIGEST_SIZE];
    int64_t lifetime_seconds;
    uint64_t made;
    uint8_t revoked [REVOKED_MAX][DIGEST_SIZE];
    size_t revoked_count;
};

tokens_t *
tokens_new (int64_t lifetime_seconds)
{
    tokens_t *self = calloc (1, sizeof *self);

    if (self) {
        int rc = gnutls_rnd (GNUTLS_RND_KEY, self->secret, sizeof self->secret);
        assert (rc == 0);
        (void) rc;
        self->lifetime_seconds = lifetime_seconds;
    }
    return self;
}

void
tokens_destroy (tokens_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

//  Base64 in its URL alphabet, without padding (RFC 7515 section 2).
static void
add_base64 (buffer_t *out, void *bytes, size_t size)
{
    gnutls_datum_t data = {0}, text = {0};

    data.data = bytes;
    data.size = (unsigned) size;
    if (gnutls_base64_encode2 (&data, &text) < 0) {
        return;
    }
    for (unsigned i = 0; i < text.size && text.data [i] != '='; i++) {
        char c = (char) text.data [i];
        c = c == '+' ? '-' : c == '/' ? '_' : c;
        buffer_append (out, &c, 1);
    }
    gnutls_free (text.data);
}

static void
digest (const tokens_t *self, const char *text, size_t size, uint8_t result [DIGEST_SIZE])
{
    int rc =
        gnutls_hmac_fast (GNUTLS_MAC_SHA256, self->secret, sizeof self->secret, text, size, result);
    assert (rc == 0);
    (void) rc;
}

static void
write_claims (buffer_t *out, const tokens_t *self, const instance_t *instance, const char *user_id,
              time_us_t wall)
{
    json_writer_t json = json_writer (out);
    char epoch [24], number [24];

    snprintf (epoch, sizeof epoch, "%016" PRIx64, instance->cml.token_epoch);
    snprintf (number, sizeof number, "%016" PRIx64, self->made);
    json_open_object (&json);
    json_member_text (&json, "sub", user_id);
    json_member_text (&json, "iss", instance->id);
    json_member_integer (&json, "iat", wall / SECOND_US);
    json_member_integer (&json, "exp", wall / SECOND_US + self->lifetime_seconds);
    json_member_text (&json, "jti", number);
    json_member_text (&json, "epoch", epoch);
    json_close_object (&json);
}

void
token_make (tokens_t *self, const instance_t *instance, const char *user_id, time_us_t wall,
            buffer_t *out)
{
    _cleanup_ (buffer_clear) buffer_t claims = {0};
    uint8_t signature [DIGEST_SIZE];
    char header [] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
    size_t start = out->size;

    self->made++;
    write_claims (&claims, self, instance, user_id, wall);
    add_base64 (out, header, strlen (header));
    buffer_text (out, ".");
    add_base64 (out, claims.data, claims.size);
    if (!buffer_failed (out)) {
        digest (self, out->data + start, out->size - start, signature);
        buffer_text (out, ".");
        add_base64 (out, signature, sizeof signature);
    }
}

static struct json_object *
read_claims (const char *from, size_t size)
{
    char text [TOKEN_MAX];
    gnutls_datum_t data = {0};
    struct json_object *claims = NULL;

    if (size + 4 >= sizeof text) {
        return NULL;
    }
    for (size_t i = 0; i < size; i++) {
        text [i] = from [i] == '-' ? '+' : from [i] == '_' ? '/' : from [i];
    }
    while (size % 4 != 0) {
        text [size++] = '=';
    }
    const gnutls_datum_t encoded = {.data = (unsigned char *) text, .size = (unsigned) size};
    if (gnutls_base64_decode2 (&encoded, &data) == 0) {
        json_parse (&claims, data.data, data.size, TOKEN_MAX, NULL);
        gnutls_free (data.data);
    }
    return claims;
}

static bool
is_signed (const tokens_t *self, const char *token, const char *signature)
{
    _cleanup_ (buffer_clear) buffer_t right = {0};
    uint8_t result [DIGEST_SIZE];

    digest (self, token, (size_t) (signature - token), result);
    add_base64 (&right, result, sizeof result);
    return right.data && strcmp (right.data, signature + 1) == 0;
}

static bool
is_revoked (const tokens_t *self, const char *token)
{
    uint8_t own [DIGEST_SIZE];
    size_t known = self->revoked_count < REVOKED_MAX ? self->revoked_count : REVOKED_MAX;

    digest (self, token, strlen (token), own);
    for (size_t i = 0; i < known; i++) {
        if (memcmp (self->revoked [i], own, sizeof own) == 0) {
            return true;
        }
    }
    return false;
}

bool
token_holds (const tokens_t *self, const instance_t *instance, const char *token, time_us_t wall)
{
    const char *claims_at = strchr (token, '.'), *signature = strrchr (token, '.');
    char epoch [24];
    int64_t expires = 0;

    if (!claims_at || claims_at == signature || !is_signed (self, token, signature) ||
        is_revoked (self, token)) {
        return false;
    }
    _cleanup_ (json_destroy) struct json_object *claims =
        read_claims (claims_at + 1, (size_t) (signature - claims_at - 1));
    const char *issuer = json_get_text (claims, "iss"), *given = json_get_text (claims, "epoch");
    snprintf (epoch, sizeof epoch, "%016" PRIx64, instance->cml.token_epoch);
    return issuer && given && strcmp (issuer, instance->id) == 0 && strcmp (given, epoch) == 0 &&
           json_get_integer (claims, "exp", &expires) && expires > wall / SECOND_US;
}

void
token_revoke (tokens_t *self, const char *token)
{
    digest (self, token, strlen (token), self->revoked [self->revoked_count++ % REVOKED_MAX]);
}
