#!/bin/bash
# SPDX-License-Identifier: MIT
# planted.sh FOLDER: each wrong translation of planted.c (FOLDER/sequence_planted_N) is found within a minute of CPU time and made as short as a
# handful of instructions, one of which is the wrong one; without any the same programs run without a difference.
set -euo pipefail
folder=$1

# plant NUMBER MNEMONIC INSTRUCTIONS
plant() {
    local number=$1 mnemonic=$2 most=$3 out
    if out=$("$folder/sequence_planted_$number" --seconds 60 --seed 7); then
        echo "plant $number was not found: $out"
        exit 1
    fi
    local length
    length=$(sed -n 's/^minimised: \([0-9]*\) of .*/\1/p' <<<"$out")
    if [ -z "$length" ] || [ "$length" -gt "$most" ] || ! grep -q "^  [0-9a-f]\{5\}  .*\b$mnemonic\b" <<<"$out"; then
        echo "plant $number: not made short: $out"
        exit 1
    fi
    echo "plant $number ($mnemonic): $(sed -n 's/.*fails after \(.*\) CPU seconds.*/found after \1 CPU seconds/p' <<<"$out"), $length instructions"
}

plant 1 inc 6
plant 2 sar 6
plant 3 'bt[src]*' 6
"$folder/sequence" --programs 500 --seed 7
