"""
What is given out of a trail: plain files with a manifest, one module a format, and reports for people.

Like ``review`` it never imports the writer, nor OpenTelemetry; what each format needs is imported where it is written.
"""
