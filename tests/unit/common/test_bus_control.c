#include "control_rig.h"

//  --- both sides ours

static void
question_is_answered_with_an_object_and_payload_frames (void **state)
{
    (void) state;
    heard_t heard = {0};
    open_both ();

    ask (&heard, "echo", "{\"text\":\"\\u00e9\"}", PATIENCE_MS);
    await (&heard);

    assert_int_equal (heard.code, 0);
    assert_string_equal (heard.text, "\xc3\xa9");
    assert_int_equal (heard.frames, 2);
    assert_int_equal (heard.size, 3);
    assert_int_equal (served, 1);
}

static void
answer_of_megabytes_arrives_whole (void **state)
{
    (void) state;
    heard_t heard = {0};
    open_both ();

    ask (&heard, "send_much", "{}", PATIENCE_MS);
    await (&heard);

    assert_int_equal (heard.code, 0);
    assert_int_equal (heard.size, 3 * 1024 * 1024);
}

static void
refusal_is_an_error_with_its_sentence (void **state)
{
    (void) state;
    static const char *const ROWS [][3] = {
        {"refuse", "{}", "come \"back\" later"},
        {"say_nothing", "{}", "no answer"},
        {"unheard_of", "{}", "no such operation"},
        {"", "{}", "no such operation"},
        {"echo", "{", "not JSON"},
        {"echo", "", "not JSON"},
        {"echo", "[]", "not a JSON object"},
        {"echo", "null", "not a JSON object"},
        {"echo", "{}{}", "more than one value"},
    };
    const int count = sizeof ROWS / sizeof *ROWS;
    open_both ();

    for (int i = 0; i < count; i++) {
        heard_t heard = {0};
        ask (&heard, ROWS [i][0], ROWS [i][1], PATIENCE_MS);
        await (&heard);
        assert_int_equal (heard.code, -EREMOTEIO);
        assert_false (heard.is_object);
        if (!strstr (heard.error, ROWS [i][2])) {
            fail_msg ("%s %s: %s", ROWS [i][0], ROWS [i][1], heard.error);
        }
    }
    assert_int_equal (served, 0);
    assert_float_equal (counted ("cmlwatch_control_refused_total"), count, 0);
}

static void
question_over_the_bound_is_refused_unread (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t huge = {0};
    heard_t over = {0}, within = {0};
    buffer_format (&huge, "{\"a\":%*d}", (int) OBSERVATION_BYTES_MAX - 5, 1);
    open_both ();

    ask (&over, "echo", huge.data, PATIENCE_MS);
    await (&over);
    assert_int_equal (huge.size, OBSERVATION_BYTES_MAX + 1);
    assert_int_equal (over.code, -EREMOTEIO);
    assert_int_equal (served, 0);
    huge.data [huge.size - 2] = '}';
    huge.data [huge.size - 3] = '1';
    huge.data [huge.size - 1] = '\0';
    ask (&within, "echo", huge.data, PATIENCE_MS);
    await (&within);

    assert_int_equal (within.code, 0);
}

typedef struct again {
    heard_t heard;
    int left;
} again_t;

static void
ask_again (void *argument, const bus_answer_t *answer)
{
    again_t *self = argument;

    assert_int_equal (answer->code, 0);
    if (--self->left > 0) {
        assert_int_equal (bus_client_ask (client, "echo", "{}", 2, PATIENCE_MS, ask_again, self),
                          0);
    } else {
        self->heard.count = 1;
    }
}

static void
question_may_be_asked_while_one_is_answered (void **state)
{
    (void) state;
    again_t again = {.left = 200};
    open_both ();

    assert_int_equal (bus_client_ask (client, "echo", "{}", 2, PATIENCE_MS, ask_again, &again), 0);
    await (&again.heard);

    assert_int_equal (served, 200);
}

static void
sixty_four_questions_wait_and_no_more (void **state)
{
    (void) state;
    heard_t heard [WAITING_MAX] = {0}, more = {0};
    open_both ();

    for (int i = 0; i < WAITING_MAX; i++) {
        ask (&heard [i], "echo", "{}", PATIENCE_MS);
    }
    assert_int_equal (bus_client_ask (client, "echo", "{}", 2, PATIENCE_MS, on_answer, &more),
                      -EAGAIN);
    for (int i = 0; i < WAITING_MAX; i++) {
        await (&heard [i]);
        assert_int_equal (heard [i].count, 1);
        assert_int_equal (heard [i].code, 0);
    }
    assert_int_equal (more.count, 0);
    ask (&more, "echo", "{}", PATIENCE_MS);
    await (&more);

    assert_int_equal (more.code, 0);
}

//  --- answered later

static void
await_deferred (void)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (!deferred && clock_now ().steady < end) {
        loop_turn (loop, 10);
    }
    assert_non_null (deferred);
}

