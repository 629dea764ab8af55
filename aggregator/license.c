// license.c - see license.h.
//
// SPDX-License-Identifier: MIT

#include "license.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *
status_of (const json_node_t *licensing, const char *part)
{
    const char *status = json_node_get_text (json_node_get_object (licensing, part), "status");
    return status ? status : "";
}

static bool
holds (const char *text, const char *word)
{
    return strcasestr (text, word) != NULL;
}

const char *
license_status (const json_node_t *licensing)
{
    const char *registration = status_of (licensing, "registration");
    const char *authorization = status_of (licensing, "authorization");

    if (holds (registration, "expired") || holds (authorization, "expired")) {
        return "expired";
    }
    if (holds (registration, "eval") || holds (authorization, "eval")) {
        return "evaluation";
    }
    if (strcasecmp (registration, "COMPLETED") == 0 &&
        strcasecmp (authorization, "IN_COMPLIANCE") == 0) {
        return "registered";
    }
    if (*registration == '\0' || holds (registration, "not_registered") ||
        holds (registration, "unregistered")) {
        return "unregistered";
    }
    return "invalid";
}

const char *
license_mask_token (const json_node_t *licensing, char masked [LICENSE_TOKEN_SIZE])
{
    const char *text = json_node_get_text (licensing, "token");
    size_t size = text ? strlen (text) : 0;

    if (!text) {
        return NULL;
    }
    //  Of a short one even the last 4 would tell too much.
    snprintf (masked, LICENSE_TOKEN_SIZE, "****%s", size > 8 ? text + size - 4 : "");
    json_node_set_text (licensing, "token", masked);
    return masked;
}
