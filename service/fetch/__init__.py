"""Pull: archives are asked for spine CTs, which are fetched and analysed.

::

    asked       what the command line asks for      candidates  which series are worth fetching
    sources     the configured archive              plan        what will be fetched, and what not
    ledger      what is done, also after a kill     pace        how fast, and at which hours
    retrieval   one series, whole or said not to be transfer    many of them, in order
    cohort      analysed offline into folders       backfill    into the running node's queue
"""
