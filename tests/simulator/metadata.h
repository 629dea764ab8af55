// metadata.h - where an instance or a container finds the keys of its role.
//
// /latest/ is the instance metadata service, version 2: a PUT gives a token without which
// nothing is told. /container/credentials is the endpoint of ECS and EKS, which wants an
// Authorization where it was told to. Both give keys that the simulated AWS then checks. Faults
// for them are set on the apis `imds` and `container`, and both are counted so.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_METADATA_H
#define SIMULATOR_METADATA_H

#include "calls.h"
#include "faults.h"
#include "keys.h"
#include "web.h"
#include "world.h"

typedef struct metadata metadata_t;

typedef struct metadata_parts {  //  borrowed
    world_t *world;
    faults_t *faults;
    keys_t *keys;
    calls_t *calls;
    const char *role;             //  "": the instance has none
    const char *container_token;  //  "": none is wanted
} metadata_parts_t;

metadata_t *metadata_new (const metadata_parts_t *parts);
void metadata_destroy (metadata_t **self_p);

//  True for a path that is answered here.
bool metadata_has (const char *path);
void metadata_handle (metadata_t *self, const web_request_t *request, web_answer_t *answer);

#endif
