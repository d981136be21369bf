#!/bin/sh
# Kills the processes of a stack if the launcher dies without cleaning up (kill -9, a crash).
# Standard input is a pipe from the launcher; the system closes it when the launcher dies.
# The line "+PID" adds a process group, "-PID" removes it. $1 is the folder to remove at the end.
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
