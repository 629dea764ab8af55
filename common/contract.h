// contract.h - the HTTP interface as OpenAPI 3.1, bus and stream as AsyncAPI 3.
//
// Two documents made of tables: the operations of contract.c, the catalogue of event.h. They
// refer to the JSON Schemas of schema.h by name, relative to their own place, so they work as
// served under /api/schema/ and as files beside the schemas in common/schema/.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_CONTRACT_H
#define COMMON_CONTRACT_H

#include "json.h"

#define CONTRACT_COUNT 2

//  "openapi" and "asyncapi".
const char *contract_name (size_t index);
void contract_write (json_writer_t *out, size_t index);

#endif
