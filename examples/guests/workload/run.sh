#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the workload in /root and leaves a file there; a later boot finds and verifies it.
here=/root
if [ -f $here/left.sum ]; then
    if (cd $here && sha256sum -c -s left.sum); then
        echo "SECOND BOOT SEES FILE $(cut -c 1-16 $here/left.sum)"
    else
        echo "FAIL the file of the first boot is damaged"
    fi
fi
/root/workload $here || exit 1
# A file that depends on nothing but arithmetic: lines of checksums, each of the line before.
line=start
: >$here/left.txt
i=0
while [ $i -lt 50 ]; do
    line=$(echo "$line $i" | sha256sum | cut -c 1-64)
    echo "$line" >>$here/left.txt
    i=$((i + 1))
done
(cd $here && sha256sum left.txt >left.sum)
sync
echo "SCRIPT PASS $(cut -c 1-16 $here/left.sum)"
