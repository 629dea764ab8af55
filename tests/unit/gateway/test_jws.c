//  The vectors are RFC 7515's, appendix A.1 to A.3, with the keys given there.
#include "../../../gateway/jws.h"

#include "gateway_rig.h"

#include <errno.h>

#define PAYLOAD                                                                          \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb2" \
    "90Ijp0cnVlfQ"
#define HMAC_KEY                                                                               \
    "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0" \
    "iPS4hcgUuTwjAzZr1Z9CAow\"}"
#define HMAC_TOKEN                                      \
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD \
    ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RSA_KEY                                                                                    \
    "{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-"   \
    "Vaw"                                                                                          \
    "-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0" \
    "LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Z"  \
    "wKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"  \
    "\",\"e\":\"AQAB\"}"
#define RSA_TOKEN                                                                                  \
    "eyJhbGciOiJSUzI1NiJ9." PAYLOAD                                                                \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"       \
    "O8W2Fp5"                                                                                      \
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb" \
    "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO" \
    "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
#define EC_KEY                                                                                 \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define EC_TOKEN                    \
    "eyJhbGciOiJFUzI1NiJ9." PAYLOAD \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define ALL (JWS_RS256 | JWS_ES256 | JWS_HS256)

static int
verify (const char *keys, unsigned algorithms, const char *token, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t text = {0}, claims = {0};

    buffer_format (&text, "{\"keys\":[%s]}", keys);
    _cleanup_ (jws_keys_destroy) jws_keys_t *set = jws_keys_new (text.data, why);
    assert_non_null (set);
    int rc = jws_verify (set, algorithms, token, strlen (token), &claims, why);
    if (rc == 0) {
        assert_non_null (strstr (claims.data, "\"iss\":\"joe\""));
    } else {
        assert_int_equal (claims.size, 0);
        assert_true (*why->text != '\0');
    }
    return rc;
}

static void
vectors_of_rfc_7515_are_right (void **state)
{
    (void) state;
    static const struct {
        const char *keys, *token;
        unsigned algorithm;
    } ROWS [] = {{HMAC_KEY, HMAC_TOKEN, JWS_HS256},
                 {RSA_KEY, RSA_TOKEN, JWS_RS256},
                 {EC_KEY, EC_TOKEN, JWS_ES256},
                 {EC_KEY "," RSA_KEY "," HMAC_KEY, RSA_TOKEN, JWS_RS256}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why = {""};
        assert_int_equal (verify (ROWS [i].keys, ROWS [i].algorithm, ROWS [i].token, &why), 0);
        assert_int_equal (verify (ROWS [i].keys, ALL & ~ROWS [i].algorithm, ROWS [i].token, &why),
                          -EACCES);
    }
}

static void
any_changed_character_is_refused (void **state)
{
    (void) state;
    static const struct {
        const char *keys, *token;
    } ROWS [] = {{HMAC_KEY, HMAC_TOKEN}, {RSA_KEY, RSA_TOKEN}, {EC_KEY, EC_TOKEN}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        char *token = strdup (ROWS [i].token);
        //  The last character of a part may hold bits that base64url does not use.
        for (size_t at = 0; at + 2 < strlen (token); at += 3) {
            reason_t why = {""};
            char was = token [at];
            if (was == '.' || token [at + 1] == '.') {
                continue;
            }
            token [at] = was == 'A' ? 'B' : 'A';
            assert_int_not_equal (verify (ROWS [i].keys, ALL, token, &why), 0);
            token [at] = was;
        }
        free (token);
    }
}

static void
key_never_checks_what_it_is_not_for (void **state)
{
    (void) state;
    static const struct {
        const char *keys, *token;
    } ROWS [] = {
        {RSA_KEY, HMAC_TOKEN},
        {EC_KEY, RSA_TOKEN},
        {HMAC_KEY, EC_TOKEN},
        //  The same keys, for another use or another algorithm.
        {"{\"use\":\"enc\","
         "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8T"
         "us9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
         EC_TOKEN},
        {"{\"alg\":\"HS512\",\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
         "1qS0g"
         "ZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}",
         HMAC_TOKEN},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why = {""};
        assert_int_equal (verify (ROWS [i].keys, ALL, ROWS [i].token, &why), -ENOKEY);
    }
}

static void
what_is_no_signed_token_is_refused (void **state)
{
    (void) state;
    static const char *const TOKENS [] = {
        "",
        ".",
        "..",
        "a.b.c",
        "eyJhbGciOiJub25lIn0." PAYLOAD ".",  //  alg none
        "eyJhbGciOiJub25lIn0." PAYLOAD,
        "eyJhbGciOiJSUzI1NiJ9." PAYLOAD,  //  no signature
        "eyJhbGciOiJSUzI1NiJ9." PAYLOAD ".",
        "eyJhbGciOiJSUzI1NiJ9.." PAYLOAD,
        "eyJhbGciOiJIUzI1NiIsImNyaXQiOlsieCJdfQ." PAYLOAD ".AAAA",  //  crit
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.a.b.c.d",   //  encrypted
        "\xff\xfe.\x01.\x02",
    };

    for (size_t i = 0; i < COUNT (TOKENS); i++) {
        reason_t why = {""};
        assert_int_not_equal (verify (RSA_KEY "," HMAC_KEY, ALL, TOKENS [i], &why), 0);
    }
}

