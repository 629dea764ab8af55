// top.h - what the files of `cmlwatch top` share: top.c hears, top_keys.c obeys, top_draw.c shows,
// top_detail.c asks for one worker by source, top_proof.c holds what is shown against the server's digest.
//
// Everything that is shown is drawn from this structure, whole, and at most DRAWS_A_SECOND times a
// second but for keys, which show at once.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_TOP_H
#define GATEWAY_CLI_TOP_H

#include "fleet.h"
#include "live.h"

#define TOP_SEARCH_SIZE 64
#define TOP_ID_SIZE     64

typedef enum top_mode { TOP_TABLE, TOP_SEARCH, TOP_HELP, TOP_DETAIL } top_mode_t;

typedef struct top_detail {
    char id [TOP_ID_SIZE];
    http_call_t *call;   //  null: none under way
    buffer_t text;       //  lines
    reason_t why;        //  of the last that failed, "" when it did not
    time_us_t asked_at;  //  steady
    size_t first;        //  line that is shown at the top
} top_detail_t;

//  Whether what is shown is the server's, by its heartbeats; the page does the same (client/hub.js).
typedef struct top_proof {
    uint64_t missed, missed_before, repaired, differed;
    time_us_t proved_at;    //  wall; TIME_UNKNOWN: not yet
    time_us_t repair_from;  //  steady; no whole state is asked for before
    time_us_t repair_wait;
    bool wants_state;  //  to be asked for out of the listener
} top_proof_t;

typedef struct top {
    session_t *session;
    live_t *live;
    fleet_t *fleet, *frozen;  //  frozen: what is shown while paused, null otherwise
    uint64_t waiting;         //  events since the pause
    char search [TOP_SEARCH_SIZE];
    fleet_choice_t choice;
    top_mode_t mode;
    char cursor [TOP_ID_SIZE];  //  the worker under it; "" for the first row
    size_t first, cursor_row;   //  of the list: the row at the top, the row under the cursor
    bool is_dirty;
    top_detail_t detail;
    top_proof_t proof;
} top_t;

//  top_keys.c. False: quit.
bool top_take_key (top_t *self, int key);
//  Puts the cursor on the row'th of the list, or the nearest.
void top_move (top_t *self, long row);

//  top_proof.c. An event of the stream, with its data.
void top_prove (top_t *self, const sse_event_t *event, struct json_object *data);
//  Asks for the whole state when it is wanted; to be called now and then.
void top_repair (top_t *self);

//  top_draw.c
void top_draw (top_t *self);
int top_table_rows (void);
//  Whether the terminal is wide enough for this column; the name always is shown.
bool top_shows (worker_column_t column);

//  top_detail.c
void top_detail_open (top_t *self, const char *id);
void top_detail_close (top_t *self);
//  Asks anew when what is shown is some seconds old; to be called now and then.
void top_detail_refresh (top_t *self);
void top_detail_draw (const top_t *self, int first_row, int rows, bool live);

//  What is shown: live, or frozen.
static inline fleet_t *
top_shown (const top_t *self)
{
    return self->frozen ? self->frozen : self->fleet;
}

static inline bool
top_is_live (const top_t *self)
{
    return live_status (self->live)->state == LIVE_CONNECTED;
}

#endif
