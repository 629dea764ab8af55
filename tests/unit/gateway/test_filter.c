#include "../../../gateway/filter.h"

#include "gateway_rig.h"

static filter_t *
filter_with (const char *name, const char *value)
{
    filter_t *filter = filter_new (64);
    reason_t why = {""};

    if (filter_set (filter, name, value, &why) != 0) {
        fail_msg ("%s=%s: %s", name, value, why.text);
    }
    return filter;
}

static bool
wants_job (const filter_t *filter, event_type_t type, const char *region, const char *worker_id,
           const char *job_type, int priority)
{
    feed_header_t header = header_of (FEED_EVENT, type, worker_id, 1);

    snprintf (header.region, sizeof header.region, "%s", region);
    snprintf (header.job_type, sizeof header.job_type, "%s", job_type);
    header.priority = priority;
    frame_t *frame = frame_of_event (&header, 0, "{}", 2);
    bool wanted = filter_wants (filter, frame);
    frame_release (&frame);
    return wanted;
}

static bool
wants (const filter_t *filter, event_type_t type, const char *region, const char *worker_id)
{
    return wants_job (filter, type, region, worker_id, "", 0);
}

static void
everything_is_wanted_unless_something_is_said (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *filter = filter_new (64);

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        assert_true (wants (filter, (event_type_t) type, "us-east-1", WORKER_A));
    }
    assert_true (wants_job (filter, EVENT_JOB_SUBMITTED, "", "", "labs.refresh", -7));
}

static void
types_are_wanted_by_name_by_prefix_and_by_topic (void **state)
{
    (void) state;
    static const struct {
        const char *name, *value;
        event_type_t type;
        bool wanted;
    } ROWS [] = {
        {"event_types", "worker.created", EVENT_WORKER_CREATED, true},
        {"event_types", "worker.created", EVENT_WORKER_SNAPSHOT, false},
        {"event_types", "worker.created,system.stats", EVENT_SYSTEM_STATS, true},
        {"event_types", "worker.*", EVENT_WORKER_SNAPSHOT, true},
        {"event_types", "worker.*", EVENT_SYSTEM_STATS, false},
        {"event_types", "worker.lab*", EVENT_WORKER_LABS_UPDATED, true},
        {"topics", "workers", EVENT_WORKER_CREATED, true},
        {"topics", "workers", EVENT_SYSTEM_STATS, false},
        {"topics", "system_stats,workers", EVENT_SYSTEM_STATS, true},
        {"topics", "jobs", EVENT_JOB_SUBMITTED, true},
        {"topics", "jobs", EVENT_WORKER_CREATED, false},
        {"topics", "jobs:progress", EVENT_JOB_SUBMITTED, false},
        {"topics", "jobs", EVENT_JOB_PROGRESS, true},
        {"topics", "jobs:progress", EVENT_JOB_PROGRESS, true},
        {"topics", "jobs:status", EVENT_JOB_CANCELLED, true},
        {"topics", "jobs:status", EVENT_JOB_STATUS_UPDATED, true},
        {"topics", "jobs:status", EVENT_JOB_PROGRESS, false},
        {"topics", "jobs:status,jobs:progress", EVENT_JOB_PROGRESS, true},
        {"topics", "jobs:progress,jobs:status", EVENT_JOB_PROGRESS, true},
        {"topics", "jobs", EVENT_ALERT_RAISED, false},
        {"topics", "alerts", EVENT_ALERT_CLEARED, true},
        {"topics", "alerts", EVENT_JOB_FAILED, false},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (filter_release) filter_t *filter = filter_with (ROWS [i].name, ROWS [i].value);

        if (wants (filter, ROWS [i].type, "us-east-1", WORKER_A) != ROWS [i].wanted) {
            fail_msg ("%s=%s: %s", ROWS [i].name, ROWS [i].value, event_type_name (ROWS [i].type));
        }
    }
}

static void
regions_and_workers_choose_what_is_of_a_worker_and_leave_the_rest (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *regions = filter_with ("regions", "eu-west-1,us-east-1");
    _cleanup_ (filter_release) filter_t *workers = filter_with ("worker_ids", WORKER_A);

    assert_true (wants (regions, EVENT_WORKER_CREATED, "us-east-1", WORKER_B));
    assert_false (wants (regions, EVENT_WORKER_CREATED, "us-east-2", WORKER_B));
    assert_true (wants (workers, EVENT_WORKER_CREATED, "us-east-2", WORKER_A));
    assert_false (wants (workers, EVENT_WORKER_CREATED, "us-east-2", WORKER_B));
    assert_true (wants (regions, EVENT_SYSTEM_STATS, "", ""));
    assert_true (wants (workers, EVENT_SYSTEM_STATS, "", ""));
}

