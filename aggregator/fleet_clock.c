// fleet_clock.c - a clock that was set back, under workers whose state is ordered by time.
//
// SPDX-License-Identifier: MIT

#include "fleet_state.h"

#include "../common/log.h"

void
fleet_forget_future (fleet_t *self, time_us_t now)
{
    for (entry_t *entry = zhashx_first (self->entries); entry;
         entry = zhashx_next (self->entries)) {
        worker_forget_future (entry->worker, now);
        if (entry->history) {
            history_forget_future (entry->history, now);
        }
    }
}

void
fleet_follow_clock (fleet_t *self)
{
    moment_t now = loop_now (self->loop);
    time_us_t ahead = now.wall - now.steady, back = self->clock_ahead - ahead;

    self->clock_ahead = ahead;
    if (back > SECOND_US) {
        log_warn ("the clock was set back", LOG_INTEGER ("seconds", back / SECOND_US));
        metric_increment (self->set_back);
        fleet_forget_future (self, now.wall);
    }
}
