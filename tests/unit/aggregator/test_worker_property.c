#include "random_words.h"

#define SEED    UINT64_C (20261120)
#define WORKERS 5
#define STEPS   100000

static const char *const WHAT_NAMES [WHAT_COUNT] = {
    "ec2",  "status",    "gone",     "cloudwatch", "telemetry", "other",  "cml",
    "labs", "lab_state", "activity", "switch",     "pause",     "resume", "time"};

//  W1: what each may change, besides updated_at. NO_MORE closes a list.
#define NO_MORE SNAPSHOT_FIELD_COUNT
#define OF_LOAD                                                                          \
    SNAPSHOT_cpu_utilization, SNAPSHOT_memory_utilization, SNAPSHOT_storage_utilization, \
        SNAPSHOT_disk_utilization
#define OF_LABS SNAPSHOT_cml_labs_count, SNAPSHOT_active_labs_count, SNAPSHOT_target_pause_at
#define OF_PAUSES                                                                        \
    SNAPSHOT_auto_pause_count, SNAPSHOT_manual_pause_count, SNAPSHOT_auto_resume_count,  \
        SNAPSHOT_manual_resume_count, SNAPSHOT_last_paused_at, SNAPSHOT_last_resumed_at, \
        SNAPSHOT_paused_by, SNAPSHOT_pause_reason, SNAPSHOT_target_pause_at
#define OF_CLOUDWATCH                                                            \
    SNAPSHOT_cloudwatch_cpu_utilization, SNAPSHOT_cloudwatch_memory_utilization, \
        SNAPSHOT_cloudwatch_last_collected_at, SNAPSHOT_cloudwatch_freshness, OF_LOAD
static const snapshot_field_t OWN [WHAT_COUNT][20] = {
    [SAYS_EC2] = {SNAPSHOT_name, SNAPSHOT_instance_type, SNAPSHOT_ami_id, SNAPSHOT_ami_name,
                  SNAPSHOT_ami_description, SNAPSHOT_ami_creation_date, SNAPSHOT_public_ip,
                  SNAPSHOT_private_ip, SNAPSHOT_aws_tags,
                  SNAPSHOT_cloudwatch_detailed_monitoring_enabled,
                  SNAPSHOT_ec2_instance_state_detail, SNAPSHOT_ec2_system_status_check,
                  SNAPSHOT_ec2_last_checked_at, SNAPSHOT_ec2_freshness, SNAPSHOT_poll_interval,
                  SNAPSHOT_next_refresh_at, NO_MORE},
    [SAYS_STATUS] = {NO_MORE},
    [SAYS_GONE] = {NO_MORE},
    [SAYS_CLOUDWATCH] = {OF_CLOUDWATCH, NO_MORE},
    [SAYS_TELEMETRY] = {OF_CLOUDWATCH, OF_LABS, NO_MORE},
    [SAYS_OTHER] = {OF_LOAD, NO_MORE},
    [SAYS_CML] = {SNAPSHOT_https_endpoint, SNAPSHOT_license_status, SNAPSHOT_license_token,
                  SNAPSHOT_cml_license_info, SNAPSHOT_cml_version, SNAPSHOT_cml_ready,
                  SNAPSHOT_cml_uptime_seconds, SNAPSHOT_cml_system_info, SNAPSHOT_cml_system_health,
                  SNAPSHOT_cml_last_synced_at, SNAPSHOT_cml_freshness, SNAPSHOT_service_status,
                  OF_LOAD, NO_MORE},
    [SAYS_LABS] = {OF_LABS, NO_MORE},
    [SAYS_LAB_STATE] = {NO_MORE},
    [SAYS_ACTIVITY] = {SNAPSHOT_last_activity_at, SNAPSHOT_last_activity_check_at,
                       SNAPSHOT_next_idle_check_at, SNAPSHOT_target_pause_at, NO_MORE},
    [SAYS_SWITCH] = {SNAPSHOT_is_idle_detection_enabled, SNAPSHOT_target_pause_at, NO_MORE},
    [SAYS_PAUSE] = {OF_PAUSES, NO_MORE},
    [SAYS_RESUME] = {OF_PAUSES, NO_MORE},
    [TIME_PASSES] = {SNAPSHOT_ec2_freshness, SNAPSHOT_cloudwatch_freshness, SNAPSHOT_cml_freshness,
                     OF_LOAD, NO_MORE}};

