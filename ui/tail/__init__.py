"""Events as they happen, and as they happened: `overspill tail`.

What is chosen and how it reads is pure; one module listens, one writes. Whoever reads too slowly holds up nobody.
"""
