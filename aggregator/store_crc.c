// store_crc.c - see store_crc.h.
//
// V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction",
// Intel, 2009: 64 bytes are folded at a time by multiplication without carries; the constants are that
// paper's for the polynomial of zlib, bits reflected. zlib 1.2.13 of Debian goes by tables, and was a
// seventh of the aggregator's instructions. What is not a multiple of 16 bytes, and every other
// processor, is zlib's.
//
// SPDX-License-Identifier: MIT

#include "store_crc.h"

#include <stdbool.h>
#include <zlib.h>

#ifdef __x86_64__
#include <immintrin.h>

#define FOLD_LEAST 64
#define BLOCK      ((size_t) 16)
#define CARRYLESS  __attribute__ ((target ("pclmul,sse4.1")))

//  The two halves of x, each multiplied by its constant.
CARRYLESS static inline __m128i
fold (__m128i x, __m128i constants)
{
    return _mm_xor_si128 (_mm_clmulepi64_si128 (x, constants, 0x00),
                          _mm_clmulepi64_si128 (x, constants, 0x11));
}

CARRYLESS static inline __m128i
block_at (const unsigned char *bytes)
{
    return _mm_loadu_si128 ((const __m128i *) (const void *) bytes);
}

//  128 bits to 64, then Barrett's reduction to 32.
CARRYLESS static uint32_t
reduce (__m128i x)
{
    const __m128i by_16 = _mm_set_epi64x (0x0ccaa009e, 0x1751997d0);
    const __m128i by_8 = _mm_set_epi64x (0, 0x163cd6124);
    const __m128i barrett = _mm_set_epi64x (0x1f7011641, 0x1db710641);
    const __m128i low_32 = _mm_setr_epi32 (-1, 0, -1, 0);

    x = _mm_xor_si128 (_mm_srli_si128 (x, 8), _mm_clmulepi64_si128 (x, by_16, 0x10));
    x = _mm_xor_si128 (_mm_srli_si128 (x, 4),
                       _mm_clmulepi64_si128 (_mm_and_si128 (x, low_32), by_8, 0x00));
    __m128i quotient = _mm_clmulepi64_si128 (_mm_and_si128 (x, low_32), barrett, 0x10);
    x = _mm_xor_si128 (x, _mm_clmulepi64_si128 (_mm_and_si128 (quotient, low_32), barrett, 0x00));
    return (uint32_t) _mm_extract_epi32 (x, 1);
}

//  size is a multiple of 16, of FOLD_LEAST at least; sum as zlib has it inside: all bits turned.
CARRYLESS static uint32_t
sum_blocks (uint32_t sum, const unsigned char *bytes, size_t size)
{
    const __m128i by_64 = _mm_set_epi64x (0x1c6e41596, 0x154442bd4);
    const __m128i by_16 = _mm_set_epi64x (0x0ccaa009e, 0x1751997d0);
    const unsigned char *end = bytes + size;
    __m128i x [4];

    for (size_t i = 0; i < 4; i++) {
        x [i] = block_at (bytes + i * BLOCK);
    }
    x [0] = _mm_xor_si128 (x [0], _mm_cvtsi32_si128 ((int) sum));
    for (bytes += FOLD_LEAST; end - bytes >= FOLD_LEAST; bytes += FOLD_LEAST) {
        for (size_t i = 0; i < 4; i++) {
            x [i] = _mm_xor_si128 (fold (x [i], by_64), block_at (bytes + i * BLOCK));
        }
    }
    for (size_t i = 1; i < 4; i++) {
        x [0] = _mm_xor_si128 (fold (x [0], by_16), x [i]);
    }
    for (; bytes < end; bytes += BLOCK) {
        x [0] = _mm_xor_si128 (fold (x [0], by_16), block_at (bytes));
    }
    return reduce (x [0]);
}

uint32_t
store_crc (uint32_t sum, const void *bytes, size_t size)
{
    size_t blocks = size & ~(BLOCK - 1);

    if (blocks < FOLD_LEAST || !__builtin_cpu_supports ("pclmul") ||
        !__builtin_cpu_supports ("sse4.1")) {
        return (uint32_t) crc32_z (sum, bytes, size);
    }
    uint32_t folded = ~sum_blocks (~sum, bytes, blocks);
    return (uint32_t) crc32_z (folded, (const unsigned char *) bytes + blocks, size - blocks);
}

#else

uint32_t
store_crc (uint32_t sum, const void *bytes, size_t size)
{
    return (uint32_t) crc32_z (sum, bytes, size);
}

#endif
