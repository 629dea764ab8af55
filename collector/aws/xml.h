// xml.h - AWS's answers, read by path as they stream past; nothing is built but what is asked.
//
// The same element names occur at many depths of an answer (privateIpAddress also inside
// networkInterfaceSet), so a rule names the whole path from the root. What no rule names is
// skipped: AWS adds elements over the years. Everything has a bound (depth, path, text,
// elements), and a document type declaration is refused outright: no answer of AWS has one,
// and entities are how XML is made to explode (billion laughs).
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_XML_H
#define COLLECTOR_AWS_XML_H

#include "../../common/reason.h"

#include <stddef.h>

#define XML_DEPTH_MAX    32
#define XML_PATH_MAX     1024
#define XML_TEXT_MAX     65536    //  bytes of one element; a paging token may be long
#define XML_ELEMENTS_MAX 2000000  //  a page of 1,000 instances has about 150,000

typedef struct xml_rule xml_rule_t;

//  Called at the element's start with null, or at its end with its text (trimmed of white
//  space, "" when empty), as the rule says. A negative errno ends the reading with it.
typedef int xml_fn (void *argument, const xml_rule_t *rule, const char *text);

struct xml_rule {
    const char *path;  //  below the root: "reservationSet/item/instancesSet/item/instanceId"
    xml_fn *at_start;  //  optional
    xml_fn *at_end;    //  optional
    size_t offset;     //  for the function's own use: a member and its bound
    size_t size;
    void *own;  //  the argument of this rule's functions; null: the reader's
};

//  rules ends with {0}. 0; or -EBADMSG (not XML, cut, another root), -E2BIG (over a bound),
//  -EPERM (a declaration that is refused), or what a function returned; why then says what
//  and at which byte. Functions may have been called before the fault was met.
int xml_read (const char *bytes, size_t size, const char *root, const xml_rule_t *rules,
              void *argument, reason_t *why);

#endif
