// condition.c - see condition.h.
//
// SPDX-License-Identifier: MIT

#include "condition.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

typedef enum kind { KIND_TEXT, KIND_NUMBER, KIND_FLAG } kind_t;

//  How a field lies in the facts.
typedef enum form {
    FORM_TEXT,
    FORM_PERCENT,
    FORM_NUMBER,
    FORM_INTEGER,
    FORM_FLAG,
    FORM_TIME,
    FORM_JSON
} form_t;

typedef struct field {
    const char *name;
    form_t form;
    size_t offset;
} field_t;

static const field_t FIELDS [] = {
#define ROW(form, name, group) {#name, FORM_##form, offsetof (condition_facts_t, snapshot.name)},
    SNAPSHOT_FIELDS (ROW)
#undef ROW
        {"freshness", FORM_TEXT, offsetof (condition_facts_t, freshness)},
    {"idle_minutes", FORM_NUMBER, offsetof (condition_facts_t, idle_minutes)},
};
#define FIELDS_COUNT (sizeof FIELDS / sizeof *FIELDS)

typedef enum operator{ IS, IS_NOT, LIKE, OVER, AT_LEAST, UNDER, AT_MOST } operator_t;

//  The longer ones first: `>=` is no `>`.
static const struct {
    const char *text;
    operator_t operator;
    const char *kinds;  //  that may have it: t n f
} OPERATORS [] = {{"!=", IS_NOT, "tnf"}, {">=", AT_LEAST, "n"}, {"<=", AT_MOST, "n"},
                  {"=", IS, "tnf"},      {"~", LIKE, "t"},      {">", OVER, "n"},
                  {"<", UNDER, "n"}};
#define OPERATORS_COUNT (sizeof OPERATORS / sizeof *OPERATORS)

typedef struct term {
    const field_t *field;
    kind_t kind;
    operator_t operator;
    double number;
    bool flag;
    const char *words [CONDITION_WORDS_MAX];  //  in the condition's bytes
    size_t words_count;
} term_t;

struct condition {
    term_t terms [CONDITION_TERMS_MAX];
    size_t count;
    const term_t *subject;
    char bytes [CONDITION_BYTES_MAX + 1];  //  cut into words
    char text [CONDITION_BYTES_MAX + 1];
};

//  --- facts

static const char *
worst_freshness (const worker_t *worker)
{
    static const freshness_t WORST_FIRST [] = {FRESH_STALE, FRESH_ERROR, FRESH_FRESH, FRESH_ABSENT};

    for (size_t i = 0; i < sizeof WORST_FIRST / sizeof *WORST_FIRST; i++) {
        for (int source = 0; source < SOURCE_COUNT; source++) {
            if (worker_freshness (worker, (worker_source_t) source) == WORST_FIRST [i]) {
                return freshness_name (WORST_FIRST [i]);
            }
        }
    }
    return freshness_name (FRESH_ABSENT);
}

//  As of the last good look: between two of them nobody knows (idle.h).
static double
idle_minutes (const worker_t *worker)
{
    idle_facts_t facts = worker_idle_facts (worker);

    if (!facts.is_running || facts.labs != 0 || facts.checked_at == TIME_UNKNOWN) {
        return UNKNOWN;
    }
    time_us_t idle = facts.checked_at - idle_since (&facts);
    return idle > 0 ? floor ((double) idle / (double) MINUTE_US) : 0;
}

condition_facts_t
condition_facts (const worker_t *worker)
{
    return (condition_facts_t){worker_snapshot (worker), worst_freshness (worker),
                               idle_minutes (worker)};
}

static const void *
place_of (const field_t *field, const condition_facts_t *facts)
{
    return (const char *) facts + field->offset;
}

static double
number_of (const field_t *field, const condition_facts_t *facts)
{
    if (field->form == FORM_INTEGER) {
        int64_t value = *(const int64_t *) place_of (field, facts);
        return value == INTEGER_UNKNOWN ? UNKNOWN : (double) value;
    }
    return *(const double *) place_of (field, facts);
}

static const char *
text_of (const field_t *field, const condition_facts_t *facts)
{
    return *(const char *const *) place_of (field, facts);
}

static flag_t
flag_of (const field_t *field, const condition_facts_t *facts)
{
    return *(const flag_t *) place_of (field, facts);
}

//  --- does it hold?

