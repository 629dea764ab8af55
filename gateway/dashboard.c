// dashboard.c - see dashboard.h. dashboard_files.S names each file; only what it names is served.
//
// SPDX-License-Identifier: MIT

#include "dashboard.h"

#include "../common/buffer.h"
#include "../common/cleanup.h"
#include "reply.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

//  No inline script, no other origin, no text that becomes a script but by the client library's one
//  policy, which names its worker and nothing else.
#define POLICY                                                                       \
    "default-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'; " \
    "frame-ancestors 'none'; "                                                       \
    "form-action 'self'; require-trusted-types-for 'script'; trusted-types cmlwatch-client"

//  A row of dashboard_files.S; the last has no path. A form ends where the next begins.
enum { FORMS = 3 };
static const char *const codings [FORMS] = {NULL, "gzip", "br"};

typedef struct file {
    const char *path, *type, *form [FORMS + 1];
} file_t;

extern const file_t dashboard_files [];

DEFINE_CLEANUP (file_close, FILE *, fclose)

static void
write_etag (char etag [24], const char *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char) bytes [i]) * 0x100000001b3u;
    }
    snprintf (etag, 24, "\"%016" PRIx64 "\"", hash);
}

//  A body, whole; coding is null where it is plain.
typedef struct body {
    const char *bytes, *type, *coding;
    size_t size;
} body_t;

static enum MHD_Result
send_body (struct MHD_Connection *connection, const body_t *body)
{
    char etag [24];
    write_etag (etag, body->bytes, body->size);
    const char *known = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "If-None-Match");
    bool same = known && strcmp (known, etag) == 0;
    struct MHD_Response *response = MHD_create_response_from_buffer (
        same ? 0 : body->size, (void *) (uintptr_t) body->bytes, MHD_RESPMEM_MUST_COPY);

    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, "Content-Type", body->type);
    MHD_add_response_header (response, "Content-Security-Policy", POLICY);
    reply_add_rules (connection, response, NULL);
    MHD_add_response_header (response, "Cache-Control", "no-cache");
    MHD_add_response_header (response, "ETag", etag);
    MHD_add_response_header (response, "Vary", "Accept-Encoding");
    if (body->coding) {
        MHD_add_response_header (response, "Content-Encoding", body->coding);
    }
    return reply_queue (connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response,
                        same ? 0 : body->size);
}

static enum MHD_Result
send_embedded (struct MHD_Connection *connection, const file_t *file)
{
    size_t form = FORMS - 1;

    while (form > 0 && !reply_accepts (connection, codings [form])) {
        form--;
    }
    body_t body = {.bytes = file->form [form],
                   .type = file->type,
                   .coding = codings [form],
                   .size = (size_t) (file->form [form + 1] - file->form [form])};
    return send_body (connection, &body);
}

static enum MHD_Result
send_from (struct MHD_Connection *connection, const char *folder, const file_t *file)
{
    char path [1200], bytes [8192];
    buffer_t all = {0};

    snprintf (path, sizeof path, "%s/%s", folder, file->path);
    _cleanup_ (file_close) FILE *source = fopen (path, "re");
    if (!source) {
        return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found", path, NULL);
    }
    for (size_t size; (size = fread (bytes, 1, sizeof bytes, source)) > 0;) {
        buffer_append (&all, bytes, size);
    }
    body_t body = {.bytes = all.data ? all.data : "", .type = file->type, .size = all.size};
    enum MHD_Result result = send_body (connection, &body);
    buffer_clear (&all);
    return result;
}

enum MHD_Result
dashboard_reply (struct MHD_Connection *connection, const char *name, const char *folder)
{
    const char *path = !*name                              ? "index.html"
                       : strcmp (name, "favicon.ico") == 0 ? "icon.svg"
                                                           : name;

    for (const file_t *file = dashboard_files; file->path; file++) {
        if (strcmp (file->path, path) == 0) {
            return *folder ? send_from (connection, folder, file)
                           : send_embedded (connection, file);
        }
    }
    return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found",
                          "there is nothing at this path", NULL);
}
