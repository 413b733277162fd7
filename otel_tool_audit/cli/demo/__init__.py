"""
The demonstration: a support agent of a small shop at work, and what its trail proves.

The shop is real (orders in SQLite), the model is a script. Nothing here touches the user's own state directory.
"""
