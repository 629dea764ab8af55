// json.h - JSON in by json-c with limits, JSON out by a writer of ours.
//
// In: json-c builds a tree; json_get_* read members and are safe on any type (json-c's
// own getters are not, traps 31). Out: json_writer appends to a buffer in one pass,
// without a tree: it is what makes one serialisation of a worker cost 2 us, and it puts
// numbers as they were measured (7.925, never 7.9249999999999998).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include "buffer.h"
#include "clock.h"
#include "reason.h"

#include <json-c/json.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

//  How "nobody has said" is kept for each kind of value; times have TIME_UNKNOWN, texts
//  and objects null. All are null in JSON.
#define UNKNOWN         ((double) NAN)
#define INTEGER_UNKNOWN INT64_MIN
typedef enum flag { FLAG_UNKNOWN = -1, FLAG_NO = 0, FLAG_YES = 1 } flag_t;

#define JSON_DEPTH_MAX 32  //  of what comes in; CML's and ours stay under 10

//  Parses exactly one value of at most size_max bytes; rest after it but white space is
//  an error. 0 and *value_p, which the caller puts (json_destroy); -E2BIG or -EINVAL with
//  the offset in why. Null bytes with size 0 are -EINVAL. json-c also takes NaN, Infinity,
//  'keys' and bytes that are not UTF-8; the writer makes JSON of them again.
int json_parse (struct json_object **value_p, const void *bytes, size_t size, size_t size_max,
                reason_t *why);

//  A member, or null/false when self is not an object, has no such member, or it is of
//  another type. Text is borrowed from self; one with a NUL within is no text. A JSON null
//  is "no such member".
struct json_object *json_get (struct json_object *self, const char *key);
const char *json_get_text (struct json_object *self, const char *key);
struct json_object *json_get_object (struct json_object *self, const char *key);
struct json_object *json_get_array (struct json_object *self, const char *key);
bool json_get_number (struct json_object *self, const char *key, double *value);  //  int or double
//  Whole, within 64 bits and not INTEGER_UNKNOWN.
bool json_get_integer (struct json_object *self, const char *key, int64_t *value);
bool json_get_bool (struct json_object *self, const char *key, bool *value);
bool json_get_time (struct json_object *self, const char *key, time_us_t *wall);  //  RFC 3339 text

#define JSON_NESTING_MAX 24  //  of what we write

typedef struct json_writer {
    buffer_t *out;
    unsigned depth;
    bool more [JSON_NESTING_MAX];  //  the level has a member already
    bool after_key;
} json_writer_t;

//  Appends to out, which must outlive it. Commas are put where they belong.
json_writer_t json_writer (buffer_t *out);

void json_open_object (json_writer_t *self);
void json_close_object (json_writer_t *self);
void json_open_array (json_writer_t *self);
void json_close_array (json_writer_t *self);

//  key is written as it is: ours are plain ASCII words.
void json_key (json_writer_t *self, const char *key);
//  The same of a key that is quoted and has its colon, so that it is copied and no more.
void json_key_literal (json_writer_t *self, const char *quoted, size_t size);
#define JSON_KEY_LITERAL(json, name) \
    json_key_literal (json, "\"" name "\":", sizeof ("\"" name "\":") - 1)

void json_put_null (json_writer_t *self);
void json_put_bool (json_writer_t *self, bool value);
void json_put_flag (json_writer_t *self, flag_t value);
//  INTEGER_UNKNOWN is null.
void json_put_integer (json_writer_t *self, int64_t value);
//  At most 3 decimals, without trailing zeros; NaN and infinity are null.
void json_put_number (json_writer_t *self, double value);
//  Escaped; bytes that are not UTF-8 become U+FFFD; null text is null.
void json_put_text (json_writer_t *self, const char *text);
void json_put_text_n (json_writer_t *self, const char *text, size_t size);
//  How many bytes of text may be put so that a reader has at most bound of them: what is not
//  UTF-8 grows as it is put. Never within a character.
size_t json_text_fit (const char *text, size_t bound);
//  RFC 3339 with milliseconds; TIME_UNKNOWN is null.
void json_put_time (json_writer_t *self, time_us_t wall);
//  Bytes that are JSON already, on one line; null or size 0 is null.
void json_put_raw (json_writer_t *self, const char *json, size_t size);
//  A json-c tree, with numbers as put_number writes them; null is null.
void json_put_tree (json_writer_t *self, struct json_object *tree);

//  key and value in one call.
void json_member_text (json_writer_t *self, const char *key, const char *text);
void json_member_integer (json_writer_t *self, const char *key, int64_t value);
void json_member_number (json_writer_t *self, const char *key, double value);
void json_member_bool (json_writer_t *self, const char *key, bool value);
void json_member_time (json_writer_t *self, const char *key, time_us_t wall);
void json_member_raw (json_writer_t *self, const char *key, const char *json, size_t size);

#endif
