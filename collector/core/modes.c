// SPDX-License-Identifier: MIT

#include "modes.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "collector_state.h"
#include "core.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_MS 5000  //  a heartbeat (2 s), the lease that follows (2 s), what it asks for

bool
collector_is_dry_run (const collector_t *self)
{
    return self->settings->dry_run;
}

bool
collector_failed (const collector_t *self)
{
    return self && modes_is_once (self->settings) && (self->modes.failed || !self->modes.ended);
}

//  Whoever reads along may leave (`| head`): then there is nothing more to do.
static void
put_line (collector_t *self, const buffer_t *line)
{
    if (buffer_failed (line) || fwrite (line->data, 1, line->size, stdout) < line->size ||
        fflush (stdout) != 0) {
        self->modes.failed = true;
        if (!loop_is_draining (self->loop)) {
            log_error ("nobody reads what is printed");
            loop_drain (self->loop);
        }
    }
}

void
modes_print (collector_t *self, const observation_t *observation, const char *subject)
{
    _cleanup_ (buffer_clear) buffer_t data = {0};
    _cleanup_ (buffer_clear) buffer_t line = {0};

    if (self->settings->dry_run) {
        return;
    }
    if (!self->modes.epoch [0]) {
        snprintf (self->modes.epoch, sizeof self->modes.epoch, "%08x", collector_random (self));
    }
    observation_write_data (&data, observation);
    envelope_write (&line, observation->envelope.type, self->name, self->modes.epoch,
                    ++self->modes.printed, subject, observation->envelope.time, NULL, data.data,
                    data.size);
    buffer_text (&line, "\n");
    put_line (self, &line);
}

void
collector_print_call (collector_t *self, const collector_call_t *call)
{
    _cleanup_ (buffer_clear) buffer_t line = {0};
    json_writer_t json = json_writer (&line);
    const struct {
        const char *key, *text;
    } MEMBERS [] = {{"api", call->api},       {"account", call->account},
                    {"region", call->region}, {"url", call->url},
                    {"keys", call->keys},     {"parameters", call->parameters}};

    json_open_object (&json);
    for (size_t i = 0; i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        if (MEMBERS [i].text) {
            json_member_text (&json, MEMBERS [i].key, MEMBERS [i].text);
        }
    }
    json_close_object (&json);
    buffer_text (&line, "\n");
    put_line (self, &line);
}

//  --- once

void
modes_end (void *argument)
{
    collector_t *self = argument;
    assert (self->magic == COLLECTOR_MAGIC);

    self->modes.ended = true;
    loop_drain (self->loop);
}

//  What was told on the bus may still be asked for again, by an aggregator that is there.
static void
end_when_read (collector_t *self)
{
    modes_t *modes = &self->modes;
    size_t units = unit_table_count (self->units);

    if (!modes_is_once (self->settings) || !modes->listed || modes->ending ||
        unit_table_unread (self->units) > 0) {
        return;
    }
    modes->ending = true;
    if (units == 0) {
        log_info ("there is nothing to read: the aggregator gives this collector none of its own",
                  LOG_TEXT ("control", self->settings->control));
    }
    if (self->publisher && modes->alone) {
        modes->failed = true;
        log_error ("what was read could not be handed on: no aggregator answers",
                   LOG_TEXT ("ingest", self->settings->ingest),
                   LOG_TEXT ("remedy", "--print shows it"));
    }
    bool settles = self->publisher && !modes->alone && units > 0;
    loop_timer_after (modes->timer, settles ? SETTLE_MS * MS_US : 0);
}

void
modes_note_round (collector_t *self, bool ok)
{
    self->modes.failed |= !ok;
    end_when_read (self);
}

void
modes_note_lease (collector_t *self, bool alone)
{
    const collector_source_t *source = self->source;
    bool needs_workers = source->needs_workers || source->reads == COLLECTOR_READS_WORKERS;

    if (alone && !self->modes.alone && needs_workers && modes_is_tool (self->settings)) {
        self->modes.failed = true;
        log_error ("nothing to read: the workers to read come from an aggregator, and none answers",
                   LOG_TEXT ("control", self->settings->control));
    }
    self->modes.alone = alone;
    self->modes.listed = true;
    end_when_read (self);
}
