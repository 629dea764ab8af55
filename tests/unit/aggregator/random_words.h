// random_words.h - random things said of a worker, each made from one number: the same word
// said again, to any worker, is the same word.
#ifndef TESTS_UNIT_AGGREGATOR_RANDOM_WORDS_H
#define TESTS_UNIT_AGGREGATOR_RANDOM_WORDS_H

#include "worker_rig.h"

typedef enum what {
    SAYS_EC2,
    SAYS_STATUS,
    SAYS_GONE,
    SAYS_CLOUDWATCH,
    SAYS_TELEMETRY,
    SAYS_OTHER,
    SAYS_CML,
    SAYS_LABS,
    SAYS_LAB_STATE,
    SAYS_ACTIVITY,
    SAYS_SWITCH,
    SAYS_PAUSE,
    SAYS_RESUME,
    TIME_PASSES,
    WHAT_COUNT
} what_t;

typedef struct word {
    what_t what;
    uint64_t number;      //  all of its content
    moment_t at;          //  wall: when it was observed; steady: when it is heard
    bool steady_running;  //  EC2 says nothing of the state
} word_t;

//  splitmix64.
static inline uint64_t
next_random (uint64_t *number)
{
    uint64_t mixed = (*number += 0x9e3779b97f4a7c15u);

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static inline size_t
pick (uint64_t *number, size_t count)
{
    return (size_t) (next_random (number) % count);
}

#define PICK(number, array) ((array) [pick (number, COUNT (array))])

//  Trees that are only read are parsed once.
typedef enum pool { POOL_STATS, POOL_HEALTH, POOL_TAGS, POOL_LABS, POOL_EVENTS, POOL_COUNT } pool_t;
#define POOL_SIZE 5

static const char *const POOLS [POOL_COUNT][POOL_SIZE] = {
    [POOL_STATS] =
        {"{\"computes\":{\"c\":{\"stats\":{\"cpu\":{\"percent\":7.925},\"memory\":{\"total\":8,"
         "\"available\":6},\"disk\":{\"total\":4,\"used\":1}}}}}",
         "{\"computes\":{\"c\":{\"stats\":{\"cpu\":{\"user_percent\":90,\"system_percent\":20},"
         "\"memory\":{\"total\":8,\"available\":9},\"disk\":{\"total\":4,\"used\":5}}}}}",
         "{\"computes\":{\"c\":{\"stats\":{\"cpu\":{\"percent\":-4}}}}}", "{\"computes\":{}}",
         "{\"computes\":{\"c\":{\"stats\":{\"memory\":{\"total\":8,\"used\":4}}}}}"},
    [POOL_HEALTH] = {"{\"valid\":true}", "{\"valid\":false}", "{\"valid\":null}", "{}",
                     "{\"a\":1}"},
    [POOL_TAGS] = {"{\"a\":\"1\"}", "{\"a\":\"2\"}", "{}", "{\"b\":\"1\"}", "{\"b\":\"2\"}"},
    [POOL_LABS] =
        {"[]", "[{\"lab_id\":\"a\",\"state\":\"STARTED\"}]",
         "[{\"lab_id\":\"a\",\"state\":\"STOPPED\"}]",
         "[{\"lab_id\":\"a\",\"state\":\"QUEUED\"},{\"lab_id\":\"b\",\"state\":\"BOOTED\"}]",
         "[5]"},
    [POOL_EVENTS] = {"[]", "[{\"category\":\"start_lab\"}]", "[{\"category\":\"stop_lab\"}]", "[1]",
                     "[2]"}};
static json_doc_t trees [POOL_COUNT][POOL_SIZE];

static inline void
parse (json_doc_t *doc, const char *text)
{
    reason_t why = {0};

    assert_int_equal (json_doc_read (doc, text, strlen (text), strlen (text), &why), 0);
}

static inline int
parse_pools (void **state)
{
    (void) state;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (int i = 0; i < POOL_SIZE; i++) {
            parse (&trees [pool][i], POOLS [pool][i]);
        }
    }
    return 0;
}

static inline int
put_pools (void **state)
{
    (void) state;
    for (int pool = 0; pool < POOL_COUNT; pool++) {
        for (int i = 0; i < POOL_SIZE; i++) {
            json_doc_clear (&trees [pool][i]);
        }
    }
    return 0;
}

