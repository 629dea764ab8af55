// schema_table.h - the tables of schema.c: what the stream and REST say, in one line each.
//
// A line is a list of members `name:type`. `name?` may be left out. Types: those of
// SCHEMA_TYPES, the objects of SCHEMA_OBJECTS, `snapshot`; [x] is an array of x, {x} an object
// whose members are x; `x|null` may be null. `*metrics` and `*details` stand for the fields of
// the snapshot that such an event may carry, each of which may be left out.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_SCHEMA_TABLE_H
#define COMMON_SCHEMA_TABLE_H

#include "event.h"

typedef struct schema_row {
    const char *name, *text;
} schema_row_t;

//  What is said of monitors' messages (gateway/monitor.h) is what the protocol is made of; their
//  events are those of the stream in another form.
//  Each ends with a null name. A type's text is JSON Schema, an object's a line.
extern const schema_row_t SCHEMA_TYPES [], SCHEMA_OBJECTS [], SCHEMA_REST [], SCHEMA_MONITOR [];

//  The data of an event of the stream: a line, by type; null for types of ingest.
extern const char *const SCHEMA_EVENTS [EVENT_TYPE_COUNT];

#endif
