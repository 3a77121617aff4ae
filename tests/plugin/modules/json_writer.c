// SPDX-License-Identifier: MIT
// Writes strings as JSON lines to the file of its argument.
#include <emu/plugin.h>

struct said {
    const char *text;
};

static const struct payload_field said_fields[] = {
    PAYLOAD_FIELD(struct said, text, PAYLOAD_STRING, "what was said"), PAYLOAD_FIELDS_END};
static const struct payload_type said_payload = {"said", 1, sizeof(struct said), said_fields,
                                                 "Somebody said something."};

EMU_PLUGIN_EXPORT const struct pi_info init_info = {NULL, NULL, NULL};

EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi);
EMU_PLUGIN_EXPORT void pi_start(PluginInterface *pi)
{
    static const char *const texts[] = {
        "a \"b\" \\ \n",
        "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82", // two, three and four bytes
        "\xe9 \xc0\x80 \xed\xa0\x80 \xe2\x82",    // Latin-1, too long, a surrogate, cut off
        NULL};
    PluginChannel *channel = plugin_channel_open(plugin_argument(pi, "file"));
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        plugin_channel_json(channel, "said", &said_payload, &(struct said){texts[i]});
}
