// schema.h - the contract as JSON Schemas (2020-12), one document for each thing that is said.
//
// What a collector says is walked out of the tables of observation.h, the snapshot out of
// snapshot.h; what the stream and REST say stands in schema_table.c. A document is whole in
// itself: it refers to no other. common/schema/ holds them printed (`make schemas`), a test
// compares; gateways serve them under /api/schema/. A field that a schema does not name is
// never sent; an observation with such a field is taken, the field is not.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_SCHEMA_H
#define COMMON_SCHEMA_H

#include "json.h"

#include <stddef.h>

size_t schema_count (void);

//  "instance.observed", "worker.status.updated", "snapshot", "rest.workers" ...
const char *schema_name (size_t index);

//  The index of a document, schema_count() when no document has this name.
size_t schema_find (const char *name);

void schema_write (json_writer_t *out, size_t index);

//  A line of schema_table.h, member by member; false at its end. Pieces are borrowed from it.
typedef struct schema_piece {
    const char *text;
    size_t size;
} schema_piece_t;

typedef struct schema_member {
    schema_piece_t name, type;
    bool optional;
} schema_member_t;

bool schema_next_member (const char **line, schema_member_t *member);
//  The JSON Schema of a member's type.
void schema_write_type (json_writer_t *out, schema_piece_t type);

#endif
