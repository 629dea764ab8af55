#include "../../../collector/cml/cml_login.h"

#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

//  2026-11-20T10:33:44Z, when the tokens below were issued.
#define WALL   ((time_us_t) 1795170824 * SECOND_US)
#define STEADY (500 * SECOND_US)

// clang-format off
//  Signed by nobody; the payloads are {"sub":"9e5c…","iat":1795170824,"exp":iat+3600},
//  {"exp":1795174424.5}, {"exp":"soon","sub":7}, [1], {"iat":…,"exp":iat+10},
//  {"exp":1795170000} and {"sub":"a?>~\u00fc"}.
#define TOKEN_HOUR "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI5ZTVjMmE4ZS0xMTExLTQyMjItODMzMy00NDQ0NTU1NTY2NjYiLCJpYXQiOjE3OTUxNzA4MjQsImV4cCI6MTc5NTE3NDQyNH0.c2ln"
#define TOKEN_NO_IAT "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUxNzQ0MjQuNX0.c2ln"
#define TOKEN_ODD "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiJzb29uIiwic3ViIjo3fQ.c2ln"
#define TOKEN_ARRAY "eyJhbGciOiJIUzI1NiJ9.WzFd.c2ln"
#define TOKEN_TEN_SECONDS "eyJhbGciOiJIUzI1NiJ9.eyJpYXQiOjE3OTUxNzA4MjQsImV4cCI6MTc5NTE3MDgzNH0.c2ln"
#define TOKEN_PAST "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjE3OTUxNzAwMDB9.c2ln"
#define TOKEN_OTHER_DIGITS "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhPz5-XHUwMGZjIn0.c2ln"
// clang-format on

static const moment_t NOW = {.wall = WALL, .steady = STEADY};

static int
set_up (void **state)
{
    static cml_login_t login;

    cml_login_init (&login);
    *state = &login;
    return 0;
}

static int
tear_down (void **state)
{
    cml_login_clear (*state);
    return 0;
}

static void
claims_of_a_jwt_are_read (void **state)
{
    (void) state;

    cml_claims_t claims = cml_token_claims (TOKEN_HOUR);

    assert_int_equal (claims.issued, WALL);
    assert_int_equal (claims.expires, WALL + HOUR_US);
    assert_string_equal (claims.account_id, "9e5c2a8e-1111-4222-8333-444455556666");
}

static void
expiry_may_have_a_fraction_and_digits_of_base64url_are_known (void **state)
{
    (void) state;

    assert_int_equal (cml_token_claims (TOKEN_NO_IAT).expires, WALL + HOUR_US + SECOND_US / 2);
    assert_string_equal (cml_token_claims (TOKEN_OTHER_DIGITS).account_id, "a?>~\xc3\xbc");
}

static void
claims_of_another_shape_are_unknown (void **state)
{
    (void) state;
    const char *const tokens [] = {TOKEN_ODD, TOKEN_ARRAY, "opaque", "a.b",
                                   "a.!!!.c", "a..c",      ".."};

    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        cml_claims_t claims = cml_token_claims (tokens [i]);
        assert_int_equal (claims.expires, TIME_UNKNOWN);
        assert_int_equal (claims.issued, TIME_UNKNOWN);
        assert_string_equal (claims.account_id, "");
    }
}

static void
text_that_would_break_a_header_line_is_no_token (void **state)
{
    cml_login_t *login = *state;

    assert_int_equal (cml_login_accept (login, "a\r\nX: y", NOW), -EINVAL);
    assert_int_equal (cml_login_accept (login, "", NOW), -EINVAL);
    assert_false (cml_login_is_good (login, STEADY));
}

static void
token_is_good_until_thirty_seconds_before_it_expires (void **state)
{
    cml_login_t *login = *state;
    assert_int_equal (cml_login_accept (login, TOKEN_HOUR, NOW), 0);

    assert_true (cml_login_is_good (login, STEADY + HOUR_US - 31 * SECOND_US));
    assert_false (cml_login_is_good (login, STEADY + HOUR_US - 29 * SECOND_US));
}

static void
short_life_is_not_used_up_by_the_margin (void **state)
{
    cml_login_t *login = *state;
    assert_int_equal (cml_login_accept (login, TOKEN_TEN_SECONDS, NOW), 0);

    assert_true (cml_login_is_good (login, STEADY + 8 * SECOND_US));
    assert_false (cml_login_is_good (login, STEADY + 9 * SECOND_US));
}

