// findings.c - see findings.h.
//
// SPDX-License-Identifier: MIT

#include "findings.h"

#include "../../common/json.h"
#include "../../common/plain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUNCH_US       (200 * MS_US)  //  two that come closer than this and were sent further apart
#define SILENCE_TENTHS 25             //  of a heartbeat, as in live.c
#define FIRST_US       (2 * SECOND_US)
#define FAR_US         (250 * MS_US)
#define CLOCK_WARN     SECOND_US
#define CLOCK_FAIL     MINUTE_US
#define DETAIL_WIDTH   15

#define CURE_BUFFERING                                                                          \
    "turn buffering off in the proxy for /api/events/stream: nginx `proxy_buffering off;` and " \
    "`gzip off;`, Apache `SetEnv proxy-sendchunked`, HAProxy no `option http-buffer-request`, " \
    "a CDN's streaming mode"

static const char *const VERDICTS [] = {"ok", "warn", "fail"};
static const char *const COLOURS [] = {"\033[32m", "\033[33m", "\033[31m"};

void
findings_add (findings_t *self, const char *check, verdict_t verdict, const char *cure,
              const char *detail, ...)
{
    char text [FINDING_TEXT];
    va_list args;

    if (self->count == FINDINGS_MAX) {
        return;
    }
    finding_t *finding = &self->list [self->count++];
    finding->check = check;
    finding->verdict = verdict;
    va_start (args, detail);
    vsnprintf (text, sizeof text, detail, args);
    va_end (args);
    plain_text (finding->detail, sizeof finding->detail, text);
    plain_text (finding->cure, sizeof finding->cure, cure && verdict != VERDICT_OK ? cure : "");
}

verdict_t
findings_worst (const findings_t *self)
{
    verdict_t worst = VERDICT_OK;

    for (size_t i = 0; i < self->count; i++) {
        worst = self->list [i].verdict > worst ? self->list [i].verdict : worst;
    }
    return worst;
}

void
findings_write_text (const findings_t *self, bool colour, buffer_t *out)
{
    for (size_t i = 0; i < self->count; i++) {
        const finding_t *finding = &self->list [i];
        buffer_format (out, "%s%-4s%s  %-*s  %s", colour ? COLOURS [finding->verdict] : "",
                       VERDICTS [finding->verdict], colour ? "\033[0m" : "", DETAIL_WIDTH,
                       finding->check, finding->detail);
        buffer_format (out, "%s%s\n", *finding->cure ? " -> " : "", finding->cure);
    }
}

void
findings_write_json (const findings_t *self, const char *url, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_text (&json, "url", url);
    json_member_text (&json, "verdict", VERDICTS [findings_worst (self)]);
    json_key (&json, "checks");
    json_open_array (&json);
    for (size_t i = 0; i < self->count; i++) {
        const finding_t *finding = &self->list [i];
        json_open_object (&json);
        json_member_text (&json, "check", finding->check);
        json_member_text (&json, "verdict", VERDICTS [finding->verdict]);
        json_member_text (&json, "detail", finding->detail);
        json_member_text (&json, "cure", *finding->cure ? finding->cure : NULL);
        json_close_object (&json);
    }
    json_close_array (&json);
    json_close_object (&json);
    buffer_text (out, "\n");
}

//  --- headers

void
judge_headers (findings_t *findings, const stream_seen_t *seen)
{
    const char *type = seen->type ? seen->type : "none";
    const char *cache = seen->cache_control ? seen->cache_control : "none";
    bool kept = strstr (cache, "no-store") && strstr (cache, "no-transform");

    if (strcasecmp (type, "text/event-stream") == 0) {
        findings_add (findings, "content-type", VERDICT_OK, NULL, "%s", type);
    } else if (strncasecmp (type, "text/event-stream", 17) == 0) {
        findings_add (findings, "content-type", VERDICT_WARN,
                      "some clients and proxies want it bare; find what adds to it on the way",
                      "'%.100s' has a parameter", type);
    } else {
        findings_add (findings, "content-type", VERDICT_FAIL,
                      "what answers is not the stream: let the proxy pass /api/ to the gateway, "
                      "and look at its login and error pages",
                      "'%.100s' instead of text/event-stream", type);
    }
    findings_add (findings, "cache-control", kept ? VERDICT_OK : VERDICT_FAIL,
                  "let the proxy pass on Cache-Control: no-store, no-transform as the gateway says "
                  "it; without it caches and compressors may hold the stream",
                  "%.100s", cache);
    if (seen->accel && strcasecmp (seen->accel, "no") == 0) {
        findings_add (findings, "x-accel", VERDICT_OK, NULL, "X-Accel-Buffering: no");
    } else if (seen->accel) {
        findings_add (findings, "x-accel", VERDICT_WARN, CURE_BUFFERING,
                      "X-Accel-Buffering is '%.40s', not 'no'", seen->accel);
    } else {
        findings_add (findings, "x-accel", VERDICT_OK, NULL,
                      "X-Accel-Buffering was taken out on the way, as nginx does that obeys it");
    }
    if (seen->encoding) {
        findings_add (findings, "encoding", VERDICT_WARN,
                      "turn compression off in the proxy; the gateway compresses by itself",
                      "'%.40s', although nobody asked for it", seen->encoding);
    }
    if (seen->via || (seen->server && *seen->server)) {
        findings_add (findings, "proxy", VERDICT_OK, NULL, "on the way: %.100s",
                      seen->via ? seen->via : seen->server);
    }
}

