// form.h - the fields of a Query request: `Action=…&InstanceId.1=…`.
//
// Sorted once when read, so that a GetMetricData of 500 queries, which is 4,000 fields, is
// looked up in microseconds. Lists are `Name.1`, `Name.2`, … without a gap (EC2), or
// `Name.member.1` (CloudWatch, STS); the caller writes the name with form_get's format.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_FORM_H
#define SIMULATOR_FORM_H

#include "../../common/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct form form_t;

//  Decodes `name=value&…`. Null and why for a malformed escape, or more than FORM_FIELDS_MAX.
form_t *form_new (const char *text, size_t size, reason_t *why);
void form_destroy (form_t **self_p);

#define FORM_FIELDS_MAX 20000

//  The value of a field, or null. The name is a printf format.
const char *form_get (const form_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

//  True when the field is `true`, in any case.
bool form_is_true (const form_t *self, const char *name);

//  A whole number in [least, most]; initial when there is no such field. 0, or -EINVAL and
//  why with the field's name.
int form_integer (const form_t *self, const char *name, int64_t least, int64_t most,
                  int64_t initial, int64_t *value, reason_t *why);

//  One number for all fields but the one named, to know a page's request again.
uint64_t form_fingerprint (const form_t *self, const char *but);

#endif
