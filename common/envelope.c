// envelope.c - see envelope.h.
//
// SPDX-License-Identifier: MIT

#include "envelope.h"

#include "cleanup.h"
#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_DIGITS (ENVELOPE_EPOCH_SIZE - 1)

static const char *
require_text (const json_node_t *tree, const char *name, reason_t *why)
{
    const char *text = json_node_get_text (tree, name);

    if (!text || !*text) {
        reason_set (why, -EINVAL, "not CloudEvents: '%s' is %s, it must be a text", name,
                    json_node_get (tree, name) ? "no text or empty" : "missing");
        return NULL;
    }
    return text;
}

//  *text stays null when the attribute is absent or null.
static int
read_optional (const json_node_t *tree, const char *name, const char **text, reason_t *why)
{
    *text = json_node_get_text (tree, name);
    return json_node_get (tree, name) && !*text
               ? reason_set (why, -EINVAL, "not CloudEvents: '%s' is no text", name)
               : 0;
}

static int
check_length (const char *name, const char *text, size_t most, reason_t *why)
{
    return strlen (text) > most
               ? reason_set (why, -EINVAL, "'%s' is longer than %zu bytes", name, most)
               : 0;
}

//  `<epoch>-<sequence>`: 8 hex digits and a number from 1.
static int
read_id (envelope_t *self, const char *id, reason_t *why)
{
    char *end = NULL;
    size_t digits = 0;

    while (digits < EPOCH_DIGITS && isxdigit ((unsigned char) id [digits])) {
        digits++;
    }
    if (digits == EPOCH_DIGITS && id [digits] == '-' && isdigit ((unsigned char) id [digits + 1])) {
        errno = 0;
        self->sequence = strtoull (id + digits + 1, &end, 10);
        if (errno == 0 && *end == '\0' && self->sequence > 0) {
            memcpy (self->epoch, id, EPOCH_DIGITS);
            self->epoch [EPOCH_DIGITS] = '\0';
            return 0;
        }
    }
    return reason_set (why, -EINVAL,
                       "'id' is '%.60s', it must be <8 hex digits of the start>-<number from 1>",
                       id);
}

static int
read_type (envelope_t *self, const json_node_t *tree, reason_t *why)
{
    const char *version = require_text (tree, "specversion", why);
    const char *type = version ? require_text (tree, "type", why) : NULL;

    if (!type) {
        return -EINVAL;
    }
    if (strcmp (version, "1.0") != 0) {
        return reason_set (why, -EINVAL, "'specversion' is '%.20s', only 1.0 is understood",
                           version);
    }
    self->type = event_type_parse_ingest (type);
    if (self->type == EVENT_UNKNOWN) {
        return reason_set (why, -ENOTSUP, "type '%.60s' is not for a collector to say", type);
    }
    return 0;
}

static int
read_rest (envelope_t *self, const json_node_t *tree, reason_t *why)
{
    const char *id = require_text (tree, "id", why);
    self->source = id ? require_text (tree, "source", why) : NULL;
    const char *time = self->source ? require_text (tree, "time", why) : NULL;

    if (!time || read_id (self, id, why) < 0) {
        return -EINVAL;
    }
    if (clock_parse (time, &self->time) < 0) {
        return reason_set (why, -EINVAL, "'time' is '%.60s', it must be RFC 3339", time);
    }
    if (read_optional (tree, "subject", &self->subject, why) < 0 ||
        read_optional (tree, "traceparent", &self->traceparent, why) < 0) {
        return -EINVAL;
    }
    self->subject = self->subject ? self->subject : "";
    if (check_length ("source", self->source, ENVELOPE_SOURCE_MAX, why) < 0 ||
        check_length ("subject", self->subject, ENVELOPE_SUBJECT_MAX, why) < 0) {
        return -EINVAL;
    }
    self->data = json_node_get_object (tree, "data");
    return self->data ? 0 : reason_set (why, -EINVAL, "'data' is missing or no object");
}

int
envelope_decode (envelope_t *self, const void *bytes, size_t size, size_t size_max, reason_t *why)
{
    _cleanup_ (json_doc_clear) json_doc_t doc = {0};
    envelope_t envelope = {0};

    int rc = json_doc_read (&doc, bytes, size, size_max, why);
    const json_node_t *tree = rc == 0 ? json_doc_root (&doc) : NULL;
    if (rc == 0 && tree->kind != JSON_OBJECT) {
        rc = reason_set (why, -EINVAL, "not CloudEvents: no JSON object");
    }
    if (rc == 0) {
        rc = read_type (&envelope, tree, why);
    }
    if (rc == 0) {
        rc = read_rest (&envelope, tree, why);
    }
    if (rc == 0) {
        envelope.doc = doc;
        doc = (json_doc_t){0};
        *self = envelope;
    }
    return rc;
}

void
envelope_clear (envelope_t *self)
{
    json_doc_clear (&self->doc);
    *self = (envelope_t){0};
}

bool
envelope_source_kind (const char *source, char kind [ENVELOPE_KIND_SIZE])
{
    static const char PREFIX [] = "/collector/";

    if (strncmp (source, PREFIX, sizeof PREFIX - 1) != 0) {
        return false;
    }
    const char *start = source + sizeof PREFIX - 1, *end = strchr (start, '/');
    size_t size = end ? (size_t) (end - start) : 0;
    if (size == 0 || size >= ENVELOPE_KIND_SIZE || end [1] == '\0') {
        return false;
    }
    memcpy (kind, start, size);
    kind [size] = '\0';
    return true;
}

void
envelope_write (buffer_t *out, event_type_t type, const char *source, const char *epoch,
                uint64_t sequence, const char *subject, time_us_t time, const char *traceparent,
                const char *data, size_t data_size)
{
    json_writer_t json = json_writer (out);
    char number [24], id [40];

    snprintf (number, sizeof number, "%012" PRIu64, sequence);
    snprintf (id, sizeof id, "%s-%s", epoch, number);
    json_open_object (&json);
    json_member_text (&json, "specversion", "1.0");
    json_member_text (&json, "type", event_type_name (type));
    json_member_text (&json, "source", source);
    json_member_text (&json, "id", id);
    json_member_text (&json, "subject", subject);
    json_member_time (&json, "time", time);
    json_member_text (&json, "datacontenttype", "application/json");
    json_member_text (&json, "sequence", number);
    if (traceparent) {
        json_member_text (&json, "traceparent", traceparent);
    }
    json_member_raw (&json, "data", data, data_size);
    json_close_object (&json);
}

void
envelope_write_topic (buffer_t *out, event_type_t type, const char *subject)
{
    const char *slash = strchr (subject, '/');
    int region = slash ? (int) (slash - subject) : (int) strlen (subject);

    buffer_format (out, "%s|%.*s|%s", event_type_name (type), region, subject,
                   slash ? slash + 1 : "");
}
