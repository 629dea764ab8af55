// route.h - what one route is given: the gateway's parts, the connection, and the request's state.
//
// A handler is called once for a request, and once more when the ask it began is done; it then
// finds it in request->ask. A route that takes a body is called when all of it is there.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include "../common/buffer.h"
#include "ask.h"
#include "http.h"

#include <microhttpd.h>

typedef struct request {
    bool is_head;    //  the answer's head alone is wanted
    bool is_stream;  //  suspended for good; when it is resumed it is over
    buffer_t body;
    bool body_too_large;
    ask_t *ask;
} request_t;

//  rest is what follows the route's prefix.
typedef enum MHD_Result route_fn (const http_parts_t *parts, struct MHD_Connection *connection,
                                  const char *rest, request_t *request);

//  0, or -EINVAL and why names the first query parameter that is not in known (ends with NULL).
int route_check_parameters (struct MHD_Connection *connection, const char *const known [],
                            reason_t *why);

//  routes_worker.c: /api/workers/{id}, its parts, and the switch of its idle detection.
route_fn route_worker, route_worker_put;

//  routes_events.c: /api/events, past events as JSON.
route_fn route_events;

//  routes_stream.c: /api/events/stream.
route_fn route_stream;

//  routes_clients.c: /api/clients and /api/clients/{id}.
route_fn route_clients, route_client_change;

//  routes_schema.c: /api/schema, the contract as documents.
route_fn route_schema;

#endif
