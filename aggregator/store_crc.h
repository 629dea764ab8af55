// store_crc.h - zlib's crc32, made by the processor's own multiplication where it has one.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_CRC_H
#define AGGREGATOR_STORE_CRC_H

#include <stddef.h>
#include <stdint.h>

//  As zlib's crc32: sum is 0, or that of what came before.
uint32_t store_crc (uint32_t sum, const void *bytes, size_t size);

#endif
