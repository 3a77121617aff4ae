#!/bin/bash
# SPDX-License-Identifier: MIT
# windows-pe.sh EMU: the export tables of mingw-w64's own DLLs, as our reader and as objdump see them.
. "$(dirname "$0")/../boot/lib.sh"
plugins=$source_root/plugins
gcc -std=gnu17 -O1 -Wall -Werror -I "$plugins" -o "$work/list" "$source_root/tests/insight/windows/list_exports.c" \
    "$plugins/common/pe_exports.c" || fail "list_exports"
"$guests/windows-calls/build.sh" "$work/guest" dll >"$work/build.log" 2>&1 || fail "guest: $(cat "$work/build.log")"

# The table by ordinal, then the names by their place in it; forwarders are left out.
by_objdump() {
    i686-w64-mingw32-objdump -p "$1" | sed 's,[][+], ,g' | awk '
        /^Export Address Table/ { table = 1 }
        /Ordinal\/Name Pointer +Table/ { table = 2 }
        /^The / && table { table = 0 }
        table == 1 && $0 ~ /Export RVA/ { rva[$1] = $4; ordinal[$1] = $3 }
        table == 2 && NF >= 2 && $1 ~ /^[0-9]+$/ { if (!($1 in name)) name[$1] = $NF }
        END { for (i in rva) print rva[i], ordinal[i], (i in name) ? name[i] : "#" }'
}

files=0
exports=0
for dll in "$work/guest/kernel32.dll" /usr/lib/gcc/i686-w64-mingw32/*/*.dll /usr/i686-w64-mingw32/lib/*.dll; do
    [ -f "$dll" ] || continue
    "$work/list" "$dll" | sort >"$work/ours" || fail "$dll is refused"
    by_objdump "$dll" | sort >"$work/theirs"
    diff "$work/ours" "$work/theirs" >"$work/difference" || fail "$dll: $(head -n 5 "$work/difference")"
    files=$((files + 1))
    exports=$((exports + $(wc -l <"$work/ours")))
done
[ "$files" -ge 3 ] && [ "$exports" -gt 1000 ] || fail "only $files DLLs with $exports exports"
pass "$exports exports of $files DLLs are what objdump finds"