static void
question_that_is_deferred_is_answered_later_and_keeps_nobody_waiting (void **state)
{
    (void) state;
    heard_t later = {0}, meanwhile = {0};
    open_both ();
    deferred = NULL;

    ask (&later, "defer", "{\"text\":\"said\"}", PATIENCE_MS);
    await_deferred ();
    ask (&meanwhile, "echo", "{}", PATIENCE_MS);
    await (&meanwhile);
    assert_int_equal (later.count, 0);
    assert_string_equal (json_get_text (bus_request_json (deferred), "text"), "said");
    bus_request_add (deferred, "after", 5);
    bus_request_reply (deferred, "{\"text\":\"at last\"}", 18);
    await (&later);

    assert_string_equal (later.text, "at last");
    assert_int_equal (later.frames, 2);
    assert_int_equal (later.size, 6);
    assert_float_equal (counted ("cmlwatch_control_refused_total"), 0, 0);
}

static void
answer_to_one_who_has_gone_is_nothing (void **state)
{
    (void) state;
    heard_t lost = {0}, next = {0};
    open_both ();
    deferred = NULL;

    ask (&lost, "defer", "{}", PATIENCE_MS);
    await_deferred ();
    bus_client_destroy (&client);
    bus_request_reply (deferred, "{}", 2);
    open_client (bus_server_endpoint (server));
    ask (&next, "echo", "{}", PATIENCE_MS);
    await (&next);

    assert_int_equal (next.code, 0);
    assert_int_equal (lost.count, 0);
}

static void
server_that_goes_forgets_what_was_deferred (void **state)
{
    (void) state;
    heard_t heard [3] = {0};
    open_both ();

    for (int i = 0; i < 3; i++) {
        deferred = NULL;
        ask (&heard [i], "defer", "{}", PATIENCE_MS);
        await_deferred ();
        if (i == 1) {  //  the one in between
            bus_request_refuse (deferred, "no", "no");
        }
    }
    await (&heard [1]);
    assert_int_equal (heard [1].code, -EREMOTEIO);
    bus_server_destroy (&server);

    assert_null (server);
}

//  --- a strange client

static void
request_of_wrong_frames_is_counted_and_the_next_is_served (void **state)
{
    (void) state;
    static const char *const WRONG [][4] = {
        {"", NULL},
        {"request", NULL},
        {"request", "echo", "1", NULL},
        {"reply", "echo", "1", "{}"},
        {"REQUEST", "echo", "1", "{}"},
    };
    const size_t count = sizeof WRONG / sizeof *WRONG;
    server = bus_server_new (loop, ANY_PORT, NULL, OPERATIONS, &served, metrics, NULL);
    open_raw (ZMQ_DEALER, BUS_CONNECT, bus_server_endpoint (server));

    for (size_t i = 0; i < count; i++) {
        zmsg_t *msg = zmsg_new ();
        for (size_t frame = 0; frame < 4 && WRONG [i][frame]; frame++) {
            zmsg_addstr (msg, WRONG [i][frame]);
        }
        assert_int_equal (zmsg_send (&msg, raw), 0);
    }
    zmsg_t *right = zmsg_new ();
    for (int frame = 0; frame < 1000; frame++) {  //  a payload that nobody asked for
        zmsg_addstr (right, frame == 0 ? "request" : frame == 1 ? "echo" : frame == 3 ? "{}" : "7");
    }
    assert_int_equal (zmsg_send (&right, raw), 0);
    await_count ("cmlwatch_control_requests_total", (double) count + 1);
    _cleanup_ (zmsg_destroy) zmsg_t *reply = zmsg_recv (raw);

    assert_float_equal (counted ("cmlwatch_control_refused_total"), (double) count, 0);
    assert_int_equal (served, 1);
    assert_int_equal (zmsg_size (reply), 6);
    _cleanup_ (string_destroy) char *mark = zmsg_popstr (reply);
    _cleanup_ (string_destroy) char *operation = zmsg_popstr (reply);
    _cleanup_ (string_destroy) char *number = zmsg_popstr (reply);
    assert_string_equal (mark, "reply");
    assert_string_equal (operation, "echo");
    assert_string_equal (number, "7");
}

static void
server_on_an_address_in_use_is_refused_with_a_reason (void **state)
{
    (void) state;
    reason_t why = {0};
    open_both ();

    assert_null (
        bus_server_new (loop, bus_server_endpoint (server), NULL, OPERATIONS, NULL, metrics, &why));
    assert_non_null (strstr (why.text, "in use"));
    assert_null (bus_client_new (loop, "nowhere", NULL, metrics, &why));
    assert_non_null (strstr (why.text, "nowhere"));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (question_is_answered_with_an_object_and_payload_frames),
        TEST (answer_of_megabytes_arrives_whole),
        TEST (refusal_is_an_error_with_its_sentence),
        TEST (question_over_the_bound_is_refused_unread),
        TEST (question_may_be_asked_while_one_is_answered),
        TEST (sixty_four_questions_wait_and_no_more),
        TEST (question_that_is_deferred_is_answered_later_and_keeps_nobody_waiting),
        TEST (answer_to_one_who_has_gone_is_nothing),
        TEST (server_that_goes_forgets_what_was_deferred),
        TEST (request_of_wrong_frames_is_counted_and_the_next_is_served),
        TEST (server_on_an_address_in_use_is_refused_with_a_reason),
    };
    log_open ("test", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
