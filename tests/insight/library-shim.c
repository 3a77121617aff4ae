// SPDX-License-Identifier: MIT
// Preloaded natively: writes each call that the program makes to descriptor 9, in the form that
// the test brings api_monitor_linux's log to. Pointers are P, or 0.
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int busy;

static void say(const char *fmt, ...)
{
    char line[512];
    va_list list;
    va_start(list, fmt);
    int n = vsnprintf(line, sizeof line, fmt, list);
    va_end(list);
    write(9, line, (size_t)n);
}

static const char *p(const void *pointer)
{
    return pointer ? "P" : "0";
}

#define WRAP(type, name, parameters, arguments, entry, exit)                                       \
    type name parameters                                                                           \
    {                                                                                              \
        type(*real) parameters = dlsym(RTLD_NEXT, #name);                                          \
        int outer = busy++ == 0;                                                                   \
        if (outer)                                                                                 \
            say entry;                                                                             \
        busy -= strcmp(#name, "qsort") == 0;                                                       \
        type r = real arguments;                                                                   \
        busy += strcmp(#name, "qsort") == 0;                                                       \
        if (outer)                                                                                 \
            say exit;                                                                              \
        busy--;                                                                                    \
        return r;                                                                                  \
    }

WRAP(char *, getenv, (const char *s), (s), ("getenv(\"%s\")\n", s), ("getenv returned %s\n", p(r)))
WRAP(int, setenv, (const char *s, const char *v, int o), (s, v, o),
     ("setenv(\"%s\", \"%s\", %d)\n", s, v, o), ("setenv returned %#x\n", r))
WRAP(int, puts, (const char *s), (s), ("puts(\"%s\")\n", s), ("puts returned %#x\n", r))
WRAP(int, atoi, (const char *s), (s), ("atoi(\"%s\")\n", s), ("atoi returned %#x\n", r))
WRAP(char *, strdup, (const char *s), (s), ("strdup(\"%s\")\n", s), ("strdup returned %s\n", p(r)))
WRAP(void *, malloc, (size_t n), (n), ("malloc(%u)\n", (unsigned)n), ("malloc returned %s\n", p(r)))
WRAP(void *, realloc, (void *m, size_t n), (m, n), ("realloc(%s, %u)\n", p(m), (unsigned)n),
     ("realloc returned %s\n", p(r)))
WRAP(void *, calloc, (size_t a, size_t b), (a, b), ("calloc(%u, %u)\n", (unsigned)a, (unsigned)b),
     ("calloc returned %s\n", p(r)))
WRAP(FILE *, fopen, (const char *s, const char *m), (s, m), ("fopen(\"%s\", \"%s\")\n", s, m),
     ("fopen returned %s\n", p(r)))
WRAP(int, fputs, (const char *s, FILE *f), (s, f), ("fputs(\"%s\", %s)\n", "a line.", p(f)),
     ("fputs returned %#x\n", r))
// clang-format off
WRAP(int, fclose, (FILE *f), (f), ("fclose(%s)\n", p(f)), ("fclose returned %#x\n", r))
// clang-format on
WRAP(int, access, (const char *s, int m), (s, m), ("access(\"%s\", %d)\n", s, m),
     ("access returned %#x\n", r))
WRAP(int, unlink, (const char *s), (s), ("unlink(\"%s\")\n", s), ("unlink returned %#x\n", r))
WRAP(int, abs, (int v), (v), ("abs(%d)\n", v), ("abs returned %#x\n", r))
WRAP(long, strtol, (const char *s, char **e, int b), (s, e, b),
     ("strtol(\"%s\", %s, %d)\n", s, p(e), b), ("strtol returned %#lx\n", (unsigned long)r))
// clang-format off
WRAP(int, fflush, (FILE *f), (f), ("fflush(%s)\n", p(f)), ("fflush returned %#x\n", r))
// clang-format on
WRAP(pid_t, fork, (void), (), ("fork()\n"), ("fork returned %s\n", r ? "P" : "0"))
WRAP(void *, memset, (void *m, int c, size_t n), (m, c, n),
     ("memset(%s, %d, %u)\n", p(m), c, (unsigned)n), ("memset returned %s\n", p(r)))
WRAP(void *, memcpy, (void *m, const void *s, size_t n), (m, s, n),
     ("memcpy(%s, %s, %u)\n", p(m), p(s), (unsigned)n), ("memcpy returned %s\n", p(r)))
WRAP(char *, strcpy, (char *m, const char *s), (m, s), ("strcpy(%s, \"%s\")\n", p(m), s),
     ("strcpy returned %s\n", p(r)))
WRAP(size_t, strlen, (const char *s), (s), ("strlen(\"%s\")\n", s),
     ("strlen returned %#x\n", (unsigned)r))
WRAP(char *, strchr, (const char *s, int c), (s, c), ("strchr(\"%s\", %d)\n", s, c),
     ("strchr returned %s\n", p(r)))
WRAP(char *, strrchr, (const char *s, int c), (s, c), ("strrchr(\"%s\", %d)\n", s, c),
     ("strrchr returned %s\n", p(r)))
WRAP(void *, memchr, (const void *s, int c, size_t n), (s, c, n),
     ("memchr(%s, %d, %u)\n", p(s), c, (unsigned)n), ("memchr returned %s\n", p(r)))
WRAP(int, memcmp, (const void *a, const void *b, size_t n), (a, b, n),
     ("memcmp(%s, %s, %u)\n", p(a), p(b), (unsigned)n), ("memcmp returned %s\n", r ? "P" : "0"))
WRAP(int, strcmp, (const char *a, const char *b), (a, b), ("strcmp(\"%s\", \"%s\")\n", a, b),
     ("strcmp returned %s\n", r ? "P" : "0"))
WRAP(int, strncmp, (const char *a, const char *b, size_t n), (a, b, n),
     ("strncmp(\"%s\", \"%s\", %u)\n", a, b, (unsigned)n), ("strncmp returned %s\n", r ? "P" : "0"))
