"""The commands of `overspill`, a module for each subject; each has `register(app)`.

Thin: they read the settings, call the package that does the work, and print. Heavy imports go inside the functions.
"""
