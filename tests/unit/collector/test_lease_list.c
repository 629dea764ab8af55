#include "../../../collector/core/lease.h"

#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static int
decode (lease_list_t *list, const char *text, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *json = json_tokener_parse (text);
    return lease_list_decode (list, json, why);
}

static void
workers_have_their_facts_and_their_subject (void **state)
{
    (void) state;
    _cleanup_ (lease_list_clear) lease_list_t list = {0};

    int rc = decode (&list,
                     "{\"epoch\":\"0a1b2c3d\",\"revision\":\"7\",\"renew_ms\":200,\"ttl_ms\":900,"
                     "\"regions\":[\"us-east-1\",5],\"workers\":[{\"worker_id\":\"w\","
                     "\"region\":\"us-east-1\",\"instance_id\":\"i-1\",\"public_ip\":null,"
                     "\"private_ip\":\"10.0.0.1\",\"detailed_monitoring\":true}]}",
                     NULL);

    assert_int_equal (rc, 0);
    assert_int_equal (list.renew_ms, 200);
    assert_int_equal (list.regions_count, 1);
    assert_int_equal (list.workers_count, 1);
    const collector_worker_t *worker = &list.workers [0]->worker;
    assert_string_equal (worker->subject, "us-east-1/i-1");
    assert_string_equal (worker->public_ip, "");
    assert_string_equal (worker->private_ip, "10.0.0.1");
    assert_int_equal (worker->detailed_monitoring, FLAG_YES);
}

static void
worker_that_cannot_be_named_is_left_out (void **state)
{
    (void) state;
    _cleanup_ (lease_list_clear) lease_list_t list = {0};

    decode (&list,
            "{\"epoch\":\"e\",\"workers\":[5,null,{},{\"region\":\"r\"},{\"instance_id\":\"i\"},"
            "{\"region\":\"r\",\"instance_id\":\"i\"}]}",
            NULL);

    assert_int_equal (list.workers_count, 1);
    assert_int_equal (list.workers [0]->worker.detailed_monitoring, FLAG_UNKNOWN);
}

static void
answer_without_an_epoch_or_of_another_kind_is_refused (void **state)
{
    (void) state;
    const char *const texts [] = {"{}", "[]", "5", "{\"epoch\":7}", "{\"epoch\":\"123456789\"}"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        lease_list_t list = {0};
        reason_t why = {0};
        assert_int_equal (decode (&list, texts [i], &why), -EINVAL);
        assert_non_null (strstr (why.text, "epoch"));
    }
}

static void
times_out_of_bounds_are_our_own_instead (void **state)
{
    (void) state;
    _cleanup_ (lease_list_clear) lease_list_t list = {0};

    decode (&list, "{\"epoch\":\"e\",\"renew_ms\":0,\"ttl_ms\":-5}", NULL);

    assert_int_equal (list.renew_ms, 2000);
    assert_int_equal (list.ttl_ms, 6000);
}

static void
it_never_ends_before_it_is_to_be_renewed (void **state)
{
    (void) state;
    _cleanup_ (lease_list_clear) lease_list_t list = {0};

    decode (&list, "{\"epoch\":\"e\",\"renew_ms\":20000,\"ttl_ms\":900,\"heard\":-7}", NULL);

    assert_int_equal (list.renew_ms, 20000);
    assert_int_equal (list.ttl_ms, 60000);
    assert_int_equal (list.heard, -1);
}

static void
worker_that_is_held_outlives_its_list (void **state)
{
    (void) state;
    lease_list_t list = {0};
    decode (&list, "{\"epoch\":\"e\",\"workers\":[{\"region\":\"r\",\"instance_id\":\"i\"}]}",
            NULL);

    _cleanup_ (leased_worker_release) leased_worker_t *held = leased_worker_hold (list.workers [0]);
    lease_list_clear (&list);

    assert_string_equal (held->worker.subject, "r/i");
    assert_string_equal (held->worker.instance_id, "i");
}

static void
configured_regions_are_words_apart_by_commas (void **state)
{
    (void) state;
    _cleanup_ (lease_list_clear) lease_list_t list = {0};

    assert_int_equal (lease_list_configured (&list, "us-east-1, eu-west-1,"), 0);

    assert_int_equal (list.regions_count, 2);
    assert_string_equal (list.regions [1], "eu-west-1");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (workers_have_their_facts_and_their_subject),
        cmocka_unit_test (worker_that_cannot_be_named_is_left_out),
        cmocka_unit_test (answer_without_an_epoch_or_of_another_kind_is_refused),
        cmocka_unit_test (times_out_of_bounds_are_our_own_instead),
        cmocka_unit_test (it_never_ends_before_it_is_to_be_renewed),
        cmocka_unit_test (worker_that_is_held_outlives_its_list),
        cmocka_unit_test (configured_regions_are_words_apart_by_commas),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
