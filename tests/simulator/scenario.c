// SPDX-License-Identifier: MIT

#include "scenario.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"
#include "world.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX     16
#define STEPS_MAX     1000
#define FILE_SIZE_MAX (1u << 20)

struct scenario {
    step_t *steps;
    size_t count;
    size_t instances;
    time_us_t transition;
};

//  What a line may say after its action, beside words that every action knows.
typedef enum part {
    PART_TARGET = 1,   //  must come first
    PART_COUNT = 2,    //  a number may come first: appear 2
    PART_PERCENT = 4,  //  a number must come next: load any 80
    PART_TITLE = 8,    //  a lab's title may come next
    PART_FOR = 16,     //  for <time> may follow
    PART_FAULT = 32    //  fault <api> <kind> [on <target>] [count N] [for <time>] [delay <time>]
} part_t;

// clang-format off
static const struct {
    const char *name;
    unsigned parts;
    const char *usage;
} ACTIONS [SCENARIO_ACTION_COUNT] = {
    [SCENARIO_START]      = {"start",      PART_TARGET,                           "start <target>"},
    [SCENARIO_STOP]       = {"stop",       PART_TARGET,                           "stop <target>"},
    [SCENARIO_TERMINATE]  = {"terminate",  PART_TARGET,                           "terminate <target>"},
    [SCENARIO_VANISH]     = {"vanish",     PART_TARGET,                           "vanish <target>"},
    [SCENARIO_APPEAR]     = {"appear",     PART_COUNT,                            "appear [<count>]"},
    [SCENARIO_IMPAIR]     = {"impair",     PART_TARGET | PART_FOR,                "impair <target> [for <time>]"},
    [SCENARIO_MEND]       = {"mend",       PART_TARGET,                           "mend <target>"},
    [SCENARIO_MONITOR]    = {"monitor",    PART_TARGET,                           "monitor <target>"},
    [SCENARIO_UNMONITOR]  = {"unmonitor",  PART_TARGET,                           "unmonitor <target>"},
    [SCENARIO_LOAD]       = {"load",       PART_TARGET | PART_PERCENT | PART_FOR, "load <target> <percent> [for <time>]"},
    [SCENARIO_LAB_START]  = {"lab-start",  PART_TARGET | PART_TITLE,              "lab-start <target> [\"<title>\"]"},
    [SCENARIO_LAB_STOP]   = {"lab-stop",   PART_TARGET | PART_TITLE,              "lab-stop <target> [\"<title>\"]"},
    [SCENARIO_LAB_REMOVE] = {"lab-remove", PART_TARGET | PART_TITLE,              "lab-remove <target> [\"<title>\"]"},
    [SCENARIO_FAULT]      = {"fault",      PART_FAULT,                            "fault <api>|cml|* <kind> [on <target>] [count <n>] [for <time>] [delay <time>]"},
};
// clang-format on

#define TARGETS "#1, a name, an instance id, any or all"

const char *
scenario_action_name (scenario_action_t action)
{
    assert (action < SCENARIO_ACTION_COUNT);
    return ACTIONS [action].name;
}

//  --- words

typedef struct words {
    char *list [WORDS_MAX];
    size_t count, next;
    const char *where;  //  file:line
    reason_t *why;
} words_t;

static const char *
take (words_t *words)
{
    return words->next < words->count ? words->list [words->next++] : NULL;
}

static bool
take_if (words_t *words, const char *word)
{
    if (words->next < words->count && strcmp (words->list [words->next], word) == 0) {
        words->next++;
        return true;
    }
    return false;
}

//  Cuts a line into words; "…" holds one with blanks, '#' at the start of a word that no
//  digit follows begins a comment.
static int
cut (char *line, words_t *words)
{
    for (char *at = line + strspn (line, " \t\r"); *at; at += strspn (at, " \t\r")) {
        if (*at == '#' && !(at [1] >= '0' && at [1] <= '9')) {
            return 0;
        }
        if (words->count == WORDS_MAX) {
            return reason_set (words->why, -E2BIG, "%s: more than %d words", words->where,
                               WORDS_MAX);
        }
        bool quoted = *at == '"';
        at += quoted;
        size_t size = strcspn (at, quoted ? "\"" : " \t\r");
        if (quoted && !at [size]) {
            return reason_set (words->why, -EINVAL, "%s: a \" is not closed", words->where);
        }
        words->list [words->count++] = at;
        bool last = at [size] == '\0';
        at [size] = '\0';
        at += size + !last;
    }
    return 0;
}

