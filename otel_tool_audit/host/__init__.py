"""The host: system calls, locks, safe directories. The only room that opens or locks the files of a trail for writing."""
