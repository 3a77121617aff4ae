// SPDX-License-Identifier: MIT
// Key names and scan codes: sets 1, 2 and 3 of the IBM AT and PS/2 keyboards. Set 2 follows from
// set 1 by the keyboard controller's translation table; set 3 is a table of its own.
#include "devices/keymap.h"

#include <ctype.h>
#include <stdlib.h>

struct key_name {
    const char *name;
    uint8_t key;
};

#define E0(code) (KEYMAP_E0 | (code))

static const struct key_name key_names[] = {
    {"shift", 0x2a},
    {"shift_r", 0x36},
    {"alt", 0x38},
    {"alt_r", E0(0x38)},
    {"ctrl", 0x1d},
    {"ctrl_r", E0(0x1d)},
    {"meta_l", E0(0x5b)},
    {"meta_r", E0(0x5c)},
    {"compose", E0(0x5d)},
    {"menu", E0(0x5d)},
    {"esc", 0x01},
    {"1", 0x02},
    {"2", 0x03},
    {"3", 0x04},
    {"4", 0x05},
    {"5", 0x06},
    {"6", 0x07},
    {"7", 0x08},
    {"8", 0x09},
    {"9", 0x0a},
    {"0", 0x0b},
    {"minus", 0x0c},
    {"equal", 0x0d},
    {"backspace", 0x0e},
    {"tab", 0x0f},
    {"q", 0x10},
    {"w", 0x11},
    {"e", 0x12},
    {"r", 0x13},
    {"t", 0x14},
    {"y", 0x15},
    {"u", 0x16},
    {"i", 0x17},
    {"o", 0x18},
    {"p", 0x19},
    {"bracket_left", 0x1a},
    {"bracket_right", 0x1b},
    {"ret", 0x1c},
    {"a", 0x1e},
    {"s", 0x1f},
    {"d", 0x20},
    {"f", 0x21},
    {"g", 0x22},
    {"h", 0x23},
    {"j", 0x24},
    {"k", 0x25},
    {"l", 0x26},
    {"semicolon", 0x27},
    {"apostrophe", 0x28},
    {"grave_accent", 0x29},
    {"backslash", 0x2b},
    {"z", 0x2c},
    {"x", 0x2d},
    {"c", 0x2e},
    {"v", 0x2f},
    {"b", 0x30},
    {"n", 0x31},
    {"m", 0x32},
    {"comma", 0x33},
    {"dot", 0x34},
    {"slash", 0x35},
    {"asterisk", 0x37},
    {"kp_multiply", 0x37},
    {"spc", 0x39},
    {"caps_lock", 0x3a},
    {"f1", 0x3b},
    {"f2", 0x3c},
    {"f3", 0x3d},
    {"f4", 0x3e},
    {"f5", 0x3f},
    {"f6", 0x40},
    {"f7", 0x41},
    {"f8", 0x42},
    {"f9", 0x43},
    {"f10", 0x44},
    {"num_lock", 0x45},
    {"scroll_lock", 0x46},
    {"kp_7", 0x47},
    {"kp_8", 0x48},
    {"kp_9", 0x49},
    {"kp_subtract", 0x4a},
    {"kp_4", 0x4b},
    {"kp_5", 0x4c},
    {"kp_6", 0x4d},
    {"kp_add", 0x4e},
    {"kp_1", 0x4f},
    {"kp_2", 0x50},
    {"kp_3", 0x51},
    {"kp_0", 0x52},
    {"kp_decimal", 0x53},
    {"sysrq", 0x54},
    {"less", 0x56},
    {"f11", 0x57},
    {"f12", 0x58},
    {"ro", 0x73},
    {"henkan", 0x79},
    {"muhenkan", 0x7b},
    {"yen", 0x7d},
    {"kp_equals", 0x59},
    {"kp_comma", 0x7e},
    {"kp_enter", E0(0x1c)},
    {"kp_divide", E0(0x35)},
    {"print", E0(0x37)},
    {"pause", E0(0x46)},
    {"home", E0(0x47)},
    {"up", E0(0x48)},
    {"pgup", E0(0x49)},
    {"left", E0(0x4b)},
    {"right", E0(0x4d)},
    {"end", E0(0x4f)},
    {"down", E0(0x50)},
    {"pgdn", E0(0x51)},
    {"insert", E0(0x52)},
    {"delete", E0(0x53)},
    {"power", E0(0x5e)},
    {"sleep", E0(0x5f)},
    {"wake", E0(0x63)},
    {"audioprev", E0(0x10)},
    {"audionext", E0(0x19)},
    {"audiomute", E0(0x20)},
    {"calculator", E0(0x21)},
    {"audioplay", E0(0x22)},
    {"audiostop", E0(0x24)},
    {"volumedown", E0(0x2e)},
    {"volumeup", E0(0x30)},
    {"ac_home", E0(0x32)},
    {"find", E0(0x65)},
    {"ac_bookmarks", E0(0x66)},
    {"ac_refresh", E0(0x67)},
    {"ac_forward", E0(0x69)},
    {"ac_back", E0(0x6a)},
    {"computer", E0(0x6b)},
    {"mail", E0(0x6c)},
    {"mediaselect", E0(0x6d)},
};

