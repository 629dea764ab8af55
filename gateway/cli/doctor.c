// doctor.c - `cmlwatch doctor URL`: what is wrong between here and a gateway, and what to do.
//
// It goes the way a stream goes, name, connection, certificate, process, feed, login, stream, and
// stops where the rest cannot be; then it watches the stream for some heartbeats. The judgements
// are findings.h's.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/program.h"
#include "findings.h"
#include "output.h"
#include "pretty.h"
#include "session.h"
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PINGS 5

typedef struct settings {
    access_t access;
    int64_t watch_seconds;
    bool json;
} settings_t;

static const config_key_t KEYS [] = {
    COMMAND_KEYS (settings_t),
    {"watch_seconds", CONFIG_INTEGER, offsetof (settings_t, watch_seconds), "6", 2, 60, NULL,
     "how long to watch heartbeats, one a second"},
    {"json", CONFIG_FLAG, offsetof (settings_t, json), "no", 0, 0, NULL,
     "as {\"url\", \"verdict\", \"checks\": [{\"check\", \"verdict\", \"detail\", \"cure\"}]}"},
    {0},
};

typedef struct doctor {
    const settings_t *own;
    session_t *session;
    findings_t findings;
    time_us_t round_trip;
} doctor_t;

//  --- one request, with everything that is known of it

typedef struct probe {
    bool done;
    http_call_t *call;
    http_outcome_t outcome;
    int status;
    buffer_t body;
    http_times_t times;
    time_us_t took;
    reason_t why;
} probe_t;

static void
on_answer (void *argument, const http_answer_t *answer)
{
    probe_t *self = argument;

    self->done = true;
    self->outcome = answer->outcome;
    self->status = answer->status;
    self->times = http_call_times (self->call);
    self->took = answer->took_us;
    self->why = answer->why;
    buffer_append (&self->body, answer->body, answer->size);
}

static void
probe_clear (probe_t *self)
{
    buffer_clear (&self->body);
}

//  0; or -EINTR, or -EINVAL and why is in the probe.
static int
ask (doctor_t *self, const char *path, probe_t *probe)
{
    _cleanup_ (buffer_clear) buffer_t url = {0};
    const char *headers [SESSION_HEADERS_MAX + 1] = {"Accept: application/json"};

    session_url (self->session, path, &url);
    http_request_t request = session_request (self->session, url.data, headers, 1);
    probe->call = http_client_send (self->session->client, &request, on_answer, probe, &probe->why);
    if (!probe->call) {
        return -EINVAL;
    }
    while (!probe->done && !loop_is_draining (self->session->loop)) {
        loop_turn (self->session->loop, 100);
    }
    if (!probe->done) {
        http_call_cancel (&probe->call);
        return -EINTR;
    }
    return 0;
}

static struct json_object *
tree_of (const probe_t *probe)
{
    struct json_object *tree = NULL;

    if (probe->body.size > 0) {
        (void) json_parse (&tree, probe->body.data, probe->body.size, probe->body.size, NULL);
    }
    return tree;
}

//  --- the way there

static bool
is_https (const doctor_t *self)
{
    return strncmp (self->own->access.url, "https:", 6) == 0;
}

//  By libcurl's outcome first, for a handshake that fails leaves no time of the connection.
static void
explain_unreached (doctor_t *self, const probe_t *probe)
{
    findings_t *findings = &self->findings;
    const char *why = probe->why.text;

    if (probe->outcome == HTTP_UNREACHABLE && probe->times.resolved == 0) {
        findings_add (findings, "name", VERDICT_FAIL,
                      "look at the spelling, and at DNS: getent hosts NAME", "%s", why);
    } else if (probe->outcome == HTTP_UNREACHABLE) {
        findings_add (findings, "connect", VERDICT_FAIL,
                      "nothing listens there: is cmlwatch-gateway running, is this its `listen`?",
                      "%s", why);
    } else if (probe->outcome == HTTP_TIMED_OUT && probe->times.connected == 0) {
        findings_add (findings, "connect", VERDICT_FAIL,
                      "a firewall or security group drops it, or the host is down", "%s", why);
    } else if (probe->outcome == HTTP_TLS_REFUSED) {
        findings_add (findings, "tls", VERDICT_FAIL,
                      "trust its authority by --cacert, or use the name that is in the certificate",
                      "%s", why);
    } else if (is_https (self) && probe->times.secured == 0) {
        findings_add (findings, "tls", VERDICT_FAIL,
                      "what listens there does not speak TLS as it should: is it http://? are "
                      "tls_certificate and tls_key set?",
                      "%s", why);
    } else {
        findings_add (findings, "http", VERDICT_FAIL,
                      "what listens there does not speak HTTP, or speaks TLS: is it https://? is "
                      "it the right port?",
                      "%s", why);
    }
}

