// store_seal.c - see store_seal.h.
//
// SPDX-License-Identifier: MIT

#include "store_seal.h"

#include "store_crc.h"

#include <string.h>

uint32_t
store_seal (const MDB_val *key, const MDB_val *value)
{
    return store_crc (store_crc (0, key->mv_data, key->mv_size), value->mv_data, value->mv_size);
}

bool
store_unseal (const MDB_val *key, MDB_val *value)
{
    uint32_t seal;

    if (value->mv_size < sizeof seal) {
        return false;
    }
    value->mv_size -= sizeof seal;
    memcpy (&seal, (const char *) value->mv_data + value->mv_size, sizeof seal);
    return seal == store_seal (key, value);
}
