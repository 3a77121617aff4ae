// SPDX-License-Identifier: MIT
// Guest program of the library call test, linked dynamically: what it calls is compared with what
// library-shim.c saw natively.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static jmp_buf back;
static int compared;
static volatile int used; // without it calls without an effect are left out

static int compare(const void *a, const void *b)
{
    compared++;
    return abs(*(const int *)a) - abs(*(const int *)b);
}

static void leave(const void *node)
{
    if (atoi("17") == 17)
        longjmp(back, 1);
}

int main(void)
{
    int numbers[5] = {5, -3, 1, -4, 2};
    setenv("EMU_VARIABLE", "42", 1);
    const char *value = getenv("EMU_VARIABLE");
    puts(value);
    printf("a number: %d\n", atoi(value));
    char *copy = strdup("a string");
    char *memory = malloc(100);
    memory = realloc(memory, 200);
    char *zeroes = calloc(3, 5);
    qsort(numbers, 5, sizeof numbers[0], compare);
    free(zeroes);
    free(memory);
    free(copy);
    FILE *file = fopen("/tmp/library-test", "w");
    fputs("a line\n", file);
    fclose(file);
    access("/tmp/library-test", 4);
    unlink("/tmp/library-test");
    access("/tmp/library-test", 4);
    if (!setjmp(back))
        leave(numbers);
    for (int i = 0; i < 100; i++)
        strtol("123", NULL, 8 + i % 8);
    if (fork() == 0) {
        puts("in the child");
        fflush(stdout);
        _exit(atoi("3"));
    }
    int status;
    wait(&status);
    // functions whose code is chosen when they are first called
    char text[64], other[64];
    for (unsigned i = 0; i < 3; i++) {
        memset(text, 'a' + i, sizeof text);
        memcpy(other, text, 10 + i);
        other[10 + i] = 0;
        strcpy(text, "to be, or not");
        used += strlen(text);
        used += strlen(other);
        used += strcmp(text, other);
        used += strchr(text, 'o') != NULL;
        used += strrchr(text, 'q') != NULL;
        used += memchr(text, 'n', 13) != NULL;
        used += memcmp(text, "to bee", 6);
        used += strncmp(text, "to bee", 5);
    }
    puts("done");
    return compared > 0 ? 0 : 1;
}
