// SPDX-License-Identifier: MIT
// libedit through histedit.h. libedit wants a terminal whose modes it may change; the real one may
// be shared with a serial port and belongs to the character device, so libedit gets a pseudo
// terminal that carries nothing but modes and size.
#define _GNU_SOURCE
#include "monitor/editor.h"

#include <fcntl.h>
#include <histedit.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#define HISTORY_LINES  500
#define SCREEN_COLUMNS 80

struct editor {
    struct editor_env env;
    EditLine *edit;
    History *history;
    int master, slave;
    FILE *in, *out;

    pthread_t thread;
    sem_t go;   // the editor may run
    sem_t back; // the editor waits
    bool closing;

    const uint8_t *bytes; // input of this run
    size_t count, used;
    mbstate_t decoding;
    char *line; // complete
};

void word_list_add(struct word_list *list, const char *word)
{
    list->words = xrealloc(list->words, (list->count + 1) * sizeof *list->words);
    list->words[list->count++] = xstrdup(word);
}

void word_list_clear(struct word_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->words[i]);
    free(list->words);
    *list = (struct word_list){0};
}

// ---- The two sides of the coroutine

static void wait_for(sem_t *sem)
{
    while (sem_wait(sem) != 0)
        continue; // interrupted
}

// Caller's side: lets the editor run until it needs something.
static void run_editor(struct editor *ed)
{
    sem_post(&ed->go);
    wait_for(&ed->back);
}

// Editor's side: lets the caller go on.
static void suspend_editor(struct editor *ed)
{
    sem_post(&ed->back);
    wait_for(&ed->go);
}

static int get_character(EditLine *edit, wchar_t *character)
{
    struct editor *ed;
    el_get(edit, EL_CLIENTDATA, &ed);
    for (;;) {
        while (ed->used == ed->count && !ed->closing)
            suspend_editor(ed);
        if (ed->closing)
            return 0;
        char byte = (char)ed->bytes[ed->used++];
        size_t n = mbrtowc(character, &byte, 1, &ed->decoding);
        if (n == (size_t)-1)
            memset(&ed->decoding, 0, sizeof ed->decoding); // no character of this locale
        else if (n != (size_t)-2)
            return 1;
    }
}

static void keep_line(struct editor *ed, const char *text, int length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    // The end of the input (Ctrl-D) is no reason to leave a machine: an empty line.
    ed->line = xasprintf("%.*s", length, text ? text : "");
    HistEvent event;
    if (length > 0)
        history(ed->history, &event, H_ENTER, ed->line);
}

static void *editor_thread(void *self)
{
    struct editor *ed = self;
    wait_for(&ed->go);
    while (!ed->closing) {
        int length = 0;
        const char *text = el_gets(ed->edit, &length);
        if (ed->closing)
            break;
        keep_line(ed, text, text ? length : 0);
        suspend_editor(ed);
    }
    sem_post(&ed->back);
    return NULL;
}

// ---- Completion

static size_t common_prefix(const struct word_list *list)
{
    size_t length = strlen(list->words[0]);
    for (size_t i = 1; i < list->count; i++) {
        size_t n = 0;
        while (n < length && list->words[i][n] == list->words[0][n])
            n++;
        length = n;
    }
    return length;
}

static void show_words(struct editor *ed, const struct word_list *list)
{
    size_t width = 0;
    for (size_t i = 0; i < list->count; i++)
        if (strlen(list->words[i]) > width)
            width = strlen(list->words[i]);
    width += 2;
    size_t columns = width < SCREEN_COLUMNS ? SCREEN_COLUMNS / width : 1;
    fputc('\n', ed->out);
    for (size_t i = 0; i < list->count; i++) {
        bool last = i % columns == columns - 1 || i + 1 == list->count;
        fprintf(ed->out, "%-*s", last ? 0 : (int)width, list->words[i]);
        if (last)
            fputc('\n', ed->out);
    }
    fflush(ed->out);
}

static unsigned char complete(EditLine *edit, wint_t key)
{
    struct editor *ed;
    el_get(edit, EL_CLIENTDATA, &ed);
    const LineInfo *info = el_line(edit);
    size_t length = (size_t)(info->cursor - info->buffer), start = length;
    struct word_list list = {0};
    char *line = xasprintf("%.*s", (int)length, info->buffer);
    ed->env.complete(ed->env.self, line, length, &start, &list);
    free(line);
    unsigned char result = CC_ERROR;
    if (list.count > 0) {
        size_t typed = length - start, common = common_prefix(&list);
        bool whole = list.count == 1 && !list.is_partial;
        char *rest = xasprintf("%.*s%s", common > typed ? (int)(common - typed) : 0,
                               list.words[0] + (common > typed ? typed : common), whole ? " " : "");
        if (*rest) {
            el_insertstr(edit, rest);
            result = CC_REFRESH;
        } else {
            show_words(ed, &list);
            result = CC_REDISPLAY;
        }
        free(rest);
    }
    word_list_clear(&list);
    return result;
}

// ---- Making and ending

static char *get_prompt(EditLine *edit)
{
    struct editor *ed;
    el_get(edit, EL_CLIENTDATA, &ed);
    return (char *)ed->env.prompt;
}

