"""From a request to an alert that is committed, or to all that is wrong with the request.

`draft` puts the parts together in the order of reading; `commit` is the one transaction behind a
202, `rehearsal` what a dry run tells instead.
"""
