// screen.c - see screen.h. ncurses has one terminal a process, and so has this: it is the state
// that lies outside of any object here.
//
// SPDX-License-Identifier: MIT

#define NCURSES_WIDECHAR 1
#include "screen.h"

#include "../../common/plain.h"

#include <langinfo.h>
#include <ncurses.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE_MS 25
#define CELL_SIZE 600

static struct {
    SCREEN *terminal;
    bool utf8;
    struct termios before;
    char restore [256];  //  written by a handler, where nothing of ncurses may be called
} HERE;

static attr_t STYLES [SCREEN_STYLE_COUNT] = {[SCREEN_FAINT] = A_DIM,
                                             [SCREEN_BOLD] = A_BOLD,
                                             [SCREEN_TITLE] = A_REVERSE,
                                             [SCREEN_CHOSEN] = A_REVERSE,
                                             [SCREEN_GOOD] = A_BOLD,
                                             [SCREEN_WARN] = A_BOLD,
                                             [SCREEN_BAD] = A_BOLD | A_UNDERLINE};

//  --- the terminal comes and goes

void
screen_close (void)
{
    if (HERE.terminal) {
        (void) endwin ();
        delscreen (HERE.terminal);
        HERE.terminal = NULL;
    }
}

static void
on_crash (int number)
{
    ssize_t written = write (STDOUT_FILENO, HERE.restore, strlen (HERE.restore));

    (void) written;
    (void) tcsetattr (STDIN_FILENO, TCSANOW, &HERE.before);
    (void) raise (number);  //  SA_RESETHAND: now as it would have been
}

static void
add_capability (const char *name)
{
    const char *text = tigetstr (name);
    size_t used = strlen (HERE.restore);

    if (text && text != (const char *) (intptr_t) -1) {
        snprintf (HERE.restore + used, sizeof HERE.restore - used, "%s", text);
    }
}

//  A negative of a capability may hold delays ($<5>); those that matter here have none.
static void
prepare_for_a_crash (void)
{
    static const int CRASHES [] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGQUIT};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int) SA_RESETHAND | SA_NODEFER};

    HERE.restore [0] = '\0';
    add_capability ("sgr0");
    add_capability ("cnorm");
    add_capability ("rmkx");
    add_capability ("rmcup");
    for (size_t i = 0; i < sizeof CRASHES / sizeof *CRASHES; i++) {
        (void) sigaction (CRASHES [i], &action, NULL);
    }
}

static void
start_colours (void)
{
    static const struct {
        screen_style_t style;
        short colour;
    } PAIRS [] = {{SCREEN_GOOD, COLOR_GREEN}, {SCREEN_WARN, COLOR_YELLOW}, {SCREEN_BAD, COLOR_RED}};

    if (!has_colors () || start_color () == ERR) {
        return;
    }
    (void) use_default_colors ();
    for (short i = 0; i < (short) (sizeof PAIRS / sizeof *PAIRS); i++) {
        (void) init_pair ((short) (i + 1), PAIRS [i].colour, -1);
        STYLES [PAIRS [i].style] = COLOR_PAIR (i + 1) | A_BOLD;
    }
}

int
screen_open (bool colour, reason_t *why)
{
    const char *term = getenv ("TERM");

    if (!isatty (STDIN_FILENO) || !isatty (STDOUT_FILENO)) {
        return reason_set (why, -1,
                           "this wants a terminal; for a pipe there are `workers`, `tail`");
    }
    (void) tcgetattr (STDIN_FILENO, &HERE.before);
    HERE.utf8 = strcmp (nl_langinfo (CODESET), "UTF-8") == 0;
    HERE.terminal = newterm (NULL, stdout, stdin);
    if (!HERE.terminal) {
        return reason_set (why, -1, "TERM=%.60s is no terminal that can be drawn on",
                           term ? term : "");
    }
    (void) atexit (screen_close);
    (void) set_escdelay (ESCAPE_MS);
    (void) cbreak ();
    (void) noecho ();
    (void) nodelay (stdscr, TRUE);
    (void) keypad (stdscr, TRUE);
    (void) curs_set (0);
    (void) leaveok (stdscr, TRUE);
    if (colour) {
        start_colours ();
    }
    prepare_for_a_crash ();
    return 0;
}

int
screen_rows (void)
{
    return LINES;
}

int
screen_columns (void)
{
    return COLS;
}

bool
screen_is_utf8 (void)
{
    return HERE.utf8;
}

//  --- keys

int
screen_key (void)
{
    static const struct {
        int curses, key;
    } KEYS [] = {{KEY_UP, SCREEN_KEY_UP},
                 {KEY_DOWN, SCREEN_KEY_DOWN},
                 {KEY_PPAGE, SCREEN_KEY_PAGE_UP},
                 {KEY_NPAGE, SCREEN_KEY_PAGE_DOWN},
                 {KEY_HOME, SCREEN_KEY_HOME},
                 {KEY_END, SCREEN_KEY_END},
                 {KEY_ENTER, SCREEN_KEY_ENTER},
                 {'\n', SCREEN_KEY_ENTER},
                 {'\r', SCREEN_KEY_ENTER},
                 {27, SCREEN_KEY_ESCAPE},
                 {KEY_BACKSPACE, SCREEN_KEY_BACKSPACE},
                 {127, SCREEN_KEY_BACKSPACE},
                 {8, SCREEN_KEY_BACKSPACE},
                 {KEY_RESIZE, SCREEN_KEY_RESIZED}};
    int key = getch ();

    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (KEYS [i].curses == key) {
            return KEYS [i].key;
        }
    }
    return key == ERR ? SCREEN_KEY_NONE : key < KEY_MIN ? key : SCREEN_KEY_OTHER;
}

//  --- drawing

void
screen_clear (void)
{
    (void) erase ();
}

//  As the terminal can show it.
static void
fit_locale (char *text)
{
    for (; !HERE.utf8 && *text; text++) {
        if ((unsigned char) *text >= 0x80) {
            *text = '?';
        }
    }
}

void
screen_put (int row, int column, int width, bool right, screen_style_t style, const char *text)
{
    char plain [CELL_SIZE], cell [2 * CELL_SIZE];
    size_t taken;

    if (row < 0 || row >= LINES || column < 0 || column >= COLS || width <= 0) {
        return;
    }
    width = width < COLS - column ? width : COLS - column;
    width = width < CELL_SIZE ? width : CELL_SIZE;
    plain_text (plain, sizeof plain, text);
    fit_locale (plain);
    size_t size = plain_fit (plain, (size_t) width, &taken);
    int blanks = width - (int) taken;
    snprintf (cell, sizeof cell, "%*s%.*s%*s", right ? blanks : 0, "", (int) size, plain,
              right ? 0 : blanks, "");
    (void) attrset ((int) STYLES [style]);
    (void) mvaddstr (row, column, cell);
    (void) attrset (A_NORMAL);
}

void
screen_show (void)
{
    (void) refresh ();
}
