"""How results are judged, in pure numpy: metrics, distances, calibration, intervals, paired tests, agreement.

Labels are integers from 0, `N` counts rows and `L` labels. A statistic is a function from row indices to
one number, so the same function serves the point estimate, the interval and the paired test. `nan` as a
result means "not defined on these rows" and nothing else; `nan` in an input is an error.
"""
