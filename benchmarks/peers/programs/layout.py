"""How a record lies in the file of the filler."""

import struct

# Partition (-1: by key), time in ms (0: now), lengths of key and value, number of headers; then key, value, and headers as pairs.
HEAD = struct.Struct("<hqHII")
PAIR = struct.Struct("<HH")
