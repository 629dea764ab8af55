// screen.h - the terminal of `cmlwatch top`: taken, drawn on, and given back however it ends.
//
// The only file that knows ncurses. Cells are cut and padded to their place, so nothing that a name
// holds moves another column. The terminal is restored by screen_close, at exit, and by the signals
// of a crash too; only SIGKILL leaves it (`reset` helps then).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_SCREEN_H
#define GATEWAY_CLI_SCREEN_H

#include "../../common/reason.h"

#include <stdbool.h>

typedef enum screen_style {
    SCREEN_PLAIN,
    SCREEN_FAINT,  //  not live any more
    SCREEN_BOLD,
    SCREEN_TITLE,   //  of columns
    SCREEN_CHOSEN,  //  the row under the cursor
    SCREEN_GOOD,
    SCREEN_WARN,
    SCREEN_BAD,
    SCREEN_STYLE_COUNT
} screen_style_t;

enum screen_key {  //  beside characters
    SCREEN_KEY_NONE = 0,
    SCREEN_KEY_UP = 0x1000,
    SCREEN_KEY_DOWN,
    SCREEN_KEY_PAGE_UP,
    SCREEN_KEY_PAGE_DOWN,
    SCREEN_KEY_HOME,
    SCREEN_KEY_END,
    SCREEN_KEY_ENTER,
    SCREEN_KEY_ESCAPE,
    SCREEN_KEY_BACKSPACE,
    SCREEN_KEY_RESIZED,
    SCREEN_KEY_OTHER
};

//  0, or -1 and why: no terminal, or one of a kind that nobody knows.
int screen_open (bool colour, reason_t *why);
void screen_close (void);

int screen_rows (void);
int screen_columns (void);
//  Whether more than ASCII can be shown.
bool screen_is_utf8 (void);

//  The next key that was pressed, a character or screen_key; never waits.
int screen_key (void);

void screen_clear (void);
//  Text from a column on, in exactly width columns; right: at their right.
void screen_put (int row, int column, int width, bool right, screen_style_t style,
                 const char *text);
//  What was put since the clearing is shown.
void screen_show (void);

#endif
