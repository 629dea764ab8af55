// dashboard.c - see dashboard.h. One table names each file; only what it names is served.
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

#define POLICY "default-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

#define DECLARE(symbol) extern const char file_##symbol [], file_##symbol##_end [];
DECLARE (index_html)
DECLARE (app_js)
DECLARE (sse_client_js)
DECLARE (style_css)
DECLARE (icon_svg)

DEFINE_CLEANUP (file_close, FILE *, fclose)

static const struct {
    const char *name, *type, *start, *end;
} FILES [] = {
    {"", "text/html; charset=utf-8", file_index_html, file_index_html_end},
    {"index.html", "text/html; charset=utf-8", file_index_html, file_index_html_end},
    {"app.js", "text/javascript; charset=utf-8", file_app_js, file_app_js_end},
    {"sse-client.js", "text/javascript; charset=utf-8", file_sse_client_js, file_sse_client_js_end},
    {"style.css", "text/css; charset=utf-8", file_style_css, file_style_css_end},
    {"icon.svg", "image/svg+xml", file_icon_svg, file_icon_svg_end},
    {"favicon.ico", "image/svg+xml", file_icon_svg, file_icon_svg_end}};

static void
write_etag (char etag [24], const char *bytes, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char) bytes [i]) * 0x100000001b3u;
    }
    snprintf (etag, 24, "\"%016" PRIx64 "\"", hash);
}

static enum MHD_Result
send_bytes (struct MHD_Connection *connection, const char *bytes, size_t size, const char *type)
{
    char etag [24];
    write_etag (etag, bytes, size);
    const char *known = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "If-None-Match");
    bool same = known && strcmp (known, etag) == 0;
    struct MHD_Response *response = MHD_create_response_from_buffer (
        same ? 0 : size, (void *) (uintptr_t) bytes, MHD_RESPMEM_MUST_COPY);

    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, "Content-Type", type);
    MHD_add_response_header (response, "Content-Security-Policy", POLICY);
    reply_add_rules (connection, response, NULL);
    MHD_add_response_header (response, "Cache-Control", "no-cache");
    MHD_add_response_header (response, "ETag", etag);
    return reply_queue (connection, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response,
                        same ? 0 : size);
}

static enum MHD_Result
send_file (struct MHD_Connection *connection, const char *folder, const char *name,
           const char *type)
{
    char path [1200], bytes [8192];
    buffer_t all = {0};

    snprintf (path, sizeof path, "%s/%s", folder, *name ? name : "index.html");
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    if (!file) {
        return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found", path, NULL);
    }
    for (size_t size; (size = fread (bytes, 1, sizeof bytes, file)) > 0;) {
        buffer_append (&all, bytes, size);
    }
    enum MHD_Result result = send_bytes (connection, all.data ? all.data : "", all.size, type);
    buffer_clear (&all);
    return result;
}

enum MHD_Result
dashboard_reply (struct MHD_Connection *connection, const char *name, const char *folder)
{
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        if (strcmp (FILES [i].name, name) == 0) {
            return *folder
                       ? send_file (connection, folder, name, FILES [i].type)
                       : send_bytes (connection, FILES [i].start,
                                     (size_t) (FILES [i].end - FILES [i].start), FILES [i].type);
        }
    }
    return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found",
                          "there is nothing at this path", NULL);
}
