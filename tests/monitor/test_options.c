// SPDX-License-Identifier: MIT
// The command line: what each option sets, and one clear line for what is wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "main/options.h"

#define ARGS_MAX 16

static struct options options;
static char shown[32768];

// Parses a line of words separated by single spaces.
static bool parse(const char *line, const char *plugins, struct error *err)
{
    static char copy[4096];
    char *argv[ARGS_MAX] = {(char *)"emu"};
    int argc = 1;
    snprintf(copy, sizeof copy, "%s", line);
    char *rest = copy;
    for (char *word = strsep(&rest, " "); word && *word && argc < ARGS_MAX;
         word = strsep(&rest, " "))
        argv[argc++] = word;
    options_free(&options);
    memset(shown, 0, sizeof shown);
    FILE *out = fmemopen(shown, sizeof shown - 1, "w");
    bool ok = options_parse(&options, argc, argv, plugins, out, err);
    fclose(out);
    return ok;
}

static const struct machine_config *takes(const char *line)
{
    struct error err = {""};
    if (!parse(line, NULL, &err))
        fail_msg("%s: %s", line, err.text);
    return &options.config;
}

static void refuses(const char *line, const char *reason)
{
    struct error err = {""};
    if (parse(line, NULL, &err))
        fail_msg("%s was accepted", line);
    if (!strstr(err.text, reason))
        fail_msg("%s: '%s' does not say '%s'", line, err.text, reason);
    assert_null(strchr(err.text, '\n'));
}

static void defaults(void **state)
{
    const struct machine_config *c = takes("");
    assert_int_equal(c->ram_mib, 128);
    assert_int_equal(c->cpu_model, CPU_MODEL_PENTIUM4);
    assert_int_equal(options.serial_count, 1);
    assert_string_equal(options.serials[0], "null");
    assert_int_equal(options.monitor_count, 0);
    assert_true(c->drives[2].present && c->drives[2].cdrom && !c->drives[2].path);
    assert_false(c->icount || c->snapshot || c->debug_exit || c->start_stopped);
    c = takes("-nodefaults");
    assert_int_equal(options.serial_count, 0);
    assert_false(c->drives[2].present);
}

static void memory(void **state)
{
    assert_int_equal(takes("-m 64")->ram_mib, 64);
    assert_int_equal(takes("-m 256M")->ram_mib, 256);
    assert_int_equal(takes("-m 2G")->ram_mib, 2048);
    assert_int_equal(takes("-m 3584")->ram_mib, 3584);
    assert_int_equal(takes("-m size=1g")->ram_mib, 1024);
    assert_int_equal(takes("-m 65536k")->ram_mib, 64);
    refuses("-m 3585", "-m 3585: too much memory");
    refuses("-m 1T", "too much memory");
    refuses("-m 8G", "too much memory");
    refuses("-m 18446744073709551615", "too much memory");
    refuses("-m 99999999999999999999999", "-m 9999");
    refuses("-m 0", "too little");
    refuses("-m -1", "not a size");
    refuses("-m abc", "-m abc: not a size");
    refuses("-m 12Q", "not a size");
    refuses("-m 12MM", "not a size");
    refuses("-m 3000001B", "MiB");
    refuses("-m", "-m: a value is missing");
}

static void drives(void **state)
{
    const struct machine_config *c = takes("-hda a.img -hdb b.img -cdrom c.iso -hdd d.img");
    assert_string_equal(c->drives[0].path, "a.img");
    assert_string_equal(c->drives[1].path, "b.img");
    assert_true(c->drives[2].cdrom && c->drives[2].read_only);
    assert_string_equal(c->drives[3].path, "d.img");
    assert_string_equal(takes("disk.img")->drives[0].path, "disk.img");
    c = takes("-drive file=x,,y.img,if=ide,index=3,format=raw,readonly=on");
    assert_string_equal(c->drives[3].path, "x,y.img");
    assert_true(c->drives[3].read_only);
    c = takes("-drive a.img -drive file=b.iso,media=cdrom");
    assert_string_equal(c->drives[0].path, "a.img");
    assert_true(c->drives[1].cdrom);
    assert_string_equal(takes("-drive file=q,bus=1,unit=1")->drives[3].path, "q");
    assert_true(takes("-snapshot")->snapshot);
    refuses("-hda a -hda b", "-hda b: there is already a drive");
    refuses("-hdc a -cdrom b", "secondary master");
    refuses("-drive file=a,format=qcow2", "qemu-img convert");
    refuses("-drive file=a,if=virtio", "if=ide");
    refuses("-drive file=a,index=4", "index=");
    refuses("-drive file=a,index=1,unit=1", "not both");
    refuses("-drive file=a,media=tape", "media=tape");
    refuses("-drive file=a,cache=none", "unknown parameter 'cache'");
    refuses("-drive file=a,snapshot=on", "-snapshot");
    refuses("-drive index=0", "no file=");
    refuses("-hda a -hdb b -hdc c -hdd d -drive e", "all four");
    refuses("a.img b.img", "b.img: there is already");
}

