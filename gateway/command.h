// command.h - what the routes that give commands share: who gives them, and how they are answered.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_COMMAND_H
#define GATEWAY_COMMAND_H

#include "../common/json.h"
#include "route.h"

//  What is said of an id that nobody has, and of one whose record may not be seen.
#define COMMAND_NONE "there is none with this id"

//  As whom somebody gives commands; where nobody has to log in there is no name.
const char *command_by (const request_t *request);

//  The header Idempotency-Key, or null. False, and why: there is one that cannot be.
bool command_key (struct MHD_Connection *connection, const char **key, reason_t *why);
//  Likewise null, for a text that is no UUID.
const char *command_id (const char *text);

//  The question is on its way, or the connection is answered: 503.
enum MHD_Result command_ask (const http_parts_t *parts, struct MHD_Connection *connection,
                             request_t *request, const char *operation, buffer_t *json);

//  Whether who asks may see a record (of a job, an alert) that names its worker, or none.
bool command_shows (const http_parts_t *parts, const request_t *request, const char *record,
                    size_t size);

//  The aggregator's answer, which is a record: as it is, with location and its id as Location
//  unless that is null; or why there is none. Who may not see the record is told nothing of it.
enum MHD_Result command_answer (const http_parts_t *parts, struct MHD_Connection *connection,
                                request_t *request, const char *location);
//  The refusal alone.
enum MHD_Result command_refuse (struct MHD_Connection *connection, const request_t *request);

#endif
