// routes_schema.c - /api/schema: the list of the documents, and each of them; see route.h.
//
// SPDX-License-Identifier: MIT

#include "../common/contract.h"
#include "../common/json.h"
#include "../common/schema.h"
#include "reply.h"
#include "route.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 80

static void
put_name (json_writer_t *json, const char *name)
{
    char file [NAME_SIZE];

    snprintf (file, sizeof file, "%s.json", name);
    json_put_text (json, file);
}

static void
write_list (json_writer_t *json)
{
    json_open_object (json);
    json_key (json, "schemas");
    json_open_array (json);
    for (size_t i = 0; i < schema_count (); i++) {
        put_name (json, schema_name (i));
    }
    json_close_array (json);
    json_key (json, "documents");
    json_open_array (json);
    for (size_t i = 0; i < CONTRACT_COUNT; i++) {
        put_name (json, contract_name (i));
    }
    json_close_array (json);
    json_close_object (json);
}

//  The media type of the document of this name, written; null when there is none.
static const char *
write_document (const char *name, json_writer_t *json)
{
    size_t schema = schema_find (name);

    if (schema < schema_count ()) {
        schema_write (json, schema);
        return "application/schema+json";
    }
    for (size_t i = 0; i < CONTRACT_COUNT; i++) {
        if (strcmp (contract_name (i), name) == 0) {
            contract_write (json, i);
            return "application/json";
        }
    }
    return NULL;
}

enum MHD_Result
route_schema (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
              request_t *request)
{
    static const char SUFFIX [] = ".json";
    char name [NAME_SIZE];
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    size_t size = strlen (rest), suffix = sizeof SUFFIX - 1;

    (void) parts, (void) request;
    if (size == 0) {
        write_list (&json);
        return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
    }
    bool fits = size > suffix && size < sizeof name && strcmp (rest + size - suffix, SUFFIX) == 0;
    snprintf (name, sizeof name, "%.*s", fits ? (int) (size - suffix) : 0, rest);
    const char *type = fits ? write_document (name, &json) : NULL;
    return type ? reply_send (connection, MHD_HTTP_OK, type, &out, NULL)
                : reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found",
                                 "no document has this name; GET /api/schema lists them", NULL);
}
