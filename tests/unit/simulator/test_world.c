// test_world.c - instances and time: states that pass, checks, addresses, what runs faster.

#include "../../simulator/world.h"

#include "../../../common/cleanup.h"
#include "../../simulator/director.h"
#include "../../simulator/labs.h"
#include "../../simulator/measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>  //  needs the four above it

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define NOON (1763640000 * SECOND_US)  //  a multiple of five minutes

typedef struct stage {
    curves_t *curves;
    world_t *world;
    moment_t now;
} stage_t;

static void
pass (stage_t *stage, time_us_t us)
{
    stage->now.wall += us;
    stage->now.steady += us;
    world_tick (stage->world, stage->now);
}

static int
set_stage (void **state, double speed, const char *regions)
{
    static stage_t stage;
    const world_settings_t settings = {.instances = 6,
                                       .regions = regions,
                                       .seed = 1,
                                       .speed = speed,
                                       .transition_us = 10 * SECOND_US};

    stage.now = (moment_t){.wall = NOON, .steady = HOUR_US};
    stage.curves = curves_new ("", 1, NOON, NULL);
    stage.world = world_new (&settings, stage.curves, stage.now, NULL);
    *state = &stage;
    return stage.world ? 0 : -1;
}

static int
at_real_speed (void **state)
{
    return set_stage (state, 1, "us-east-1");
}

static int
sixty_times_as_fast (void **state)
{
    return set_stage (state, 60, "us-east-1,eu-central-1");
}

static int
clear_stage (void **state)
{
    stage_t *stage = *state;

    world_destroy (&stage->world);
    curves_destroy (&stage->curves);
    return 0;
}

static void
a_stopped_instance_passes_through_stopping_and_loses_its_address (void **state)
{
    stage_t *stage = *state;
    instance_t *instance = world_at (stage->world, 0);

    assert_int_equal (world_order (stage->world, instance, WORLD_STOP), 0);
    assert_int_equal (instance->state, INSTANCE_STOPPING);
    assert_int_equal (world_order (stage->world, instance, WORLD_START), -EINVAL);
    pass (stage, 10 * SECOND_US);

    assert_int_equal (instance->state, INSTANCE_STOPPED);
    assert_false (instance_has_address (instance));
    assert_string_equal (world_check (stage->world, instance, &instance->system_check),
                         "not-applicable");
    assert_int_equal (labs_running (&instance->cml), 0);
}

static void
a_started_instance_gets_another_address_and_its_cml_later (void **state)
{
    stage_t *stage = *state;
    instance_t *instance = world_at (stage->world, 0);
    char before [16];
    memcpy (before, instance->public_ip, sizeof before);
    world_set_state (stage->world, instance, INSTANCE_STOPPED);

    world_order (stage->world, instance, WORLD_START);
    pass (stage, 10 * SECOND_US);

    assert_int_equal (instance->state, INSTANCE_RUNNING);
    assert_string_not_equal (instance->public_ip, before);
    assert_false (world_cml_answers (stage->world, instance));
    assert_string_equal (world_check (stage->world, instance, &instance->system_check),
                         "initializing");
    pass (stage, 10 * SECOND_US);
    assert_true (world_cml_answers (stage->world, instance));
    assert_false (world_cml_ready (stage->world, instance));
    pass (stage, 30 * SECOND_US);
    assert_true (world_cml_ready (stage->world, instance));
    assert_string_equal (world_check (stage->world, instance, &instance->system_check), "ok");
}

static void
a_terminated_instance_is_listed_for_an_hour_and_leaves_its_slot (void **state)
{
    stage_t *stage = *state;
    instance_t *instance = world_at (stage->world, 2);
    char id [24];
    memcpy (id, instance->id, sizeof id);

    world_order (stage->world, instance, WORLD_TERMINATE);
    pass (stage, 10 * SECOND_US);
    assert_int_equal (instance->state, INSTANCE_TERMINATED);
    pass (stage, 59 * MINUTE_US);
    assert_ptr_equal (world_find (stage->world, id), instance);
    pass (stage, MINUTE_US);

    assert_null (world_find (stage->world, id));
    assert_null (world_at (stage->world, 2));
    const instance_t *newcomer = world_appear (stage->world);
    assert_int_equal (newcomer->slot, 2);
    assert_string_not_equal (newcomer->id, id);
    assert_int_equal (newcomer->state, INSTANCE_PENDING);
}

static void
an_address_is_on_127_8_and_finds_its_instance (void **state)
{
    stage_t *stage = *state;

    for (size_t slot = 0; slot < world_slots (stage->world); slot++) {
        const instance_t *instance = world_at (stage->world, slot);
        assert_int_equal (strncmp (instance->public_ip, "127.", 4), 0);
        assert_int_not_equal (strncmp (instance->public_ip, "127.0.0.", 8), 0);
        assert_ptr_equal (world_find_address (stage->world, inet_addr (instance->public_ip)),
                          instance);
    }
    assert_null (world_find_address (stage->world, inet_addr ("127.0.0.1")));
}

