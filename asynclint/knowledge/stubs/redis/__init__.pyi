# Of the blocking client nothing need be known.