static int
read_time (words_t *words, const char *text, time_us_t *time)
{
    static const struct {
        const char *unit;
        time_us_t us;
    } UNITS [] = {
        {"ms", MS_US}, {"s", SECOND_US}, {"m", MINUTE_US}, {"h", HOUR_US}, {"d", 24 * HOUR_US}};
    char *unit = NULL;
    double number = text ? strtod (text, &unit) : -1;

    for (size_t i = 0; text && unit != text && i < sizeof UNITS / sizeof UNITS [0]; i++) {
        if (strcmp (unit, UNITS [i].unit) == 0 && number >= 0 && number < 1e6) {
            *time = (time_us_t) (number * (double) UNITS [i].us);
            return 0;
        }
    }
    return reason_set (words->why, -EINVAL,
                       "%s: '%s' is not a time; write 250ms, 5s, 1.5m, 2h or 1d", words->where,
                       text ? text : "");
}

static int
read_number (words_t *words, const char *text, double least, double most, double *value)
{
    char *end = NULL;
    double number = text ? strtod (text, &end) : 0;

    if (!text || end == text || *end || number < least || number > most) {
        return reason_set (words->why, -EINVAL, "%s: '%s' is not a number from %g to %g",
                           words->where, text ? text : "", least, most);
    }
    *value = number;
    return 0;
}

static int
copy_word (words_t *words, char *to, size_t size, const char *word, const char *what)
{
    //  -fanalyzer: who calls this has asked for the word
    if (strlen (word) >= size) {
        return reason_set (words->why, -E2BIG, "%s: %s '%.40s…' is longer than %zu characters",
                           words->where, what, word, size - 1);
    }
    memcpy (to, word, strlen (word) + 1);
    return 0;
}

//  --- one step

static int
read_target (words_t *words, step_t *step)
{
    const char *word = take (words);

    if (!word) {
        return reason_set (words->why, -EINVAL, "%s: %s needs a target: " TARGETS, words->where,
                           scenario_action_name (step->action));
    }
    if (word [0] == '#' && strspn (word + 1, "0123456789") != strlen (word + 1)) {
        return reason_set (words->why, -EINVAL, "%s: '%s' is not an instance: " TARGETS,
                           words->where, word);
    }
    return copy_word (words, step->target, sizeof step->target, word, "target");
}

static int
read_fault_option (words_t *words, step_t *step)
{
    double number = 0;
    time_us_t delay = 0;

    if (take_if (words, "on")) {
        return read_target (words, step);
    }
    if (take_if (words, "for")) {
        return read_time (words, take (words), &step->for_us);
    }
    if (take_if (words, "count")) {
        int rc = read_number (words, take (words), 1, 1e6, &number);
        step->fault.count = rc < 0 ? 0 : (int64_t) number;
        return rc;
    }
    if (take_if (words, "delay")) {
        int rc = read_time (words, take (words), &delay);
        step->fault.delay_ms = rc < 0 ? 0 : delay / MS_US;
        return rc;
    }
    return reason_set (words->why, -EINVAL, "%s: '%s' is not on, count, for or delay", words->where,
                       words->list [words->next]);
}

static int
read_fault (words_t *words, step_t *step)
{
    const char *api = take (words), *kind = take (words);

    step->fault.count = FAULTS_ALWAYS;
    step->fault.kind = kind ? fault_kind_parse (kind) : FAULT_NONE;
    if (step->fault.kind == FAULT_NONE) {
        return reason_set (words->why, -EINVAL, "%s: '%s' is not a kind of fault: %s", words->where,
                           kind ? kind : "", fault_kind_words ());
    }
    int rc = copy_word (words, step->fault.api, sizeof step->fault.api, api, "API");
    while (rc == 0 && words->next < words->count) {
        rc = read_fault_option (words, step);
    }
    return rc;
}

static int
read_parts (words_t *words, step_t *step, unsigned parts)
{
    int rc = parts & PART_TARGET ? read_target (words, step) : 0;

    if (rc == 0 && (parts & PART_FAULT)) {
        rc = read_fault (words, step);
    }
    if (rc == 0 && (parts & PART_COUNT) && words->next < words->count) {
        rc = read_number (words, take (words), 1, WORLD_APPEAR_MAX, &step->number);
    }
    if (rc == 0 && (parts & PART_PERCENT)) {
        rc = read_number (words, take (words), 0, 100, &step->number);
    }
    if (rc == 0 && (parts & PART_TITLE) && words->next < words->count) {
        rc = copy_word (words, step->lab, sizeof step->lab, take (words), "title");
    }
    if (rc == 0 && (parts & PART_FOR) && take_if (words, "for")) {
        rc = read_time (words, take (words), &step->for_us);
    }
    if (rc == 0 && words->next < words->count) {
        rc = reason_set (words->why, -EINVAL, "%s: '%s' is too much; write: %s", words->where,
                         words->list [words->next], ACTIONS [step->action].usage);
    }
    return rc;
}

