#!/bin/sh
# Ends what the launcher leaves behind when it dies without a chance to clean up (kill -9, a crash).
# Its standard input is a pipe from the launcher, which the system closes with the launcher's death.
# A line "+PID" adds a process group, "-PID" takes it off; $1 is the folder to remove.
groups=' '
while read -r line; do
  pid=${line#?}
  case $line in
    +*) groups="$groups$pid " ;;
    -*) groups="${groups%% "$pid" *} ${groups#* "$pid" }" ;;
  esac
done
for pid in $groups; do
  kill -KILL "-$pid" 2>/dev/null
done
rm -rf -- "$1"
