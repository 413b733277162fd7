"""
Taking out of values what must not be stored: secrets by the name of their key or by their shape, and personal data.

Pure: no I/O, no clock; keys are handed in.

Source: DESIGN.md, section 6; REQUIREMENTS.md, R3 and R17.
"""

from __future__ import annotations
