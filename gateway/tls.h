// tls.h - the gateway's certificate, read again when its files change.
//
// libmicrohttpd asks for it at each handshake, so a renewed certificate is in use without a restart
// and without a stream that ends. A new one that cannot be read, or does not fit its key, leaves
// the old one in use and is logged.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_TLS_H
#define GATEWAY_TLS_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "../common/reason.h"

#include <gnutls/abstract.h>

//  TLS 1.2 and 1.3 alone, with what GnuTLS holds to be 128 bits or more.
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

typedef struct tls tls_t;

//  Both are PEM; the certificate's file holds the chain, its own first. One in a process: the
//  handshake's callback has no argument. Null and why.
tls_t *tls_new (loop_t *loop, const char *certificate, const char *key, metrics_t *metrics,
                reason_t *why);
void tls_destroy (tls_t **self_p);

//  Both files can be read, and fit each other.
int tls_check (const char *certificate, const char *key, reason_t *why);

//  gnutls_certificate_retrieve_function2, for MHD_OPTION_HTTPS_CERT_CALLBACK.
int tls_retrieve (gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                  const gnutls_pk_algorithm_t *algorithms, int algorithms_count,
                  gnutls_pcert_st **certificates, unsigned *length, gnutls_privkey_t *key);

#endif
