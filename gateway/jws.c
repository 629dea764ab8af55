// jws.c - see jws.h.
//
// SPDX-License-Identifier: MIT

#include "jws.h"

#include "jws_form.h"

#include <errno.h>
#include <rhonabwy.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_LEAST  2048  //  RFC 7518, 3.3
#define HMAC_BITS_LEAST 256   //  RFC 7518, 3.2

struct jws_keys {
    jwks_t *set;
};

static const struct {
    const char *name;
    jws_algorithm_t algorithm;
    jwa_alg jwa;
    int kind;
    unsigned bits;  //  of the key, at least
} ALGORITHMS [] = {{"RS256", JWS_RS256, R_JWA_ALG_RS256, R_KEY_TYPE_RSA, RSA_BITS_LEAST},
                   {"ES256", JWS_ES256, R_JWA_ALG_ES256, R_KEY_TYPE_EC, 256},
                   {"HS256", JWS_HS256, R_JWA_ALG_HS256, R_KEY_TYPE_HMAC, HMAC_BITS_LEAST}};
#define ALGORITHMS_COUNT (sizeof ALGORITHMS / sizeof *ALGORITHMS)

//  One that rhonabwy cannot read is left out.
static void
import_key (void *set, const char *text)
{
    jwk_t *key = NULL;

    if (r_jwk_init (&key) == RHN_OK && r_jwk_import_from_json_str (key, text) == RHN_OK) {
        (void) r_jwks_append_jwk (set, key);
    }
    r_jwk_free (key);
}

jws_keys_t *
jws_keys_new (const char *text, reason_t *why)
{
    static bool ready;
    jws_keys_t *self = calloc (1, sizeof *self);

    if (!ready && r_global_init () == RHN_OK) {
        ready = true;
    }
    if (!self || r_jwks_init (&self->set) != RHN_OK) {
        free (self);
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    jws_each_key (text, import_key, self->set);
    if (jws_keys_count (self) == 0) {
        jws_keys_destroy (&self);
        reason_set (why, -EINVAL,
                    "no key that can be read; a set is {\"keys\":[{\"kty\":…},…]}, RFC 7517");
    }
    return self;
}

void
jws_keys_destroy (jws_keys_t **self_p)
{
    if (*self_p) {
        r_jwks_free ((*self_p)->set);
        free (*self_p);
        *self_p = NULL;
    }
}

size_t
jws_keys_count (const jws_keys_t *self)
{
    return r_jwks_size (self->set);
}

unsigned
jws_algorithms (const char *list, reason_t *why)
{
    unsigned algorithms = 0;

    while (*list) {
        size_t size = strcspn (list, ","), at = 0;
        while (at < ALGORITHMS_COUNT && (strlen (ALGORITHMS [at].name) != size ||
                                         strncmp (ALGORITHMS [at].name, list, size) != 0)) {
            at++;
        }
        if (at == ALGORITHMS_COUNT) {
            reason_set (why, -EINVAL,
                        "jwt_algorithms: '%.40s' must begin with RS256, ES256 or HS256", list);
            return 0;
        }
        algorithms |= ALGORITHMS [at].algorithm;
        list += size + (list [size] == ',');
    }
    if (algorithms == 0) {
        reason_set (why, -EINVAL, "jwt_algorithms: at least one of RS256, ES256 and HS256");
    }
    return algorithms;
}

//  The key may check this algorithm: of its kind, long enough, and not meant for another use.
static bool
fits (jwk_t *key, size_t row)
{
    unsigned bits = 0;
    int type = r_jwk_key_type (key, &bits, R_FLAG_IGNORE_REMOTE);
    const char *use = r_jwk_get_property_str (key, "use"),
               *alg = r_jwk_get_property_str (key, "alg");

    return (type & ALGORITHMS [row].kind) && bits >= ALGORITHMS [row].bits &&
           (ALGORITHMS [row].algorithm != JWS_ES256 || bits == ALGORITHMS [row].bits) &&
           (!use || strcmp (use, "sig") == 0) && (!alg || strcmp (alg, ALGORITHMS [row].name) == 0);
}

//  True when a key that fits says that the signature is right; *tried says whether any fits.
static bool
check (const jws_keys_t *self, jwt_t *token, size_t row, bool *tried)
{
    const char *kid = r_jwt_get_header_str_value (token, "kid");
    bool right = false;

    *tried = false;
    for (size_t i = 0; i < jws_keys_count (self) && !right; i++) {
        jwk_t *key = r_jwks_get_at (self->set, i);
        const char *name = key ? r_jwk_get_property_str (key, "kid") : NULL;
        if (key && (!kid || (name && strcmp (kid, name) == 0)) && fits (key, row)) {
            *tried = true;
            right = r_jwt_verify_signature (token, key, R_FLAG_IGNORE_REMOTE) == RHN_OK;
        }
        r_jwk_free (key);
    }
    return right;
}

static int
verify (const jws_keys_t *self, unsigned algorithms, jwt_t *token, reason_t *why)
{
    jwa_alg jwa = r_jwt_get_sign_alg (token);
    size_t row = 0;
    bool tried;

    while (row < ALGORITHMS_COUNT && ALGORITHMS [row].jwa != jwa) {
        row++;
    }
    if (row == ALGORITHMS_COUNT || !(algorithms & ALGORITHMS [row].algorithm)) {
        return reason_set (why, -EACCES, "the token is signed with an algorithm not allowed here");
    }
    json_t *critical = r_jwt_get_header_json_t_value (token, "crit");
    if (critical) {
        json_decref (critical);
        return reason_set (why, -EACCES, "the token demands extensions (crit) not known here");
    }
    if (check (self, token, row, &tried)) {
        return 0;
    }
    return tried ? reason_set (why, -EACCES, "the token's signature is wrong")
                 : reason_set (why, -ENOKEY, "the token is signed with a key not known here");
}

int
jws_verify (const jws_keys_t *self, unsigned algorithms, const char *token, size_t size,
            buffer_t *claims, reason_t *why)
{
    jwt_t *parsed = NULL;
    int rc;

    if (jws_check_form (token, size, why) < 0) {
        return -EACCES;
    }
    if (r_jwt_init (&parsed) != RHN_OK) {
        return reason_set (why, -EACCES, "out of memory");
    }
    if (r_jwt_advanced_parsen (parsed, token, size, R_PARSE_NONE, R_FLAG_IGNORE_REMOTE) != RHN_OK ||
        parsed->type != R_JWT_TYPE_SIGN) {
        rc = reason_set (why, -EACCES, "the token is no signed JWT");
    } else {
        rc = verify (self, algorithms, parsed, why);
    }
    char *text = rc == 0 ? r_jwt_get_full_claims_str (parsed) : NULL;
    if (rc == 0 && !text) {
        rc = reason_set (why, -EACCES, "the token has no claims");
    }
    if (text) {
        buffer_text (claims, text);
        r_free (text);
    }
    r_jwt_free (parsed);
    return rc;
}
