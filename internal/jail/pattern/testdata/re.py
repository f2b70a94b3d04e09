"""Answers, for each line of JSON {expr, multi, text}, what module re finds."""
import json
import re
import sys
import warnings

warnings.simplefilter("ignore")
for line in sys.stdin:
    ask = json.loads(line)
    try:
        found = re.compile(ask["expr"], re.M if ask["multi"] else 0).search(ask["text"])
        answer = None if found is None else [found.group(i) for i in range(found.re.groups + 1)]
        answer = {"ok": True, "found": answer}
    except (re.error, OverflowError, RecursionError) as e:
        answer = {"ok": False, "why": str(e)}
    print(json.dumps(answer))
