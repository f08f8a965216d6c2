"""Name photographs in five lines: python examples/classify.py PHOTO…

Without a photograph it names the cat of examples/images; run it from anywhere.
"""

import sys
from pathlib import Path

import gpucnn

CAT = Path(__file__).parent / "images" / "chelsea.png"

with gpucnn.Classifier("efficientnet_lite0", top=3) as classifier:
    for result in classifier.predict(sys.argv[1:] or [CAT]):
        print(result.path, result.error or [(p.label, round(p.probability, 3)) for p in result.predictions])
