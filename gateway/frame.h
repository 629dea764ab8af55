// frame.h - bytes that go to clients as they are, shared by all of them, their bytes never changed.
//
// One event framed once (`id:`, `event:`, `data:`, blank line), or several in a row for one
// write. The parts that own clients hold references; nobody copies a frame for a client. Each
// frame has a second form, deflated, made when the first client that wants it comes, and then
// shared as well: a run of deflate blocks that refers to nothing before it and ends on a byte's
// border, so that any such runs behind each other are one valid stream (pack.h). A frame whose
// JSON has members to mask has a masked sibling, made and shared alike (mask.h); and one that monitors
// get, whose words are other ones (monitor_form.h).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_FRAME_H
#define GATEWAY_FRAME_H

#include "../common/feed_frame.h"
#include "mask.h"

#include <stdint.h>

typedef struct packed {
    size_t size;
    uint32_t crc;  //  of the plain bytes
    char bytes [];
} packed_t;

typedef struct frame {
    uint64_t seq;    //  0: the gateway's own word
    time_us_t time;  //  steady, when it came
    uint64_t end;    //  where it ends in the log, in bytes since the log began
    //  Of a worker's snapshot in a state (common/digest.h), as it is and masked.
    uint64_t digest, masked_digest;
    packed_t *packed;
    struct frame *masked;  //  null: not made yet; itself: there is nothing to mask
    //  As monitors get it, null: not made yet; the second for those who are told less.
    struct frame *monitor [2];
    size_t *
        kept;  //  what the log holds, in bytes, while it holds this one or the one that it is a form of
    unsigned references;
    unsigned wires;  //  of the references, those of wires that have sent a part of it (wire.h)
    event_type_t type;
    event_type_t superseded_by;  //  of a job's progress: what came of the job next; or unknown
    int priority;
    uint32_t id_size;      //  the id's line at the beginning; 0: none
    uint32_t json_offset;  //  the event's JSON within bytes; it ends 2 before the frame does
    size_t size;
    const char *region, *worker_id, *job_type;  //  behind the bytes; "" where none applies
    char bytes [];
} frame_t;

//  An event of the feed; json is on one line. Null when memory is out.
frame_t *frame_of_event (const feed_header_t *header, time_us_t now, const void *json, size_t size);
//  A part of a state: no number. what says whose it is.
frame_t *frame_of_state (const feed_header_t *what, event_type_t type, const void *json,
                         size_t size);
//  The beginning of such JSON, up to its data; `}` ends it.
void frame_write_envelope (buffer_t *out, event_type_t type);
//  The same event with another head and other JSON.
frame_t *frame_sibling (const frame_t *self, const void *head, size_t head_size, const void *json,
                        size_t size);
//  Whole frames, as they are.
frame_t *frame_of_bytes (const void *bytes, size_t size);

frame_t *frame_hold (frame_t *self);

//  A log's sum counts it and its forms from now on, also those that are made later; or no more.
void frame_keep (frame_t *self, size_t *kept);
void frame_forget (frame_t *self);
//  It has one more form, which is in no sum yet.
void frame_keep_form (const frame_t *self, frame_t *form);
void frame_release (frame_t **self_p);

//  The deflated form, made alone (pack.h) and kept with the frame; null when memory is out.
struct packer;
const packed_t *frame_packed (frame_t *self, struct packer *packer);

//  The sibling without what the mask names, which is the same at each call; borrowed. Null when
//  memory is out.
frame_t *frame_masked (frame_t *self, const mask_t *mask);

//  What stands behind `"data":` in the event's JSON, up to the brace that ends that; nothing where there is none.
const char *frame_data (const frame_t *self, size_t *size);
//  The same of an event's JSON that is in no frame.
const char *frame_data_of (const char *json, size_t json_size, size_t *size);

#endif
