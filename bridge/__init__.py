"""Overflow to the cloud and back.

Takes only `consumers.operations` and `bus`; decides nothing about placement.
"""
