//  Time is given to loop_timers_fire, so that hours pass without waiting.

#include "../../../common/loop_timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define COUNT 100

typedef struct part {
    loop_timer_t *timer;
    int number, fired;
    struct part *other;  //  what the handler acts upon
} part_t;

static loop_t *loop;
static part_t parts [COUNT];
static int order [2 * COUNT], order_count;

static void
note (void *argument)
{
    part_t *self = argument;
    self->fired++;
    assert_true (order_count < 2 * COUNT);
    order [order_count++] = self->number;
}

static void
make (int count, loop_fn *fn)
{
    for (int i = 0; i < count; i++) {
        parts [i] = (part_t){.number = i, .timer = loop_timer_new (loop, fn, &parts [i])};
        assert_non_null (parts [i].timer);
        assert_false (loop_timer_is_set (parts [i].timer));
    }
}

static int
set_up (void **state)
{
    (void) state;
    memset (parts, 0, sizeof parts);
    order_count = 0;
    loop = loop_new (1000);
    return loop ? 0 : -1;
}

static int
tear_down (void **state)
{
    (void) state;
    for (int i = 0; i < COUNT; i++) {
        loop_timer_destroy (&parts [i].timer);
    }
    loop_destroy (&loop);
    return 0;
}

//  As if so much time had passed.
static void
pass (time_us_t time)
{
    loop_timers_fire (loop_timers (loop), clock_now ().steady + time);
}

static void
timers_fire_in_the_order_in_which_they_are_due (void **state)
{
    (void) state;
    make (COUNT, note);
    for (int i = 0; i < COUNT; i++) {
        int number = i * 37 % COUNT;  //  each once, in no order
        loop_timer_after (parts [number].timer, (number + 1) * HOUR_US);
    }

    pass (60 * HOUR_US + MINUTE_US);
    assert_int_equal (order_count, 60);
    pass (1000 * HOUR_US);

    assert_int_equal (order_count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal (order [i], i);
        assert_false (loop_timer_is_set (parts [i].timer));
    }
}

static void
stopping_and_moving_some_leaves_the_others_in_order (void **state)
{
    (void) state;
    make (COUNT, note);
    for (int i = 0; i < COUNT; i++) {
        loop_timer_after (parts [i].timer, (i * 53 % COUNT + 1) * HOUR_US);
    }

    for (int i = 0; i < COUNT; i++) {
        if (i % 3 == 0) {
            loop_timer_stop (parts [i].timer);
            loop_timer_stop (parts [i].timer);
        } else {  //  half of them up, half of them down
            loop_timer_after (parts [i].timer, (i % 2 ? i + 1 : 1000 - i) * HOUR_US);
        }
    }
    pass (2000 * HOUR_US);

    assert_int_equal (order_count, COUNT - (COUNT + 2) / 3);
    for (int i = 1; i < order_count; i++) {
        int a = order [i - 1] % 2 ? order [i - 1] + 1 : 1000 - order [i - 1];
        int b = order [i] % 2 ? order [i] + 1 : 1000 - order [i];
        assert_true (a < b);
    }
}

static void
timer_set_once_fires_once_and_is_not_set_when_it_does (void **state)
{
    (void) state;
    make (1, note);

    loop_timer_after (parts [0].timer, HOUR_US);
    loop_timer_after (parts [0].timer, 2 * HOUR_US);  //  the last setting counts
    pass (HOUR_US + MINUTE_US);
    assert_int_equal (parts [0].fired, 0);
    assert_true (loop_timer_is_set (parts [0].timer));
    pass (2 * HOUR_US + MINUTE_US);
    pass (9 * HOUR_US);

    assert_int_equal (parts [0].fired, 1);
    assert_false (loop_timer_is_set (parts [0].timer));
}

static void
every_fires_once_after_a_stall_and_keeps_its_beat (void **state)
{
    (void) state;
    make (1, note);
    loop_timer_every (parts [0].timer, HOUR_US);

    pass (5 * HOUR_US + 30 * MINUTE_US);
    assert_int_equal (parts [0].fired, 1);
    pass (5 * HOUR_US + 59 * MINUTE_US);
    assert_int_equal (parts [0].fired, 1);
    pass (6 * HOUR_US + MINUTE_US);
    assert_int_equal (parts [0].fired, 2);
    assert_true (loop_timer_is_set (parts [0].timer));

    loop_timer_after (parts [0].timer, HOUR_US);  //  no longer again and again
    pass (10 * HOUR_US);
    assert_int_equal (parts [0].fired, 3);
    assert_false (loop_timer_is_set (parts [0].timer));
}

static void
wait_is_until_the_first_due_time (void **state)
{
    (void) state;
    time_us_t now = clock_now ().steady;
    make (2, note);
    assert_int_equal (loop_timers_wait_us (loop_timers (loop), now), -1);

    loop_timer_after (parts [0].timer, 2 * HOUR_US);
    loop_timer_after (parts [1].timer, HOUR_US);
    int64_t wait = loop_timers_wait_us (loop_timers (loop), now);

    assert_true (wait >= HOUR_US && wait < HOUR_US + MINUTE_US);
    assert_int_equal (loop_timers_wait_us (loop_timers (loop), now + 2 * HOUR_US), 0);
    loop_timer_stop (parts [1].timer);
    assert_true (loop_timers_wait_us (loop_timers (loop), now) > HOUR_US);
}

