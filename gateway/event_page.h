// event_page.h - past events as a list in JSON: of GET /api/events, and of what a monitor asks to hear again.
//
// Who asks may want what the log does not hold at all, or everything in it: so an answer is bounded in
// what it holds and in what is looked at for it, for nothing else is served meanwhile. It says how far it
// has come, and who asks goes on from there.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_EVENT_PAGE_H
#define GATEWAY_EVENT_PAGE_H

#include "event_log.h"
#include "filter.h"

typedef struct event_page {
    const filter_t *filter;
    uint64_t seq;  //  behind this number
    //  So many of them, about so many bytes, and of so many events looked at. With none of one of these
    //  nothing is told, and it goes on from where it began.
    size_t events_max, bytes_max, looks_max;
} event_page_t;

//  An array. The number of the last event that was looked at, from behind which it goes on.
uint64_t event_page_write (const event_page_t *self, const event_log_t *log, json_writer_t *json);

#endif
