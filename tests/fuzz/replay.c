// SPDX-License-Identifier: MIT
// The driver without libFuzzer: gives each file that is named, and each file of a folder that is
// named, to the target. An input that ends the process is the last one named on standard output.
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned count;

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    return 0;
}

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (!file || fstat(fileno(file), &st) != 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(EXIT_FAILURE);
    }
    // Exactly as long as the input: what reads beyond it is seen.
    uint8_t *data = malloc((size_t)st.st_size ? (size_t)st.st_size : 1);
    size_t size = data ? fread(data, 1, (size_t)st.st_size, file) : 0;
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    count++;
}

static void replay(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) {
        replay_file(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *file = xasprintf("%s/%s", path, entries[i]->d_name);
            replay_file(file);
            free(file);
        }
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        char *path = realpath(argv[i], NULL); // a target may change the folder
        if (!path) {
            fprintf(stderr, "%s: there is no such file\n", argv[i]);
            return EXIT_FAILURE;
        }
        replay(path);
        free(path);
    }
    if (count == 0) {
        fprintf(stderr, "usage: %s FILE-OR-FOLDER...\n", argv[0]);
        return EXIT_FAILURE;
    }
    printf("%u inputs\n", count);
    return EXIT_SUCCESS;
}
