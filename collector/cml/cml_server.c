// SPDX-License-Identifier: MIT

#include "cml_server.h"

#include "cml_address.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HTTPS_PORT 443

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
cml_server_of (cml_server_t *self, const cml_tools_t *tools, const collector_worker_t *worker,
               reason_t *why)
{
    const cml_settings_t *settings = tools->settings;
    const cml_listed_t *listed = cml_servers_find (tools->servers, worker);
    const char *where = listed ? listed->address : settings->address;
    cml_address_t address;

    *self = (cml_server_t){0};
    if (cml_address_of (&address, where, settings->port, worker, why) < 0) {
        return CML_UNREACHABLE;
    }
    write_endpoint (self, address.host, address.port);
    self->account = cml_logins_find (tools->logins, worker);
    if (!self->account) {
        reason_set (why, CML_REASON, "no line of %s fits %s, '%s', and there is no default login",
                    settings->logins_file, worker->instance_id, worker->name);
        return CML_LOGIN;
    }
    if (settings->verify != HTTP_VERIFY_FINGERPRINT) {
        return CML_OK;
    }
    self->pin = cml_pins_find (tools->pins, worker->instance_id, worker->name, address.host);
    if (!self->pin) {
        reason_set (why, CML_REASON, "no fingerprint for %s, '%s', %s or * in %s",
                    worker->instance_id, worker->name, address.host, settings->fingerprints);
        return CML_TLS;
    }
    return CML_OK;
}
