#include "http_rig.h"

#include <errno.h>
#include <microhttpd.h>

//  A self-signed certificate for 127.0.0.1, of this test alone, valid from 2020 to 2120.
static const char CERTIFICATE [] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBYzCCAQqgAwIBAgIBATAKBggqhkjOPQQDAjAYMRYwFAYDVQQDDA1jbWx3YXRj\n"
    "aCB0ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAYMRYwFAYD\n"
    "VQQDDA1jbWx3YXRjaCB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjqVT\n"
    "KtMng00Fnqw0+OdypGBBMyPVm6eZ6F3Xm7t6wRC6ZqTrHxZIY8YuYH0Yb+Fhq/Kh\n"
    "DMNPCGzYi/ED8ue/JqNDMEEwDwYDVR0RBAgwBocEfwAAATAPBgNVHRMBAf8EBTAD\n"
    "AQH/MB0GA1UdDgQWBBT4m5Yh5NOjvIG70Wh66gdiJbTTfDAKBggqhkjOPQQDAgNH\n"
    "ADBEAiAvSJqbGR/tyMC2yIexIkFqnt2QNdULl9j0UKHrU4e2swIgXe72sJAQV71e\n"
    "ExsniM23uon1R/YEBEfcKdEr7A6x6TY=\n"
    "-----END CERTIFICATE-----\n";
static const char KEY [] = "-----BEGIN PRIVATE KEY-----\n"
                           "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZ53/d16IH/jPDxFk\n"
                           "5ucNoGnaq+ahGLcvkNez41fKIA6hRANCAASOpVMq0yeDTQWerDT453KkYEEzI9Wb\n"
                           "p5noXdebu3rBELpmpOsfFkhjxi5gfRhv4WGr8qEMw08IbNiL8QPy578m\n"
                           "-----END PRIVATE KEY-----\n";
static const char PIN [] = "sha256//yeGG/gjgOUmAnX8JXIRM/Y1CN+/i7DxAemRfsxyvLGU=";
static const char OTHER_PIN [] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

//  --- the server that speaks TLS

typedef struct secure {
    loop_t *loop;
    struct MHD_Daemon *daemon;
    int fd;
    char url [64];
} secure_t;

