// dump.h - a store as lines of JSON and back, and a copy of it while it is used.
//
// For people, for moving to another machine, and for a later format to be loaded from. A line is
// one of
//
//   {"format": 1, "epoch": "0badcafe", "written_by": "<version>"}     the first
//   {"worker": "<id>", "row": {...}}                       as worker_save writes it
//   {"source": "<name>", "row": "<epoch> <number>"}
//   {"samples": "<name>", "row": "<base64>"}               a block of history.h
//   {"job": "<id>", "row": {...}}
//   {"event": 12, "at_us": 17…, "header": "event|…", "json": {...}}   by number, without gaps
//   {"end": 1234}                                          the last: so many lines went before
//
// Format is the dump's own. A store that was loaded gives the same dump, byte for byte.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_DUMP_H
#define AGGREGATOR_DUMP_H

#include "store.h"

#include <stdio.h>

//  0, or a negative errno and why.
int dump_write (store_t *store, FILE *out, reason_t *why);

//  Into a store that is empty; all or nothing. why names the line.
int dump_read (store_t *store, FILE *in, reason_t *why);

#endif
