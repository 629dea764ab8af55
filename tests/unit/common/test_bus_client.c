//  A client of ours before a server that is silent or strange.

#include "control_rig.h"

//  What a client of ours asked, as a ROUTER hears it: whom to answer, and the number.
typedef struct question {
    zframe_t *who, *number;
} question_t;

static void
forget_question (question_t *self)
{
    zframe_destroy (&self->who);
    zframe_destroy (&self->number);
}

static question_t
take_question (void)
{
    _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (raw);
    assert_non_null (msg);
    assert_int_equal (zmsg_size (msg), 5);
    question_t self = {.who = zmsg_pop (msg)};
    _cleanup_ (zframe_destroy) zframe_t *mark = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *operation = zmsg_pop (msg);
    assert_true (zframe_streq (mark, "request"));
    assert_true (zframe_streq (operation, "echo"));
    self.number = zmsg_pop (msg);
    return self;
}

static void
answer_raw (const question_t *question, const char *body)
{
    zmsg_t *msg = zmsg_new ();

    zmsg_addmem (msg, zframe_data (question->who), zframe_size (question->who));
    zmsg_addstr (msg, "reply");
    zmsg_addstr (msg, "echo");
    zmsg_addmem (msg, zframe_data (question->number), zframe_size (question->number));
    zmsg_addstr (msg, body);
    assert_int_equal (zmsg_send (&msg, raw), 0);
}

static void
silence_is_told_once_when_the_time_of_each_question_is_over (void **state)
{
    (void) state;
    heard_t patient = {0}, first = {0}, second = {0};
    moment_t start = clock_now ();
    open_raw_server ();

    ask (&patient, "echo", "{\"text\":\"1\"}", 6 * PATIENCE_MS);
    ask (&first, "echo", "{}", 5);
    await (&first);
    ask (&second, "echo", "{}", 5);
    await (&second);
    loop_turn (loop, 0);

    assert_true (clock_now ().steady - start.steady >= 10 * MS_US);
    assert_int_equal (first.code, -ETIMEDOUT);
    assert_int_equal (second.code, -ETIMEDOUT);
    assert_int_equal (first.count + second.count, 2);
    assert_float_equal (counted ("cmlwatch_control_timeouts_total"), 2, 0);
    assert_int_equal (patient.count, 0);
    _cleanup_ (forget_question) question_t question = take_question ();
    answer_raw (&question, "{}");
    await (&patient);
    assert_int_equal (patient.code, 0);
}

static void
question_without_time_is_still_not_answered_within_the_call (void **state)
{
    (void) state;
    heard_t heard [WAITING_MAX] = {0};
    open_client ("tcp://127.0.0.1:9");

    for (int round = 0; round < 3; round++) {  //  a timeout frees the place
        for (int i = 0; i < WAITING_MAX; i++) {
            heard [i] = (heard_t){0};
            ask (&heard [i], "echo", "{}", 0);
        }
        for (int i = 0; i < WAITING_MAX; i++) {
            await (&heard [i]);
            assert_int_equal (heard [i].code, -ETIMEDOUT);
            assert_int_equal (heard [i].count, 1);
        }
    }
}

static void
answers_find_their_question_in_any_order (void **state)
{
    (void) state;
    heard_t first = {0}, second = {0};
    open_raw_server ();
    ask (&first, "echo", "{}", PATIENCE_MS);
    ask (&second, "echo", "{}", PATIENCE_MS);

    _cleanup_ (forget_question) question_t one = take_question ();
    _cleanup_ (forget_question) question_t two = take_question ();
    answer_raw (&two, "{\"text\":\"second\"}");
    answer_raw (&one, "{\"text\":\"first\"}");
    await (&first);
    await (&second);

    assert_string_equal (first.text, "first");
    assert_string_equal (second.text, "second");
}

static void
answer_that_comes_late_or_twice_is_counted_and_heard_by_nobody (void **state)
{
    (void) state;
    heard_t late = {0}, twice = {0};
    open_raw_server ();

    ask (&late, "echo", "{}", 1);
    await (&late);
    _cleanup_ (forget_question) question_t missed = take_question ();
    answer_raw (&missed, "{}");
    await_count ("cmlwatch_control_late_total", 1);
    assert_int_equal (late.count, 1);

    ask (&twice, "echo", "{}", PATIENCE_MS);
    _cleanup_ (forget_question) question_t question = take_question ();
    answer_raw (&question, "{}");
    answer_raw (&question, "{}");
    await_count ("cmlwatch_control_late_total", 2);
    assert_int_equal (twice.count, 1);
    assert_int_equal (twice.code, 0);
}

static void
answer_that_is_no_object_is_an_error (void **state)
{
    (void) state;
    static const char *const BODIES [] = {
        "", "{", "null", "[]", "\"x\"", "{}x", "{\"error\":{}}", "{\"error\":{\"message\":7}}"};
    open_raw_server ();

    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        heard_t heard = {0};
        ask (&heard, "echo", "{}", PATIENCE_MS);
        _cleanup_ (forget_question) question_t question = take_question ();
        answer_raw (&question, BODIES [i]);
        await (&heard);
        if (heard.code != -EREMOTEIO || !heard.error [0]) {
            fail_msg ("%s: %d", BODIES [i], heard.code);
        }
    }
}

static void
answer_of_wrong_frames_leaves_the_question_waiting (void **state)
{
    (void) state;
    static const char *const WRONG [][5] = {
        {"reply", NULL},
        {"reply", "echo", "1", NULL},
        {"request", "echo", "1", "{}", NULL},
        {"reply", "echo", "", "{}", NULL},
        {"reply", "echo", "0", "{}", NULL},
        {"reply", "echo", "2", "{}", NULL},
        {"reply", "echo", "-1", "{}", NULL},
        {"reply", "echo", "1x", "{}", NULL},
        {"reply", "echo", "100000000000000000000000000000000", "{}", NULL},
    };
    const size_t count = sizeof WRONG / sizeof *WRONG;
    heard_t heard = {0};
    open_raw_server ();
    ask (&heard, "echo", "{}", PATIENCE_MS);
    _cleanup_ (forget_question) question_t question = take_question ();

    for (size_t i = 0; i < count; i++) {
        zmsg_t *msg = zmsg_new ();
        zmsg_addmem (msg, zframe_data (question.who), zframe_size (question.who));
        for (size_t frame = 0; frame < 5 && WRONG [i][frame]; frame++) {
            zmsg_addstr (msg, WRONG [i][frame]);
        }
        assert_int_equal (zmsg_send (&msg, raw), 0);
    }
    await_count ("cmlwatch_control_late_total", (double) count);
    assert_int_equal (heard.count, 0);
    answer_raw (&question, "{\"text\":\"right\"}");
    await (&heard);

    assert_string_equal (heard.text, "right");
}

static void
client_that_is_destroyed_leaves_its_questions_unanswered (void **state)
{
    (void) state;
    heard_t heard = {0};
    open_both ();
    ask (&heard, "echo", "{}", 1);

    bus_client_destroy (&client);
    await_count ("cmlwatch_control_requests_total", 1);
    loop_turn (loop, 5);

    assert_int_equal (heard.count, 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (silence_is_told_once_when_the_time_of_each_question_is_over),
        TEST (question_without_time_is_still_not_answered_within_the_call),
        TEST (answers_find_their_question_in_any_order),
        TEST (answer_that_comes_late_or_twice_is_counted_and_heard_by_nobody),
        TEST (answer_that_is_no_object_is_an_error),
        TEST (answer_of_wrong_frames_leaves_the_question_waiting),
        TEST (client_that_is_destroyed_leaves_its_questions_unanswered),
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
