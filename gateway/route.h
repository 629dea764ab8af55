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

//  Of a page of jobs, `<id>@<created_at>`.
#define ROUTE_CURSOR_SIZE (FEED_WORKER_ID_SIZE + CLOCK_TEXT_SIZE)

typedef struct route route_t;

typedef struct request {
    const route_t *route;  //  that answers it; null: none does
    bool is_head;          //  the answer's head alone is wanted
    bool is_stream;        //  suspended for good; when it is resumed it is over
    bool is_http10;
    buffer_t body;
    bool body_too_large;
    bool is_probe;
    bool admitted;         //  its client may ask, and is who it says
    identity_t *identity;  //  null where anybody may ask
    ask_t *ask;
    bool has_looked;  //  whether who asks may see what the command is about
    buffer_t found;   //  of a list that takes several questions, and how many are in it
    int64_t found_count;
    char found_last [ROUTE_CURSOR_SIZE];  //  and behind which of them the next page begins
    char subject [FEED_WORKER_ID_SIZE];   //  the job or alert that it is about; or ""
    time_us_t began;                      //  steady
    char method [8], *path;               //  for the logs
} request_t;

//  rest is what follows the route's prefix.
typedef enum MHD_Result route_fn (const http_parts_t *parts, struct MHD_Connection *connection,
                                  const char *rest, request_t *request);

//  0, or -EINVAL and why names the first query parameter that is not in known (ends with NULL).
int route_check_parameters (struct MHD_Connection *connection, const char *const known [],
                            reason_t *why);

//  In routes.c: a row of the table of all paths.
struct route {
    const char *method, *path;
    route_fn *fn;
    role_t role;         //  who may ask, at least
    bool is_probe;       //  asked by machines all the time: no quota, no access log
    const char *action;  //  what it is called in the audit log; null: it changes nothing
};

//  The row that answers; *rest is the path behind the row's. Null when none does.
const route_t *routes_find (const char *method, const char *url, const char **rest);
//  OPTIONS, or 405 with the methods that there are.
enum MHD_Result routes_refuse (struct MHD_Connection *connection, const char *url,
                               const char *method);
route_fn route_metrics;

//  The view of whoever asks.
static inline const view_t *
request_view (const request_t *request)
{
    return request->identity->view;
}

//  routes_session.c: /api/session, who I am; a browser's login, and its end.
route_fn route_session, route_session_begin, route_session_end;

//  routes_worker.c: /api/workers/{id}, its parts, and the switch of its idle detection.
route_fn route_worker, route_worker_put;
//  `{id}` or `{id}/{part}` into its two; false when there is no such part or no such id.
#define ROUTE_WORKER_BYTES_MOST 64
bool route_split_worker (const char *rest, char id [ROUTE_WORKER_BYTES_MOST + 1],
                         const char **tail);

//  routes_commands.c: /api/workers/{id}/pause and the others. routes_jobs.c: /api/jobs.
//  routes_alerts.c: /api/alerts.
route_fn route_worker_command;
route_fn route_jobs, route_job, route_job_submit, route_job_cancel;
route_fn route_alerts, route_alert_acknowledge;

//  routes_events.c: /api/events, past events as JSON.
route_fn route_events;

//  routes_stream.c: /api/events/stream; and the answer to one that cannot be served now: when to come
//  back, for anything but 200 makes an EventSource give up for ever (traps 20).
route_fn route_stream;
enum MHD_Result route_come_back (struct MHD_Connection *connection);

//  No more streams, monitors among them, can be open, or none of this user.
bool route_is_full (const http_parts_t *parts, const identity_t *identity);

//  routes_monitor.c: /api/monitor, the same events over WebSocket.
route_fn route_monitor;

//  routes_clients.c: /api/clients and /api/clients/{id}.
route_fn route_clients, route_client_change;

//  routes_schema.c: /api/schema, the contract as documents.
route_fn route_schema;

#endif
