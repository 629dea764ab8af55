#include "../../../aggregator/prices.h"

#include "worker_rig.h"

#include <stdlib.h>
#include <unistd.h>

static void
list_is_read_and_a_region_counts_before_the_type (void **state)
{
    (void) state;
    _cleanup_ (prices_destroy) prices_t *prices =
        prices_read ("m5zn.metal=3.9641, eu-central-1/m5zn.metal = 4.8 ,, t3.nano=0", NULL);

    assert_int_equal (prices_count (prices), 3);
    assert_true (prices_of (prices, "us-east-1", "m5zn.metal") == 3.9641);
    assert_true (prices_of (prices, "eu-central-1", "m5zn.metal") == 4.8);
    assert_true (prices_of (prices, "us-east-1", "t3.nano") == 0);
    assert_true (isnan (prices_of (prices, "us-east-1", "c5.metal")));
    assert_true (isnan (prices_of (prices, "us-east-1", NULL)));
    assert_true (isnan (prices_of (NULL, "us-east-1", "m5zn.metal")));
}

static void
no_setting_is_no_price_and_no_fault (void **state)
{
    (void) state;
    _cleanup_ (prices_destroy) prices_t *prices = prices_read ("", NULL);

    assert_int_equal (prices_count (prices), 0);
    assert_true (isnan (prices_of (prices, "us-east-1", "m5zn.metal")));
}

static const char *
file_of (const char *text)
{
    static char path [64];
    snprintf (path, sizeof path, "/tmp/test_prices_%d", (int) getpid ());
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    return path;
}

static void
file_is_read_line_by_line_with_comments (void **state)
{
    (void) state;
    const char *path = file_of ("# USD an hour\n\nm5zn.metal = 3.9641   # Ohio\r\n"
                                "eu-central-1/c5.metal=4.85");

    _cleanup_ (prices_destroy) prices_t *prices = prices_read (path, NULL);

    unlink (path);
    assert_true (prices_of (prices, "us-east-2", "m5zn.metal") == 3.9641);
    assert_true (prices_of (prices, "eu-central-1", "c5.metal") == 4.85);
    assert_true (isnan (prices_of (prices, "us-east-2", "c5.metal")));
}

static void
what_is_no_price_is_refused_with_its_place (void **state)
{
    (void) state;
    static const char *const WRONG [] = {
        "m5zn.metal=",    "=4",     "m5zn.metal=four", "m5zn.metal=-1", "m5zn.metal=1e9",
        "m5zn.metal=nan", "a=1,b 2"};

    for (size_t i = 0; i < COUNT (WRONG); i++) {
        reason_t why = {""};
        assert_null (prices_read (WRONG [i], &why));
        assert_non_null (strstr (why.text, "instance_prices"));
    }
    reason_t why = {""};
    const char *path = file_of ("a = 1\nb\n");
    assert_null (prices_read (path, &why));
    unlink (path);
    assert_non_null (strstr (why.text, ":2: 'b'"));
    assert_null (prices_read ("/nowhere/at/all", &why));
    assert_null (prices_read ("/tmp", &why));  //  it opens, and cannot be read
    assert_non_null (strstr (why.text, "directory"));
}

//  --- what a worker costs

static worker_rules_t rules = {.service_failures = 2,
                               .load_order = {.kinds = {"cml", "cloudwatch", "*"}, .count = 3}};

static void
worker_costs_while_it_runs_and_nothing_while_it_is_stopped (void **state)
{
    (void) state;
    static const struct {
        const char *state, *cost;
    } ROWS [] = {{"running", "3.964"},
                 {"stopping", "0"},
                 {"stopped", "0"},
                 {"pending", "0"},
                 {"running", "3.964"}};
    _cleanup_ (prices_destroy) prices_t *prices = prices_read ("m5zn.metal=3.9641", NULL);
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    rules.prices = prices;
    worker_set_rules (worker, &rules);
    assert_field (worker, hourly_cost, "null");

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        char data [80];
        snprintf (data, sizeof data, "{'state':'%s','instance_type':'m5zn.metal'}", ROWS [i].state);
        tell (worker, INSTANCE_OBSERVED, data, 10 + (int64_t) i);

        assert_field (worker, hourly_cost, ROWS [i].cost);
        assert_true (worker_price (worker) == 3.9641);
    }
    tell (worker, INSTANCE_OBSERVED, "{'state':'running','instance_type':'c5.metal'}", 20);
    assert_field (worker, hourly_cost, "null");
}

static void
new_prices_hold_for_a_worker_that_was_stored_with_the_old (void **state)
{
    (void) state;
    _cleanup_ (prices_destroy) prices_t *old = prices_read ("m5zn.metal=4", NULL);
    _cleanup_ (prices_destroy) prices_t *new = prices_read ("m5zn.metal=5", NULL);
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    _cleanup_ (buffer_clear) buffer_t row = {0};
    rules.prices = old;
    worker_set_rules (worker, &rules);
    tell (worker, INSTANCE_OBSERVED, "{'state':'running','instance_type':'m5zn.metal'}", 10);
    worker_save (worker, (worker_text_t){0}, &row);

    _cleanup_ (worker_destroy) worker_t *again = worker_restore (row.data, row.size, 0, NULL);
    assert_field (again, hourly_cost, "4");
    rules.prices = new;
    worker_set_rules (again, &rules);

    assert_field (again, hourly_cost, "5");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (list_is_read_and_a_region_counts_before_the_type),
        cmocka_unit_test (no_setting_is_no_price_and_no_fault),
        cmocka_unit_test (file_is_read_line_by_line_with_comments),
        cmocka_unit_test (what_is_no_price_is_refused_with_its_place),
        cmocka_unit_test (worker_costs_while_it_runs_and_nothing_while_it_is_stopped),
        cmocka_unit_test (new_prices_hold_for_a_worker_that_was_stored_with_the_old),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
