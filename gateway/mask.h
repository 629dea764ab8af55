// mask.h - which members of what is told are for operators alone, and the same JSON without them.
//
// A viewer is told null where such a member stands, at any depth: licences, addresses, tags, and
// error messages, in which addresses stand. All of them may be null by the schemas anyway. The
// JSON is our own writer's: no blanks, members' names never escaped.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MASK_H
#define GATEWAY_MASK_H

#include "../common/json.h"
#include "../common/reason.h"

#include <stdbool.h>

#define MASK_DEFAULT                                                                             \
    "license_token,cml_license_info,https_endpoint,public_ip,private_ip,aws_tags,error_message," \
    "error,payload,result"

typedef struct mask mask_t;

//  names apart by commas, of letters, digits and '_'; none: nothing is masked. Null and why.
mask_t *mask_new (const char *names, reason_t *why);
void mask_destroy (mask_t **self_p);
bool mask_is_empty (const mask_t *self);

//  Appends the JSON with null in the place of each value to mask. True when there was any.
bool mask_write (const mask_t *self, const char *json, size_t size, buffer_t *out);
//  The same as the next value; self null: as it is.
void mask_put (const mask_t *self, const char *value, size_t size, json_writer_t *out);

#endif