//  Null as often as not.
static inline observation_tree_t
tree_of (uint64_t *number, pool_t pool)
{
    return (observation_tree_t){
        .node = pick (number, 2) ? json_doc_root (&trees [pool][pick (number, POOL_SIZE)]) : NULL};
}

static inline const char *
text_of (uint64_t *number)
{
    static const char *const TEXTS [] = {NULL, NULL, "", "one", "two", "three"};
    return PICK (number, TEXTS);
}

static inline double
percent_of (uint64_t *number)
{
    static const double PERCENTS [] = {UNKNOWN, -5, 0, 7.925, 12.5, 50, 99.5, 100, 130};
    return PICK (number, PERCENTS);
}

static inline int64_t
interval_of (uint64_t *number)
{
    static const int64_t INTERVALS [] = {INTEGER_UNKNOWN, -1, 0, 15, 30, 60, 300};
    return PICK (number, INTERVALS);
}

static inline flag_t
flag_of (uint64_t *number)
{
    return (flag_t) pick (number, 3) - 1;
}

//  One read in eight fails.
static inline const char *
error_of (uint64_t *number)
{
    static const char *const ERRORS [] = {"timeout", "login", "http"};
    return pick (number, 8) == 0 ? PICK (number, ERRORS) : NULL;
}

static inline worker_change_t
say_ec2 (worker_t *worker, uint64_t *number, const word_t *word)
{
    static const char *const STATES [] = {
        "running", "running",  "running", "running", "running",       "running",   "running",
        "pending", "stopping", "stopped", "strange", "shutting-down", "terminated"};
    observation_t said;
    instance_observed_t *seen = &said.instance_observed;

    observation_init (&said, EVENT_INSTANCE_OBSERVED);
    seen->state = word->steady_running || pick (number, 3) == 0 ? NULL : PICK (number, STATES);
    seen->name = text_of (number);
    seen->instance_type = text_of (number);
    seen->image_id = text_of (number);
    seen->image_name = text_of (number);
    seen->image_description = text_of (number);
    seen->image_creation_date = pick (number, 2) ? AT (pick (number, 3)) : TIME_UNKNOWN;
    seen->public_ip = text_of (number);
    seen->private_ip = text_of (number);
    seen->detailed_monitoring = flag_of (number);
    seen->tags = tree_of (number, POOL_TAGS);
    seen->system_status = text_of (number);
    seen->instance_status = text_of (number);
    seen->error_code = error_of (number);
    seen->interval_seconds = interval_of (number);
    return worker_update_ec2 (worker, seen, word->at.wall);
}

static inline worker_change_t
say_load (worker_t *worker, uint64_t *number, const word_t *word)
{
    static const char *const KINDS [] = {"a", "b", "c", "d", "e", "f"};  //  more than are kept
    observation_t said;
    utilization_observed_t *seen = &said.utilization_observed;

    observation_init (&said, EVENT_UTILIZATION_OBSERVED);
    seen->cpu_percent = percent_of (number);
    seen->memory_percent = percent_of (number);
    seen->disk_percent = word->steady_running ? UNKNOWN : percent_of (number);
    seen->error_code = error_of (number);
    return word->what == SAYS_CLOUDWATCH
               ? worker_update_cloudwatch (worker, seen, word->at.wall)
               : worker_update_other (worker, PICK (number, KINDS), seen, word->at.wall);
}

static inline worker_change_t
say_telemetry (worker_t *worker, uint64_t *number, const word_t *word)
{
    worker_telemetry_observed_t seen = {.cpu_utilization = percent_of (number),
                                        .memory_utilization = percent_of (number),
                                        .active_labs_count = (int64_t) pick (number, 4) - 1,
                                        .error_code = error_of (number)};

    return worker_update_telemetry (worker, &seen, word->at.wall);
}