static void
jobs_are_chosen_by_type_and_priority_and_what_is_no_job_is_left (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *types = filter_with ("job_types", "labs.refresh");
    _cleanup_ (filter_release) filter_t *least = filter_with ("min_priority", "5");
    _cleanup_ (filter_release) filter_t *most = filter_with ("max_priority", "5");

    assert_true (wants_job (types, EVENT_JOB_SUBMITTED, "", "", "labs.refresh", 1));
    assert_false (wants_job (types, EVENT_JOB_SUBMITTED, "", "", "metrics.refresh", 1));
    assert_true (wants_job (least, EVENT_JOB_SUBMITTED, "", "", "labs.refresh", 5));
    assert_false (wants_job (least, EVENT_JOB_SUBMITTED, "", "", "labs.refresh", 4));
    assert_true (wants_job (most, EVENT_JOB_SUBMITTED, "", "", "labs.refresh", 5));
    assert_false (wants_job (most, EVENT_JOB_SUBMITTED, "", "", "labs.refresh", 6));
    assert_true (wants (least, EVENT_WORKER_SNAPSHOT, "us-east-1", WORKER_A));
}

static void
range_of_priorities_may_lie_below_zero (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *range = filter_with ("min_priority", "-7");
    assert_int_equal (filter_set (range, "max_priority", "-3", NULL), 0);

    assert_true (wants_job (range, EVENT_JOB_PROGRESS, "", "", "x", -7));
    assert_true (wants_job (range, EVENT_JOB_PROGRESS, "", "", "x", -3));
    assert_false (wants_job (range, EVENT_JOB_PROGRESS, "", "", "x", -8));
    assert_false (wants_job (range, EVENT_JOB_PROGRESS, "", "", "x", -2));
    assert_false (wants_job (range, EVENT_JOB_PROGRESS, "", "", "x", 5));
}

static void
job_of_no_worker_is_none_of_the_workers_that_are_asked_for (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *workers = filter_with ("worker_ids", WORKER_A);
    _cleanup_ (filter_release) filter_t *regions = filter_with ("regions", "us-east-1");
    _cleanup_ (filter_release) filter_t *all = filter_with ("topics", "jobs");

    assert_true (wants_job (workers, EVENT_JOB_SUBMITTED, "us-east-1", WORKER_A, "x", 1));
    assert_false (wants_job (workers, EVENT_JOB_SUBMITTED, "us-east-1", WORKER_B, "x", 1));
    assert_false (wants_job (workers, EVENT_JOB_SUBMITTED, "", "", "x", 1));
    assert_false (wants_job (regions, EVENT_JOB_SUBMITTED, "", "", "x", 1));
    assert_true (wants_job (all, EVENT_JOB_SUBMITTED, "", "", "x", 1));
}

static void
rhythm_is_read (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *hz = filter_with ("max_hz", "0.5");
    _cleanup_ (filter_release) filter_t *batch = filter_with ("batch_ms", "250");
    _cleanup_ (filter_release) filter_t *at_once = filter_with ("batch_ms", "0");

    assert_int_equal (hz->snapshot_period, 2 * SECOND_US);
    assert_int_equal (batch->metrics_period, 250 * MS_US);
    assert_true (batch->batches && at_once->batches);
    assert_int_equal (at_once->metrics_period, 0);
}

static const char *
key_of (const filter_t *filter, buffer_t *key)
{
    buffer_reset (key);
    filter_write_key (filter, key);
    return key->data ? key->data : "";
}

static void
filters_that_want_the_same_have_the_same_key_whatever_was_said_first (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *one = filter_with ("regions", "eu-west-1,us-east-1");
    _cleanup_ (filter_release) filter_t *other =
        filter_with ("regions", "us-east-1,eu-west-1,us-east-1");
    _cleanup_ (filter_release) filter_t *third = filter_with ("regions", "us-east-1");
    _cleanup_ (filter_release) filter_t *all = filter_new (64);
    buffer_t first = {0}, second = {0};

    assert_string_equal (key_of (one, &first), "&regions=eu-west-1,us-east-1");
    assert_string_equal (key_of (other, &second), first.data);
    assert_string_not_equal (key_of (third, &second), first.data);
    assert_string_equal (key_of (all, &second), "");
    buffer_clear (&first);
    buffer_clear (&second);
}