static void
servers_clock_is_not_ours_when_it_says_when_it_issued (void **state)
{
    cml_login_t *login = *state;
    moment_t later = {.wall = WALL + 10 * HOUR_US, .steady = STEADY};

    assert_int_equal (cml_login_accept (login, TOKEN_HOUR, later), 0);

    assert_true (cml_login_is_good (login, STEADY + MINUTE_US));
}

static void
token_without_expiry_or_expired_on_arrival_is_used_until_refused (void **state)
{
    cml_login_t *login = *state;

    assert_int_equal (cml_login_accept (login, TOKEN_PAST, NOW), 0);
    assert_true (cml_login_is_good (login, STEADY + 1000 * HOUR_US));
    assert_int_equal (cml_login_accept (login, "opaque", NOW), 0);
    assert_true (cml_login_is_good (login, STEADY + 1000 * HOUR_US));
}

static void
refused_token_costs_one_login_a_round (void **state)
{
    cml_login_t *login = *state;
    cml_login_accept (login, TOKEN_HOUR, NOW);
    cml_login_begin_round (login);

    assert_true (cml_login_retry (login, login->generation));
    assert_false (cml_login_is_good (login, STEADY));
    cml_login_accept (login, TOKEN_HOUR, NOW);
    assert_false (cml_login_retry (login, login->generation));

    cml_login_begin_round (login);
    assert_true (cml_login_retry (login, login->generation));
}

static void
refusals_of_the_token_before_are_no_reason_for_another_login (void **state)
{
    cml_login_t *login = *state;
    cml_login_accept (login, TOKEN_HOUR, NOW);
    cml_login_begin_round (login);
    unsigned sent_with = login->generation;

    assert_true (cml_login_retry (login, sent_with));
    cml_login_accept (login, TOKEN_HOUR, NOW);

    assert_true (cml_login_retry (login, sent_with));
    assert_true (cml_login_is_good (login, STEADY));
}

static void
wrong_password_is_tried_again_after_a_pause_that_grows_to_an_hour (void **state)
{
    cml_login_t *login = *state;

    assert_int_equal (cml_login_wait (login, STEADY), 0);
    assert_int_equal (cml_login_refuse (login, STEADY), CML_LOGIN_PAUSE_LEAST);
    assert_int_equal (cml_login_wait (login, STEADY), CML_LOGIN_PAUSE_LEAST);
    assert_int_equal (cml_login_wait (login, STEADY + CML_LOGIN_PAUSE_LEAST), 0);
    assert_int_equal (cml_login_refuse (login, STEADY), 2 * CML_LOGIN_PAUSE_LEAST);
    for (int i = 0; i < 100; i++) {
        cml_login_refuse (login, STEADY);
    }
    assert_int_equal (cml_login_refuse (login, STEADY), CML_LOGIN_PAUSE_MOST);
}

static void
right_password_ends_the_pauses (void **state)
{
    cml_login_t *login = *state;
    cml_login_refuse (login, STEADY);
    cml_login_refuse (login, STEADY);

    cml_login_accept (login, TOKEN_HOUR, NOW);

    assert_int_equal (cml_login_wait (login, STEADY), 0);
    assert_int_equal (cml_login_refuse (login, STEADY), CML_LOGIN_PAUSE_LEAST);
}

static void
account_once_known_stays_known (void **state)
{
    cml_login_t *login = *state;
    cml_login_accept (login, TOKEN_HOUR, NOW);

    cml_login_accept (login, "opaque", NOW);

    assert_string_equal (login->account_id, "9e5c2a8e-1111-4222-8333-444455556666");
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (claims_of_a_jwt_are_read),
        TEST (expiry_may_have_a_fraction_and_digits_of_base64url_are_known),
        TEST (claims_of_another_shape_are_unknown),
        TEST (text_that_would_break_a_header_line_is_no_token),
        TEST (token_is_good_until_thirty_seconds_before_it_expires),
        TEST (short_life_is_not_used_up_by_the_margin),
        TEST (servers_clock_is_not_ours_when_it_says_when_it_issued),
        TEST (token_without_expiry_or_expired_on_arrival_is_used_until_refused),
        TEST (refused_token_costs_one_login_a_round),
        TEST (refusals_of_the_token_before_are_no_reason_for_another_login),
        TEST (wrong_password_is_tried_again_after_a_pause_that_grows_to_an_hour),
        TEST (right_password_ends_the_pauses),
        TEST (account_once_known_stays_known),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
