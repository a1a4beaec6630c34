"""`overspill replay`: a recorded day under another rule, side by side with the day as it was.

`running` plays it, `report` makes words and JSON of the figures, `plots` pictures.
"""
