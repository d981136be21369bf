#!/bin/sh
# Kills the processes of a stack if the launcher dies without cleaning up (kill -9, a crash).
# Standard input is a pipe from the launcher; the system closes it when the launcher dies.
# The line "+PID" adds a process group, "-PID" removes it. After the line "rm" the folder $1 is
# removed at the end; after "keep" the data of Redis stays for the next stack of the same name.
groups=' '
rm=false
while read -r line; do
  pid=${line#?}
  case $line in
    +*) groups="$groups$pid " ;;
    -*) groups="${groups%% "$pid" *} ${groups#* "$pid" }" ;;
    rm) rm=true ;;
    keep) rm=false ;;
  esac
done
for pid in $groups; do
  kill -KILL "-$pid" 2>/dev/null
done
if $rm; then rm -rf -- "$1"; fi