static int
read_action (words_t *words, step_t *step)
{
    const char *name = take (words);

    step->number = 1;
    for (int action = 0; name && action < SCENARIO_ACTION_COUNT; action++) {
        if (strcmp (ACTIONS [action].name, name) == 0) {
            step->action = (scenario_action_t) action;
            return read_parts (words, step, ACTIONS [action].parts);
        }
    }
    return reason_set (words->why, -EINVAL,
                       "%s: '%s' is not an action: start, stop, terminate, vanish, appear, impair, "
                       "mend, monitor, unmonitor, load, lab-start, lab-stop, lab-remove or fault",
                       words->where, name ? name : "");
}

//  `at <time> <action>` or `every <time> [from <time>] <action>`.
static int
read_step (words_t *words, step_t *step, bool repeats)
{
    int rc = read_time (words, take (words), repeats ? &step->every : &step->first);

    if (rc == 0 && repeats) {
        if (step->every < 10 * MS_US) {
            return reason_set (words->why, -ERANGE, "%s: every is at least 10ms", words->where);
        }
        step->first = step->every;
        if (take_if (words, "from")) {
            rc = read_time (words, take (words), &step->first);
        }
    }
    return rc < 0 ? rc : read_action (words, step);
}

//  --- lines

static int
read_line (scenario_t *self, words_t *words, unsigned number)
{
    const char *first = take (words);
    //  -fanalyzer: a line without words is not read
    bool repeats = strcmp (first, "every") == 0;
    double value = 0;

    if (strcmp (first, "instances") == 0) {
        int rc = read_number (words, take (words), 1, INSTANCES_MAX, &value);
        self->instances = rc < 0 ? 0 : (size_t) value;
        return rc;
    }
    if (strcmp (first, "transition") == 0) {
        return read_time (words, take (words), &self->transition);
    }
    if (!repeats && strcmp (first, "at") != 0) {
        return reason_set (words->why, -EINVAL,
                           "%s: a line begins with at <time>, every <time>, instances <n> or "
                           "transition <time>, not '%s'",
                           words->where, first);
    }
    if (self->count == STEPS_MAX) {
        return reason_set (words->why, -E2BIG, "%s: more than %d steps", words->where, STEPS_MAX);
    }
    step_t *step = &self->steps [self->count++];
    step->line = number;
    return read_step (words, step, repeats);
}

scenario_t *
scenario_parse (char *text, const char *name, reason_t *why)
{
    _cleanup_ (scenario_destroy) scenario_t *self = calloc (1, sizeof *self);
    char *rest = text;
    unsigned number = 0;

    if (self) {
        self->steps = calloc (STEPS_MAX, sizeof *self->steps);
    }
    if (!self || !self->steps) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    for (char *line = strsep (&rest, "\n"); line; line = strsep (&rest, "\n")) {
        char where [300];
        words_t words = {.where = where, .why = why};
        snprintf (where, sizeof where, "%s:%u", name, ++number);
        if (cut (line, &words) < 0 || (words.count > 0 && read_line (self, &words, number) < 0)) {
            return NULL;
        }
    }
    return take_ptr (self);
}

scenario_t *
scenario_read (const char *path, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    FILE *file = fopen (path, "re");
    char chunk [4096];
    size_t size;

    if (!file) {
        reason_set (why, -errno, "scenario: %s: %s", path, strerror (errno));
        return NULL;
    }
    buffer_text (&text, "");
    while ((size = fread (chunk, 1, sizeof chunk, file)) > 0 && text.size < FILE_SIZE_MAX) {
        buffer_append (&text, chunk, size);
    }
    fclose (file);
    if (buffer_failed (&text) || !text.data || strlen (text.data) != text.size) {
        reason_set (why, -EINVAL, "scenario: %s is empty, too large, or not a text", path);
        return NULL;
    }
    return scenario_parse (text.data, path, why);
}

void
scenario_destroy (scenario_t **self_p)
{
    assert (self_p);

    scenario_t *self = *self_p;
    if (self) {
        free (self->steps);
        free (self);
        *self_p = NULL;
    }
}

size_t
scenario_steps (const scenario_t *self, const step_t **steps)
{
    *steps = self->steps;
    return self->count;
}

size_t
scenario_instances (const scenario_t *self)
{
    return self->instances;
}

time_us_t
scenario_transition (const scenario_t *self)
{
    return self->transition;
}
