"""The figures of a report: what each shows, how to read it, and how it is drawn."""