static bool
is_local (const char *url)
{
    const char *host = strstr (url, "://");

    host = host ? host + 3 : url;
    return strncmp (host, "127.", 4) == 0 || strncmp (host, "localhost", 9) == 0 ||
           strncmp (host, "[::1]", 5) == 0;
}

static void
explain_reached (doctor_t *self, const probe_t *probe)
{
    const http_times_t *times = &probe->times;
    const char *url = self->own->access.url;

    findings_add (&self->findings, "connect", VERDICT_OK, NULL, "in %.1f ms",
                  (double) times->connected / (double) MS_US);
    if (is_https (self)) {
        findings_add (&self->findings, "tls", VERDICT_OK, NULL, "trusted, in %.1f ms",
                      (double) (times->secured - times->connected) / (double) MS_US);
    } else if (self->session->authorization.size > 0 && !is_local (url)) {
        findings_add (&self->findings, "tls", VERDICT_WARN, "use https://",
                      "the token goes in the clear");
    }
}

typedef enum reach { REACH_NONE, REACH_SOMETHING, REACH_GATEWAY } reach_t;

static reach_t
check_reach (doctor_t *self)
{
    _cleanup_ (probe_clear) probe_t probe = {0};
    int rc = ask (self, "/healthz", &probe);

    if (rc == -EINVAL) {
        findings_add (&self->findings, "url", VERDICT_FAIL, "http(s)://host[:port]", "%s",
                      probe.why.text);
    }
    if (rc < 0) {
        return REACH_NONE;
    }
    if (probe.outcome != HTTP_ANSWERED) {
        explain_unreached (self, &probe);
        return REACH_NONE;
    }
    explain_reached (self, &probe);
    _cleanup_ (json_destroy) struct json_object *tree = tree_of (&probe);
    const char *version = json_get_text (tree, "version");
    if (probe.status != 200 || !version) {
        findings_add (&self->findings, "healthz", VERDICT_FAIL,
                      "what answers is no gateway: look at host, port, and the proxy's routes",
                      "/healthz is answered %d", probe.status);
        return REACH_SOMETHING;
    }
    findings_add (&self->findings, "healthz", VERDICT_OK, NULL, "alive");
    findings_add (&self->findings, "version",
                  strcmp (version, program_version ()) == 0 ? VERDICT_OK : VERDICT_WARN,
                  "install the same version of both; what one does not know it leaves out",
                  "gateway %.60s, this program %s", version, program_version ());
    return REACH_GATEWAY;
}

static void
check_ready (doctor_t *self)
{
    _cleanup_ (probe_clear) probe_t probe = {0};

    if (ask (self, "/readyz", &probe) < 0 || probe.outcome != HTTP_ANSWERED) {
        return;
    }
    _cleanup_ (json_destroy) struct json_object *tree = tree_of (&probe);
    const char *reason = json_get_text (tree, "reason");
    if (probe.status == 200) {
        findings_add (&self->findings, "readyz", VERDICT_OK, NULL, "feed joined and fresh");
    } else {
        findings_add (&self->findings, "readyz", VERDICT_FAIL,
                      "is the aggregator running, and are the gateway's `feed` and `control` its?",
                      "%d: %.200s", probe.status, reason ? reason : "no reason is given");
    }
}