static enum MHD_Result
on_tls_request (void *argument, struct MHD_Connection *connection, const char *url,
                const char *method, const char *version, const char *upload, size_t *size,
                void **state)
{
    (void) argument, (void) url, (void) method, (void) version, (void) upload, (void) size;
    (void) state;
    struct MHD_Response *response =
        MHD_create_response_from_buffer (6, (void *) (uintptr_t) "secure", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result rc = MHD_queue_response (connection, MHD_HTTP_OK, response);
    MHD_destroy_response (response);
    return rc;
}

static void
on_turn (void *argument)
{
    MHD_run (argument);
}

static void
on_event (void *argument, uint32_t events)
{
    (void) events;
    MHD_run (argument);
}

static secure_t
secure_open (fixture_t *rig)
{
    secure_t self = {.loop = rig->loop};
    self.daemon = MHD_start_daemon (MHD_USE_EPOLL | MHD_USE_TLS, 0, NULL, NULL, on_tls_request,
                                    NULL, MHD_OPTION_HTTPS_MEM_CERT, CERTIFICATE,
                                    MHD_OPTION_HTTPS_MEM_KEY, KEY, MHD_OPTION_END);
    assert_non_null (self.daemon);
    self.fd = MHD_get_daemon_info (self.daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    snprintf (self.url, sizeof self.url, "https://127.0.0.1:%d/",
              MHD_get_daemon_info (self.daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    assert_int_equal (loop_watch (self.loop, self.fd, EPOLLIN, on_event, self.daemon), 0);
    rig->also = on_turn;
    rig->also_of = self.daemon;
    return self;
}

static void
secure_close (secure_t *self)
{
    here->also = NULL;
    loop_unwatch (self->loop, self->fd);
    MHD_stop_daemon (self->daemon);
}

//  --- the tests

static void
missing_fingerprint_never_means_no_verification (void **state)
{
    fixture_t *self = *state;
    _cleanup_ (secure_close) secure_t secure = secure_open (self);
    const http_request_t rows [] = {
        {.method = "GET", .url = secure.url, .verify = HTTP_VERIFY_FINGERPRINT},
        {.method = "GET", .url = secure.url, .verify = HTTP_VERIFY_FINGERPRINT, .pin = ""},
        {.method = "GET", .url = secure.url, .verify = HTTP_VERIFY_FINGERPRINT, .pin = "AA=="},
        {.method = "GET", .url = self->url, .verify = HTTP_VERIFY_FINGERPRINT, .pin = PIN},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        heard_t heard = {0};
        reason_t why = {0};
        assert_null (http_client_send (self->client, &rows [i], on_answer, &heard, &why));
        assert_non_null (strstr (why.text, "fingerprint"));
    }
}

//  A connection of its own to the same server, over which HTTP is then spoken by hand.
static http_outcome_t
outcome_of_connection (fixture_t *self, http_request_t request)
{
    static const char QUESTION [] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    heard_t heard = {0};
    char bytes [1024] = "";
    reason_t why = {0};
    size_t size = 0;

    request.connect_only = true;
    http_call_t *call = http_client_send (self->client, &request, on_answer, &heard, &why);
    assert_non_null (call);
    run_until (&heard.count, 1);
    if (heard.outcome != HTTP_ANSWERED) {
        return heard.outcome;
    }
    assert_int_equal (heard.status, 0);
    assert_true (http_call_descriptor (call) >= 0);
    assert_int_equal (http_call_write (call, QUESTION, strlen (QUESTION)), strlen (QUESTION));
    while (!strstr (bytes, "secure")) {
        ssize_t got = http_call_read (call, bytes + size, sizeof bytes - size - 1);
        assert_true (got > 0 || got == -EAGAIN);
        size += got > 0 ? (size_t) got : 0;
        loop_turn (self->loop, 5);
        on_turn (here->also_of);
    }
    http_call_cancel (&call);
    return HTTP_ANSWERED;
}

static void
certificate_is_judged_as_the_caller_asked (void **state)
{
    fixture_t *self = *state;
    char two_pins [160], ca_file [] = "/tmp/cmlwatch-test-ca-XXXXXX";
    _cleanup_ (secure_close) secure_t secure = secure_open (self);
    snprintf (two_pins, sizeof two_pins, "%s;%s", OTHER_PIN, PIN);
    _cleanup_ (descriptor_close) int fd = mkstemp (ca_file);
    assert_int_equal (write (fd, CERTIFICATE, sizeof CERTIFICATE - 1), sizeof CERTIFICATE - 1);
    const struct {
        http_verify_t verify;
        const char *pin, *ca_file;
        http_outcome_t outcome;
    } rows [] = {
        {HTTP_VERIFY_FULL, NULL, NULL, HTTP_TLS_REFUSED},
        {HTTP_VERIFY_FULL, NULL, ca_file, HTTP_ANSWERED},
        {HTTP_VERIFY_FULL, NULL, "/nonexistent/ca.pem", HTTP_TLS_REFUSED},
        {HTTP_VERIFY_FINGERPRINT, PIN, NULL, HTTP_ANSWERED},
        {HTTP_VERIFY_FINGERPRINT, OTHER_PIN, NULL, HTTP_TLS_REFUSED},
        {HTTP_VERIFY_FINGERPRINT, two_pins, NULL, HTTP_ANSWERED},
        {HTTP_VERIFY_OFF, NULL, NULL, HTTP_ANSWERED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const http_request_t request = {.method = "GET",
                                        .url = secure.url,
                                        .verify = rows [i].verify,
                                        .pin = rows [i].pin,
                                        .ca_file = rows [i].ca_file};
        assert_int_equal (outcome_of_connection (self, request), rows [i].outcome);
        heard_t heard = ask (&request);
        assert_int_equal (heard.outcome, rows [i].outcome);
        assert_string_equal (heard.body, rows [i].outcome == HTTP_ANSWERED ? "secure" : "");
    }
    assert_float_equal (ended ("tls"), 6, 0);
    unlink (ca_file);
}

static void
server_that_does_not_speak_tls_is_broken_not_untrusted (void **state)
{
    fixture_t *self = *state;
    char url [64];
    self->server.reply = "";
    self->server.closes = true;
    snprintf (url, sizeof url, "https://127.0.0.1:%d/", self->server.port);
    heard_t heard = {0};

    http_client_send (self->client, &(http_request_t){.method = "GET", .url = url}, on_answer,
                      &heard, NULL);
    while (self->server.accepted == 0 || self->server.connections [0].heard.size == 0) {
        loop_turn (self->loop, 20);
    }
    (void) send (self->server.connections [0].fd, "HTTP/1.1 400 Bad\r\n\r\n", 20, MSG_NOSIGNAL);
    run_until (&heard.count, 1);

    assert_int_equal (heard.outcome, HTTP_BROKEN);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
    const struct CMUnitTest tests [] = {
        TEST (missing_fingerprint_never_means_no_verification),
        TEST (certificate_is_judged_as_the_caller_asked),
        TEST (server_that_does_not_speak_tls_is_broken_not_untrusted),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