//  --- flow

//  The longest row of those that came together and were not sent together.
static size_t
longest_bunch (const stream_seen_t *seen, time_us_t *sent_over)
{
    size_t longest = 1, run = 1;

    *sent_over = 0;
    for (size_t i = 1; i < seen->count; i++) {
        bool near = seen->beats [i].arrived - seen->beats [i - 1].arrived < BUNCH_US;
        bool apart = seen->beats [i].server - seen->beats [i - 1].server > 2 * BUNCH_US;
        run = near && apart ? run + 1 : 1;
        if (run > longest) {
            longest = run;
            *sent_over = seen->beats [i].server - seen->beats [i + 1 - run].server;
        }
    }
    return longest;
}

//  The longest time without a heartbeat, from the beginning to the end.
static time_us_t
longest_silence (const stream_seen_t *seen)
{
    time_us_t longest = 0, last = seen->began;

    for (size_t i = 0; i <= seen->count; i++) {
        time_us_t next = i < seen->count ? seen->beats [i].arrived : seen->began + seen->watched;
        longest = next - last > longest ? next - last : longest;
        last = next;
    }
    return longest;
}

static double
seconds (time_us_t us)
{
    return (double) us / (double) SECOND_US;
}

void
judge_flow (findings_t *findings, const stream_seen_t *seen)
{
    time_us_t sent_over;
    size_t bunch = longest_bunch (seen, &sent_over);
    bool silent = longest_silence (seen) > seen->interval * SILENCE_TENTHS / 10;

    if (seen->first_byte == 0) {
        findings_add (findings, "first-byte", VERDICT_FAIL, CURE_BUFFERING,
                      "nothing in %.1f s, and the gateway sends at once: it is held on the way",
                      seconds (seen->watched));
        return;
    }
    findings_add (findings, "first-byte", seen->first_byte > FIRST_US ? VERDICT_WARN : VERDICT_OK,
                  CURE_BUFFERING, "after %.3f s", seconds (seen->first_byte));
    if (bunch > 1) {
        findings_add (findings, "buffering", VERDICT_FAIL, CURE_BUFFERING,
                      "%zu heartbeats came at once that were sent over %.1f s", bunch,
                      seconds (sent_over));
    } else {
        findings_add (findings, "buffering", VERDICT_OK, NULL, "what is sent comes as it is sent");
    }
    findings_add (findings, "heartbeats", silent ? VERDICT_FAIL : VERDICT_OK,
                  "if nothing is wrong with buffering, the gateway hangs: look at its log and load",
                  "%zu in %.1f s, none for up to %.1f s, each %.0f s asked for", seen->count,
                  seconds (seen->watched), seconds (longest_silence (seen)),
                  seconds (seen->interval));
}

//  --- time

void
judge_latency (findings_t *findings, time_us_t round_trip)
{
    findings_add (findings, "latency", round_trip > FAR_US ? VERDICT_WARN : VERDICT_OK,
                  "every change is seen so much later: a gateway nearer to its users joins the "
                  "same aggregator",
                  "%.2f ms there and back", (double) round_trip / (double) MS_US);
}

void
judge_clock (findings_t *findings, const stream_seen_t *seen, time_us_t round_trip)
{
    time_us_t least = INT64_MAX;

    for (size_t i = 0; i < seen->count; i++) {
        time_us_t late = seen->beats [i].arrived - seen->beats [i].server;
        least = late < least ? late : least;
    }
    if (seen->count == 0) {
        return;
    }
    //  The quickest of them took about half of the way there and back.
    time_us_t offset = least - round_trip / 2, size = offset < 0 ? -offset : offset;
    findings_add (findings, "clock",
                  size >= CLOCK_FAIL   ? VERDICT_FAIL
                  : size >= CLOCK_WARN ? VERDICT_WARN
                                       : VERDICT_OK,
                  "set both by NTP (chronyc tracking): ages, idle times and the end of tokens are "
                  "judged by them",
                  "this machine is %.3f s %s the gateway", seconds (size),
                  offset < 0 ? "behind" : "ahead of");
}