static void
an_impairment_ends_by_itself_or_by_mending (void **state)
{
    stage_t *stage = *state;
    instance_t *brief = world_at (stage->world, 0), *lasting = world_at (stage->world, 1);

    world_impair (stage->world, &brief->system_check, MINUTE_US);
    world_impair (stage->world, &lasting->system_check, WORLD_FOR_EVER);
    assert_string_equal (world_check (stage->world, brief, &brief->system_check), "impaired");
    pass (stage, MINUTE_US);

    assert_string_equal (world_check (stage->world, brief, &brief->system_check), "ok");
    assert_string_equal (world_check (stage->world, lasting, &lasting->system_check), "impaired");
    world_mend (lasting);
    assert_string_equal (world_check (stage->world, lasting, &lasting->system_check), "ok");
}

static void
speed_moves_what_happens_and_the_data_but_not_the_stamps (void **state)
{
    stage_t *stage = *state;
    instance_t *instance = world_at (stage->world, 0);

    world_order (stage->world, instance, WORLD_STOP);
    pass (stage, SECOND_US);

    assert_int_equal (instance->state, INSTANCE_STOPPED);
    assert_int_equal (world_elapsed (stage->world), MINUTE_US);
    assert_int_equal (world_position (stage->world, stage->now.wall), MINUTE_US);
    assert_int_equal (world_position (stage->world, stage->now.wall - 5 * MINUTE_US),
                      -4 * MINUTE_US);
}

static void
regions_share_the_instances (void **state)
{
    stage_t *stage = *state;

    assert_string_equal (world_at (stage->world, 0)->region, "us-east-1");
    assert_string_equal (world_at (stage->world, 1)->region, "eu-central-1");
    assert_string_equal (world_at (stage->world, 2)->region, "us-east-1");
}

static void
the_same_seed_gives_the_same_world (void **state)
{
    const stage_t *stage = *state;
    const world_settings_t settings = {
        .instances = 6, .regions = "us-east-1", .seed = 1, .speed = 1, .transition_us = SECOND_US};
    const world_settings_t other = {
        .instances = 6, .regions = "us-east-1", .seed = 2, .speed = 1, .transition_us = SECOND_US};

    _cleanup_ (world_destroy) world_t *again =
        world_new (&settings, stage->curves, stage->now, NULL);
    _cleanup_ (world_destroy) world_t *another =
        world_new (&other, stage->curves, stage->now, NULL);

    assert_string_equal (world_at (again, 3)->id, world_at (stage->world, 3)->id);
    assert_string_not_equal (world_at (another, 3)->id, world_at (stage->world, 3)->id);
}

static void
wrong_regions_are_named (void **state)
{
    const stage_t *stage = *state;
    const world_settings_t settings = {
        .instances = 1, .regions = "us-east-1,Mars!", .seed = 1, .speed = 1, .transition_us = 1};
    reason_t why = {0};

    assert_null (world_new (&settings, stage->curves, stage->now, &why));
    assert_non_null (strstr (why.text, "'Mars!' is no region"));
}

//  --- measures

static void
a_point_is_there_one_to_two_minutes_after_its_period (void **state)
{
    stage_t *stage = *state;
    const instance_t *instance = world_at (stage->world, 0);
    const dimension_t dimension = {"InstanceId", instance->id};
    time_us_t step = instance->detailed ? MINUTE_US : 5 * MINUTE_US;
    measure_t measure;
    datapoint_t point;

    assert_true (measure_find (stage->world, "us-east-1", "AWS/EC2", "CPUUtilization", &dimension,
                               1, &measure));
    assert_false (measure_point (stage->world, &measure, NOON, step, &point));
    pass (stage, step + MINUTE_US - 1);
    assert_false (measure_point (stage->world, &measure, NOON, step, &point));
    pass (stage, MINUTE_US);
    assert_true (measure_point (stage->world, &measure, NOON, step, &point));
    assert_int_equal (point.samples, 1);
}

static void
a_metric_is_found_by_its_exact_dimensions_only (void **state)
{
    const stage_t *stage = *state;
    const instance_t *instance = world_at (stage->world, 0);
    const dimension_t right [] = {{"InstanceType", instance->type->name},
                                  {"InstanceId", instance->id},
                                  {"ImageId", instance->image->id}};
    measure_t measure;

    assert_true (measure_find (stage->world, "us-east-1", "CWAgent", "mem_used_percent", right, 3,
                               &measure));
    assert_false (measure_find (stage->world, "us-east-1", "CWAgent", "mem_used_percent", right, 2,
                                &measure));
    assert_false (measure_find (stage->world, "eu-west-1", "CWAgent", "mem_used_percent", right, 3,
                                &measure));
}

static void
an_instance_without_agent_has_no_metrics_of_it (void **state)
{
    const stage_t *stage = *state;
    const instance_t *instance = world_at (stage->world, 5);
    measure_t measures [MEASURES_PER_INSTANCE];

    assert_int_equal (instance->agent, AGENT_NONE);
    assert_int_equal (measure_list (instance, measures), 3);
}

//  --- labs and the director

