// http_count.c - see http_count.h.
//
// SPDX-License-Identifier: MIT

#include "http_count.h"

http_counts_t
http_counts_of (metrics_t *metrics)
{
    http_counts_t self = {0};

    for (size_t i = 0; i <= HTTP_BROKEN; i++) {
        self.outcomes [i] =
            metrics_with (metrics, METRIC_COUNTER, "cmlwatch_http_requests_total",
                          "HTTP requests that ended, by outcome",
                          METRIC_LABELS ("outcome", http_outcome_name ((http_outcome_t) i)));
    }
    for (size_t i = 0; i < 2; i++) {
        self.versions [i] = metrics_with (metrics, METRIC_COUNTER, "cmlwatch_http_answers_total",
                                          "HTTP answers, by the version of HTTP spoken",
                                          METRIC_LABELS ("version", i == 0 ? "1.1" : "2"));
    }
    self.connections = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_http_connections_total",
                                    "connections made by the HTTP requests that ended");
    self.duration =
        metrics_add (metrics, METRIC_HISTOGRAM, "cmlwatch_http_request_duration_seconds",
                     "Time from the sending of an HTTP request to its end");
    return self;
}

//  A connection that is handed over to another protocol answers with status 0.
void
http_count (const http_counts_t *self, CURL *easy, const http_answer_t *answer)
{
    long version = CURL_HTTP_VERSION_NONE, made = 0;

    metric_increment (self->outcomes [answer->outcome]);
    metric_observe (self->duration, (double) answer->took_us / (double) SECOND_US);
    (void) curl_easy_getinfo (easy, CURLINFO_HTTP_VERSION, &version);
    (void) curl_easy_getinfo (easy, CURLINFO_NUM_CONNECTS, &made);
    if (answer->outcome == HTTP_ANSWERED && answer->status > 0) {
        metric_increment (self->versions [version >= CURL_HTTP_VERSION_2_0]);
    }
    metric_count (self->connections, (double) made);
}