static ssize_t output_write(void *cookie, const char *text, size_t length)
{
    struct editor *ed = cookie;
    ed->env.write(ed->env.self, text, length);
    return (ssize_t)length;
}

static void copy_size(struct editor *ed)
{
    struct winsize size = {.ws_row = 24, .ws_col = SCREEN_COLUMNS}, now;
    if (ed->env.size_fd >= 0 && ioctl(ed->env.size_fd, TIOCGWINSZ, &now) == 0 && now.ws_col > 0)
        size = now;
    if (ioctl(ed->slave, TIOCGWINSZ, &now) == 0 && now.ws_col == size.ws_col &&
        now.ws_row == size.ws_row)
        return;
    ioctl(ed->slave, TIOCSWINSZ, &size);
    if (ed->edit)
        el_resize(ed->edit);
}

static bool open_terminal(struct editor *ed)
{
    char name[64];
    ed->slave = -1;
    ed->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ed->master < 0 || grantpt(ed->master) != 0 || unlockpt(ed->master) != 0 ||
        ptsname_r(ed->master, name, sizeof name) != 0)
        return false;
    ed->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return ed->slave >= 0;
}

static void set_up_edit(struct editor *ed)
{
    HistEvent event;
    history(ed->history, &event, H_SETSIZE, HISTORY_LINES);
    history(ed->history, &event, H_SETUNIQUE, 1);
    el_set(ed->edit, EL_CLIENTDATA, ed);
    el_set(ed->edit, EL_PROMPT, get_prompt);
    el_set(ed->edit, EL_EDITOR, "emacs");
    el_set(ed->edit, EL_SIGNAL, 0);
    el_set(ed->edit, EL_HIST, history, ed->history);
    el_set(ed->edit, EL_GETCFN, get_character);
    // The narrow call copies the strings and never frees them.
    el_wset(ed->edit, EL_ADDFN, L"emu-complete", L"complete the word", complete);
    el_set(ed->edit, EL_BIND, "^I", "emu-complete", NULL);
    el_set(ed->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(ed->edit, EL_BIND, "^C", "em-kill-line", NULL);
    el_set(ed->edit, EL_BIND, "^W", "ed-delete-prev-word", NULL);
}

struct editor *editor_create(const struct editor_env *env, struct error *err)
{
    static const cookie_io_functions_t functions = {.write = output_write};
    struct editor *ed = xcalloc(1, sizeof *ed);
    ed->env = *env;
    bool ok = open_terminal(ed);
    if (ok) {
        copy_size(ed);
        ed->in = fdopen(dup(ed->slave), "r");
        ed->out = fopencookie(ed, "w", functions);
        ok = ed->in && ed->out;
    }
    if (ok)
        ed->edit = el_init_fd("emu", ed->in, ed->out, ed->out, ed->slave, ed->slave, ed->slave);
    ed->history = history_init();
    if (!ed->edit || !ed->history) {
        error_set(err, "the host gives no pseudo terminal for the editor");
        editor_destroy(ed);
        return NULL;
    }
    set_up_edit(ed);
    sem_init(&ed->go, 0, 0);
    sem_init(&ed->back, 0, 0);
    if (pthread_create(&ed->thread, NULL, editor_thread, ed) != 0) {
        sem_destroy(&ed->go);
        sem_destroy(&ed->back);
        ed->thread = 0;
        error_set(err, "the host gives no thread for the editor");
        editor_destroy(ed);
        return NULL;
    }
    return ed;
}

void editor_destroy(struct editor *ed)
{
    if (!ed)
        return;
    if (ed->thread) {
        ed->closing = true;
        run_editor(ed);
        pthread_join(ed->thread, NULL);
        sem_destroy(&ed->go);
        sem_destroy(&ed->back);
    }
    if (ed->edit)
        el_end(ed->edit);
    if (ed->history)
        history_end(ed->history);
    if (ed->in)
        fclose(ed->in);
    if (ed->out)
        fclose(ed->out);
    if (ed->slave >= 0)
        close(ed->slave);
    if (ed->master >= 0)
        close(ed->master);
    free(ed->line);
    free(ed);
}

void editor_begin(struct editor *ed)
{
    free(ed->line);
    ed->line = NULL;
    ed->count = ed->used = 0;
    copy_size(ed);
    run_editor(ed);
}

const char *editor_feed(struct editor *ed, const uint8_t *bytes, size_t count, size_t *used)
{
    ed->bytes = bytes;
    ed->count = count;
    ed->used = 0;
    run_editor(ed);
    *used = ed->used;
    ed->count = ed->used = 0;
    return ed->line;
}

void editor_refresh(struct editor *ed)
{
    copy_size(ed);
    el_set(ed->edit, EL_REFRESH);
    fflush(ed->out);
}

void editor_for_each_history(struct editor *ed,
                             void (*fn)(void *self, int number, const char *line), void *self)
{
    HistEvent event;
    for (int more = history(ed->history, &event, H_LAST); more != -1;
         more = history(ed->history, &event, H_PREV))
        fn(self, event.num, event.str);
}
