// bus_keys.c - see bus_keys.h.
//
// SPDX-License-Identifier: MIT

#include "bus_keys.h"

#include "cleanup.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define NAME_MOST 64
#define NONE      "0000000000000000000000000000000000000000"  //  of a file with the public key alone
#define PATH_MOST 1200

struct bus_keys {
    zcert_t *own;
    char servers [BUS_SERVERS_MAX][BUS_KEY_SIZE];
    size_t servers_count;
};

static bool
is_key (const char *text)
{
    uint8_t raw [32];

    return strlen (text) == BUS_KEY_SIZE - 1 && zmq_z85_decode (raw, text);
}

//  --- one's own keys

//  A file with the public key alone has no secret that makes it.
static bool
has_secret (zcert_t *cert)
{
    char public [BUS_KEY_SIZE];

    return zmq_curve_public (public, zcert_secret_txt (cert)) == 0 &&
           strcmp (public, zcert_public_txt (cert)) == 0;
}

//  `name = "<key>"` of a line of czmq's form.
static void
read_line (const char *line, const char *name, char key [BUS_KEY_SIZE])
{
    size_t size = strlen (name);
    const char *at = line + strspn (line, " \t");
    const char *open = strncmp (at, name, size) == 0 ? strchr (at + size, '"') : NULL;

    if (open && strcspn (open + 1, "\"") == BUS_KEY_SIZE - 1) {
        snprintf (key, BUS_KEY_SIZE, "%s", open + 1);
    }
}

//  As zcert_load, which leaves behind what it has read of a file that is none: NAME_secret, else NAME.
static zcert_t *
read_keys (const char *path)
{
    char secret [PATH_MOST + 8], line [512], public_key [BUS_KEY_SIZE] = "",
                                                        secret_key [BUS_KEY_SIZE] = NONE;
    uint8_t public_raw [32], secret_raw [32];

    snprintf (secret, sizeof secret, "%.1190s_secret", path);
    FILE *file = fopen (access (secret, R_OK) == 0 ? secret : path, "re");
    while (file && fgets (line, sizeof line, file)) {
        read_line (line, "public-key", public_key);
        read_line (line, "secret-key", secret_key);
    }
    if (file) {
        fclose (file);
    }
    bool good = is_key (public_key) && is_key (secret_key) &&
                zmq_z85_decode (public_raw, public_key) && zmq_z85_decode (secret_raw, secret_key);
    zcert_t *cert = good ? zcert_new_from (public_raw, secret_raw) : NULL;
    explicit_bzero (secret_raw, sizeof secret_raw);
    explicit_bzero (secret_key, sizeof secret_key);
    explicit_bzero (line, sizeof line);
    return cert;
}

static zcert_t *
load (const char *path, reason_t *why)
{
    _cleanup_ (zcert_destroy) zcert_t *cert = read_keys (path);

    if (!cert) {
        reason_set (why, -EINVAL,
                    "curve_key: %.300s (or ..._secret) cannot be read as keys; `cmlwatch keygen` "
                    "makes them",
                    path);
        return NULL;
    }
    if (!has_secret (cert)) {
        reason_set (why, -EINVAL,
                    "curve_key: %.300s has no secret key that fits its public key; the file that "
                    "has both ends with _secret",
                    path);
        return NULL;
    }
    return take_ptr (cert);
}

int
bus_keys_open_own (bus_keys_t **self_p, const bus_keys_settings_t *settings, reason_t *why)
{
    if (!*settings->key) {
        return 0;
    }
    _cleanup_ (bus_keys_destroy) bus_keys_t *self = calloc (1, sizeof *self);
    if (!self) {
        return reason_set (why, -ENOMEM, "curve_key: out of memory");
    }
    self->own = load (settings->key, why);
    if (!self->own) {
        return -EINVAL;
    }
    *self_p = take_ptr (self);
    return 0;
}

void
bus_keys_destroy (bus_keys_t **self_p)
{
    assert (self_p);
    bus_keys_t *self = *self_p;

    if (self) {
        zcert_destroy (&self->own);
        free (self);
        *self_p = NULL;
    }
}

//  --- the aggregator's

//  A key, or a file that has one.
static int
add_server (bus_keys_t *self, const char *word, reason_t *why)
{
    _cleanup_ (zcert_destroy) zcert_t *cert = is_key (word) ? NULL : read_keys (word);
    const char *key = is_key (word) ? word : cert ? zcert_public_txt (cert) : "";

    if (!is_key (key)) {
        return reason_set (why, -EINVAL,
                           "curve_server_key: '%.300s' is neither a public key (40 characters) nor "
                           "a file with one",
                           word);
    }
    if (self->servers_count == BUS_SERVERS_MAX) {
        return reason_set (why, -E2BIG, "curve_server_key: more than %d keys", BUS_SERVERS_MAX);
    }
    snprintf (self->servers [self->servers_count++], BUS_KEY_SIZE, "%s", key);
    return 0;
}