static void boot(void **state)
{
    assert_string_equal(takes("-boot d")->boot_order, "d");
    const struct machine_config *c = takes("-boot order=cd,menu=on");
    assert_string_equal(c->boot_order, "cd");
    assert_true(c->boot_menu);
    refuses("-boot z", "'z' is no boot device");
    refuses("-boot cc", "twice");
    refuses("-boot once=d", "unknown parameter 'once'");
    refuses("-boot menu=maybe", "on or off");
    c = takes("-kernel k -initrd i -append console=ttyS0");
    assert_string_equal(c->append, "console=ttyS0");
    refuses("-append x", "-append x: it needs -kernel");
    refuses("-initrd x", "needs -kernel");
}

static void characters(void **state)
{
    takes("-serial stdio -serial file:x -monitor unix:p,server=on,wait=off -debugcon null");
    assert_int_equal(options.serial_count, 2);
    assert_string_equal(options.serials[1], "file:x");
    assert_string_equal(options.monitors[0], "unix:p,server=on,wait=off");
    assert_string_equal(options.debugcon, "null");
    assert_true(options.config.debugcon_present);
    assert_int_equal(options.config.debugcon_base, 0xe9);
    assert_false(takes("-serial null")->debugcon_present);
    assert_int_equal(takes("-debugcon null -global isa-debugcon.iobase=0x402")->debugcon_base,
                     0x402);
    assert_int_equal(takes("-device isa-debugcon,iobase=0x402 -debugcon null")->debugcon_base,
                     0x402);
    assert_true(takes("-device isa-debugcon")->debugcon_present);
    assert_false(takes("-global isa-debugcon.iobase=0x402")->debugcon_present);
    refuses("-device isa-debugcon,chardev=c", "-debugcon names");
    refuses("-device isa-debugcon,iosize=2", "unknown property 'iosize'");
    refuses("-global isa-debugcon.iobase=0x10000", "not a number");
    takes("-nographic");
    assert_string_equal(options.serials[0], "mon:stdio");
    assert_string_equal(options.monitors[0], "mon:stdio");
    takes("-nographic -monitor null");
    assert_string_equal(options.serials[0], "stdio");
    assert_string_equal(options.monitors[0], "null");
    takes("-nographic -serial null");
    assert_string_equal(options.monitors[0], "stdio");
    takes("-serial mon:stdio");
    assert_int_equal(options.monitor_count, 1);
    takes("-serial mon:stdio -monitor none");
    assert_int_equal(options.monitor_count, 0);
    takes("-serial none");
    assert_null(options.serials[0]);
    takes("-display none -vga std -parallel none -net none -nic none");
    refuses("-serial a -serial b -serial c", "at most 2");
    refuses("-display gtk", "-display gtk: ");
}

static void time_and_counting(void **state)
{
    assert_int_equal(takes("-rtc base=2024-05-06T07:08:09")->rtc_base, 1714979289);
    assert_int_equal(takes("-rtc base=2000-01-01,clock=vm")->rtc_base, 946684800);
    assert_true(takes("-rtc base=localtime")->rtc_base > 1600000000);
    refuses("-rtc base=bogus", "base=bogus");
    refuses("-rtc base=2024-02-30", "base=2024-02-30");
    refuses("-rtc base=2024-05-06T07:08:09Z", "base=");
    refuses("-rtc clock=moon", "clock=moon");
    refuses("-rtc when=now", "unknown parameter 'when'");
    const struct machine_config *c = takes("-icount shift=7,sleep=off");
    assert_true(c->icount && c->icount_shift == 7);
    assert_int_equal(takes("-icount auto")->icount_shift, 3);
    assert_int_equal(takes("-icount 0")->icount_shift, 0);
    refuses("-icount shift=11", "shift=11");
    refuses("-icount shift=bogus", "shift=bogus");
    refuses("-icount shift=-1", "shift=-1");
    refuses("-icount shift=1,sleep=on", "sleep=on");
    refuses("-icount align=off", "no shift");
}

