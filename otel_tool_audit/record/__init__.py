"""What is written: values and bytes. Pure: no OpenTelemetry, no files, no clock."""
