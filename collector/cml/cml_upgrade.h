// cml_upgrade.h - how an HTTP connection becomes a WebSocket, the client's side; pure.
//
// RFC 6455 section 4.1: what is asked, and which answers may be believed. No extension and
// no subprotocol is offered, so an answer that names one is wrong.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_UPGRADE_H
#define COLLECTOR_CML_UPGRADE_H

#include "../../common/buffer.h"
#include "../../common/reason.h"

#include <stddef.h>

#define CML_UPGRADE_NONCE      16
#define CML_UPGRADE_KEY_SIZE   32    //  base64 of the nonce, with its NUL, and some room
#define CML_UPGRADE_ANSWER_MAX 8192  //  bytes of status line and headers

typedef enum cml_upgrade {
    CML_UPGRADE_MORE,     //  the answer is not whole yet
    CML_UPGRADE_DONE,     //  what follows are frames
    CML_UPGRADE_REFUSED,  //  HTTP, but another status than 101
    CML_UPGRADE_BROKEN    //  not HTTP, too long, or not the answer to this key
} cml_upgrade_t;

//  -ENOMEM.
int cml_upgrade_key (const unsigned char nonce [CML_UPGRADE_NONCE],
                     char key [CML_UPGRADE_KEY_SIZE]);

//  host with its port, as of a Host header; path begins with '/'.
void cml_upgrade_write (buffer_t *out, const char *host, const char *path, const char *key);

typedef struct cml_upgraded {
    size_t size;  //  of the head: what comes after it belongs to the first frames
    int status;   //  of the status line; 0: there is none
} cml_upgraded_t;

//  What the bytes that have come so far are; why for REFUSED and BROKEN.
cml_upgrade_t cml_upgrade_read (const char *bytes, size_t size, const char *key,
                                cml_upgraded_t *head, reason_t *why);

#endif
