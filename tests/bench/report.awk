# SPDX-License-Identifier: MIT
# Records of the driver -> tables of medians; -v json=FILE also writes them there. -v title=TEXT; -v mode=plugins prints
# CPU times and the
# ratios of the contestant named X+P to the one named X, and appends their means to -v summary=FILE.
BEGIN { FS = "\t"; names = 0; works = 0 }
function seen(name) { if (!(name in index_of)) { index_of[name] = ++names; name_of[names] = name } }
$1 == "contestant" { seen($2) }
$1 == "run" {
    seen($2)
    if (!($3 in group_of)) { group_of[$3] = $4; work_of[++works] = $3 }
    key = $2 SUBSEP $3
    if ($10 == "ok") {
        k = ++count[key]
        wall_value[key, k] = $7 * $5 / $6 / 1000
        cpu_value[key, k] = $8 * $5 / $6 / 1000
    } else
        bad[key] = $10
}
$1 == "boot" {
    seen($2)
    key = $2 SUBSEP "boot"
    if (!("boot" in group_of)) group_of["boot"] = "boot"
    k = ++count[key]
    wall_value[key, k] = $3 / 1000
    cpu_value[key, k] = $4 / 1000
}
$1 == "memory" { resident[$2] = $3; beside[$2] = $4 }
$1 == "absent" { seen($2); absent[$2] = $3 }

