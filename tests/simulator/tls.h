// tls.h - self-signed certificates as a freshly installed CML has: made at start, in memory.
//
// ECDSA on P-256, so that a handshake costs a fraction of a millisecond. What a client
// pins is the SHA-256 of the SubjectPublicKeyInfo, as curl and RFC 7469 write it.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_TLS_H
#define SIMULATOR_TLS_H

#include "../../common/reason.h"

#define TLS_PIN_SIZE 64  //  "sha256//" and 44 characters of base64

typedef struct tls_identity {
    char *key_pem, *certificate_pem;
    char pin [TLS_PIN_SIZE];
} tls_identity_t;

//  Valid for ten years from now for this common name. 0, or -EIO and why.
int tls_identity_make (tls_identity_t *self, const char *common_name, reason_t *why);
void tls_identity_clear (tls_identity_t *self);

#endif
