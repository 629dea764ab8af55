// worker_row.c - see worker_row.h.
//
// SPDX-License-Identifier: MIT

#include "worker_row.h"

#include "plain.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

const text_column_t WORKER_COLUMNS [WORKER_COLUMN_COUNT] = {
    [WORKER_COLUMN_NAME] = {"NAME", false},       [WORKER_COLUMN_REGION] = {"REGION", false},
    [WORKER_COLUMN_TYPE] = {"TYPE", false},       [WORKER_COLUMN_STATUS] = {"STATUS", false},
    [WORKER_COLUMN_SERVICE] = {"SERVICE", false}, [WORKER_COLUMN_CPU] = {"CPU%", true},
    [WORKER_COLUMN_MEMORY] = {"MEM%", true},      [WORKER_COLUMN_DISK] = {"DISK%", true},
    [WORKER_COLUMN_LABS] = {"LABS", true},        [WORKER_COLUMN_IDLE] = {"IDLE", true},
    [WORKER_COLUMN_FRESH] = {"FRESH", false}};

static void
init_TEXT (worker_row_TEXT_t *slot)
{
    (*slot) [0] = '\0';
}

static void
init_NUMBER (worker_row_NUMBER_t *slot)
{
    *slot = UNKNOWN;
}

static void
init_TIME (worker_row_TIME_t *slot)
{
    *slot = TIME_UNKNOWN;
}

void
worker_row_init (worker_row_t *self)
{
#define INIT(kind, name, field) init_##kind (&self->name);
    WORKER_ROW_FIELDS (INIT)
#undef INIT
}

static void
read_TEXT (worker_row_TEXT_t *slot, struct json_object *data, const char *field)
{
    const char *text = json_get_text (data, field);

    plain_text (*slot, sizeof *slot, text ? text : "");
}

static void
read_NUMBER (worker_row_NUMBER_t *slot, struct json_object *data, const char *field)
{
    init_NUMBER (slot);
    (void) json_get_number (data, field, slot);
}

static void
read_TIME (worker_row_TIME_t *slot, struct json_object *data, const char *field)
{
    init_TIME (slot);
    (void) json_get_time (data, field, slot);
}

bool
worker_row_apply (worker_row_t *self, struct json_object *data)
{
    bool any = false;

#define APPLY(kind, name, field)                           \
    if (json_object_object_get_ex (data, (field), NULL)) { \
        read_##kind (&self->name, data, (field));          \
        any = true;                                        \
    }
    if (json_object_is_type (data, json_type_object)) {
        WORKER_ROW_FIELDS (APPLY)
    }
#undef APPLY
    return any;
}

time_us_t
worker_row_idle (const worker_row_t *self, time_us_t now)
{
    time_us_t since = self->last_activity != TIME_UNKNOWN  ? self->last_activity
                      : self->last_resumed != TIME_UNKNOWN ? self->last_resumed
                                                           : self->created;

    return since == TIME_UNKNOWN || strcmp (self->status, "running") != 0 ? TIME_UNKNOWN
           : since < now                                                  ? now - since
                                                                          : 0;
}

static char
freshness (const char *word, char letter)
{
    return strcmp (word, "fresh") == 0   ? letter
           : strcmp (word, "stale") == 0 ? (char) tolower (letter)
           : strcmp (word, "error") == 0 ? '!'
                                         : '-';
}

static const char *
cell_number (char text [WORKER_CELL_SIZE], double value, int decimals)
{
    if (isnan (value)) {
        return "";
    }
    snprintf (text, WORKER_CELL_SIZE, "%.*f", decimals, value);
    return text;
}

const char *
worker_row_cell (const worker_row_t *self, worker_column_t column, time_us_t now,
                 char text [WORKER_CELL_SIZE])
{
    time_us_t idle;

    switch (column) {
    case WORKER_COLUMN_NAME: return *self->name ? self->name : self->instance_id;
    case WORKER_COLUMN_REGION: return self->region;
    case WORKER_COLUMN_TYPE: return self->type;
    case WORKER_COLUMN_STATUS: return self->status;
    case WORKER_COLUMN_SERVICE: return self->service;
    case WORKER_COLUMN_CPU: return cell_number (text, self->cpu, 1);
    case WORKER_COLUMN_MEMORY: return cell_number (text, self->memory, 1);
    case WORKER_COLUMN_DISK: return cell_number (text, self->disk, 1);
    case WORKER_COLUMN_LABS: return cell_number (text, self->labs, 0);
    case WORKER_COLUMN_IDLE:
        idle = worker_row_idle (self, now);
        return idle == TIME_UNKNOWN ? "" : plain_span (text, idle);
    case WORKER_COLUMN_FRESH:
        snprintf (text, WORKER_CELL_SIZE, "%c%c%c", freshness (self->ec2, 'E'),
                  freshness (self->cloudwatch, 'W'), freshness (self->cml, 'C'));
        return text;
    case WORKER_COLUMN_COUNT: break;
    }
    return "";
}

static int
compare_texts (const char *a, const char *b)
{
    return !*a || !*b ? !*a - !*b : strcasecmp (a, b);
}

//  The larger first.
static int
compare_numbers (double a, double b)
{
    return isnan (a) || isnan (b) ? (isnan (a) != 0) - (isnan (b) != 0) : (a < b) - (a > b);
}

static double
idle_of (const worker_row_t *row, time_us_t now)
{
    time_us_t idle = worker_row_idle (row, now);

    return idle == TIME_UNKNOWN ? UNKNOWN : (double) idle;
}

static int
compare_column (const worker_row_t *a, const worker_row_t *b, worker_column_t column)
{
    char one [WORKER_CELL_SIZE], two [WORKER_CELL_SIZE];
    time_us_t end = INT64_MAX / 2;  //  the order of what they are idle is the same at any time

    switch (column) {
    case WORKER_COLUMN_CPU: return compare_numbers (a->cpu, b->cpu);
    case WORKER_COLUMN_MEMORY: return compare_numbers (a->memory, b->memory);
    case WORKER_COLUMN_DISK: return compare_numbers (a->disk, b->disk);
    case WORKER_COLUMN_LABS: return compare_numbers (a->labs, b->labs);
    case WORKER_COLUMN_IDLE: return compare_numbers (idle_of (a, end), idle_of (b, end));
    default:
        return compare_texts (worker_row_cell (a, column, end, one),
                              worker_row_cell (b, column, end, two));
    }
}

int
worker_row_compare (const worker_row_t *self, const worker_row_t *other, worker_column_t column)
{
    int order = compare_column (self, other, column);

    order = order ? order : compare_column (self, other, WORKER_COLUMN_NAME);
    return order ? order : strcmp (self->id, other->id);
}
