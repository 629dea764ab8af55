// condition.h - what is said of a worker in a line of words, and whether it holds.
//
//   cpu_utilization > 90 and status = running
//   freshness = stale|error
//   name ~ exam-* and idle_minutes >= 60
//
// A condition is terms joined by `and`. A term is a field, an operator and a value; the fields are
// those of the snapshot that are texts, numbers or flags, and two that follow from it: `freshness`,
// the worst of the sources' (stale, error, fresh, absent), and `idle_minutes`, for how long nobody had
// used it when somebody last looked. Texts are compared with = and != with words apart by `|`, or
// with ~ and shell patterns; numbers with = != > >= < <=; flags with = and != with yes or no.
// What is unknown fulfils no term, whatever its operator: nobody is woken for what nobody knows.
//
// Pure: no clock, no socket, no file.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_CONDITION_H
#define AGGREGATOR_CONDITION_H

#include "worker.h"

#define CONDITION_BYTES_MAX 400
#define CONDITION_TERMS_MAX 8
#define CONDITION_WORDS_MAX 16  //  apart by `|`

typedef struct condition condition_t;

//  Null and why: what stands where, and what would be right.
condition_t *condition_parse (const char *text, reason_t *why);
void condition_destroy (condition_t **self_p);

//  What a worker is judged by; made once for all conditions.
typedef struct condition_facts {
    snapshot_t snapshot;  //  borrowed texts, as worker_snapshot gives them
    const char *freshness;
    double idle_minutes;
} condition_facts_t;

condition_facts_t condition_facts (const worker_t *worker);

bool condition_holds (const condition_t *self, const condition_facts_t *facts);

//  As it was written, with single blanks.
const char *condition_text (const condition_t *self);

//  What it is about: the first field that is a number, else the first but `status`. And the value
//  that this field has, and the one it is compared with, as JSON.
const char *condition_subject (const condition_t *self);
void condition_write_value (const condition_t *self, const condition_facts_t *facts,
                            json_writer_t *json);
void condition_write_threshold (const condition_t *self, json_writer_t *json);

#endif
