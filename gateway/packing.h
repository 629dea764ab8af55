// packing.h - what the live members of an audience share of deflate.
//
// A packer's runs refer to those before them (pack.h), which deflates events that are like each
// other to a fraction. So they fit only the clients that got all of them since the packer's
// restart: those are within. A client that says or gets something of its own is outside, and
// gets runs made alone, until the next restart, at most one a second, takes it in.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_PACKING_H
#define GATEWAY_PACKING_H

#include "client.h"

typedef struct packing {
    packer_t *packer;  //  null: all runs are made alone
    unsigned context;  //  counts the packer's restarts
    time_us_t restarted;
    pack_sum_t sum;  //  of all that went to live members
} packing_t;

//  Before a block is sent: takes those outside in, when it is time.
void packing_refresh (packing_t *self, client_t *const *live, size_t count, time_us_t now);

//  The client is outside from now on; what it got is in its own sum.
void packing_leave (packing_t *self, client_t *client);

#endif
