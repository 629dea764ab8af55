// frame.c - see frame.h.
//
// SPDX-License-Identifier: MIT

#include "frame.h"

#include "pack.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *
put_text (char *at, const char **slot, const char *text)
{
    size_t size = strlen (text) + 1;

    *slot = memcpy (at, text, size);
    return at + size;
}

static frame_t *
make (const feed_header_t *what, const void *head, size_t head_size, const void *json, size_t size)
{
    size_t whole = head_size + size + 2,
           texts = strlen (what->region) + strlen (what->worker_id) + strlen (what->job_type) + 3;
    frame_t *self = malloc (sizeof *self + whole + texts);

    if (self) {
        *self = (frame_t){.references = 1,
                          .superseded_by = EVENT_UNKNOWN,
                          .priority = what->priority,
                          .json_offset = (uint32_t) head_size,
                          .size = whole};
        memcpy (self->bytes, head, head_size);
        memcpy (self->bytes + head_size, json, size);
        memcpy (self->bytes + head_size + size, "\n\n", 2);
        char *at = put_text (self->bytes + whole, &self->region, what->region);
        at = put_text (at, &self->worker_id, what->worker_id);
        put_text (at, &self->job_type, what->job_type);
    }
    return self;
}

frame_t *
frame_of_event (const feed_header_t *header, time_us_t now, const void *json, size_t size)
{
    char head [160];
    int id = snprintf (head, sizeof head, "id: %s-%" PRIu64 "\n", header->epoch, header->seq);
    int rest =
        snprintf (head + id, sizeof head - (size_t) id, "event: %s\ndata: ", header->type_name);
    frame_t *self = make (header, head, (size_t) id + (size_t) rest, json, size);

    if (self) {
        self->seq = header->seq;
        self->time = now;
        self->type = header->type;
        self->id_size = (uint32_t) id;
    }
    return self;
}

frame_t *
frame_of_state (const feed_header_t *what, event_type_t type, const void *json, size_t size)
{
    char head [100];
    int head_size = snprintf (head, sizeof head, "event: %s\ndata: ", event_type_name (type));
    frame_t *self = make (what, head, (size_t) head_size, json, size);

    if (self) {
        self->type = type;
    }
    return self;
}

void
frame_write_envelope (buffer_t *out, event_type_t type)
{
    char time [CLOCK_TEXT_SIZE];

    buffer_format (out, "{\"type\":\"%s\",\"source\":\"%s\",\"time\":\"%s\",\"seq\":null,\"data\":",
                   event_type_name (type), event_type_source (type),
                   clock_format (time, clock_now ().wall));
}

frame_t *
frame_sibling (const frame_t *self, const void *head, size_t head_size, const void *json,
               size_t size)
{
    feed_header_t what = {.priority = self->priority};

    snprintf (what.region, sizeof what.region, "%s", self->region);
    snprintf (what.worker_id, sizeof what.worker_id, "%s", self->worker_id);
    snprintf (what.job_type, sizeof what.job_type, "%s", self->job_type);
    frame_t *sibling = make (&what, head, head_size, json, size);
    if (sibling) {
        sibling->seq = self->seq;
        sibling->time = self->time;
        sibling->type = self->type;
    }
    return sibling;
}

frame_t *
frame_of_bytes (const void *bytes, size_t size)
{
    frame_t *self = malloc (sizeof *self + size + 1);

    if (self) {
        *self = (frame_t){
            .references = 1, .type = EVENT_UNKNOWN, .superseded_by = EVENT_UNKNOWN, .size = size};
        memcpy (self->bytes, bytes, size);
        self->bytes [size] = '\0';
        self->region = self->worker_id = self->job_type = self->bytes + size;
    }
    return self;
}

frame_t *
frame_hold (frame_t *self)
{
    self->references++;
    return self;
}

void
frame_release (frame_t **self_p)
{
    if (*self_p && --(*self_p)->references == 0) {
        if ((*self_p)->masked != *self_p) {
            frame_release (&(*self_p)->masked);
        }
        frame_release (&(*self_p)->monitor [0]);
        frame_release (&(*self_p)->monitor [1]);
        free ((*self_p)->packed);
        free (*self_p);
    }
    *self_p = NULL;
}

//  --- what the log holds of it

static size_t
weight_of (const frame_t *self)
{
    return self->size + (self->packed ? self->packed->size : 0);
}

static size_t
forms_of (const frame_t *self, frame_t *forms [3])
{
    frame_t *const all [] = {self->masked != self ? self->masked : NULL, self->monitor [0],
                             self->monitor [1]};
    size_t count = 0;

    for (size_t i = 0; i < sizeof all / sizeof (frame_t *); i++) {
        if (all [i]) {
            forms [count++] = all [i];
        }
    }
    return count;
}

void
frame_keep (frame_t *self, size_t *kept)
{
    frame_t *forms [3];

    self->kept = kept;
    *kept += weight_of (self);
    for (size_t i = forms_of (self, forms); i-- > 0;) {
        frame_keep (forms [i], kept);
    }
}

void
frame_forget (frame_t *self)
{
    frame_t *forms [3];

    *self->kept -= weight_of (self);
    self->kept = NULL;
    for (size_t i = forms_of (self, forms); i-- > 0;) {
        frame_forget (forms [i]);
    }
}

void
frame_keep_form (const frame_t *self, frame_t *form)
{
    if (self->kept && form) {
        frame_keep (form, self->kept);
    }
}

//  --- its forms

const packed_t *
frame_packed (frame_t *self, packer_t *packer)
{
    if (!self->packed) {
        self->packed = packer_alone (packer, self->bytes, self->size);
        if (self->packed && self->kept) {
            *self->kept += self->packed->size;
        }
    }
    return self->packed;
}

frame_t *
frame_masked (frame_t *self, const mask_t *mask)
{
    buffer_t json = {0};
    size_t head = self->json_offset, tail = 2;

    if (self->masked || self->size < head + tail) {
        return self->masked ? self->masked : self;
    }
    bool any = mask_write (mask, self->bytes + head, self->size - head - tail, &json);
    if (!any && !buffer_failed (&json)) {
        self->masked = self;
    } else if (!buffer_failed (&json)) {
        frame_t *sibling = frame_sibling (self, self->bytes, head, json.data, json.size);
        if (sibling) {
            sibling->id_size = self->id_size;
            sibling->digest = sibling->masked_digest = self->masked_digest;
            sibling->masked = sibling;
        }
        self->masked = sibling;
        frame_keep_form (self, sibling);
    }
    buffer_clear (&json);
    return self->masked;
}

const char *
frame_data_of (const char *json, size_t json_size, size_t *size)
{
    static const char DATA [] = "\"data\":";
    const char *end = json + json_size, *at = memmem (json, json_size, DATA, sizeof DATA - 1);

    at = at ? at + sizeof DATA - 1 : end;
    *size = at < end ? (size_t) (end - at) - 1 : 0;
    return at;
}

const char *
frame_data (const frame_t *self, size_t *size)
{
    return frame_data_of (self->bytes + self->json_offset, self->size - 2 - self->json_offset,
                          size);
}
