#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest of the file test: what file_monitor must report by name.
cd /root
head -c 100000 data.bin | md5sum >/tmp/sum
dd if=data.bin of=/tmp/copy bs=1000 skip=3 count=5 2>/dev/null
wc -c <data.bin >>/tmp/sum
exec 5</etc/passwd
exec 6<&5
read line <&5
echo "$line" >/tmp/line
exec 5<&- 6<&-
cat /etc/group >/tmp/group
ls /etc >/tmp/list
echo FILES DONE
