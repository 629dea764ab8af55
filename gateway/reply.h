// reply.h - answers of the gateway that are not streams.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include "../common/buffer.h"

#include <microhttpd.h>

//  What every answer says beside its own: nothing is guessed or framed, and who may read it.
void reply_add_rules (struct MHD_Connection *connection, struct MHD_Response *response,
                      const char *methods);

//  Takes the body's bytes and clears it. allow may be null.
enum MHD_Result reply_send (struct MHD_Connection *connection, unsigned status, const char *type,
                            buffer_t *body, const char *allow);
enum MHD_Result reply_problem (struct MHD_Connection *connection, unsigned status,
                               const char *title, const char *detail, const char *allow);
//  To OPTIONS.
enum MHD_Result reply_methods (struct MHD_Connection *connection, const char *methods);

#endif
