"""Answers, for each line of JSON {expr, multi, text}, what module re finds."""
import json
import re
import signal
import sys
import warnings


class Slow(Exception):
    """Python needs exponential time on some of the questions."""


def late(*_):
    raise Slow("took too long")


signal.signal(signal.SIGALRM, late)

warnings.simplefilter("ignore")
for line in sys.stdin:
    ask = json.loads(line)
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        found = re.compile(ask["expr"], re.M if ask["multi"] else 0).search(ask["text"])
        answer = None if found is None else [found.group(i) for i in range(found.re.groups + 1)]
        answer = {"ok": True, "found": answer}
    except (re.error, OverflowError, RecursionError) as e:
        answer = {"ok": False, "why": str(e)}
    except (Slow, SystemError):  # the latter is a fault of module re
        answer = {"ok": True, "slow": True}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    print(json.dumps(answer))