//  A comparison with what is not a number is false; != is not, so it is asked for.
static bool
number_holds (const term_t *term, double value)
{
    switch (term->operator) {
    case IS: return value == term->number;
    case IS_NOT: return !isnan (value) && value != term->number;
    case OVER: return value > term->number;
    case AT_LEAST: return value >= term->number;
    case UNDER: return value < term->number;
    case AT_MOST: return value <= term->number;
    case LIKE: break;
    }
    return false;
}

static bool
text_holds (const term_t *term, const char *value)
{
    bool found = false;

    if (!value) {
        return false;
    }
    for (size_t i = 0; i < term->words_count && !found; i++) {
        found = term->operator== LIKE ? fnmatch (term->words [i], value, 0) == 0
                                      : strcmp (term->words [i], value) == 0;
    }
    return found == (term->operator!= IS_NOT);
}

static bool
term_holds (const term_t *term, const condition_facts_t *facts)
{
    switch (term->kind) {
    case KIND_NUMBER: return number_holds (term, number_of (term->field, facts));
    case KIND_TEXT: return text_holds (term, text_of (term->field, facts));
    case KIND_FLAG: break;
    }
    flag_t value = flag_of (term->field, facts);
    return value != FLAG_UNKNOWN &&
           ((value == FLAG_YES) == term->flag) == (term->operator!= IS_NOT);
}

bool
condition_holds (const condition_t *self, const condition_facts_t *facts)
{
    for (size_t i = 0; i < self->count; i++) {
        if (!term_holds (&self->terms [i], facts)) {
            return false;
        }
    }
    return true;
}

//  --- reading one

static kind_t
kind_of (form_t form)
{
    return form == FORM_TEXT ? KIND_TEXT : form == FORM_FLAG ? KIND_FLAG : KIND_NUMBER;
}

static int
find_field (term_t *term, const char *name, reason_t *why)
{
    for (size_t i = 0; i < FIELDS_COUNT; i++) {
        if (strcmp (FIELDS [i].name, name) != 0) {
            continue;
        }
        if (FIELDS [i].form == FORM_TIME || FIELDS [i].form == FORM_JSON) {
            return reason_set (why, -EINVAL,
                               "'%s' is %s, which cannot be compared; idle_minutes and freshness "
                               "tell of time",
                               name, FIELDS [i].form == FORM_TIME ? "a time" : "an object");
        }
        term->field = &FIELDS [i];
        term->kind = kind_of (FIELDS [i].form);
        return 0;
    }
    return reason_set (why, -ENOENT,
                       "no worker has a field '%.60s'; there are those of the snapshot "
                       "(cpu_utilization, status, …), freshness and idle_minutes",
                       name);
}

static int
find_operator (term_t *term, const char *text, size_t *size, reason_t *why)
{
    static const char *const ALLOWED [] = {"= != ~", "= != > >= < <=", "= !="};

    for (size_t i = 0; i < OPERATORS_COUNT; i++) {
        *size = strlen (OPERATORS [i].text);
        if (strncmp (text, OPERATORS [i].text, *size) == 0 &&
            strchr (OPERATORS [i].kinds, "tnf" [term->kind])) {
            term->operator= OPERATORS [i].operator;
            return 0;
        }
    }
    //  -fanalyzer: who calls this has looked the field up
    return reason_set (why, -EINVAL, "behind '%s' stands '%.20s', it must be one of %s",
                       term->field->name, text, ALLOWED [term->kind]);
}

static int
read_words (term_t *term, char *value, reason_t *why)
{
    char *rest = value, *word;

    while ((word = strsep (&rest, "|"))) {
        if (!*word || term->words_count == CONDITION_WORDS_MAX) {
            return reason_set (why, -EINVAL, "'%s' is compared with %s", term->field->name,
                               *word ? "more than 16 words" : "an empty word");
        }
        term->words [term->words_count++] = word;
    }
    return 0;
}

static int
read_value (term_t *term, char *value, reason_t *why)
{
    static const char *const FLAGS [] = {"yes", "true", "no", "false"};
    char *end = value;
    size_t flag = 0;

    switch (term->kind) {
    case KIND_TEXT: return read_words (term, value, why);
    case KIND_NUMBER:
        term->number = strtod (value, &end);
        return *value && !*end && isfinite (term->number)
                   ? 0
                   : reason_set (why, -EINVAL, "'%s' is compared with '%.40s', it must be a number",
                                 term->field->name, value);
    case KIND_FLAG: break;
    }
    while (flag < 4 && strcmp (value, FLAGS [flag]) != 0) {
        flag++;
    }
    term->flag = flag < 2;
    return flag < 4
               ? 0
               : reason_set (why, -EINVAL, "'%s' is compared with '%.40s', it must be yes or no",
                             term->field->name, value);
}