static void
destroy_self (void *argument)
{
    part_t *self = argument;
    note (self);
    loop_timer_destroy (&self->timer);
    assert_null (self->timer);
}

static void
timer_may_be_destroyed_in_its_own_handler (void **state)
{
    (void) state;
    make (3, destroy_self);
    loop_timer_after (parts [0].timer, HOUR_US);
    loop_timer_every (parts [1].timer, 2 * HOUR_US);
    loop_timer_after (parts [2].timer, 3 * HOUR_US);

    pass (9 * HOUR_US);
    pass (99 * HOUR_US);

    assert_int_equal (order_count, 3);
    assert_int_equal (loop_timers_wait_us (loop_timers (loop), 0), -1);
}

static void
destroy_other (void *argument)
{
    part_t *self = argument;
    note (self);
    if (self->other) {
        loop_timer_destroy (&self->other->timer);
    }
}

static void
timer_destroyed_in_the_turn_it_is_due_does_not_fire (void **state)
{
    (void) state;
    make (3, destroy_other);
    parts [0].other = &parts [1];
    for (int i = 0; i < 3; i++) {
        loop_timer_after (parts [i].timer, (i + 1) * HOUR_US);
    }

    pass (9 * HOUR_US);

    assert_int_equal (parts [0].fired, 1);
    assert_int_equal (parts [1].fired, 0);
    assert_int_equal (parts [2].fired, 1);
}

static void
note_a_stall (void *argument)
{
    part_t *self = argument;
    self->fired++;
    order [order_count++] = loop_timer_stood_still (self->timer);
}

static void
stall_of_more_than_a_period_is_known_in_the_handler_and_never_twice_in_a_row (void **state)
{
    static const int STOOD [] = {0, 1, 0, 0, 1};
    (void) state;
    make (1, note_a_stall);
    loop_timer_every (parts [0].timer, HOUR_US);

    pass (1 * HOUR_US + MINUTE_US);
    pass (4 * HOUR_US + MINUTE_US);  //  it was due at two
    pass (8 * HOUR_US + MINUTE_US);
    pass (9 * HOUR_US + MINUTE_US);
    pass (12 * HOUR_US + MINUTE_US);

    assert_int_equal (order_count, 5);
    assert_memory_equal (order, STOOD, sizeof STOOD);
}

static void
stop_self (void *argument)
{
    part_t *self = argument;
    note (self);
    loop_timer_stop (self->timer);
}

static void
repeated_timer_may_be_stopped_in_its_own_handler (void **state)
{
    (void) state;
    make (1, stop_self);
    loop_timer_every (parts [0].timer, HOUR_US);

    pass (9 * HOUR_US);
    pass (99 * HOUR_US);

    assert_int_equal (parts [0].fired, 1);
}

static void
again_at_once (void *argument)
{
    part_t *self = argument;
    note (self);
    loop_timer_after (self->timer, 0);
}

static void
work_put_off_to_the_next_turn_waits_for_it (void **state)
{
    (void) state;
    make (1, again_at_once);
    loop_timer_after (parts [0].timer, 0);

    for (int turns = 1; turns <= COUNT; turns++) {
        time_us_t end = clock_now ().steady + 10 * SECOND_US;
        while (order_count < turns && clock_now ().steady < end) {
            loop_turn (loop, 1000);
        }
        assert_int_equal (order_count, turns);
    }
}

static void
delay_below_zero_is_due_at_once (void **state)
{
    (void) state;
    make (1, note);

    loop_timer_after (parts [0].timer, -HOUR_US);
    loop_turn (loop, 0);
    loop_turn (loop, 1000);

    assert_int_equal (parts [0].fired, 1);
}

static void
nothing_is_destroyed_without_complaint (void **state)
{
    (void) state;
    loop_timer_t *none = NULL;
    loop_t *no_loop = NULL;

    loop_timer_destroy (&none);
    loop_destroy (&no_loop);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (timers_fire_in_the_order_in_which_they_are_due),
        TEST (stopping_and_moving_some_leaves_the_others_in_order),
        TEST (timer_set_once_fires_once_and_is_not_set_when_it_does),
        TEST (every_fires_once_after_a_stall_and_keeps_its_beat),
        TEST (stall_of_more_than_a_period_is_known_in_the_handler_and_never_twice_in_a_row),
        TEST (wait_is_until_the_first_due_time),
        TEST (timer_may_be_destroyed_in_its_own_handler),
        TEST (timer_destroyed_in_the_turn_it_is_due_does_not_fire),
        TEST (repeated_timer_may_be_stopped_in_its_own_handler),
        TEST (work_put_off_to_the_next_turn_waits_for_it),
        TEST (delay_below_zero_is_due_at_once),
        TEST (nothing_is_destroyed_without_complaint),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
