// reply.h - answers of the gateway that are not streams.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include "../common/buffer.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

//  What every answer says beside its own: nothing is guessed or framed, and who may read it.
void reply_add_rules (struct MHD_Connection *connection, struct MHD_Response *response,
                      const char *methods);

//  Its Accept-Encoding names this coding, and not with a weight of zero (RFC 9110, 12.5.3).
bool reply_accepts (struct MHD_Connection *connection, const char *coding);

//  Takes the body's bytes and clears it. allow may be null.
enum MHD_Result reply_send (struct MHD_Connection *connection, unsigned status, const char *type,
                            buffer_t *body, const char *allow);
//  200, and in gzip (deflated.h) when compression is on and the client takes it. What the access log
//  counts is the plain body.
enum MHD_Result reply_send_large (struct MHD_Connection *connection, const char *type,
                                  buffer_t *body, bool compression);
enum MHD_Result reply_problem (struct MHD_Connection *connection, unsigned status,
                               const char *title, const char *detail, const char *allow);
//  The same, titled by its status.
enum MHD_Result reply_refuse (struct MHD_Connection *connection, unsigned status,
                              const char *detail);
//  To a command: job_id is the one that stands in the way, or null; retry_after 0: it is not said.
enum MHD_Result reply_refuse_command (struct MHD_Connection *connection, unsigned status,
                                      const char *detail, const char *job_id, int64_t retry_after);
//  With one header more; type may be null, for an answer without a body.
enum MHD_Result reply_send_header (struct MHD_Connection *connection, unsigned status,
                                   const char *type, buffer_t *body, const char *name,
                                   const char *value);
//  To somebody who is not known, by what auth_identify said (auth.h).
enum MHD_Result reply_unknown (struct MHD_Connection *connection, int rc, const char *detail);
//  426: what is wanted here is another protocol, of this version.
enum MHD_Result reply_upgrade (struct MHD_Connection *connection, const char *protocol,
                               const char *version, const char *detail);
//  To somebody who asks too often.
enum MHD_Result reply_too_many (struct MHD_Connection *connection, const char *detail);
//  The response, which is the caller's no more; bytes are its body's, for the access log.
enum MHD_Result reply_queue (struct MHD_Connection *connection, unsigned status,
                             struct MHD_Response *response, size_t bytes);
//  To OPTIONS.
enum MHD_Result reply_methods (struct MHD_Connection *connection, const char *methods);

#endif
