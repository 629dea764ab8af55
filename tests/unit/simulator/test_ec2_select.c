// test_ec2_select.c - filters and pages of the simulated EC2, without HTTP around them.

#include "../../simulator/ec2_select.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>  //  needs the four above it

#include <stdio.h>
#include <string.h>

typedef struct stage {
    curves_t *curves;
    world_t *world;
} stage_t;

static int
set_stage (void **state)
{
    static stage_t stage;
    const world_settings_t settings = {
        .instances = 13, .regions = "us-east-1", .seed = 1, .speed = 1, .transition_us = SECOND_US};

    stage.curves = curves_new ("", 1, 0, NULL);
    stage.world = world_new (&settings, stage.curves, (moment_t){.wall = HOUR_US}, NULL);
    *state = &stage;
    return stage.world ? 0 : -1;
}

static int
clear_stage (void **state)
{
    stage_t *stage = *state;

    world_destroy (&stage->world);
    curves_destroy (&stage->curves);
    return 0;
}

typedef struct question {
    form_t *form;
    aws_call_t call;
    ec2_selection_t selection;
    int rc;
} question_t;

static void
question_clear (question_t *self)
{
    ec2_selection_clear (&self->selection);
    form_destroy (&self->form);
}

static const aws_key_t KEY = {.account = KEY_ACCOUNT};

static question_t
ask (const stage_t *stage, const char *text)
{
    const ec2_rules_t rules = {.scope = EC2_INSTANCES, .ids_max = EC2_IDS_MAX};
    question_t question = {.form = form_new (text, strlen (text), NULL)};

    assert_non_null (question.form);
    question.call = (aws_call_t){
        .world = stage->world, .form = question.form, .region = "us-east-1", .key = &KEY};
    question.rc = ec2_select (&question.call, &rules, &question.selection);
    return question;
}

static size_t
count_of (const stage_t *stage, const char *text)
{
    _cleanup_ (question_clear) question_t question = ask (stage, text);

    assert_int_equal (question.rc, 0);
    return question.selection.count;
}

static void
patterns_fit_as_ec2_has_them (void **state)
{
    (void) state;

    assert_true (ec2_fits ("cml-*", "cml-train-01"));
    assert_true (ec2_fits ("*a*b*", "xxaxxbxx"));
    assert_true (ec2_fits ("?m?", "cml"));
    assert_true (ec2_fits ("*", ""));
    assert_true (ec2_fits ("100\\%\\*", "100%*"));
    assert_false (ec2_fits ("cml", "cml-1"));
    assert_false (ec2_fits ("CML", "cml"));
    assert_false (ec2_fits ("a\\*", "ab"));
    assert_false (ec2_fits ("?", ""));
    assert_false (ec2_fits ("*a*b", "ab!"));
}

static void
values_of_a_filter_are_ored_and_filters_anded (void **state)
{
    const stage_t *stage = *state;

    assert_int_equal (count_of (stage, "Filter.1.Name=tag:Name&Filter.1.Value.1=cml-train-01"
                                       "&Filter.1.Value.2=cml-exam-*"),
                      4);
    assert_int_equal (count_of (stage, "Filter.1.Name=tag:Name&Filter.1.Value.1=cml-exam-*"
                                       "&Filter.2.Name=tag:Name&Filter.2.Value.1=*-02"),
                      1);
}

static void
tag_key_asks_for_the_key_alone (void **state)
{
    const stage_t *stage = *state;

    assert_int_equal (count_of (stage, "Filter.1.Name=tag-key&Filter.1.Value.1=Team"), 13);
    assert_int_equal (count_of (stage, "Filter.1.Name=tag-key&Filter.1.Value.1=team"), 0);
    assert_int_equal (count_of (stage, "Filter.1.Name=tag-key&Filter.1.Value.1=aws:*"), 2);
}

static void
states_and_images_are_filtered_by (void **state)
{
    const stage_t *stage = *state;
    world_set_state (stage->world, world_at (stage->world, 3), INSTANCE_STOPPED);

    assert_int_equal (
        count_of (stage, "Filter.1.Name=instance-state-name&Filter.1.Value.1=stopped"), 1);
    assert_int_equal (count_of (stage, "Filter.1.Name=image-id&Filter.1.Value.1=ami-*"), 13);
    assert_int_equal (count_of (stage, "Filter.1.Name=image-id&Filter.1.Value.1=ami-1*"), 0);
}

static void
pages_hold_every_instance_once (void **state)
{
    const stage_t *stage = *state;
    char text [120] = "MaxResults=5";
    size_t sizes [3], pages = 0;
    const instance_t *seen [13];
    size_t count = 0;

    do {
        _cleanup_ (question_clear) question_t question = ask (stage, text);
        assert_int_equal (question.rc, 0);
        for (size_t i = 0; i < question.selection.count; i++) {
            seen [count++] = question.selection.instances [i];
        }
        sizes [pages++] = question.selection.count;
        snprintf (text, sizeof text, "MaxResults=5&NextToken=%s", question.selection.next_token);
        if (!question.selection.next_token [0]) {
            break;
        }
    } while (pages < 3);

    assert_int_equal (pages, 3);
    assert_int_equal (sizes [0] + sizes [1] + sizes [2], 13);
    assert_int_equal (sizes [2], 3);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal (seen [i], world_at (stage->world, i));
    }
}

static void
an_instance_that_vanishes_between_pages_costs_no_other_its_place (void **state)
{
    const stage_t *stage = *state;
    char text [120];
    _cleanup_ (question_clear) question_t first = ask (stage, "MaxResults=5");
    snprintf (text, sizeof text, "MaxResults=5&NextToken=%s", first.selection.next_token);

    world_vanish (stage->world, world_at (stage->world, 1));
    _cleanup_ (question_clear) question_t second = ask (stage, text);

    assert_int_equal (second.rc, 0);
    assert_ptr_equal (second.selection.instances [0], world_at (stage->world, 5));
}

static void
a_token_is_good_for_its_own_question_only (void **state)
{
    const stage_t *stage = *state;
    char text [120];
    _cleanup_ (question_clear) question_t first = ask (stage, "MaxResults=5");

    snprintf (text, sizeof text, "MaxResults=6&NextToken=%s", first.selection.next_token);
    _cleanup_ (question_clear) question_t other = ask (stage, text);

    assert_int_not_equal (other.rc, 0);
    assert_string_equal (other.call.refusal.code, "InvalidPaginationToken");
}

static void
one_unknown_id_fails_the_whole_call (void **state)
{
    const stage_t *stage = *state;
    char text [120];
    snprintf (text, sizeof text, "InstanceId.1=%s&InstanceId.2=i-0123456789abcdef0",
              world_at (stage->world, 0)->id);

    _cleanup_ (question_clear) question_t question = ask (stage, text);

    assert_int_not_equal (question.rc, 0);
    assert_string_equal (question.call.refusal.code, "InvalidInstanceID.NotFound");
}

int
main (void)
{
#define STAGED(test) cmocka_unit_test_setup_teardown (test, set_stage, clear_stage)
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (patterns_fit_as_ec2_has_them),
        STAGED (values_of_a_filter_are_ored_and_filters_anded),
        STAGED (tag_key_asks_for_the_key_alone),
        STAGED (states_and_images_are_filtered_by),
        STAGED (pages_hold_every_instance_once),
        STAGED (an_instance_that_vanishes_between_pages_costs_no_other_its_place),
        STAGED (a_token_is_good_for_its_own_question_only),
        STAGED (one_unknown_id_fails_the_whole_call),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