static void
copy_is_changed_without_the_other_and_what_is_unset_is_as_never_set (void **state)
{
    (void) state;
    static const struct {
        const char *name, *value;
    } ROWS [] = {{"event_types", "worker.*"}, {"topics", "jobs"}, {"regions", "a,b"},
                 {"worker_ids", WORKER_A},    {"job_types", "x"}, {"min_priority", "1"},
                 {"max_priority", "9"},       {"max_hz", "2"},    {"batch_ms", "0"}};
    buffer_t key = {0};
    reason_t why = {""};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (filter_release) filter_t *filter = filter_with (ROWS [i].name, ROWS [i].value);
        _cleanup_ (filter_release) filter_t *copy = filter_copy (filter);

        assert_int_equal (filter_unset (copy, ROWS [i].name, &why), 0);

        assert_string_equal (key_of (copy, &key), "");
        assert_string_not_equal (key_of (filter, &key), "");
    }
    _cleanup_ (filter_release) filter_t *filter = filter_new (64);
    assert_true (filter_unset (filter, "heartbeat", &why) < 0);
    buffer_clear (&key);
}

static void
bad_parameter_is_named (void **state)
{
    (void) state;
    static const struct {
        const char *name, *value;
    } ROWS [] = {{"event_types", "worker.exploded"},
                 {"event_types", "instance.observed"},
                 {"event_types", ""},
                 {"topics", "everything"},
                 {"topics", ""},
                 {"worker_ids", "i-0abc"},
                 {"worker_ids", ""},
                 {"regions", ""},
                 {"job_types", ""},
                 {"min_priority", "high"},
                 {"max_priority", "1000001"},
                 {"max_hz", "0"},
                 {"max_hz", "101"},
                 {"max_hz", "nan"},
                 {"max_hz", "1x"},
                 {"batch_ms", "1001"},
                 {"batch_ms", "-1"},
                 {"batch_ms", ""},
                 {"nonsense", "1"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (filter_release) filter_t *filter = filter_new (64);
        reason_t why = {""};

        int rc = filter_set (filter, ROWS [i].name, ROWS [i].value, &why);

        if (rc >= 0 || !strstr (why.text, ROWS [i].name)) {
            fail_msg ("%s=%s: %d %s", ROWS [i].name, ROWS [i].value, rc, why.text);
        }
    }
}

static void
names_are_bounded (void **state)
{
    (void) state;
    _cleanup_ (filter_release) filter_t *filter = filter_new (64);
    reason_t why = {""};
    char regions [2000] = "r0";

    for (int i = 1; i <= 64; i++) {
        size_t used = strlen (regions);
        snprintf (regions + used, sizeof regions - used, ",r%d", i);
    }

    assert_true (filter_set (filter, "regions", regions, &why) < 0);
    assert_non_null (strstr (why.text, "64"));
}

//  Clients are told a filter as its key, and may send it again.
static void
key_that_is_read_as_a_query_is_the_same_filter (void **state)
{
    (void) state;
    static const char *const RATES [] = {
        "2.5555555555555555", "0.01", "0.0123456789", "99.99999", "3", "7", "0.3333333333", "100"};

    for (size_t i = 0; i < COUNT (RATES); i++) {
        _cleanup_ (buffer_clear) buffer_t key = {0}, again = {0};
        _cleanup_ (filter_release) filter_t *filter = filter_with ("max_hz", RATES [i]);
        filter_write_key (filter, &key);
        _cleanup_ (filter_release) filter_t *same =
            filter_with ("max_hz", key.data + strlen ("&max_hz="));
        filter_write_key (same, &again);
        assert_string_equal (key.data, again.data);
        assert_int_equal (filter->snapshot_period, same->snapshot_period);
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (key_that_is_read_as_a_query_is_the_same_filter),
        cmocka_unit_test (everything_is_wanted_unless_something_is_said),
        cmocka_unit_test (types_are_wanted_by_name_by_prefix_and_by_topic),
        cmocka_unit_test (regions_and_workers_choose_what_is_of_a_worker_and_leave_the_rest),
        cmocka_unit_test (jobs_are_chosen_by_type_and_priority_and_what_is_no_job_is_left),
        cmocka_unit_test (range_of_priorities_may_lie_below_zero),
        cmocka_unit_test (job_of_no_worker_is_none_of_the_workers_that_are_asked_for),
        cmocka_unit_test (rhythm_is_read),
        cmocka_unit_test (filters_that_want_the_same_have_the_same_key_whatever_was_said_first),
        cmocka_unit_test (copy_is_changed_without_the_other_and_what_is_unset_is_as_never_set),
        cmocka_unit_test (bad_parameter_is_named),
        cmocka_unit_test (names_are_bounded)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