static char *
trim (char *text)
{
    text += strspn (text, BLANKS);
    for (size_t size = strlen (text); size > 0 && strchr (BLANKS, text [size - 1]);) {
        text [--size] = '\0';
    }
    return text;
}

static int
read_term (condition_t *self, char *text, reason_t *why)
{
    term_t term = {0};
    char name [64];

    text = trim (text);
    size_t size = strcspn (text, BLANKS "=!~<>");
    if (self->count == CONDITION_TERMS_MAX) {
        return reason_set (why, -E2BIG, "more than %d terms", CONDITION_TERMS_MAX);
    }
    if (size == 0 || size >= sizeof name) {
        return reason_set (why, -EINVAL, "'%.40s' is no term: a field, an operator, a value", text);
    }
    snprintf (name, sizeof name, "%.*s", (int) size, text);
    char *rest = text + size + strspn (text + size, BLANKS);
    int rc = find_field (&term, name, why);
    rc = rc < 0 ? rc : find_operator (&term, rest, &size, why);
    rc = rc < 0 ? rc : read_value (&term, trim (rest + size), why);
    if (rc == 0) {
        self->terms [self->count++] = term;
    }
    return rc;
}

//  Where the next `and` between blanks, or at the end, begins; or null.
static char *
find_and (char *text)
{
    for (char *at = text; (at = strstr (at, "and")); at += 3) {
        if (at > text && strchr (BLANKS, at [-1]) && strchr (BLANKS, at [3])) {
            return at;
        }
    }
    return NULL;
}

static const term_t *
choose_subject (const condition_t *self)
{
    const term_t *subject = NULL;

    for (size_t i = 0; i < self->count; i++) {
        const term_t *term = &self->terms [i];
        if (term->kind == KIND_NUMBER) {
            return term;
        }
        if (!subject && strcmp (term->field->name, "status") != 0) {
            subject = term;
        }
    }
    return subject ? subject : &self->terms [0];
}

static void
copy_with_single_blanks (char *to, const char *text)
{
    for (text += strspn (text, BLANKS); *text; text++) {
        bool blank = strchr (BLANKS, *text) != NULL;
        if (!blank || (text [1] && !strchr (BLANKS, text [1]))) {
            *to++ = blank ? ' ' : *text;
        }
    }
    *to = '\0';
}

condition_t *
condition_parse (const char *text, reason_t *why)
{
    _cleanup_ (condition_destroy) condition_t *self = calloc (1, sizeof *self);
    int rc = 0;

    if (!self || strlen (text) > CONDITION_BYTES_MAX) {
        reason_set (why, -E2BIG, self ? "it is longer than %d bytes" : "out of memory",
                    CONDITION_BYTES_MAX);
        return NULL;
    }
    copy_with_single_blanks (self->text, text);
    snprintf (self->bytes, sizeof self->bytes, "%s", text);
    for (char *at = self->bytes; at && rc == 0;) {
        char *and = find_and (at), *next = and? and+3 : NULL;
        if (and) {
            *and = '\0';
        }
        rc = read_term (self, at, why);
        at = next;
    }
    if (rc < 0) {
        return NULL;
    }
    self->subject = choose_subject (self);
    return take_ptr (self);
}

void
condition_destroy (condition_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

//  --- telling of it

const char *
condition_text (const condition_t *self)
{
    return self->text;
}

const char *
condition_subject (const condition_t *self)
{
    return self->subject->field->name;
}

void
condition_write_value (const condition_t *self, const condition_facts_t *facts, json_writer_t *json)
{
    const term_t *term = self->subject;

    switch (term->kind) {
    case KIND_NUMBER: json_put_number (json, number_of (term->field, facts)); break;
    case KIND_TEXT: json_put_text (json, text_of (term->field, facts)); break;
    case KIND_FLAG: json_put_flag (json, flag_of (term->field, facts)); break;
    }
}

void
condition_write_threshold (const condition_t *self, json_writer_t *json)
{
    const term_t *term = self->subject;

    switch (term->kind) {
    case KIND_NUMBER: json_put_number (json, term->number); break;
    case KIND_FLAG: json_put_bool (json, term->flag); break;
    case KIND_TEXT:
        json_open_array (json);
        for (size_t i = 0; i < term->words_count; i++) {
            json_put_text (json, term->words [i]);
        }
        json_close_array (json);
        break;
    }
}