//  W6, W7: what a new status means for others.
static const snapshot_field_t OF_STATUS [] = {SNAPSHOT_status,
                                              SNAPSHOT_service_status,
                                              SNAPSHOT_https_endpoint,
                                              SNAPSHOT_start_initiated_at,
                                              SNAPSHOT_stop_initiated_at,
                                              SNAPSHOT_terminated_at,
                                              SNAPSHOT_ec2_freshness,
                                              SNAPSHOT_cloudwatch_freshness,
                                              SNAPSHOT_cml_freshness,
                                              SNAPSHOT_next_idle_check_at,
                                              OF_PAUSES,
                                              OF_LOAD,
                                              NO_MORE};

typedef struct subject {
    worker_t *worker;
    snapshot_t before;  //  its texts are owned
    word_t *accepted;
    size_t count, size;
} subject_t;

static const worker_rules_t RULES = {
    .idle = {.idle_timeout_minutes = 5, .snooze_minutes = 5, .auto_pause = true},
    .load_order = {.kinds = {"cml", "cloudwatch", "*"}, .count = 3},
    .service_failures = 2};

#define KEEP_TEXT(value) (value) = (value) ? strdup (value) : NULL;
#define KEEP_JSON(value) (value) = (value) ? strdup (value) : NULL;
#define KEEP_PERCENT(value)
#define KEEP_NUMBER(value)
#define KEEP_INTEGER(value)
#define KEEP_FLAG(value)
#define KEEP_TIME(value)
#define DROP_TEXT(value) free ((void *) (uintptr_t) (value));
#define DROP_JSON(value) free ((void *) (uintptr_t) (value));
#define DROP_PERCENT(value)
#define DROP_NUMBER(value)
#define DROP_INTEGER(value)
#define DROP_FLAG(value)
#define DROP_TIME(value)

static void
drop_before (subject_t *subject)
{
#define DROP_ROW(kind, name, group) DROP_##kind (subject->before.name)
    SNAPSHOT_FIELDS (DROP_ROW)
#undef DROP_ROW
}

static void
keep_before (subject_t *subject)
{
    drop_before (subject);
    subject->before = worker_snapshot (subject->worker);
#define KEEP_ROW(kind, name, group) KEEP_##kind (subject->before.name)
    SNAPSHOT_FIELDS (KEEP_ROW)
#undef KEEP_ROW
}

static worker_t *
worker_number (int number)
{
    char instance_id [16];

    snprintf (instance_id, sizeof instance_id, "i-%d", number);
    worker_t *worker = worker_new ("us-east-1", instance_id, AT (0));
    assert_non_null (worker);
    worker_set_rules (worker, &RULES);
    return worker;
}

//  Everything a worker can be asked for, as one text; the caller frees it.
static char *
whole_state (const worker_t *worker)
{
    _cleanup_ (string_destroy) char *snapshot = snapshot_text (worker);
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    buffer_format (&text, "%s %s %s %d ", snapshot, worker_labs (worker),
                   worker_activity_events (worker), worker_is_connected (worker));
    worker_write_others (worker, &json);
    return text.data;
}

static void
add_fields (field_set_t *set, const snapshot_field_t *fields)
{
    for (; *fields != NO_MORE; fields++) {
        field_set_add (set, *fields);
    }
}

static void
check_only_within (const field_set_t *changed, const field_set_t *allowed, const char *rule,
                   const word_t *word, size_t step)
{
    for (int field = 0; field < SNAPSHOT_FIELD_COUNT; field++) {
        if (field_set_has (changed, (snapshot_field_t) field) &&
            !field_set_has (allowed, (snapshot_field_t) field)) {
            fail_msg ("seed %llu, step %zu, %s: %s: %s", (unsigned long long) SEED, step,
                      WHAT_NAMES [word->what], rule,
                      snapshot_field_name ((snapshot_field_t) field));
        }
    }
}

//  W1, and that a change names what differs: all of it and nothing else.
static void
check_change (const subject_t *subject, const word_t *word, const worker_change_t *change,
              size_t step)
{
    snapshot_t after = worker_snapshot (subject->worker);
    field_set_t differing = snapshot_difference (&subject->before, &after), allowed = {0};

    if (change->verdict == WORKER_APPLIED && word->what != SAYS_LAB_STATE) {
        add_fields (&allowed, OWN [word->what]);
        field_set_add (&allowed, SNAPSHOT_updated_at);
        if (word->what <= SAYS_GONE && change->old_status != worker_status (subject->worker)) {
            add_fields (&allowed, OF_STATUS);
        }
    }
    check_only_within (&differing, &allowed, "changed what is not its own", word, step);
    check_only_within (&differing, &change->fields, "did not tell of", word, step);
    check_only_within (&change->fields, &differing, "tells of what did not change", word, step);
}

