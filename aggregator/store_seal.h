// store_seal.h - what shows that a row is as it was written.
//
// Since format 2 each value ends with the CRC-32 (zlib's) of its key and of what stands before.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_SEAL_H
#define AGGREGATOR_STORE_SEAL_H

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#define STORE_SEAL_SIZE sizeof (uint32_t)

uint32_t store_seal (const MDB_val *key, const MDB_val *value);
//  Takes the seal off the value; false: it is not what was written.
bool store_unseal (const MDB_val *key, MDB_val *value);

#endif