static inline worker_change_t
say_cml (worker_t *worker, uint64_t *number, const word_t *word)
{
    observation_t said;
    system_observed_t *seen = &said.system_observed;

    observation_init (&said, EVENT_SYSTEM_OBSERVED);
    seen->endpoint = text_of (number);
    seen->reachable = flag_of (number);
    seen->version = text_of (number);
    seen->ready = flag_of (number);
    seen->uptime_seconds = pick (number, 2) ? (int64_t) pick (number, 3) : INTEGER_UNKNOWN;
    seen->system_stats = tree_of (number, POOL_STATS);
    seen->system_health = tree_of (number, POOL_HEALTH);
    seen->error_code = error_of (number);
    _cleanup_ (json_doc_clear) json_doc_t licensing = {0};
    if (pick (number, 16) == 0) {  //  of its own: the token in it is masked where it lies
        parse (&licensing, pick (number, 2) ? "{\"token\":\"AAAA-BBBB-CCCC\"}"
                                            : "{\"registration\":{\"status\":\"EVALUATION\"}}");
        seen->licensing.node = json_doc_root (&licensing);
    }
    return worker_update_cml (worker, seen, word->at.wall);
}

static inline worker_change_t
say_lab_state (worker_t *worker, uint64_t *number, const word_t *word)
{
    lab_state_changed_t seen = {
        .lab_id = text_of (number), .element_type = "node", .element_id = text_of (number)};

    return worker_update_lab_state (worker, &seen, word->at.wall);
}

static inline worker_change_t
say_activity (worker_t *worker, uint64_t *number, const word_t *word)
{
    activity_observed_t seen = {
        .last_activity_at =
            pick (number, 2) ? word->at.wall - AT (pick (number, 5000)) + AT (0) : TIME_UNKNOWN,
        .events = tree_of (number, POOL_EVENTS),
        .interval_seconds = interval_of (number),
        .error_code = error_of (number)};

    return worker_update_activity (worker, &seen, word->at.wall);
}

//  All that is due at that time, as one change.
static inline worker_change_t
pass_time (worker_t *worker, moment_t now)
{
    worker_change_t all = worker_become_stale (worker, now), next = all;

    while (next.verdict == WORKER_APPLIED) {
        next = worker_become_stale (worker, now);
        field_set_merge (&all.fields, &next.fields);
    }
    return all;
}

static inline worker_change_t
say_plain (worker_t *worker, uint64_t *number, const word_t *word)
{
    static const char *const PAUSES [] = {"idle_timeout", "manual", "external"};
    static const char *const RESUMES [] = {"automatic", "manual", "external"};
    static const char *const WHO [] = {NULL, "ann", "bob"};
    static const worker_status_t OURS [] = {WORKER_STARTING, WORKER_STOPPING, WORKER_FAILED};
    time_us_t at = word->at.wall;

    switch (word->what) {
    case SAYS_STATUS: return worker_update_status (worker, PICK (number, OURS), at);
    case SAYS_GONE: return worker_terminate (worker, at);
    case SAYS_SWITCH: return worker_set_idle_detection (worker, pick (number, 2), at);
    case SAYS_PAUSE: return worker_pause (worker, PICK (number, PAUSES), PICK (number, WHO), at);
    case SAYS_RESUME: return worker_resume (worker, PICK (number, RESUMES), PICK (number, WHO), at);
    default: return pass_time (worker, word->at);
    }
}

static inline worker_change_t
say (worker_t *worker, const word_t *word)
{
    uint64_t number = word->number;
    labs_observed_t labs = {0};
    worker_change_t change;

    switch (word->what) {
    case SAYS_LABS:
        labs.labs = tree_of (&number, POOL_LABS);
        return worker_update_labs (worker, &labs, word->at.wall);
    case SAYS_LAB_STATE: return say_lab_state (worker, &number, word);
    case SAYS_ACTIVITY: return say_activity (worker, &number, word);
    case SAYS_EC2: change = say_ec2 (worker, &number, word); break;
    case SAYS_CLOUDWATCH:
    case SAYS_OTHER: change = say_load (worker, &number, word); break;
    case SAYS_TELEMETRY: change = say_telemetry (worker, &number, word); break;
    case SAYS_CML: change = say_cml (worker, &number, word); break;
    default: return say_plain (worker, &number, word);
    }
    worker_spoke (worker, &change, interval_of (&number), word->at.steady);
    return change;
}

#endif
