#include "../../../aggregator/tally.h"

#include "worker_rig.h"

#define REGIONS 70  //  more than are told one by one

//  What is written, as an object; the caller puts it.
static struct json_object *
written (const tally_t *tally)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);
    struct json_object *tree = NULL;
    reason_t why = {""};

    json_open_object (&json);
    tally_write (tally, &json);
    json_close_object (&json);
    if (json_parse (&tree, text.data, text.size, text.size, &why) < 0) {
        fail_msg ("%s: %s", text.data, why.text);
    }
    return tree;
}

static int64_t
number (struct json_object *tree, const char *key)
{
    int64_t value = -1;

    (void) json_get_integer (tree, key, &value);
    return value;
}

static worker_t *
worker_in (const char *region, int number_of, worker_status_t status)
{
    char instance_id [32];

    snprintf (instance_id, sizeof instance_id, "i-%d", number_of);
    worker_t *worker = worker_new (region, instance_id, AT (0));
    assert_non_null (worker);
    worker_update_status (worker, status, AT (1));
    assert_int_equal (worker_status (worker), status);
    return worker;
}

static void
nothing_is_counted_as_nothing (void **state)
{
    (void) state;
    const tally_t tally = {0};

    _cleanup_ (json_destroy) struct json_object *stats = written (&tally);

    assert_int_equal (number (stats, "total_workers"), 0);
    assert_int_equal (number (stats, "active_workers"), 0);
    assert_int_equal (json_object_object_length (json_get_object (stats, "by_status")), 0);
    assert_int_equal (json_object_object_length (json_get_object (stats, "by_region")), 0);
}

static void
workers_are_counted_by_status_and_by_region (void **state)
{
    (void) state;
    static const struct {
        const char *region;
        worker_status_t status;
    } ROWS [] = {{"us-east-1", WORKER_RUNNING}, {"us-east-1", WORKER_RUNNING},
                 {"eu-west-1", WORKER_RUNNING}, {"eu-west-1", WORKER_STOPPED},
                 {"us-east-1", WORKER_PENDING}, {"ap-south-1", WORKER_SHUTTING_DOWN},
                 {"us-east-1", WORKER_UNKNOWN}};
    worker_t *workers [COUNT (ROWS)];
    tally_t tally = {0};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        workers [i] = worker_in (ROWS [i].region, (int) i, ROWS [i].status);
        tally_add (&tally, workers [i]);
    }
    _cleanup_ (json_destroy) struct json_object *stats = written (&tally);

    assert_int_equal (number (stats, "total_workers"), 7);
    assert_int_equal (number (stats, "active_workers"), 3);
    struct json_object *statuses = json_get_object (stats, "by_status");
    assert_int_equal (number (statuses, "running"), 3);
    assert_int_equal (number (statuses, "stopped"), 1);
    assert_int_equal (number (statuses, "pending"), 1);
    assert_int_equal (number (statuses, "shutting-down"), 1);
    assert_int_equal (number (statuses, "unknown"), 1);
    assert_int_equal (json_object_object_length (statuses), 5);
    struct json_object *regions = json_get_object (stats, "by_region");
    assert_int_equal (number (regions, "us-east-1"), 4);
    assert_int_equal (number (regions, "eu-west-1"), 2);
    assert_int_equal (number (regions, "ap-south-1"), 1);
    for (size_t i = 0; i < COUNT (ROWS); i++) {
        worker_destroy (&workers [i]);
    }
}

static void
each_status_is_counted_as_itself (void **state)
{
    (void) state;

    for (int status = 0; status < WORKER_STATUS_COUNT; status++) {
        _cleanup_ (worker_destroy) worker_t *worker =
            worker_in ("us-east-1", 1, (worker_status_t) status);
        tally_t tally = {0};

        tally_add (&tally, worker);
        tally_add (&tally, worker);
        _cleanup_ (json_destroy) struct json_object *stats = written (&tally);

        assert_int_equal (number (json_get_object (stats, "by_status"),
                                  worker_status_name ((worker_status_t) status)),
                          2);
        assert_int_equal (number (stats, "active_workers"), status == WORKER_RUNNING ? 2 : 0);
    }
}

static void
regions_beyond_the_bound_count_in_the_sum_alone (void **state)
{
    (void) state;
    worker_t *workers [REGIONS];
    tally_t tally = {0};
    int64_t sum = 0;

    for (int i = 0; i < REGIONS; i++) {
        char region [32];
        snprintf (region, sizeof region, "region-%d", i);
        workers [i] = worker_in (region, i, WORKER_RUNNING);
        tally_add (&tally, workers [i]);
    }
    tally_add (&tally, workers [REGIONS - 1]);
    tally_add (&tally, workers [0]);
    _cleanup_ (json_destroy) struct json_object *stats = written (&tally);

    assert_int_equal (number (stats, "total_workers"), REGIONS + 2);
    assert_int_equal (number (stats, "active_workers"), REGIONS + 2);
    struct json_object *regions = json_get_object (stats, "by_region");
    assert_int_equal (json_object_object_length (regions), TALLY_REGIONS_MAX);
    json_object_object_foreach (regions, name, count)
    {
        (void) name;
        sum += json_object_get_int64 (count);
    }
    assert_int_equal (sum, TALLY_REGIONS_MAX + 1);
    assert_int_equal (number (regions, "region-0"), 2);
    for (int i = 0; i < REGIONS; i++) {
        worker_destroy (&workers [i]);
    }
}

static void
name_of_a_region_is_escaped (void **state)
{
    (void) state;
    static const char *const REGION = "a\"b\\c\n";
    _cleanup_ (worker_destroy) worker_t *worker = worker_in (REGION, 1, WORKER_RUNNING);
    _cleanup_ (worker_destroy) worker_t *other = worker_in ("us-east-1", 1, WORKER_RUNNING);
    tally_t tally = {0};

    tally_add (&tally, worker);
    tally_add (&tally, other);
    _cleanup_ (json_destroy) struct json_object *stats = written (&tally);

    struct json_object *regions = json_get_object (stats, "by_region");
    assert_int_equal (number (regions, REGION), 1);
    assert_int_equal (number (regions, "us-east-1"), 1);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (nothing_is_counted_as_nothing),
        cmocka_unit_test (workers_are_counted_by_status_and_by_region),
        cmocka_unit_test (each_status_is_counted_as_itself),
        cmocka_unit_test (regions_beyond_the_bound_count_in_the_sum_alone),
        cmocka_unit_test (name_of_a_region_is_escaped)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
