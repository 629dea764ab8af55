// sequence.h - gaps and restarts in a numbered stream, without clock or socket.
//
// A speaker numbers what it says from 1 without gaps, for each of its starts (epoch). A
// hearer feeds each number in and is told what it means. Tail loss is seen when a
// heartbeat or tick tells the last number (sequence_expect).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_SEQUENCE_H
#define COMMON_SEQUENCE_H

#include "envelope.h"

#include <stdint.h>

typedef struct sequence {
    char epoch [ENVELOPE_EPOCH_SIZE];  //  "" before the first
    uint64_t last;
} sequence_t;

typedef enum sequence_verdict {
    SEQUENCE_NEXT,       //  as it should be
    SEQUENCE_FIRST,      //  the first that was heard of this speaker; it joins in the middle
    SEQUENCE_RESTARTED,  //  a new epoch: the speaker began anew
    SEQUENCE_DUPLICATE,  //  heard before
    SEQUENCE_GAP         //  *missed numbers were skipped
} sequence_verdict_t;

//  missed is set on SEQUENCE_GAP, and on SEQUENCE_RESTARTED when the new epoch was not
//  heard from its 1; else it is 0.
sequence_verdict_t sequence_next (sequence_t *self, const char *epoch, uint64_t number,
                                  uint64_t *missed);

//  The speaker says that its last number is this: how many are missing at the tail, which
//  are then taken as heard.
uint64_t sequence_expect (sequence_t *self, const char *epoch, uint64_t last);

#endif
