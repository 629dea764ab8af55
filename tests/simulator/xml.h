// xml.h - the few shapes of XML that AWS answers with, into a buffer.
//
// Text is escaped (& < > " ') and control characters that XML 1.0 cannot hold become
// spaces; tags are our own words and written as they are.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_XML_H
#define SIMULATOR_XML_H

#include "../../common/buffer.h"
#include "../../common/clock.h"

#include <stdbool.h>
#include <stdint.h>

void xml_open (buffer_t *out, const char *tag);
void xml_close (buffer_t *out, const char *tag);

//  <tag>text</tag>, or <tag/> when text is null or empty, as AWS does.
void xml_text (buffer_t *out, const char *tag, const char *text);
void xml_integer (buffer_t *out, const char *tag, int64_t value);
void xml_number (buffer_t *out, const char *tag, double value);
void xml_flag (buffer_t *out, const char *tag, bool value);

//  2026-11-20T10:30:00.000Z as EC2 writes it; nothing when the time is unknown.
void xml_time (buffer_t *out, const char *tag, time_us_t wall);

//  2026-11-20T10:30:00Z as CloudWatch and STS write it.
void xml_second (buffer_t *out, const char *tag, time_us_t wall);

//  The text alone, escaped.
void xml_escape (buffer_t *out, const char *text);

#endif