// Set 2 to set 1, as the 8042 of the AT does it; bytes from 0x85 on pass.
static const uint8_t translation[0x80] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

// Where set 3 differs from set 2.
static const struct {
    uint8_t key, code;
} set3_codes[] = {
    {0x01, 0x08},     {0x3b, 0x07},     {0x3c, 0x0f},     {0x3d, 0x17},     {0x3e, 0x1f},
    {0x3f, 0x27},     {0x40, 0x2f},     {0x41, 0x37},     {0x42, 0x3f},     {0x43, 0x47},
    {0x44, 0x4f},     {0x57, 0x56},     {0x58, 0x5e},     {0x46, 0x5f},     {0x3a, 0x14},
    {0x1d, 0x11},     {0x2a, 0x12},     {0x38, 0x19},     {0x2b, 0x5c},     {0x56, 0x13},
    {0x45, 0x76},     {0x37, 0x7e},     {0x4a, 0x84},     {0x4e, 0x7c},     {0x54, 0x57},
    {E0(0x37), 0x57}, {E0(0x46), 0x62}, {E0(0x38), 0x39}, {E0(0x1d), 0x58}, {E0(0x52), 0x67},
    {E0(0x47), 0x6e}, {E0(0x49), 0x6f}, {E0(0x53), 0x64}, {E0(0x4f), 0x65}, {E0(0x51), 0x6d},
    {E0(0x48), 0x63}, {E0(0x4b), 0x61}, {E0(0x50), 0x60}, {E0(0x4d), 0x6a}, {E0(0x35), 0x77},
    {E0(0x1c), 0x79}, {E0(0x5b), 0x8b}, {E0(0x5c), 0x8c}, {E0(0x5d), 0x8d},
};

uint8_t keymap_translate(uint8_t set2)
{
    if (set2 < 0x80)
        return translation[set2];
    return set2 == 0x83 ? 0x41 : set2 == 0x84 ? 0x54 : set2;
}

uint8_t keymap_set2(uint8_t key)
{
    uint8_t code = key & 0x7f;
    if (code == 0x41)
        return 0x83;
    if (code == 0x54)
        return 0x84;
    for (unsigned i = 1; i < ARRAY_SIZE(translation); i++) {
        if (translation[i] == code)
            return (uint8_t)i;
    }
    return 0;
}

uint8_t keymap_set3(uint8_t key)
{
    for (size_t i = 0; i < ARRAY_SIZE(set3_codes); i++) {
        if (set3_codes[i].key == key)
            return set3_codes[i].code;
    }
    return key & KEYMAP_E0 ? 0 : keymap_set2(key);
}

int keymap_find(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(key_names); i++) {
        if (strlen(key_names[i].name) == length && memcmp(key_names[i].name, name, length) == 0)
            return key_names[i].key;
    }
    if (length > 2 && length <= 4 && name[0] == '0' && name[1] == 'x') {
        int value = 0;
        for (size_t i = 2; i < length; i++) {
            if (!isxdigit((unsigned char)name[i]))
                return -1;
            int c = tolower((unsigned char)name[i]);
            value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
        }
        return value & 0x7f ? value : -1;
    }
    return -1;
}

bool keymap_parse_chord(const char *text, uint8_t *keys, size_t max, size_t *count,
                        struct error *err)
{
    *count = 0;
    if (!*text)
        return error_set(err, "sendkey: no key given, for example ctrl-alt-delete");
    for (const char *p = text;; p++) {
        size_t length = strcspn(p, "-");
        int key = keymap_find(p, length);
        if (key < 0)
            return error_set(err, "sendkey: unknown key '%.*s' in '%.80s'",
                             (int)(length > 40 ? 40 : length), p, text);
        if (*count == max)
            return error_set(err, "sendkey: '%.80s' has more than %zu keys", text, max);
        keys[(*count)++] = (uint8_t)key;
        p += length;
        if (!*p)
            return true;
    }
}

size_t keymap_count(void)
{
    return ARRAY_SIZE(key_names);
}

const char *keymap_name(size_t index)
{
    return index < ARRAY_SIZE(key_names) ? key_names[index].name : NULL;
}

int keymap_from_ascii(char c, bool *shift)
{
    // Index: set 1 code. '\0' where no character is typed.
    static const char plain[] =
        "\0\0331234567890-=\b\tqwertyuiop[]\n\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
    static const char shifted[] = "\0\0!@#$%^&*()_+\0\0QWERTYUIOP{}\0\0ASDFGHJKL:\"~\0|ZXCVBNM<>?";
    if (c == '\r')
        c = '\n';
    if (!c)
        return -1;
    *shift = false;
    for (size_t i = 0; i < sizeof plain - 1; i++) {
        if (plain[i] == c && i != 0x37)
            return (int)i;
    }
    *shift = true;
    for (size_t i = 0; i < sizeof shifted - 1; i++) {
        if (shifted[i] == c)
            return (int)i;
    }
    return -1;
}
