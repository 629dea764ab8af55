// store_state.h - what a store is, for store.c and store_read.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_STATE_H
#define AGGREGATOR_STORE_STATE_H

#include "../common/buffer.h"
#include "store_file.h"

#include <string.h>

typedef struct event_head {
    int64_t at;
    uint32_t header_size, reserved;
} event_head_t;

typedef enum operation_kind { PUT_ROW, DELETE_ROW, PUT_EVENT } operation_kind_t;

typedef struct operation {  //  gathered; key and value lie in the buffer
    operation_kind_t kind;
    store_table_t table;  //  of a row
    uint64_t seq;         //  of an event
    size_t key, key_size, value, value_size;
} operation_t;

struct store {
    store_settings_t settings;
    store_file_t file;
    uint64_t last, first;
    bool unsynced;
    operation_t *operations;
    size_t count, size;
    buffer_t bytes;
    metric_t *commits, *failures, *written, *used, *held, *trimmed, *damaged;
};

static inline uint64_t
store_swapped (uint64_t number)
{
    return __builtin_bswap64 (number);
}

static inline uint64_t
store_number (const MDB_val *key)
{
    uint64_t seq;

    memcpy (&seq, key->mv_data, sizeof seq);
    return store_swapped (seq);
}

//  Of a store that is salvaged: its events begin after the newest gap.
int store_pass_damaged (store_t *self, reason_t *why);

#endif