int
bus_keys_open (bus_keys_t **self_p, const bus_keys_settings_t *settings, reason_t *why)
{
    _cleanup_ (bus_keys_destroy) bus_keys_t *self = NULL;
    char words [CONFIG_TEXT_SIZE], *rest = words, *word;

    int rc = bus_keys_open_own (&self, settings, why);
    if (rc < 0 || !self) {
        return *settings->server_key && rc == 0
                   ? reason_set (why, -EINVAL,
                                 "curve_server_key is set and curve_key is not: who connects has "
                                 "keys of its own")
                   : rc;
    }
    snprintf (words, sizeof words, "%s", settings->server_key);
    while (rc == 0 && (word = strsep (&rest, ","))) {
        word += strspn (word, " \t");
        rc = *word ? add_server (self, word, why) : 0;
    }
    if (rc == 0 && self->servers_count == 0) {
        rc = reason_set (why, -EINVAL,
                         "curve_key is set and curve_server_key is not: it is the "
                         "aggregator's public key");
    }
    if (rc == 0) {
        *self_p = take_ptr (self);
    }
    return rc;
}

int
bus_keys_check (const bus_keys_settings_t *settings, reason_t *why)
{
    _cleanup_ (bus_keys_destroy) bus_keys_t *self = NULL;

    return bus_keys_open (&self, settings, why);
}

size_t
bus_keys_servers (const bus_keys_t *self)
{
    return self ? self->servers_count : 0;
}

//  --- on a socket

void
bus_keys_serve (const bus_keys_t *self, zsock_t *socket, const char *domain)
{
    if (self) {
        zsock_set_zap_domain (socket, domain);
        zcert_apply (self->own, socket);
        zsock_set_curve_server (socket, 1);
    }
}

void
bus_keys_expect (const bus_keys_t *self, zsock_t *socket, size_t turn)
{
    if (self) {
        zcert_apply (self->own, socket);
        zsock_set_curve_serverkey (socket, self->servers [turn % self->servers_count]);
    }
}

bool
bus_endpoint_is_local (const char *endpoint)
{
    static const char *const LOCAL [] = {"inproc://", "ipc://", "tcp://127.",
                                         "tcp://localhost:", "tcp://[::1]:"};

    for (size_t i = 0; i < sizeof LOCAL / sizeof *LOCAL; i++) {
        if (strncmp (endpoint, LOCAL [i], strlen (LOCAL [i])) == 0) {
            return true;
        }
    }
    return false;
}

//  --- new ones

static bool
is_name (const char *name)
{
    size_t size = strlen (name);

    for (const char *at = name; *at; at++) {
        if (!isalnum ((unsigned char) *at) && !strchr ("-_.", *at)) {
            return false;
        }
    }
    return size > 0 && size <= NAME_MOST && *name != '.';
}

//  Nobody reads what is written before its mode is set.
static int
save (zcert_t *cert, const char *path, bool secret)
{
    mode_t before = umask (secret ? 077 : 022);
    int rc = secret ? zcert_save_secret (cert, path) : zcert_save_public (cert, path);

    umask (before);
    return rc;
}

int
bus_keys_make (const char *folder, const char *name, const char *role, char key [BUS_KEY_SIZE],
               reason_t *why)
{
    char public [PATH_MOST], secret [PATH_MOST + 8];
    _cleanup_ (zcert_destroy) zcert_t *cert = zcert_new ();

    if (!is_name (name)) {
        return reason_set (why, -EINVAL,
                           "'%.80s' is no name: 1 to %d letters, digits, '-', '_', '.'", name,
                           NAME_MOST);
    }
    snprintf (public, sizeof public, "%.1000s/%s.key", folder, name);
    snprintf (secret, sizeof secret, "%s_secret", public);
    if (access (public, F_OK) == 0 || access (secret, F_OK) == 0) {
        return reason_set (why, -EEXIST, "%.400s is there already, and is not overwritten", public);
    }
    if (!cert) {
        return reason_set (why, -ENOTSUP, "libzmq was built without CurveZMQ");
    }
    zcert_set_meta (cert, "name", "%s", name);
    zcert_set_meta (cert, "role", "%s", role);
    if (save (cert, secret, true) < 0 || save (cert, public, false) < 0) {
        return reason_set (why, -EIO, "%.400s cannot be written: %s", public, strerror (errno));
    }
    snprintf (key, BUS_KEY_SIZE, "%s", zcert_public_txt (cert));
    return 0;
}
