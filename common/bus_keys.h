// bus_keys.h - the keys by which processes on other hosts know each other on the bus (CurveZMQ).
//
// Each process has a pair of keys in a file of czmq's form (zcert; pyzmq's zmq.auth reads it too):
// NAME.key holds the public one, NAME.key_secret both. The aggregator, which binds, shows its own to
// whoever knows it; those that connect must be in its list (aggregator/door.h). Where a process
// connects it may know several keys of the aggregator, while they are changed: a handshake that fails
// is tried with the next (bus_handshake.h).
//
// https://rfc.zeromq.org/spec/26/ (CurveZMQ), spec 27 (ZAP), zcert(3).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_BUS_KEYS_H
#define COMMON_BUS_KEYS_H

#include "config.h"
#include "reason.h"

#include <czmq.h>
#include <stdbool.h>

#define BUS_KEY_SIZE    41  //  40 characters of Z85 and NUL
#define BUS_SERVERS_MAX 4

typedef struct bus_keys_settings {
    char key [CONFIG_TEXT_SIZE];         //  a file; "": nothing is encrypted
    char server_key [CONFIG_TEXT_SIZE];  //  of those that connect
} bus_keys_settings_t;

// clang-format off
#define BUS_KEY(settings_t, member) \
    {"curve_key",        CONFIG_TEXT, offsetof (settings_t, member.key),        "", 0, 0, NULL, "file with this process's keys, as `cmlwatch keygen` makes it; empty: the bus is not encrypted"}
#define BUS_SERVER_KEY(settings_t, member) \
    {"curve_server_key", CONFIG_TEXT, offsetof (settings_t, member.server_key), "", 0, 0, NULL, "the aggregator's public key, or a file with it; more, apart by ',', while it is changed"}
// clang-format on

typedef struct bus_keys bus_keys_t;

//  Of who connects; *self_p stays null when no key is set. 0; or -EINVAL and why: a file that cannot
//  be read or has no secret key, no key of the aggregator, one that is none.
int bus_keys_open (bus_keys_t **self_p, const bus_keys_settings_t *settings, reason_t *why);
//  Of who binds: needs no other's key.
int bus_keys_open_own (bus_keys_t **self_p, const bus_keys_settings_t *settings, reason_t *why);
void bus_keys_destroy (bus_keys_t **self_p);
//  For --check-config: what the former would say.
int bus_keys_check (const bus_keys_settings_t *settings, reason_t *why);

//  Before a socket binds: who connects must be let in for this domain. self null: nothing.
void bus_keys_serve (const bus_keys_t *self, zsock_t *socket, const char *domain);
//  Before a socket connects: it shows itself, and expects the aggregator's key of this turn (taken
//  modulo their count).
void bus_keys_expect (const bus_keys_t *self, zsock_t *socket, size_t turn);
size_t bus_keys_servers (const bus_keys_t *self);

//  Who reaches this endpoint is this machine alone.
bool bus_endpoint_is_local (const char *endpoint);

//  New keys into folder/NAME.key and folder/NAME.key_secret (mode 0600); role is what the aggregator's
//  list lets them do. Neither is overwritten. The public key into key.
int bus_keys_make (const char *folder, const char *name, const char *role, char key [BUS_KEY_SIZE],
                   reason_t *why);

#endif
