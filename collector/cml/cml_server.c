// SPDX-License-Identifier: MIT

#include "cml_server.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HTTPS_PORT  443
#define ADDRESS_MAX 128

//  An address of either family or a host's name: nothing that would change the URL's sense.
static bool
is_address (const char *text)
{
    size_t size = strlen (text);

    for (size_t i = 0; i < size; i++) {
        if (!isalnum ((unsigned char) text [i]) && !strchr (".:-", text [i])) {
            return false;
        }
    }
    return size > 0 && size <= ADDRESS_MAX;
}

static void
write_endpoint (cml_server_t *self, const char *address, int64_t port)
{
    bool is_ipv6 = strchr (address, ':') != NULL;
    char suffix [16] = "";

    if (port != HTTPS_PORT) {
        snprintf (suffix, sizeof suffix, ":%" PRId64, port);
    }
    snprintf (self->endpoint, sizeof self->endpoint,
              is_ipv6 ? "https://[%.128s]%s" : "https://%.128s%s", address, suffix);
}

cml_fault_t
cml_server_of (cml_server_t *self, const cml_settings_t *settings, const cml_pins_t *pins,
               const collector_worker_t *worker, reason_t *why)
{
    bool is_public = settings->address == CML_ADDRESS_PUBLIC;
    const char *address = is_public ? worker->public_ip : worker->private_ip;

    *self = (cml_server_t){0};
    if (!is_address (address)) {
        reason_set (why, CML_REASON, "%s has no %s address (setting `address`)", worker->subject,
                    is_public ? "public" : "private");
        return CML_UNREACHABLE;
    }
    write_endpoint (self, address, settings->port);
    if (settings->verify != HTTP_VERIFY_FINGERPRINT) {
        return CML_OK;
    }
    self->pin = cml_pins_find (pins, worker->instance_id, worker->name, address);
    if (!self->pin) {
        reason_set (why, CML_REASON, "no fingerprint for %s, '%s', %s or * in %s",
                    worker->instance_id, worker->name, address, settings->fingerprints);
        return CML_TLS;
    }
    return CML_OK;
}
