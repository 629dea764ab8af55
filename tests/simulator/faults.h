// faults.h - what is to go wrong, for whom, how often or how long.
//
// One list for both sides: scenario lines and POST /_sim/faults add to it, the AWS server
// and the CML servers ask it at each request or connection. The table of kinds says what
// there is; names are those of the scenario file and of the control interface.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_FAULTS_H
#define SIMULATOR_FAULTS_H

#include "../../common/clock.h"
#include "../../common/reason.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum fault_kind {
    FAULT_NONE = -1,
    FAULT_THROTTLE,           //  the API's own throttling error
    FAULT_ERROR500,           //  the API's own internal error
    FAULT_CUT,                //  a body that ends in the middle
    FAULT_HUGE,               //  64 MiB of body
    FAULT_HTML,               //  a proxy's HTML page instead of an answer
    FAULT_SLOW,               //  an answer after delay_ms
    FAULT_UNREACHABLE,        //  no connection (CML), none that is answered (AWS)
    FAULT_SKEW,               //  the server's clock is delay_ms ahead (AWS)
    FAULT_WRONG_CERTIFICATE,  //  another key than the one pinned (CML)
    FAULT_DENY,               //  the IAM policy does not allow the action (AWS)
    FAULT_DENY_LOGIN,         //  403 on right credentials (CML)
    FAULT_EXPIRE_TOKENS,      //  all tokens given so far end now (CML); happens once
    FAULT_PUSH_ABSENT,        //  no /ws/ui, as before 2.9
    FAULT_PUSH_REFUSE,        //  close code 3000 in place of a pushed message
    FAULT_PUSH_SILENT,        //  nothing is pushed, and no ping answered
    FAULT_PUSH_GARBAGE,       //  bytes that are no frame in place of a message
    FAULT_PUSH_TEXT,          //  a message that is not JSON
    FAULT_PUSH_FRAGMENT,      //  a message in many frames
    FAULT_PUSH_HUGE,          //  a message of 8 MiB
    FAULT_PUSH_CUT,           //  the connection ends within a frame
    FAULT_KIND_COUNT
} fault_kind_t;

//  FAULT_NONE for another word.
fault_kind_t fault_kind_parse (const char *word);
const char *fault_kind_name (fault_kind_t kind);

//  "throttle, error500, …" for messages.
const char *fault_kind_words (void);

#define FAULT_API_CML   "cml"
#define FAULT_API_ANY   "*"
#define FAULT_DELAY_MS  3000
#define FAULT_SKEW_MS   600000
#define FAULT_NAME_SIZE 48
#define FAULTS_ALWAYS   INT64_MAX

typedef struct fault {
    fault_kind_t kind;
    char api [FAULT_NAME_SIZE];       //  an action of AWS, FAULT_API_CML or FAULT_API_ANY
    char instance [FAULT_NAME_SIZE];  //  an id, or "": all
    int64_t count;                    //  requests left, or FAULTS_ALWAYS
    time_us_t until_steady;           //  or FAULTS_ALWAYS
    int64_t delay_ms;                 //  of slow and skew; 0: the default of the kind
} fault_t;

typedef struct faults faults_t;

faults_t *faults_new (void);
void faults_destroy (faults_t **self_p);

//  0, or -ENOSPC when there are 256 already. A fault of neither count nor end stays until
//  faults_clear.
int faults_add (faults_t *self, const fault_t *fault, reason_t *why);
void faults_clear (faults_t *self);

//  The first fault for this request, of those in kinds (bits 1 << kind), which is used up
//  by one. False when there is none. instance is "" for AWS.
bool faults_take (faults_t *self, const char *api, const char *instance, unsigned kinds,
                  time_us_t steady, fault_t *taken);

//  True when one of these kinds is set for this instance, counted or not; uses nothing up.
bool faults_concern (const faults_t *self, const char *api, const char *instance, unsigned kinds,
                     time_us_t steady);

//  Grows with each faults_add, so that a server can act at once on what is new.
uint64_t faults_version (const faults_t *self);

//  Drops all of a kind: for those that happen once.
void faults_forget (faults_t *self, fault_kind_t kind);

//  True when such a fault without a count holds; uses nothing up.
bool faults_hold (const faults_t *self, const char *api, const char *instance, fault_kind_t kind,
                  time_us_t steady);

#endif
