// SPDX-License-Identifier: MIT
// The parts of the user program.
#ifndef USER_H
#define USER_H

#include "guest.h"

const struct teb *teb_self(void);
// Prints one line: kind, address space, thread, text. %x, %u, %p (eight digits), %s.
void say(const char *kind, const char *fmt, ...);

// image.c: calls of functions that the mapped module exports.
void image_calls(void);
void image_call_often(void);
void image_exit(void);
void image_enter_in_list(void);

#endif
