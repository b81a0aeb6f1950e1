#!/usr/bin/env python3
"""Makes digits.bin from the gzipped CSV of the digits data set.

Usage: make.py digits.csv.gz digits.bin

Each of the 1,797 lines holds 64 pixels (0..16, row by row) and then the label (0..9). Each record of digits.bin holds
65 bytes: the label and then the 64 pixels, in the order of the lines.
"""

import csv
import gzip
import hashlib
import sys

IMAGES = 1797
PIXELS = 64


def main(source, target):
    records = bytearray()
    with gzip.open(source, "rt", encoding="ascii", newline="") as text:
        for number, row in enumerate(csv.reader(text), start=1):
            *pixels, label = (int(float(field)) for field in row)
            if len(pixels) != PIXELS or not all(0 <= p <= 16 for p in pixels) or not 0 <= label <= 9:
                sys.exit(f"{source}:{number}: not 64 pixels of 0..16 and a label of 0..9")
            records += bytes([label, *pixels])
    if len(records) != IMAGES * (PIXELS + 1):
        sys.exit(f"{source}: {len(records) // (PIXELS + 1)} images instead of {IMAGES}")
    with open(target, "wb") as file:
        file.write(records)
    print(f"{target}: {len(records)} bytes, sha256 {hashlib.sha256(records).hexdigest()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