static void
a_started_lab_boots_its_nodes_one_after_another (void **state)
{
    stage_t *stage = *state;
    cml_t *cml = &world_at (stage->world, 0)->cml;
    lab_t *lab = labs_import (cml, 42, "exam", NOON);
    uint64_t before = cml->activity_count;

    labs_set (cml, lab, LAB_STARTED, world_elapsed (stage->world), NOON);

    assert_string_equal (labs_node_state (lab, 0, 0), "STARTED");
    assert_string_equal (labs_node_state (lab, 1, 0), "QUEUED");
    assert_string_equal (labs_node_state (lab, 0, 20 * SECOND_US), "BOOTED");
    assert_int_equal (cml->activity_count, before + 2);
    pass (stage, 10 * MINUTE_US);
    assert_string_equal (cml->activities [cml->activity_count - 1].category, "boot_node");
}

static scenario_t *
scenario_of (const char *text)
{
    _cleanup_ (string_destroy) char *copy = strdup (text);

    return scenario_parse (copy, "x", NULL);
}

static size_t
in_state (const stage_t *stage, instance_state_t wanted)
{
    size_t count = 0;

    for (size_t slot = 0; slot < world_slots (stage->world); slot++) {
        const instance_t *instance = world_at (stage->world, slot);
        count += instance && instance->state == wanted;
    }
    return count;
}

static void
a_repeating_step_happens_once_after_a_stall (void **state)
{
    stage_t *stage = *state;
    _cleanup_ (faults_destroy) faults_t *faults = faults_new ();
    _cleanup_ (scenario_destroy) scenario_t *scenario = scenario_of ("every 1m stop any");
    _cleanup_ (director_destroy) director_t *director =
        director_new (scenario, stage->world, faults, 1, NULL);

    pass (stage, 59 * SECOND_US);
    director_tick (director);
    assert_int_equal (in_state (stage, INSTANCE_STOPPING), 0);
    pass (stage, 10 * MINUTE_US);
    director_tick (director);
    assert_int_equal (in_state (stage, INSTANCE_STOPPING), 1);
    pass (stage, MINUTE_US);
    director_tick (director);

    assert_int_equal (in_state (stage, INSTANCE_STOPPING), 1);
    assert_int_equal (in_state (stage, INSTANCE_STOPPED), 1);
}

static void
a_fault_of_the_scenario_lasts_by_its_clock (void **state)
{
    stage_t *stage = *state;
    _cleanup_ (faults_destroy) faults_t *faults = faults_new ();
    _cleanup_ (scenario_destroy) scenario_t *scenario =
        scenario_of ("at 1m fault cml unreachable on #2 for 2m");
    _cleanup_ (director_destroy) director_t *director =
        director_new (scenario, stage->world, faults, 1, NULL);
    const char *id = world_at (stage->world, 1)->id;

    pass (stage, SECOND_US);
    director_tick (director);

    assert_true (faults_hold (faults, "cml", id, FAULT_UNREACHABLE, stage->now.steady));
    assert_false (faults_hold (faults, "cml", "i-other", FAULT_UNREACHABLE, stage->now.steady));
    assert_false (
        faults_hold (faults, "cml", id, FAULT_UNREACHABLE, stage->now.steady + 2 * SECOND_US));
}

static void
a_step_for_an_instance_that_is_not_there_is_refused (void **state)
{
    stage_t *stage = *state;
    _cleanup_ (faults_destroy) faults_t *faults = faults_new ();
    _cleanup_ (scenario_destroy) scenario_t *scenario = scenario_of ("\nat 1m stop #7");
    reason_t why = {0};

    assert_null (director_new (scenario, stage->world, faults, 1, &why));

    assert_non_null (strstr (why.text, "line 2: #7 is not there; instances are #1 to #6"));
}

int
main (void)
{
#define SLOW(test) cmocka_unit_test_setup_teardown (test, at_real_speed, clear_stage)
#define FAST(test) cmocka_unit_test_setup_teardown (test, sixty_times_as_fast, clear_stage)
    const struct CMUnitTest tests [] = {
        SLOW (a_stopped_instance_passes_through_stopping_and_loses_its_address),
        SLOW (a_started_instance_gets_another_address_and_its_cml_later),
        SLOW (a_terminated_instance_is_listed_for_an_hour_and_leaves_its_slot),
        SLOW (an_address_is_on_127_8_and_finds_its_instance),
        SLOW (an_impairment_ends_by_itself_or_by_mending),
        FAST (speed_moves_what_happens_and_the_data_but_not_the_stamps),
        FAST (regions_share_the_instances),
        SLOW (the_same_seed_gives_the_same_world),
        SLOW (wrong_regions_are_named),
        SLOW (a_point_is_there_one_to_two_minutes_after_its_period),
        SLOW (a_metric_is_found_by_its_exact_dimensions_only),
        SLOW (an_instance_without_agent_has_no_metrics_of_it),
        SLOW (a_started_lab_boots_its_nodes_one_after_another),
        SLOW (a_repeating_step_happens_once_after_a_stall),
        FAST (a_fault_of_the_scenario_lasts_by_its_clock),
        SLOW (a_step_for_an_instance_that_is_not_there_is_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
