// worker_id.c - see worker_id.h; the UUID is libuuid's.
//
// SPDX-License-Identifier: MIT

#include "worker_id.h"

#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

void
worker_id_make (char id [WORKER_ID_SIZE], const char *region, const char *instance_id)
{
    char name [600];
    uuid_t uuid;

    snprintf (name, sizeof name, "cmlwatch/%s/%s", region, instance_id);
    uuid_generate_sha1 (uuid, *uuid_get_template ("dns"), name, strlen (name));
    uuid_unparse_lower (uuid, id);
}
