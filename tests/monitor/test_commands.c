// SPDX-License-Identifier: MIT
// Every command and topic of the monitor on a machine of its own.
#include "monitor_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "monitor/command.h"

static struct fixture fixture;
static struct fixture *const f = &fixture;

static int make(void **state)
{
    fixture_make(f);
    fixture_add_monitor(f);
    return 0;
}

static int destroy(void **state)
{
    fixture_free(f);
    return 0;
}

static void poke(uint32_t at, const void *bytes, size_t length)
{
    assert_true(physmem_write(machine_physmem(f->machine), at, bytes, length));
}

static void nonsense(void **state)
{
    fixture_is(f, "", "");
    fixture_is(f, "   ", "");
    fixture_refuses(f, "nonsense", "unknown command: 'nonsense'; type help");
    fixture_refuses(f, "info nonsense", "unknown topic 'nonsense'");
    fixture_refuses(f, "stop now", "unexpected 'now'");
    fixture_refuses(f, "info status now", "unexpected 'now'");
    fixture_refuses(f, "/", "unknown command");
    fixture_refuses(f, "help nonsense", "unknown command 'nonsense'");
    char line[9000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    fixture_refuses(f, line, "unknown command: 'xxxx");
    memcpy(line, "print ", 6);
    fixture_refuses(f, line, "too long");
}

static void help(void **state)
{
    const char *all = fixture_run(f, "help");
    for (size_t i = 0; i < command_count; i++)
        assert_non_null(strstr(all, commands[i].name));
    fixture_has(f, "help x", "x /FMT ADDR  -- ");
    fixture_has(f, "? p", "print|p");
    fixture_has(f, "help info", "info registers");
    fixture_has(f, "help info tlb", "tlb");
    fixture_has(f, "info", "info status");
}

// Each command without arguments, and with senseless ones, ends in at most one line of complaint.
static void every_command_survives(void **state)
{
    static const char *const tails[] = {"",     " /",           " \"",    " /9999999999x 1",
                                        " -f",  " -1 -1 -1 -1", " $ $ $", " 0xffffffffffffffff 1 x",
                                        " (((("};
    // Some of these name files to write: they go to a folder of their own.
    char folder[] = "/tmp/emu-commands-XXXXXX";
    assert_non_null(mkdtemp(folder));
    int before = open(".", O_RDONLY | O_DIRECTORY);
    assert_int_equal(chdir(folder), 0);
    for (size_t i = 0; i < command_count; i++) {
        for (size_t t = 0; t < ARRAY_SIZE(tails); t++) {
            if (strcmp(commands[i].name, "quit") == 0)
                continue;
            char *line = xasprintf("%s%s", commands[i].name, tails[t]);
            fixture_run(f, line);
            free(line);
        }
    }
    for (size_t i = 0; i < info_topic_count; i++) {
        char *line = xasprintf("info %s", info_topics[i].name);
        assert_true(strlen(fixture_run(f, line)) > 0 ||
                    strcmp(info_topics[i].name, "plugins") == 0);
        free(line);
    }
    static const char *const written[] = {"-f", "x", "((((", "/", "1"};
    for (size_t i = 0; i < ARRAY_SIZE(written); i++)
        unlink(written[i]);
    assert_int_equal(fchdir(before), 0);
    close(before);
    assert_int_equal(rmdir(folder), 0);
}

static void info(void **state)
{
    fixture_is(f, "info status", "VM status: paused (prelaunch)\n");
    fixture_has(f, "info registers", "EIP=0000fff0");
    fixture_has(f, "info cpus", "pentium4, running, CPL 0, pc=0xfffffff0");
    fixture_is(f, "info mem", "PG disabled\n");
    fixture_is(f, "info tlb", "PG disabled\n");
    fixture_has(f, "info mtree", "I/O ports\n");
    fixture_has(f, "info pic", "pic0:");
    fixture_has(f, "info qtree", "i8259");
    fixture_has(f, "info pci", "8086:1237");
    fixture_has(f, "info block", "ide1-cd0: [not inserted]");
    fixture_has(f, "info jit", "blocks");
    fixture_has(f, "info icount", "instructions: 0\n");
    fixture_has(f, "info hash", "ram: ");
    fixture_is(f, "info name", "box\n");
    fixture_has(f, "info version", EMU_VERSION);
    fixture_has(f, "info signals", "qemu/PLUGIN_QEMU_EXCEPTION");
    fixture_has(f, "info signals qemu/PLUGIN_QEMU_PAGE_DIR_UPD", "cr3");
    fixture_refuses(f, "info signals nobody", "no signal 'nobody'");
    fixture_refuses(f, "info history", "terminal");
}

static void printing(void **state)
{
    fixture_is(f, "print 6*7", "42\n");
    fixture_is(f, "p 0-1", "-1\n");
    fixture_is(f, "p/x 255", "0xff\n");
    fixture_is(f, "print /u -1", "18446744073709551615\n");
    fixture_is(f, "print /dw 0xffffffff", "-1\n");
    fixture_is(f, "print /xb 0x1234", "0x34\n");
    fixture_is(f, "print /o 8", "010\n");
    fixture_is(f, "print /c 65", "'A'\n");
    fixture_is(f, "print /x $cs.base+$eip-$eip", "0xffff0000\n");
    fixture_is(f, "print /x $pc", "0xfffffff0\n");
    fixture_is(f, "print /x $dx", "0xf29\n");
    fixture_refuses(f, "print 1/0", "print: division by zero");
    fixture_refuses(f, "print", "an argument is missing");
    fixture_refuses(f, "print /i 1", "format i");
}

static void dumps(void **state)
{
    static const uint8_t bytes[16] = {0x90, 0xb8, 0x34, 0x12, 0xcd, 0x10, 0xff, 0xff,
                                      'A',  '\'', '\\', '\n', 0,    1,    2,    0x80};
    poke(0x1000, bytes, sizeof bytes);
    fixture_is(f, "xp /2xw 0x1000", "0000000000001000: 0x1234b890 0xffff10cd\n");
    fixture_is(f, "x /2xh 0x1000", "00001000: 0xb890 0x1234\n");
    fixture_is(f, "x/5xw 0x1000",
               "00001000: 0x1234b890 0xffff10cd 0x0a5c2741 0x80020100\n"
               "00001010: 0x00000000\n");
    fixture_is(f, "x /xg 0x1000", "00001000: 0xffff10cd1234b890\n");
    fixture_is(f, "x /2db 0x1006", "00001006:   -1   -1\n");
    fixture_is(f, "x /uh 0x1006", "00001006:  65535\n");
    fixture_is(f, "x /ob 0x100f", "0000100f: 0200\n");
    fixture_is(f, "x /6c 0x1008", "00001008: 'A' '\\'' '\\\\' '\\n' '\\x00' '\\x01'\n");
    fixture_has(f, "x /3i 0x1000",
                "0x00001001:  b8 34 12                 mov ax, 0x1234\n"
                "0x00001004:  cd 10 ");
    fixture_has(f, "xp /1iw 0x1001", "b8 34 12 cd 10");
    fixture_refuses(f, "x 0x100000000", "address 0x100000000 is beyond 4 GiB");
    fixture_refuses(f, "x 0xe0000000", "no memory is mapped at address 0xe0000000");
    fixture_refuses(f, "xp 0xe0000000", "no memory at physical address 0xe0000000");
    fixture_refuses(f, "xp /4xw 0x3fffffe", "0x04000000"); // the last two bytes of RAM
    fixture_refuses(f, "x /65537b 0", "count");
    fixture_is(f, "gva2gpa 0x1234", "gpa: 0x1234\n");
    fixture_refuses(f, "gva2gpa 0x100000000", "not mapped");
    fixture_has(f, "x /i -16", "ea 5b e0 00 f0");
}

static void sums(void **state)
{
    static const uint8_t bytes[] = {1, 2, 3};
    poke(0x2000, bytes, sizeof bytes);
    // 1; (1 ror 1) + 2 = 0x8002; (0x8002 ror 1) + 3 = 0x4004
    fixture_is(f, "sum 0x2000 3", "16388\n");
    fixture_refuses(f, "sum 0 0", "a size of 0 bytes");
}

static long file_size(const char *name)
{
    struct stat st;
    return stat(fixture_path(f, name), &st) == 0 ? (long)st.st_size : -1;
}

static void saves_as(const char *format, const char *name, long size)
{
    char *line = xasprintf(format, fixture_path(f, name));
    fixture_is(f, line, "");
    free(line);
    assert_int_equal(file_size(name), size);
}

static void saving(void **state)
{
    char bytes[5] = "saved";
    poke(0x3000, bytes, 5);
    saves_as("pmemsave 0x3000 5 %s", "a", 5);
    FILE *file = fopen(fixture_path(f, "a"), "r");
    char back[8] = "";
    assert_int_equal(fread(back, 1, 8, file), 5);
    fclose(file);
    assert_string_equal(back, "saved");
    saves_as("memsave 0x3000 70000 \"%s\"", "b c", 70000);
    saves_as("pmemsave 0 64<<20 %s", "all", 64 << 20);
    fixture_refuses(f, "pmemsave 0 5 /nonexistent/file", "/nonexistent/file: No such file");
    fixture_refuses(f, "pmemsave 0xe0000000 5 /tmp/x", "no memory at");
    fixture_refuses(f, "memsave 0xffffffff 2 /tmp/x", "beyond 4 GiB");
    fixture_refuses(f, "memsave 0 -5 /tmp/x", "a size of -5");
    fixture_refuses(f, "memsave 0 5", "arguments are missing");
    // A save that meets unmapped memory leaves no half a file.
    char *line = xasprintf("memsave 0x3fff000 65536 %s", fixture_path(f, "half"));
    fixture_refuses(f, line, "no memory is mapped at address 0x04000000");
    free(line);
    assert_int_equal(file_size("half"), -1);
}

static void ports(void **state)
{
    fixture_is(f, "o 0x70 0x0d", "");
    fixture_is(f, "o /b 0x21 0x5a", "");
    fixture_is(f, "i 0x21", "portb[0x0021] = 0x5a\n");
    fixture_has(f, "i /w 0xcf8", "portl[0x0cf8] = 0x");
    fixture_has(f, "i /h 0x9000", "portw[0x9000] = 0xffff");
    fixture_refuses(f, "i 0x10000", "port 0x10000 is not in");
    fixture_refuses(f, "i -1", "is not in");
    fixture_refuses(f, "i /g 0", "1, 2 or 4 bytes");
    fixture_refuses(f, "o 0x80", "arguments are missing");
}

static void keys_and_screen(void **state)
{
    fixture_is(f, "sendkey ctrl-alt-delete", "");
    fixture_is(f, "sendkey a 10", "");
    fixture_refuses(f, "sendkey nokey", "nokey");
    fixture_refuses(f, "sendkey a 0", "1 to 10000");
    char *line = xasprintf("screendump %s", fixture_path(f, "s.ppm"));
    fixture_is(f, line, "");
    free(line);
    FILE *file = fopen(fixture_path(f, "s.ppm"), "r");
    unsigned width, height;
    assert_int_equal(fscanf(file, "P6 %u %u 255", &width, &height), 2);
    fclose(file);
    assert_true(file_size("s.ppm") > (long)(width * height * 3));
    line = xasprintf("screendump %s", fixture_path(f, "s.png"));
    const char *answer = fixture_run(f, line);
    free(line);
    if (!strstr(answer, "libpng")) {
        assert_string_equal(answer, "");
        char head[8] = "";
        file = fopen(fixture_path(f, "s.png"), "r");
        assert_int_equal(fread(head, 1, 8, file), 8);
        fclose(file);
        assert_memory_equal(head, "\x89PNG\r\n\x1a\n", 8);
    }
    fixture_refuses(f, "screendump x -f gif", "unknown format 'gif'");
    fixture_refuses(f, "screendump /nonexistent/s.ppm", "No such file");
}

static void media(void **state)
{
    FILE *file = fopen(fixture_path(f, "cd.iso"), "w");
    for (unsigned i = 0; i < 4096; i++)
        fputc('c', file);
    fclose(file);
    char *line = xasprintf("change ide1-cd0 %s", fixture_path(f, "cd.iso"));
    fixture_is(f, line, "");
    free(line);
    fixture_has(f, "info block", "cd.iso");
    fixture_is(f, "eject -f ide1-cd0", "");
    fixture_has(f, "info block", "[not inserted]");
    fixture_refuses(f, "eject nodev", "nodev");
    fixture_refuses(f, "change ide1-cd0 /nonexistent.iso", "/nonexistent.iso");
}

static void logging(void **state)
{
    fixture_is(f, "log int,mmu", "");
    assert_int_equal(f->log.mask, LOG_INT | LOG_MMU);
    fixture_is(f, "log none", "");
    assert_int_equal(f->log.mask, 0);
    fixture_refuses(f, "log bogus", "bogus");
    fixture_has(f, "log help", "in_asm");
    char *line = xasprintf("logfile %s", fixture_path(f, "log"));
    fixture_is(f, line, "");
    free(line);
    assert_int_equal(file_size("log"), 0);
    fixture_refuses(f, "logfile /nonexistent/log", "/nonexistent/log");
}

static void plugins(void **state)
{
    fixture_is(f, "list_plugins", "");
    fixture_is(f, "unload_plugin", "");
    fixture_refuses(f, "load_plugin nosuchplugin", "nosuchplugin");
    fixture_refuses(f, "load_plugin ,a", "empty plugin name");
    fixture_refuses(f, "stop_plugin nosuchplugin", "'nosuchplugin' is not loaded");
    fixture_refuses(f, "unload_plugin nosuchplugin", "'nosuchplugin' is not loaded");
    fixture_refuses(f, "stop_plugin", "missing");
}

static void running(void **state)
{
    fixture_is(f, "cont", "");
    fixture_is(f, "info status", "VM status: running\n");
    fixture_is(f, "stop", "");
    fixture_is(f, "info status", "VM status: paused\n");
    fixture_is(f, "c", "");
    fixture_is(f, "s", "");
    fixture_is(f, "nmi", "");
    assert_true(machine_cpu(f->machine)->nmi_pending);
    fixture_is(f, "system_reset", "");
    fixture_is(f, "system_powerdown", "");
    fixture_is(f, "quit", "");
    assert_int_equal(machine_run(f->machine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonsense), cmocka_unit_test(help),    cmocka_unit_test(info),
        cmocka_unit_test(printing), cmocka_unit_test(dumps),   cmocka_unit_test(sums),
        cmocka_unit_test(saving),   cmocka_unit_test(ports),   cmocka_unit_test(keys_and_screen),
        cmocka_unit_test(media),    cmocka_unit_test(logging), cmocka_unit_test(plugins),
        cmocka_unit_test(running),
    };
    const struct CMUnitTest hostile[] = {
        cmocka_unit_test_setup_teardown(every_command_survives, make, destroy),
    };
    int failed = cmocka_run_group_tests(tests, make, destroy);
    return failed + cmocka_run_group_tests(hostile, NULL, NULL);
}
