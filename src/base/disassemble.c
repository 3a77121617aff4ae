// SPDX-License-Identifier: MIT
// Disassembly by Zydis, Intel syntax.
#include "base/disassemble.h"

#include <stdio.h>

#include <Zydis/Zydis.h>

unsigned disassemble(enum disassemble_mode mode, uint64_t address, const uint8_t *bytes,
                     size_t available, char *text, size_t text_size)
{
    static const ZydisMachineMode machine[] = {
        [DISASSEMBLE_16] = ZYDIS_MACHINE_MODE_LEGACY_16,
        [DISASSEMBLE_32] = ZYDIS_MACHINE_MODE_LEGACY_32,
        [DISASSEMBLE_64] = ZYDIS_MACHINE_MODE_LONG_64,
    };
    ZydisFormatter formatter;
    ZydisDecoder decoder;
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisStackWidth width = mode == DISASSEMBLE_64   ? ZYDIS_STACK_WIDTH_64
                            : mode == DISASSEMBLE_32 ? ZYDIS_STACK_WIDTH_32
                                                     : ZYDIS_STACK_WIDTH_16;
    if (ZYAN_SUCCESS(ZydisDecoderInit(&decoder, machine[mode], width)) &&
        ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) &&
        ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, available, &decoded, operands)) &&
        ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &decoded, operands,
                                                     decoded.operand_count_visible, text, text_size,
                                                     address, NULL)))
        return decoded.length;
    snprintf(text, text_size, "(bad)");
    return 1;
}
