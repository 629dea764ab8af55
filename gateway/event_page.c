// event_page.c - see event_page.h.
//
// SPDX-License-Identifier: MIT

#include "event_page.h"

uint64_t
event_page_write (const event_page_t *self, const event_log_t *log, json_writer_t *json)
{
    uint64_t seq = self->seq;
    size_t count = 0, begin = json->out->size;

    json_open_array (json);
    while (seq < event_log_last (log) && seq - self->seq < self->looks_max &&
           count < self->events_max && json->out->size - begin < self->bytes_max) {
        frame_t *frame = event_log_get (log, ++seq);
        if (filter_wants (self->filter, frame) && (frame = filter_form (self->filter, frame))) {
            json_put_raw (json, frame->bytes + frame->json_offset,
                          frame->size - frame->json_offset - 2);
            count++;
        }
    }
    json_close_array (json);
    return seq;
}
