#include "../../../collector/cml/cml_upgrade.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

//  The example of RFC 6455 section 1.3.
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define DONE                                                                            \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"

static cml_upgrade_t
read_text (const char *text, cml_upgraded_t *head, reason_t *why)
{
    return cml_upgrade_read (text, strlen (text), KEY, head, why);
}

static void
key_is_the_nonce_in_base64 (void **state)
{
    (void) state;
    char key [CML_UPGRADE_KEY_SIZE];

    int rc = cml_upgrade_key ((const unsigned char *) "the sample nonce", key);

    assert_int_equal (rc, 0);
    assert_string_equal (key, KEY);
}

static void
question_has_what_the_rfc_wants_and_offers_nothing_more (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    cml_upgrade_write (&out, "10.1.2.3:5543", "/ws/ui", KEY);

    assert_memory_equal (out.data, "GET /ws/ui HTTP/1.1\r\nHost: 10.1.2.3:5543\r\n", 42);
    assert_non_null (strstr (out.data, "\r\nUpgrade: websocket\r\n"));
    assert_non_null (strstr (out.data, "\r\nConnection: Upgrade\r\n"));
    assert_non_null (strstr (out.data, "\r\nSec-WebSocket-Key: " KEY "\r\n"));
    assert_non_null (strstr (out.data, "\r\nSec-WebSocket-Version: 13\r\n"));
    assert_null (strstr (out.data, "Extensions"));
    assert_null (strstr (out.data, "Protocol:"));
    assert_string_equal (out.data + out.size - 4, "\r\n\r\n");
}

static void
answer_to_our_key_is_taken_and_what_follows_is_left (void **state)
{
    (void) state;
    cml_upgraded_t head;
    reason_t why = {0};

    cml_upgrade_t got = read_text (DONE "\x81\x05hello", &head, &why);

    assert_int_equal (got, CML_UPGRADE_DONE);
    assert_int_equal (head.size, strlen (DONE));
}

static void
answer_that_comes_byte_by_byte_is_waited_for (void **state)
{
    (void) state;
    cml_upgraded_t head;
    reason_t why = {0};

    for (size_t size = 0; size < strlen (DONE); size++) {
        assert_int_equal (cml_upgrade_read (DONE, size, KEY, &head, &why), CML_UPGRADE_MORE);
    }
    assert_int_equal (cml_upgrade_read (DONE, strlen (DONE), KEY, &head, &why), CML_UPGRADE_DONE);
}

static void
names_and_words_are_read_in_any_case_and_from_lists (void **state)
{
    (void) state;
    cml_upgraded_t head;
    reason_t why = {0};

    cml_upgrade_t got = read_text ("HTTP/1.1 101 \r\nUPGRADE:WebSocket\r\nserver: nginx\r\n"
                                   "connection: keep-alive ,  upgrade\r\n"
                                   "sec-websocket-accept:   " ACCEPT " \r\n\r\n",
                                   &head, &why);

    assert_int_equal (got, CML_UPGRADE_DONE);
}

static void
answer_that_proves_nothing_is_broken_and_says_what_it_lacks (void **state)
{
    (void) state;
    static const struct {
        const char *text, *said;
    } rows [] = {
        {"HTTP/1.1 101 S\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         "Upgrade: websocket"},
        {"HTTP/1.1 101 S\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT
         "\r\n\r\n",
         "Upgrade: websocket"},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
         "Connection: Upgrade"},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Accept"},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n",
         "Accept"},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n\r\n",
         "Accept"},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
         "not offered"},
        {"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
         "not offered"},
        {"HTTP/1.1 101 S\r\nno header at all\r\n\r\n", "no header"},
        {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not HTTP"},
        {"HTTP/1.1 1O1 S\r\n\r\n", "not HTTP"},
        {"HTTP/1.1 1010 S\r\n\r\n", "not HTTP"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cml_upgraded_t head;
        reason_t why = {0};
        assert_int_equal (read_text (rows [i].text, &head, &why), CML_UPGRADE_BROKEN);
        assert_non_null (strstr (why.text, rows [i].said));
    }
}

static void
another_status_is_a_refusal_with_its_number (void **state)
{
    (void) state;
    cml_upgraded_t head;
    reason_t why = {0};

    cml_upgrade_t got = read_text ("HTTP/1.1 404 Not Found\r\nServer: nginx\r\n\r\n", &head, &why);

    assert_int_equal (got, CML_UPGRADE_REFUSED);
    assert_int_equal (head.status, 404);
    assert_non_null (strstr (why.text, "404"));
}

static void
answer_without_an_end_is_not_waited_for_for_ever (void **state)
{
    (void) state;
    static char text [CML_UPGRADE_ANSWER_MAX];
    cml_upgraded_t head;
    reason_t why = {0};

    memset (text, 'a', sizeof text);

    assert_int_equal (cml_upgrade_read (text, sizeof text - 1, KEY, &head, &why), CML_UPGRADE_MORE);
    assert_int_equal (cml_upgrade_read (text, sizeof text, KEY, &head, &why), CML_UPGRADE_BROKEN);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (key_is_the_nonce_in_base64),
        cmocka_unit_test (question_has_what_the_rfc_wants_and_offers_nothing_more),
        cmocka_unit_test (answer_to_our_key_is_taken_and_what_follows_is_left),
        cmocka_unit_test (answer_that_comes_byte_by_byte_is_waited_for),
        cmocka_unit_test (names_and_words_are_read_in_any_case_and_from_lists),
        cmocka_unit_test (answer_that_proves_nothing_is_broken_and_says_what_it_lacks),
        cmocka_unit_test (another_status_is_a_refusal_with_its_number),
        cmocka_unit_test (answer_without_an_end_is_not_waited_for_for_ever),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
