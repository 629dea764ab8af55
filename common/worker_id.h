// worker_id.h - the name of a worker that is the same after any restart.
//
// A version-5 UUID (RFC 4122 section 4.3) of the name `cmlwatch/<region>/<instance id>`
// in the DNS name space (design.md section 4).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_WORKER_ID_H
#define COMMON_WORKER_ID_H

#define WORKER_ID_SIZE 37  //  36 characters and NUL

void worker_id_make (char id [WORKER_ID_SIZE], const char *region, const char *instance_id);

#endif