# The median of value[key, 1..n]; -1 without one.
function median(value, key, n,    v, i, j, t) {
    if (n == 0) return -1
    for (i = 1; i <= n; i++) v[i] = value[key, i]
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
}
function time_of(kind, name, work,    key) {
    key = name SUBSEP work
    if (bad[key] != "") return -1
    return kind == "cpu" ? median(cpu_value, key, count[key] + 0) : median(wall_value, key, count[key] + 0)
}
function ratio(kind, a, b, work,    x, y) {
    x = time_of(kind, a, work); y = time_of(kind, b, work)
    return x > 0 && y > 0 ? x / y : -1
}
# The geometric mean over the workloads whose group matches.
function mean(kind, a, b, pattern,    i, r, sum, n) {
    for (i = 1; i <= works; i++) {
        if (group_of[work_of[i]] !~ pattern) continue
        r = ratio(kind, a, b, work_of[i])
        if (r > 0) { sum += log(r); n++ }
    }
    return n ? exp(sum / n) : -1
}
function cell(value, format, width) { return sprintf("%" width "s", value < 0 ? "-" : sprintf(format, value)) }
function print_table(kind,    i, j, line, work) {
    for (i = 1; i <= names; i++) width[i] = length(name_of[i]) + 2 > 11 ? length(name_of[i]) + 2 : 11
    printf "\n%s, milliseconds, medians; ratios above 1 mean that the first is slower\n", \
        kind == "cpu" ? "CPU time of the process" : "wall time"
    line = sprintf("%-13s", "workload")
    for (i = 1; i <= names; i++) line = line sprintf("%*s", width[i], name_of[i])
    for (i = 1; i <= pairs; i++) line = line sprintf("%*s", pair_width[i], first[i] "/" second[i])
    print line
    for (j = 0; j <= works; j++) {
        work = j ? work_of[j] : "boot"
        if (!(work in group_of)) continue
        line = sprintf("%-13s", work)
        for (i = 1; i <= names; i++) {
            if (bad[name_of[i], work] != "") line = line sprintf("%*s", width[i], bad[name_of[i], work])
            else line = line cell(time_of(kind, name_of[i], work), "%.1f", width[i])
        }
        for (i = 1; i <= pairs; i++) line = line cell(ratio(kind, first[i], second[i], work), "%.2f", pair_width[i])
        print line
    }
    print_means(kind, "geomean int", "^int$")
    print_means(kind, "geomean fp", "^fp$")
    print_means(kind, "compute", "^(int|fp)$")
    print_means(kind, "system", "^system$")
}
function print_means(kind, label, pattern,    i, line, any) {
    line = sprintf("%-13s", label)
    for (i = 1; i <= names; i++) line = line sprintf("%*s", width[i], "")
    for (i = 1; i <= pairs; i++) {
        if (mean(kind, first[i], second[i], pattern) > 0) any = 1
        line = line cell(mean(kind, first[i], second[i], pattern), "%.2f", pair_width[i])
    }
    if (any) print line
}
function add_pair(a, b) {
    first[++pairs] = a
    second[pairs] = b
    pair_width[pairs] = length(a b) + 3 > 12 ? length(a b) + 3 : 12
}
function choose_pairs(    i, j) {
    if (mode == "plugins") {
        for (i = 1; i <= names; i++)
            for (j = 1; j <= names; j++)
                if (index(name_of[i], name_of[j] "+") == 1) add_pair(name_of[i], name_of[j])
        return
    }
    for (i = 1; i <= names; i++)
        if (name_of[i] != "native") add_pair(name_of[i], "native")
    for (j = 1; j <= names; j++) # all against the first of emu's
        if (name_of[j] ~ /^emu/) break
    for (i = 1; i <= names && j <= names; i++)
        if (name_of[i] != "native" && i != j) add_pair(name_of[i], name_of[j])
}
function number(x) { return x < 0 ? "null" : sprintf("%.3f", x) }
function write_json(    i, j, work, comma) {
    printf "{\"title\": \"%s\", \"results\": [", title >json
    for (i = 1; i <= names; i++) {
        for (j = 0; j <= works; j++) {
            work = j ? work_of[j] : "boot"
            if (!(work in group_of) || (count[name_of[i], work] + 0 == 0 && bad[name_of[i], work] == "")) continue
            printf "%s\n  {\"contestant\": \"%s\", \"workload\": \"%s\", \"group\": \"%s\", \"cpu_ms\": %s, " \
                "\"wall_ms\": %s, \"runs\": %d, \"status\": \"%s\"}", comma, name_of[i], work, group_of[work], \
                number(time_of("cpu", name_of[i], work)), number(time_of("wall", name_of[i], work)), \
                count[name_of[i], work], bad[name_of[i], work] != "" ? bad[name_of[i], work] : "ok" >json
            comma = ","
        }
    }
    printf "\n], \"geomeans\": [" >json
    comma = ""
    for (i = 1; i <= pairs; i++) {
        printf "%s\n  {\"of\": \"%s\", \"to\": \"%s\", \"int\": %s, \"fp\": %s, \"compute\": %s, \"system\": %s}", comma, \
            first[i], second[i], number(mean("cpu", first[i], second[i], "^int$")), \
            number(mean("cpu", first[i], second[i], "^fp$")), number(mean("cpu", first[i], second[i], "^(int|fp)$")), \
            number(mean("cpu", first[i], second[i], "^system$")) >json
        comma = ","
    }
    printf "\n], \"memory\": [" >json
    comma = ""
    for (i = 1; i <= names; i++) {
        if (!(name_of[i] in resident)) continue
        printf "%s\n  {\"contestant\": \"%s\", \"resident_kib\": %d, \"beside_ram_kib\": %d}", comma, name_of[i], \
            resident[name_of[i]], beside[name_of[i]] >json
        comma = ","
    }
    printf "\n]}\n" >json
}
END {
    choose_pairs()
    print title
    print_table("cpu")
    if (mode == "plugins") {
        for (i = 1; i <= pairs; i++)
            printf "%-22s %12s %12s\n", first[i], cell(mean("cpu", first[i], second[i], "^(int|fp)$"), "%.2f", 12), \
                cell(mean("wall", first[i], second[i], "^(int|fp)$"), "%.2f", 12) >>summary
    } else
        print_table("wall")
    line = ""
    for (i = 1; i <= names; i++)
        if (name_of[i] in resident)
            line = line sprintf("%s %s %d MiB, %d of it beside the guest's RAM", line == "" ? "" : ";", name_of[i], \
                resident[name_of[i]] / 1024, beside[name_of[i]] / 1024)
    if (line != "") printf "\nresident after the boot:%s\n", line
    for (name in absent) printf "absent: %s: %s\n", name, absent[name]
    if (json != "") write_json()
}
