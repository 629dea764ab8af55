// SPDX-License-Identifier: MIT

#include "tls.h"

#include "../../common/cleanup.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHA256_SIZE   32
#define VALID_SECONDS (3652L * 86400)
#define ORGANISATION  "O=Cisco Systems,OU=Simulated CML"

static inline void
key_destroy (gnutls_x509_privkey_t *self_p)
{
    gnutls_x509_privkey_deinit (*self_p);
}

static inline void
certificate_destroy (gnutls_x509_crt_t *self_p)
{
    gnutls_x509_crt_deinit (*self_p);
}

static inline void
public_key_destroy (gnutls_pubkey_t *self_p)
{
    gnutls_pubkey_deinit (*self_p);
}

static inline void
datum_clear (gnutls_datum_t *self)
{
    gnutls_free (self->data);
}

//  The text of a datum, with a NUL, for the C library's allocator.
static char *
take_text (gnutls_datum_t *datum)
{
    return strndup ((const char *) datum->data, datum->size);
}

static int
write_pin (gnutls_x509_crt_t certificate, char pin [TLS_PIN_SIZE])
{
    _cleanup_ (public_key_destroy) gnutls_pubkey_t key = NULL;
    _cleanup_ (datum_clear) gnutls_datum_t der = {0};
    _cleanup_ (datum_clear) gnutls_datum_t text = {0};
    unsigned char digest [SHA256_SIZE];
    const gnutls_datum_t hash = {digest, sizeof digest};

    int rc = gnutls_pubkey_init (&key);
    rc = rc < 0 ? rc : gnutls_pubkey_import_x509 (key, certificate, 0);
    rc = rc < 0 ? rc : gnutls_pubkey_export2 (key, GNUTLS_X509_FMT_DER, &der);
    rc = rc < 0 ? rc : gnutls_hash_fast (GNUTLS_DIG_SHA256, der.data, der.size, digest);
    rc = rc < 0 ? rc : gnutls_base64_encode2 (&hash, &text);
    if (rc == 0) {
        snprintf (pin, TLS_PIN_SIZE, "sha256//%.*s", (int) text.size, (const char *) text.data);
    }
    return rc;
}

static int
fill_certificate (gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key, const char *common_name)
{
    char name [200];
    unsigned char serial [8];
    time_t now = time (NULL);

    snprintf (name, sizeof name, "CN=%s,%s", common_name, ORGANISATION);
    int rc = gnutls_rnd (GNUTLS_RND_NONCE, serial, sizeof serial);
    serial [0] &= 0x7f;  //  a positive number (RFC 5280 section 4.1.2.2)
    rc = rc < 0 ? rc : gnutls_x509_crt_set_version (certificate, 3);
    rc = rc < 0 ? rc : gnutls_x509_crt_set_serial (certificate, serial, sizeof serial);
    rc = rc < 0 ? rc : gnutls_x509_crt_set_activation_time (certificate, now - 86400);
    rc = rc < 0 ? rc : gnutls_x509_crt_set_expiration_time (certificate, now + VALID_SECONDS);
    rc = rc < 0 ? rc : gnutls_x509_crt_set_dn (certificate, name, NULL);
    rc = rc < 0 ? rc : gnutls_x509_crt_set_key (certificate, key);
    rc = rc < 0 ? rc : gnutls_x509_crt_sign2 (certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
    return rc;
}

int
tls_identity_make (tls_identity_t *self, const char *common_name, reason_t *why)
{
    _cleanup_ (key_destroy) gnutls_x509_privkey_t key = NULL;
    _cleanup_ (certificate_destroy) gnutls_x509_crt_t certificate = NULL;
    _cleanup_ (datum_clear) gnutls_datum_t key_pem = {0};
    _cleanup_ (datum_clear) gnutls_datum_t certificate_pem = {0};
    unsigned curve = (unsigned) GNUTLS_CURVE_TO_BITS (GNUTLS_ECC_CURVE_SECP256R1);

    *self = (tls_identity_t){0};
    int rc = gnutls_x509_privkey_init (&key);
    rc = rc < 0 ? rc : gnutls_x509_crt_init (&certificate);
    rc = rc < 0 ? rc : gnutls_x509_privkey_generate (key, GNUTLS_PK_ECDSA, curve, 0);
    rc = rc < 0 ? rc : fill_certificate (certificate, key, common_name);
    rc = rc < 0 ? rc : gnutls_x509_privkey_export2 (key, GNUTLS_X509_FMT_PEM, &key_pem);
    rc = rc < 0 ? rc : gnutls_x509_crt_export2 (certificate, GNUTLS_X509_FMT_PEM, &certificate_pem);
    rc = rc < 0 ? rc : write_pin (certificate, self->pin);
    if (rc < 0) {
        return reason_set (why, -EIO, "no certificate for %s: %s", common_name,
                           gnutls_strerror (rc));
    }
    self->key_pem = take_text (&key_pem);
    self->certificate_pem = take_text (&certificate_pem);
    return self->key_pem && self->certificate_pem ? 0 : reason_set (why, -ENOMEM, "out of memory");
}

void
tls_identity_clear (tls_identity_t *self)
{
    free (self->key_pem);
    free (self->certificate_pem);
    *self = (tls_identity_t){0};
}