//  False: the stream would be refused likewise.
static bool
check_login (doctor_t *self)
{
    _cleanup_ (probe_clear) probe_t probe = {0};

    if (ask (self, "/api/session", &probe) < 0 || probe.outcome != HTTP_ANSWERED) {
        return false;
    }
    _cleanup_ (json_destroy) struct json_object *tree = tree_of (&probe);
    const char *user = json_get_text (tree, "user"), *role = json_get_text (tree, "role");
    if (probe.status == 200) {
        findings_add (&self->findings, "auth", VERDICT_OK, NULL, "%.100s as %.40s",
                      user ? user : "anybody", role ? role : "?");
    } else if (probe.status == 401 || probe.status == 403) {
        const char *detail = json_get_text (tree, "detail");
        findings_add (&self->findings, "auth", VERDICT_FAIL,
                      self->session->authorization.size > 0
                          ? "the token is not, or no longer, one of this gateway's"
                          : "log in: --token-file FILE, or CMLWATCH_TOKEN_FILE",
                      "%d: %.200s", probe.status, detail ? detail : "");
        return false;
    } else {
        findings_add (&self->findings, "auth", VERDICT_WARN,
                      "let the proxy pass /api/ as it is; an older gateway has no /api/session",
                      "/api/session is answered %d", probe.status);
    }
    return true;
}

//  The least of some, on a connection that is open already.
static void
measure (doctor_t *self)
{
    for (int i = 0; i < PINGS; i++) {
        _cleanup_ (probe_clear) probe_t probe = {0};
        if (ask (self, "/healthz", &probe) == 0 && probe.outcome == HTTP_ANSWERED &&
            (self->round_trip == 0 || probe.took < self->round_trip)) {
            self->round_trip = probe.took;
        }
    }
    if (self->round_trip > 0) {
        judge_latency (&self->findings, self->round_trip);
    }
}

static void
judge_stream (doctor_t *self, const watch_t *watch)
{
    findings_t *findings = &self->findings;

    if (watch->status != 0 && watch->status != 200) {
        findings_add (findings, "stream", VERDICT_FAIL,
                      "let the proxy pass /api/events/stream to the gateway as it is",
                      "answered %d: %.200s", watch->status, watch->why.text);
        return;
    }
    if (watch->status == 200) {
        judge_headers (findings, &watch->seen);
    }
    if (watch->status == 0 || watch->is_stream) {
        judge_flow (findings, &watch->seen);
        judge_clock (findings, &watch->seen, self->round_trip);
    }
    if (watch->is_stream && watch->ended) {
        findings_add (findings, "end", VERDICT_FAIL,
                      "a proxy's timeout is too short, or the gateway is full or not joined: see "
                      "readyz, and clients_max",
                      "the stream ended by itself after %.1f s: %.200s",
                      (double) watch->seen.watched / (double) SECOND_US, watch->why.text);
    }
}

static void
check_stream (doctor_t *self)
{
    _cleanup_ (watch_clear) watch_t watch = {0};
    int rc = watch_stream (&watch, self->session, self->own->watch_seconds * SECOND_US);

    if (rc == 0) {
        judge_stream (self, &watch);
    } else if (rc != -EINTR) {
        findings_add (&self->findings, "stream", VERDICT_FAIL,
                      "if all above is well, a proxy on the way refuses long answers", "%s",
                      watch.why.text);
    }
}

static int
run (const void *settings, reason_t *why)
{
    static const int CODES [] = {0, 1, 2};
    const settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (buffer_clear) buffer_t out = {0};
    doctor_t self = {.own = own, .session = &session};

    if (session_open (&session, &own->access, why) < 0) {
        return CODES [VERDICT_FAIL];
    }
    reach_t reach = check_reach (&self);
    if (reach == REACH_GATEWAY) {
        check_ready (&self);
    }
    if (reach != REACH_NONE) {
        measure (&self);
        if (check_login (&self)) {
            check_stream (&self);
        }
    }
    if (loop_is_draining (session.loop)) {
        reason_set (why, -EINTR, "interrupted; what was found until then:");
    }
    if (own->json) {
        findings_write_json (&self.findings, own->access.url, &out);
    } else {
        findings_write_text (&self.findings, pretty_wants_colour (STDOUT_FILENO), &out);
    }
    int code = output_print (&out, !buffer_failed (&out), why);
    return code != EXIT_SUCCESS || loop_is_draining (session.loop)
               ? CODES [VERDICT_FAIL]
               : CODES [findings_worst (&self.findings)];
}

const command_t DOCTOR = {
    .name = "doctor",
    .summary = "what is wrong between here and a gateway, and the cure",
    .operand = "URL",
    .notes = "Each check is one line: ok, warn or fail, what was seen, and -> the cure.\n"
             "Exit code: 0 all is well, 1 a warning, 2 a failure or wrong flags.\n",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .run = run,
};
