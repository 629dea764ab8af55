// digest.h - one number that two pictures of the same workers have in common.
//
// The digest of a worker is the 64-bit FNV-1a hash of the bytes of its canonical snapshot from the
// first to the last before `,"ec2_freshness"`: identity, status, image, network, licence, CML, EC2,
// CloudWatch and the calculated values. What follows (freshness, timing, activity, pauses) may
// change without a worker.snapshot and does not count; what counts changes with one only. The
// digest of a state is the sum, modulo 2^64, of its workers' that are not terminated, so the order
// does not matter and one worker's change is one subtraction and one addition. On the wire it is
// 16 hex digits. It tells pictures apart, it is no signature.
//
// FNV-1a: draft-eastlake-fnv, 64 bits. Chosen because any language says it in three lines.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_TEXT_SIZE 17

//  Of a snapshot as snapshot_write writes it, with or without _reason; 0 for a terminated worker.
uint64_t digest_of_snapshot (const char *json, size_t size);

//  FNV-1a of texts one after the other, each with its NUL, from DIGEST_START on: of what two
//  processes are to have alike.
#define DIGEST_START UINT64_C (0xcbf29ce484222325)
uint64_t digest_more (uint64_t digest, const char *text);

void digest_text (char text [DIGEST_TEXT_SIZE], uint64_t digest);

#endif
