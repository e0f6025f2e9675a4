"""What runs inside the rehearsal guest: Windows Setup's and Windows' behaviour, on Linux.

These modules know the distribution's Python and Pillow, and nothing of the rest of winbuild.
"""
