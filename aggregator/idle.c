// idle.c - see idle.h.
//
// SPDX-License-Identifier: MIT

#include "idle.h"

time_us_t
idle_since (const idle_facts_t *facts)
{
    return facts->activity_at != TIME_UNKNOWN  ? facts->activity_at
           : facts->resumed_at != TIME_UNKNOWN ? facts->resumed_at
                                               : facts->created_at;
}

//  Labs that nobody has read may run: INTEGER_UNKNOWN is not 0.
static bool
could_idle (const idle_rules_t *rules, const idle_facts_t *facts)
{
    return facts->is_running && (rules->idle_ignores_running_labs || facts->labs == 0);
}

static time_us_t
idle_at (const idle_rules_t *rules, const idle_facts_t *facts)
{
    return idle_since (facts) + rules->idle_timeout_minutes * MINUTE_US;
}

bool
idle_is_idle (const idle_rules_t *rules, const idle_facts_t *facts)
{
    return could_idle (rules, facts) && facts->checked_at != TIME_UNKNOWN &&
           facts->checked_at >= idle_at (rules, facts);
}

static time_us_t
pause_at_of (const idle_rules_t *rules, const idle_facts_t *facts)
{
    if (rules->auto_pause == AUTO_PAUSE_OFF || !facts->is_enabled || !could_idle (rules, facts) ||
        facts->checked_at == TIME_UNKNOWN) {
        return TIME_UNKNOWN;
    }
    time_us_t pause_at = idle_at (rules, facts);
    if (facts->resumed_at != TIME_UNKNOWN) {
        time_us_t snoozed_until = facts->resumed_at + rules->snooze_minutes * MINUTE_US;
        pause_at = snoozed_until > pause_at ? snoozed_until : pause_at;
    }
    return pause_at;
}

time_us_t
idle_pause_at (const idle_rules_t *rules, const idle_facts_t *facts)
{
    return rules->auto_pause == AUTO_PAUSE_DRY_RUN ? TIME_UNKNOWN : pause_at_of (rules, facts);
}

bool
idle_is_due (const idle_rules_t *rules, const idle_facts_t *facts)
{
    time_us_t pause_at = pause_at_of (rules, facts);

    return pause_at != TIME_UNKNOWN && facts->checked_at >= pause_at;
}