//  What the libraries behind it would write beyond a block, or inflate, does not come to them.
static void
what_has_not_the_form_of_a_token_is_refused_unread (void **state)
{
    (void) state;
    static const struct {
        const char *token, *why;
    } ROWS [] = {
        {"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJle19yb290Ijp0cnVl=Q.AAAA", "part 2"},
        {"eyJhbGciOiJFUzI1NiJ9=." PAYLOAD ".AAAA", "part 1"},
        {"eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".AA=A", "part 3"},
        {"eyJhbGciOiJFUzI1NiJ9." PAYLOAD "A.AAAAA", "part 3"},  //  five characters are no bytes
        {"eyJhbGciOiJFUzI1NiJ9." PAYLOAD " .AAAA", "part 2"},
        {"eyJhbGciOiJFUzI1NiJ9." PAYLOAD "+/.AAAA", "part 2"},
        {"eyJhbGciOiJFUzI1NiJ9." PAYLOAD, "2 parts"},
        {"eyJhbGciOiJFUzI1NiJ9." PAYLOAD ".AAAA.AAAA.AAAA", "5 parts"},
        {"WzFd." PAYLOAD ".AAAA", "no JSON object"},
        {"." PAYLOAD ".AAAA", "no JSON object"},
        {"eyJhbGciOiJIUzI1NiIsInppcCI6IkRFRiJ9." PAYLOAD ".AAAA", "zip"},
        {"eyJhbGciOiJIUzI1NiIsIlx1MDA3YWlwIjoiREVGIn0." PAYLOAD ".AAAA", "zip"},  //  "\u007aip"
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why = {""};
        assert_int_equal (verify (EC_KEY "," HMAC_KEY, ALL, ROWS [i].token, &why), -EACCES);
        if (!strstr (why.text, ROWS [i].why)) {
            fail_msg ("%s: %s", ROWS [i].token, why.text);
        }
    }
}

static void
key_whose_numbers_are_not_base64url_is_none (void **state)
{
    (void) state;
    static const char *const KEYS [] = {
        "{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ=EstJQLr_T-"
        "1qS0gZH75aKtMN3Yj0\"}",
        "{\"kty\":\"oct\",\"k\":7}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNp?W6pCyStikYjKIWI5a0\"}",
    };

    for (size_t i = 0; i < COUNT (KEYS); i++) {
        _cleanup_ (buffer_clear) buffer_t text = {0};
        reason_t why = {""};
        buffer_format (&text, "{\"keys\":[%s]}", KEYS [i]);
        jws_keys_t *keys = jws_keys_new (text.data, &why);
        assert_null (keys);

        buffer_clear (&text);
        buffer_format (&text, "{\"keys\":[%s," EC_KEY "]}", KEYS [i]);
        keys = jws_keys_new (text.data, &why);
        assert_non_null (keys);
        assert_int_equal (jws_keys_count (keys), 1);
        jws_keys_destroy (&keys);
    }
}

static void
token_that_brings_its_own_key_is_not_believed (void **state)
{
    (void) state;
    //  {"alg":"HS256","jwk":{"kty":"oct","k":<the key of A.1>}}, signed with that key.
    reason_t why = {""};

    assert_int_not_equal (
        verify (RSA_KEY, ALL,
                "eyJhbGciOiJIUzI1NiIsImp3ayI6eyJrdHkiOiJvY3QiLCJrIjoiQXlNMVN5c1BwYnlEZmdaa"
                "mQzdW1qMXF6S09id1ZNa29xUS1Fc3RKUUxyX1QtMXFTMGdaSDc1YUt0TU4zWWowaVBTNGhjZ1V1VHd"
                "qQXpacjFaOUNBb3cifX0." PAYLOAD ".AAAA",
                &why),
        0);
}

static void
too_long_a_token_is_refused_unread (void **state)
{
    (void) state;
    reason_t why = {""};
    char *token = malloc (JWS_TOKEN_MOST + 2);

    memset (token, 'a', JWS_TOKEN_MOST + 1);
    token [JWS_TOKEN_MOST + 1] = '\0';
    assert_int_equal (verify (RSA_KEY, ALL, token, &why), -EACCES);
    free (token);
}

static void
set_without_a_key_is_refused (void **state)
{
    (void) state;
    static const char *const TEXTS [] = {"",
                                         "{}",
                                         "[]",
                                         "{\"keys\":[]}",
                                         "{\"keys\":[{}]}",
                                         "nonsense",
                                         "{\"keys\":{\"kty\":\"oct\"}}"};

    for (size_t i = 0; i < COUNT (TEXTS); i++) {
        reason_t why = {""};
        jws_keys_t *keys = jws_keys_new (TEXTS [i], &why);
        assert_null (keys);
        assert_non_null (strstr (why.text, "RFC 7517"));
    }
}

static void
algorithms_are_named_one_by_one (void **state)
{
    (void) state;
    reason_t why = {""};

    assert_int_equal (jws_algorithms ("RS256,ES256", &why), JWS_RS256 | JWS_ES256);
    assert_int_equal (jws_algorithms ("HS256", &why), JWS_HS256);
    assert_int_equal (jws_algorithms ("none", &why), 0);
    assert_int_equal (jws_algorithms ("RS256,none", &why), 0);
    assert_int_equal (jws_algorithms ("", &why), 0);
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (vectors_of_rfc_7515_are_right),
        cmocka_unit_test (any_changed_character_is_refused),
        cmocka_unit_test (key_never_checks_what_it_is_not_for),
        cmocka_unit_test (what_is_no_signed_token_is_refused),
        cmocka_unit_test (what_has_not_the_form_of_a_token_is_refused_unread),
        cmocka_unit_test (key_whose_numbers_are_not_base64url_is_none),
        cmocka_unit_test (token_that_brings_its_own_key_is_not_believed),
        cmocka_unit_test (too_long_a_token_is_refused_unread),
        cmocka_unit_test (set_without_a_key_is_refused),
        cmocka_unit_test (algorithms_are_named_one_by_one),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
