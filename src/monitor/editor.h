// SPDX-License-Identifier: MIT
// A line editor with history and completion: libedit, run as a coroutine. It works on a thread of
// its own that only runs while one of the functions below waits for it, so nothing here runs at the
// same time as the caller and the caller never waits for a key.
#ifndef EMU_MONITOR_EDITOR_H
#define EMU_MONITOR_EDITOR_H

#include "base/error.h"

struct editor;

// Words that could stand where the cursor is.
struct word_list {
    char **words;
    size_t count;
    bool is_partial; // a word is the beginning of something longer: no space after it
};
void word_list_add(struct word_list *list, const char *word);
void word_list_clear(struct word_list *list);

struct editor_env {
    void *self;
    void (*write)(void *self, const char *text, size_t length); // to the terminal
    // The words that may replace `line` from *start to `length`, where the cursor is.
    void (*complete)(void *self, const char *line, size_t length, size_t *start,
                     struct word_list *list);
    const char *prompt;
    int size_fd; // the terminal whose size counts; -1: 80 by 24
};

struct editor *editor_create(const struct editor_env *env, struct error *err);
void editor_destroy(struct editor *editor);

// Begins a line: shows the prompt.
void editor_begin(struct editor *editor);
// Hands over typed bytes; *used says how many were taken. Returns the line when one is complete
// (valid until the next call; the rest of the bytes belongs to the next line), else NULL.
const char *editor_feed(struct editor *editor, const uint8_t *bytes, size_t count, size_t *used);
// Shows prompt and line again, on a fresh line of the screen.
void editor_refresh(struct editor *editor);

// Oldest first.
void editor_for_each_history(struct editor *editor,
                             void (*fn)(void *self, int number, const char *line), void *self);

#endif