static void
check_percents (const snapshot_t *snapshot, const word_t *word, size_t step)
{
#define BOUND_TEXT(value)    true
#define BOUND_JSON(value)    true
#define BOUND_NUMBER(value)  (isnan (value) || (value) >= 0)
#define BOUND_PERCENT(value) (isnan (value) || ((value) >= 0 && (value) <= 100))
#define BOUND_INTEGER(value) true
#define BOUND_FLAG(value)    true
#define BOUND_TIME(value)    true
#define CHECK(kind, name, group)                                                                   \
    if (!BOUND_##kind (snapshot->name)) {                                                          \
        fail_msg ("seed %llu, step %zu, %s: %s is out of bounds", (unsigned long long) SEED, step, \
                  WHAT_NAMES [word->what], #name);                                                 \
    }
    SNAPSHOT_FIELDS (CHECK)
#undef CHECK
}

//  What holds of every worker at any time (W5, W6), and what never goes back.
static void
check_worker (const subject_t *subject, const word_t *word, size_t step)
{
    const worker_t *worker = subject->worker;
    snapshot_t after = worker_snapshot (worker);
    worker_status_t status = worker_status (worker);
    bool runs = status == WORKER_RUNNING || status == WORKER_UNKNOWN;
    bool quiet = worker_freshness (worker, SOURCE_CML) == FRESH_ABSENT &&
                 worker_freshness (worker, SOURCE_CLOUDWATCH) == FRESH_ABSENT &&
                 !worker_is_connected (worker) && isnan (after.cpu_utilization) &&
                 isnan (after.memory_utilization) && isnan (after.storage_utilization) &&
                 !after.https_endpoint && worker_service (worker) == SERVICE_UNAVAILABLE;
    bool grows = after.updated_at >= subject->before.updated_at &&
                 after.last_activity_at >= subject->before.last_activity_at &&
                 after.auto_pause_count >= subject->before.auto_pause_count &&
                 after.manual_pause_count >= subject->before.manual_pause_count &&
                 after.auto_resume_count >= subject->before.auto_resume_count &&
                 after.manual_resume_count >= subject->before.manual_resume_count;

    check_percents (&after, word, step);
    if ((!runs && !quiet) || !grows) {
        fail_msg ("seed %llu, step %zu, %s: %s", (unsigned long long) SEED, step,
                  WHAT_NAMES [word->what],
                  grows ? "W6: it does not run and is asked" : "something went back");
    }
}

static void
accept (subject_t *subject, const word_t *word)
{
    if (subject->count == subject->size) {
        subject->size = subject->size ? subject->size * 2 : 1024;
        subject->accepted = realloc (subject->accepted, subject->size * sizeof *word);
        assert_non_null (subject->accepted);
    }
    subject->accepted [subject->count++] = *word;
}

//  W2: said twice, the second is no word at all; nor does any rejected one leave a trace.
static void
check_copy (subject_t *subject, const word_t *word, size_t step)
{
    worker_change_t copy = say (subject->worker, word);

    if (copy.verdict == WORKER_APPLIED) {
        fail_msg ("seed %llu, step %zu, %s: a second copy was applied", (unsigned long long) SEED,
                  step, WHAT_NAMES [word->what]);
    }
    check_change (subject, word, &copy, step);
}

static word_t
random_word (uint64_t *random, size_t step)
{
    static const struct {
        what_t what;
        size_t share;
    } SHARES [] = {{SAYS_EC2, 20},      {SAYS_CLOUDWATCH, 14}, {SAYS_CML, 18},     {SAYS_LABS, 10},
                   {SAYS_OTHER, 10},    {SAYS_TELEMETRY, 4},   {SAYS_ACTIVITY, 8}, {TIME_PASSES, 6},
                   {SAYS_LAB_STATE, 4}, {SAYS_SWITCH, 2},      {SAYS_STATUS, 1},   {SAYS_PAUSE, 1},
                   {SAYS_RESUME, 1},    {SAYS_GONE, 1}};
    size_t share = pick (random, 100), i = 0;

    while (share >= SHARES [i].share) {
        share -= SHARES [i++].share;
    }
    //  Heard up to half a minute late, in steps so coarse that times meet.
    time_us_t late = (time_us_t) pick (random, 30) * SECOND_US;
    time_us_t steady = (time_us_t) step * 500 * MS_US;
    return (word_t){
        .what = SHARES [i].what,
        .number = next_random (random),
        .at = {.wall = AT (100) + steady / SECOND_US * SECOND_US - late, .steady = steady}};
}

//  What was accepted, said anew to a new worker, makes the same worker (W4).
static void
check_replay (const subject_t *subject, int number)
{
    _cleanup_ (worker_destroy) worker_t *again = worker_number (number);

    for (size_t i = 0; i < subject->count; i++) {
        assert_int_equal (say (again, &subject->accepted [i]).verdict, WORKER_APPLIED);
    }
    _cleanup_ (string_destroy) char *one = whole_state (subject->worker);
    _cleanup_ (string_destroy) char *two = whole_state (again);
    if (strcmp (one, two) != 0) {
        fail_msg ("seed %llu: worker %d is\n%s\nand said anew\n%s", (unsigned long long) SEED,
                  number, one, two);
    }
}

static void
each_word_changes_its_own_fields_once_and_the_same_words_make_the_same_worker (void **state)
{
    (void) state;
    subject_t subjects [WORKERS] = {0};
    uint64_t random = SEED;
    for (int i = 0; i < WORKERS; i++) {
        subjects [i].worker = worker_number (i);
        keep_before (&subjects [i]);
    }

    for (size_t step = 0; step < STEPS; step++) {
        subject_t *subject = &subjects [pick (&random, WORKERS)];
        word_t word = random_word (&random, step);

        worker_change_t change = say (subject->worker, &word);

        check_change (subject, &word, &change, step);
        check_worker (subject, &word, step);
        if (change.verdict == WORKER_APPLIED) {
            accept (subject, &word);
            keep_before (subject);
        }
        check_copy (subject, &word, step);
    }
    for (int i = 0; i < WORKERS; i++) {
        assert_true (subjects [i].count > STEPS / WORKERS / 4);
        check_replay (&subjects [i], i);
        drop_before (&subjects [i]);
        free (subjects [i].accepted);
        worker_destroy (&subjects [i].worker);
    }
}

static int
by_time (const void *a, const void *b)
{
    const word_t *first = a, *second = b;

    return (first->at.wall > second->at.wall) - (first->at.wall < second->at.wall);
}

static void
words_of_sources_may_interleave_as_they_like (void **state)
{
    (void) state;
    static const what_t SOURCES [] = {SAYS_EC2, SAYS_CLOUDWATCH, SAYS_CML, SAYS_LABS,
                                      SAYS_ACTIVITY};
    enum { ROUNDS = 500, WORDS = 24 };
    uint64_t random = SEED;

    for (size_t round = 0; round < ROUNDS; round++) {
        _cleanup_ (worker_destroy) worker_t *heard = running_worker ();
        _cleanup_ (worker_destroy) worker_t *sorted = running_worker ();
        word_t words [WORDS];
        size_t accepted = 0;

        for (size_t i = 0; i < WORDS; i++) {
            word_t *word = &words [accepted];
            *word = (word_t){.what = PICK (&random, SOURCES),
                             .number = next_random (&random),
                             .at = {.wall = AT (10 + pick (&random, 1000))},
                             .steady_running = true};
            accepted += say (heard, word).verdict == WORKER_APPLIED;
        }
        qsort (words, accepted, sizeof *words, by_time);
        for (size_t i = 0; i < accepted; i++) {
            assert_int_equal (say (sorted, &words [i]).verdict, WORKER_APPLIED);
        }

        _cleanup_ (string_destroy) char *one = whole_state (heard);
        _cleanup_ (string_destroy) char *two = whole_state (sorted);
        if (strcmp (one, two) != 0) {
            fail_msg ("seed %llu, round %zu: as heard\n%s\nin the order of time\n%s",
                      (unsigned long long) SEED, round, one, two);
        }
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (
            each_word_changes_its_own_fields_once_and_the_same_words_make_the_same_worker),
        cmocka_unit_test (words_of_sources_may_interleave_as_they_like)};

    return cmocka_run_group_tests (TESTS, parse_pools, put_pools);
}
