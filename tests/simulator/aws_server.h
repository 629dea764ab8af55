// aws_server.h - the simulated EC2, CloudWatch and STS on one port, by the Query protocol.
//
// Which service a call is for follows from its Action; that it was signed for that service,
// in a region that exists, with the right secret and within five minutes is checked before
// anything else, with our own SigV4 (sigv4.h). What is wrong is said in the service's own
// shape and words. Behind /_sim/ on the same port lies the tests' control (sim_control.h).
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_AWS_SERVER_H
#define SIMULATOR_AWS_SERVER_H

#include "calls.h"
#include "faults.h"
#include "keys.h"
#include "web.h"
#include "world.h"

typedef struct aws_server aws_server_t;

typedef struct aws_parts {  //  borrowed
    world_t *world;
    faults_t *faults;
    keys_t *keys;
    calls_t *calls;
    bool throttle;  //  token buckets with AWS's own capacities
} aws_parts_t;

aws_server_t *aws_server_new (const aws_parts_t *parts);
void aws_server_destroy (aws_server_t **self_p);

//  Answers one request that is not the control's.
void aws_server_handle (aws_server_t *self, const web_request_t *request, web_answer_t *answer);

#endif
