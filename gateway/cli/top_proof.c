// top_proof.c - whether what `cmlwatch top` shows is what the server has: by the digest in its heartbeats.
//
// One that differs is counted, and the whole state taken anew, at growing intervals: a difference that stays
// is not asked about for ever.
//
// SPDX-License-Identifier: MIT

#include "../../common/digest.h"
#include "top.h"

#include <string.h>

#define REPAIR_WAIT      (10 * SECOND_US)
#define REPAIR_WAIT_MOST (5 * MINUTE_US)
#define DATA             "\"data\":"

//  The snapshot is the event's data, and nothing stands behind it but the event's own brace.
static void
take_snapshot (top_t *self, const sse_event_t *event, struct json_object *data)
{
    const char *id = json_get_text (data, "worker_id");
    const char *from = memmem (event->data, event->size, DATA, strlen (DATA));

    if (id && from) {
        from += strlen (DATA);
        size_t size = (size_t) (event->data + event->size - from) - 1;
        self->proof.repaired +=
            fleet_take_digest (self->fleet, id, digest_of_snapshot (from, size));
    }
}

static void
compare (top_t *self, const char *servers)
{
    top_proof_t *proof = &self->proof;
    char own [DIGEST_TEXT_SIZE];
    moment_t now = clock_now ();
    uint64_t digest;

    if (!servers || !fleet_digest (self->fleet, &digest)) {
        return;
    }
    digest_text (own, digest);
    if (strcmp (own, servers) == 0) {
        proof->proved_at = now.wall;
        proof->repair_wait = REPAIR_WAIT;
        return;
    }
    proof->differed++;
    if (now.steady >= proof->repair_from) {
        proof->wants_state = true;
        proof->repair_from = now.steady + proof->repair_wait;
        proof->repair_wait =
            proof->repair_wait * 2 < REPAIR_WAIT_MOST ? proof->repair_wait * 2 : REPAIR_WAIT_MOST;
    }
}

void
top_prove (top_t *self, const sse_event_t *event, struct json_object *data)
{
    top_proof_t *proof = &self->proof;
    int64_t missed = 0;

    if (strcmp (event->type, "worker.snapshot") == 0) {
        take_snapshot (self, event, data);
    } else if (strcmp (event->type, "connected") == 0) {
        proof->missed_before = proof->missed;
    } else if (strcmp (event->type, "heartbeat") == 0) {
        if (json_get_integer (data, "events_missed", &missed) && missed > 0) {
            proof->missed = proof->missed_before + (uint64_t) missed;
        }
        compare (self, json_get_text (data, "digest"));
    }
}

void
top_repair (top_t *self)
{
    if (self->proof.wants_state && top_is_live (self)) {
        self->proof.wants_state = false;
        live_reconnect (self->live, true);
    }
}