static void plugins(void **state)
{
    struct error err = {""};
    assert_true(parse("-plugin a,key=value,b -plugin ./c.plugin", "d,e", &err));
    assert_int_equal(options.config.plugin_count, 3);
    assert_string_equal(options.config.plugins[0], "a,key=value,b");
    assert_string_equal(options.config.plugins[1], "./c.plugin");
    assert_string_equal(options.config.plugins[2], "d,e");
    assert_string_equal(takes("-os-version Win8.1")->os_version, "Win8.1");
    refuses("-os-version DOS", "unknown guest system");
    refuses("-plugin a,", "-plugin a,: an empty plugin name");
    refuses("-plugin ,a", "an empty plugin name");
    refuses("-plugin a,,b", "an empty plugin name");
}

static void machine_and_devices(void **state)
{
    takes("-machine pc -M pc-i440fx-7.2 -accel interp");
    refuses("-machine q35", "unknown machine 'q35'");
    refuses("-accel bogus", "-accel bogus: unknown");
    refuses("-accel kvm", "interp");
    assert_int_equal(takes("-cpu pentium3")->cpu_model, CPU_MODEL_PENTIUM3);
    assert_int_equal(takes("-cpu max")->cpu_model, CPU_MODEL_PENTIUM4);
    refuses("-cpu bogus", "-cpu bogus: unknown CPU model");
    takes("-smp 1 -vnc none");
    takes("-smp cpus=1,cores=1");
    refuses("-smp 2", "-smp 2: the machine has one CPU");
    refuses("-vnc :1", "-vnc :1: ");
    const struct machine_config *c = takes("-device isa-debug-exit,iobase=0xf4,iosize=0x04");
    assert_true(c->debug_exit);
    assert_int_equal(c->debug_exit_base, 0xf4);
    assert_int_equal(c->debug_exit_size, 4);
    assert_int_equal(takes("-device isa-debug-exit")->debug_exit_base, 0x501);
    refuses("-device e1000", "unknown device");
    refuses("-device isa-debug-exit,iobase=0x10000", "iobase=0x10000");
    refuses("-device isa-debug-exit,iobase=0xffff,iosize=4", "beyond 0xffff");
    refuses("-device isa-debug-exit,iosize=0", "iosize=0");
    refuses("-device isa-debug-exit,foo=1", "unknown property 'foo'");
    refuses("-global x.y=z", "only isa-debugcon.iobase=");
    assert_true(takes("-device pc-testdev")->testdev);
    refuses("-device pc-testdev,iobase=1", "unknown property 'iobase'");
    assert_int_equal(takes("-device isa-post")->post_base, 0x190);
    assert_int_equal(takes("-device isa-post,iobase=0x84")->post_base, 0x84);
    refuses("-device isa-post,iobase=0", "iobase=0");
    c = takes("-S -no-reboot -no-shutdown -name guest=box -L d1 -L d2 -bios b");
    assert_true(c->start_stopped && c->no_reboot && c->no_shutdown);
    assert_string_equal(c->name, "box");
    assert_string_equal(c->firmware_dirs[1], "d2");
    assert_null(c->firmware_dirs[2]);
}

static void logging(void **state)
{
    takes("-d int,mmu -D log.txt");
    assert_int_equal(options.log_mask, LOG_INT | LOG_MMU);
    assert_string_equal(options.log_file, "log.txt");
    refuses("-d bogus", "bogus");
}

static void unknown(void **state)
{
    refuses("-nonsense", "-nonsense: unknown option");
    refuses("--also-nonsense", "--also-nonsense: unknown option");
    refuses("--", "--: unknown option");
    assert_int_equal(takes("--m 77")->ram_mib, 77);
    char line[3000] = "-drive ";
    memset(line + 7, 'k', 2000);
    strcpy(line + 2007, "=1");
    refuses(line, "unknown parameter");
}

static void shows(void **state)
{
    static const char *const asks[] = {"-help",        "-h",          "--help",
                                       "-version",     "-cpu help",   "-d help",
                                       "-device help", "-accel help", "-M help"};
    for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
        takes(asks[i]);
        assert_int_equal(options.action, OPTIONS_SHOWN);
        assert_true(strlen(shown) > 5);
    }
    takes("-help");
    assert_non_null(strstr(shown, "-no-reboot"));
    assert_non_null(strstr(shown, "-icount shift=N"));
    takes("-version");
    assert_non_null(strstr(shown, EMU_VERSION));
}

static int finish(void **state)
{
    options_free(&options);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),   cmocka_unit_test(memory),
        cmocka_unit_test(drives),     cmocka_unit_test(boot),
        cmocka_unit_test(characters), cmocka_unit_test(time_and_counting),
        cmocka_unit_test(plugins),    cmocka_unit_test(machine_and_devices),
        cmocka_unit_test(logging),    cmocka_unit_test(unknown),
        cmocka_unit_test(shows),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
