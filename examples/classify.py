"""Name photographs in five lines: python examples/classify.py PHOTO…"""

import sys

import gpucnn

with gpucnn.Classifier("efficientnet_lite0", top=3) as classifier:
    for result in classifier.predict(sys.argv[1:] or ["examples/images/chelsea.png"]):
        print(result.path, result.error or [(p.label, round(p.probability, 3)) for p in result.predictions])
