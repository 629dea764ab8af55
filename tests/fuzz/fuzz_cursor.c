//  A Last-Event-ID against a log, and the numbers of a stream that is heard. The first line is
//  the id; each line behind it is `<epoch letter><number>` of what is heard, or `=` before it for
//  a tick.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/sequence.h"
#include "../../gateway/event_log.h"

#define EPOCH "0badcafe"
#define FIRST 41
#define LAST  50

static event_log_t *
log_of_ten (void)
{
    event_log_t *log = event_log_new (16, 1 << 20);
    feed_header_t header = {.kind = FEED_EVENT, .type = EVENT_SYSTEM_STATS};

    CHECK (log);
    snprintf (header.epoch, sizeof header.epoch, EPOCH);
    snprintf (header.type_name, sizeof header.type_name, "system.stats");
    event_log_reset (log, EPOCH, FIRST - 1);
    for (header.seq = FIRST; header.seq <= LAST; header.seq++) {
        CHECK (event_log_append (log, &header, "{}", 2));
    }
    return log;
}

static void
check_cursor (const event_log_t *log, const char *id)
{
    uint64_t seq = 0;
    const char *refused = event_log_check (log, id, &seq);

    if (!refused) {
        char canonical [40];
        CHECK (seq >= FIRST - 1 && seq <= LAST);
        CHECK (strncmp (id, EPOCH "-", strlen (EPOCH "-")) == 0);
        CHECK (strtoull (id + strlen (EPOCH "-"), NULL, 10) == seq);
        for (uint64_t next = seq + 1; next <= LAST; next++) {
            CHECK (event_log_get (log, next) && event_log_get (log, next)->seq == next);
        }
        snprintf (canonical, sizeof canonical, EPOCH "-%llu", (unsigned long long) seq);
        CHECK (!event_log_check (log, canonical, &seq));
    }
}

static void
hear (sequence_t *heard, const char *line)
{
    bool tick = *line == '=';
    char epoch [ENVELOPE_EPOCH_SIZE] = "0000000x";
    uint64_t missed = 0, before = heard->last;

    line += tick;
    epoch [0] = *line ? *line : 'a';
    bool same = strcmp (heard->epoch, epoch) == 0;
    uint64_t number = strtoull (*line ? line + 1 : line, NULL, 10);
    if (tick) {
        missed = sequence_expect (heard, epoch, number);
        CHECK (!same || missed == (number > before ? number - before : 0));
        return;
    }
    switch (sequence_next (heard, epoch, number, &missed)) {
    case SEQUENCE_NEXT: CHECK (same && number == before + 1 && missed == 0); break;
    case SEQUENCE_FIRST: CHECK (missed == 0); break;
    case SEQUENCE_RESTARTED: CHECK (!same && missed == (number > 1 ? number - 1 : 0)); break;
    case SEQUENCE_DUPLICATE: CHECK (same && number <= before && missed == 0); break;
    case SEQUENCE_GAP: CHECK (same && missed == number - before - 1 && missed > 0); break;
    default: CHECK (false);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static event_log_t *log;  //  one for all: nothing here changes it
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    sequence_t heard = {{0}, 0};
    char *rest = text, *line = strsep (&rest, "\n");

    log = log ? log : log_of_ten ();
    check_cursor (log, line);
    while ((line = strsep (&rest, "\n"))) {
        hear (&heard, line);
    }
    return 0;
}
