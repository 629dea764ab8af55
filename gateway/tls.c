// tls.c - see tls.h.
//
// SPDX-License-Identifier: MIT

#include "tls.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "same_file.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_MOST 16
#define PERIOD_US  (2 * SECOND_US)
#define KEPT       8  //  handshakes that began with an older pair may still use it

typedef struct pair {
    gnutls_pcert_st chain [CHAIN_MOST];
    unsigned length;
    gnutls_privkey_t key;
    time_t expires;
} pair_t;

struct tls {
    const char *certificate, *key;
    loop_t *loop;
    loop_timer_t *timer;
    struct stat seen [2];
    pair_t *pairs [KEPT];  //  the first is in use
    metric_t *reads, *failures, *expires;
};

//  The callback of a handshake has no argument of ours.
static const tls_t *in_use;

static void
pair_destroy (pair_t **self_p)
{
    pair_t *self = *self_p;

    if (self) {
        for (unsigned i = 0; i < self->length; i++) {
            gnutls_pcert_deinit (&self->chain [i]);
        }
        if (self->key) {
            gnutls_privkey_deinit (self->key);
        }
        free (self);
        *self_p = NULL;
    }
}

//  The first certificate's end, and that it is the key's.
static int
check_pair (pair_t *self, const char *path, reason_t *why)
{
    gnutls_x509_crt_t own = NULL;
    gnutls_pubkey_t ours = NULL;
    unsigned char left [64], right [64];
    size_t left_size = sizeof left, right_size = sizeof right;
    int rc = gnutls_pcert_export_x509 (&self->chain [0], &own);

    if (rc == 0) {
        self->expires = gnutls_x509_crt_get_expiration_time (own);
        rc = gnutls_pubkey_init (&ours);
    }
    if (rc == 0) {
        rc = gnutls_pubkey_import_privkey (ours, self->key, 0, 0);
    }
    bool same = rc == 0 &&
                gnutls_pubkey_get_key_id (ours, GNUTLS_KEYID_USE_SHA256, left, &left_size) == 0 &&
                gnutls_pubkey_get_key_id (self->chain [0].pubkey, GNUTLS_KEYID_USE_SHA256, right,
                                          &right_size) == 0 &&
                left_size == right_size && memcmp (left, right, left_size) == 0;
    gnutls_pubkey_deinit (ours);
    gnutls_x509_crt_deinit (own);
    return same ? 0
                : reason_set (why, -EINVAL,
                              "tls_key does not belong to the first certificate in %s", path);
}

static pair_t *
read_pair (const char *certificate, const char *key, reason_t *why)
{
    _cleanup_ (pair_destroy) pair_t *self = calloc (1, sizeof *self);
    gnutls_datum_t text = {0};
    unsigned count = CHAIN_MOST;

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    int rc = gnutls_load_file (certificate, &text);
    rc = rc < 0 ? rc
                : gnutls_pcert_list_import_x509_raw (self->chain, &count, &text,
                                                     GNUTLS_X509_FMT_PEM, 0);
    gnutls_free (text.data);
    if (rc < 0) {
        reason_set (why, -EINVAL,
                    "tls_certificate: %s: %s; it must be PEM, with at most %d "
                    "certificates, its own first",
                    certificate, gnutls_strerror (rc), CHAIN_MOST);
        return NULL;
    }
    self->length = count;
    text = (gnutls_datum_t){0};
    rc = gnutls_load_file (key, &text);
    rc = rc < 0 ? rc : gnutls_privkey_init (&self->key);
    rc = rc < 0 ? rc
                : gnutls_privkey_import_x509_raw (self->key, &text, GNUTLS_X509_FMT_PEM, NULL, 0);
    gnutls_free (text.data);
    if (rc < 0) {
        reason_set (why, -EINVAL, "tls_key: %s: %s; it must be PEM, without a password", key,
                    gnutls_strerror (rc));
        return NULL;
    }
    return check_pair (self, certificate, why) < 0 ? NULL : take_ptr (self);
}

int
tls_check (const char *certificate, const char *key, reason_t *why)
{
    _cleanup_ (pair_destroy) pair_t *pair = read_pair (certificate, key, why);

    return pair ? 0 : -EINVAL;
}

static int
load (tls_t *self, reason_t *why)
{
    pair_t *pair = read_pair (self->certificate, self->key, why);

    if (!pair) {
        return -EINVAL;
    }
    pair_destroy (&self->pairs [KEPT - 1]);
    memmove (self->pairs + 1, self->pairs, (KEPT - 1) * sizeof (pair_t *));
    self->pairs [0] = pair;
    metric_increment (self->reads);
    metric_set (self->expires, (double) pair->expires);
    return 0;
}

//  Either file is another than the one that was read.
static bool
has_changed (tls_t *self)
{
    const char *const paths [] = {self->certificate, self->key};
    bool changed = false;

    for (size_t i = 0; i < 2; i++) {
        struct stat now;
        if (stat (paths [i], &now) == 0 && !same_file (&now, &self->seen [i])) {
            self->seen [i] = now;
            changed = true;
        }
    }
    return changed;
}

static void
on_timer (void *argument)
{
    tls_t *self = argument;
    reason_t why = {0};

    if (!has_changed (self)) {
        return;
    }
    if (load (self, &why) < 0) {
        metric_increment (self->failures);
        log_error ("certificate not read, the old one stays", LOG_TEXT ("reason", why.text));
    } else {
        log_info ("certificate read", LOG_TEXT ("file", self->certificate));
    }
}

tls_t *
tls_new (loop_t *loop, const char *certificate, const char *key, metrics_t *metrics, reason_t *why)
{
    static const char NAME [] = "cmlwatch_gateway_certificate_reads_total";
    static const char HELP [] = "Reads of the TLS certificate and its key";
    _cleanup_ (tls_destroy) tls_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->certificate = certificate;
    self->key = key;
    self->loop = loop;
    self->reads =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "taken"));
    self->failures =
        metrics_with (metrics, METRIC_COUNTER, NAME, HELP, METRIC_LABELS ("result", "failed"));
    self->expires = metrics_add (metrics, METRIC_GAUGE,
                                 "cmlwatch_gateway_certificate_expires_timestamp_seconds",
                                 "When the TLS certificate in use expires");
    (void) has_changed (self);
    if (load (self, why) < 0) {
        return NULL;
    }
    loop_timer_every (self->timer, PERIOD_US);
    in_use = self;
    return take_ptr (self);
}

void
tls_destroy (tls_t **self_p)
{
    tls_t *self = *self_p;

    if (self) {
        in_use = NULL;
        loop_timer_destroy (&self->timer);
        for (size_t i = 0; i < KEPT; i++) {
            pair_destroy (&self->pairs [i]);
        }
        free (self);
        *self_p = NULL;
    }
}

int
tls_retrieve (gnutls_session_t session, const gnutls_datum_t *authorities, int count,
              const gnutls_pk_algorithm_t *algorithms, int algorithms_count,
              gnutls_pcert_st **certificates, unsigned *length, gnutls_privkey_t *key)
{
    (void) session, (void) authorities, (void) count, (void) algorithms, (void) algorithms_count;
    if (!in_use) {
        return -1;
    }
    *certificates = in_use->pairs [0]->chain;
    *length = in_use->pairs [0]->length;
    *key = in_use->pairs [0]->key;
    return 0;
}
