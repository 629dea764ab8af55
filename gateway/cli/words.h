// words.h - the one language of filters: the stream's parameters, as flags.
//
// `cmlwatch tail --regions us-east-1 --event-types 'worker.*'` asks for what
// `?regions=us-east-1&event_types=worker.*` asks for; the gateway reads and judges them
// (gateway/filter.c). Lists that come whole (workers, jobs) are chosen from by the same words here.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_WORDS_H
#define GATEWAY_CLI_WORDS_H

#include "../../common/buffer.h"
#include "command.h"

// clang-format off
#define WORDS(WORD)                                                                                        \
    WORD (topics,       "workers, jobs, jobs:progress, jobs:status, system_stats, heartbeat; apart by commas") \
    WORD (event_types,  "exact, or worker.*; apart by commas")                                             \
    WORD (regions,      "only these, apart by commas")                                                     \
    WORD (worker_ids,   "only these, apart by commas")                                                     \
    WORD (job_types,    "of jobs, only these, apart by commas")                                            \
    WORD (min_priority, "of jobs, only from this priority on")                                             \
    WORD (max_priority, "of jobs, only up to this priority")                                               \
    WORD (max_hz,       "at most so many snapshots a second of one worker")                                \
    WORD (batch_ms,     "metrics of so long come as one event")
// clang-format on

typedef struct words {
#define WORDS_MEMBER(name, help) char name [CONFIG_TEXT_SIZE];
    WORDS (WORDS_MEMBER)
#undef WORDS_MEMBER
} words_t;

//  Rows for a table whose settings have `words_t words`.
#define WORDS_KEY(settings_t, name, help)                                          \
    {                                                                              \
#name, CONFIG_TEXT, offsetof(settings_t, words.name), "", 0, 0, NULL, help \
    }

//  The words that are set, as a query.
void words_write_query (const words_t *self, buffer_t *out);

//  Whether a list of names apart by commas has this one; an empty list has all.
bool words_have (const char *list, const char *name);

#endif
