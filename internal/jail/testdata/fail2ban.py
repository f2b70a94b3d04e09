"""Asks fail2ban itself what its filters make of lines.

Reads one job a line from standard input and writes one answer a line to standard
output, both JSON. A job has lines for a filter, or asks for the samples of a filter that
come with fail2ban's tests (which variants of it there are, and which lines each is given),
for what jail.conf says, for lengths of time, or for dates.
"""
import copy
import datetime
import json
import os
import re
import sys
import time

sys.path.insert(0, "/usr/lib/python3/dist-packages")
os.environ["TZ"] = "Europe/Zurich"
time.tzset()

from fail2ban.client.filterreader import FilterReader  # noqa: E402
from fail2ban.client.jailsreader import JailsReader  # noqa: E402
from fail2ban.server import datedetector  # noqa: E402
from fail2ban.server.filter import Filter  # noqa: E402
from fail2ban.server.mytime import MyTime  # noqa: E402
from fail2ban import helpers  # noqa: E402
import logging  # noqa: E402

logging.getLogger("fail2ban").setLevel(logging.CRITICAL + 1)
NOW = 1124013600
LOGS = "/usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
FORMS = copy.copy(datedetector.DateDetectorCache.DEFAULT_TEMPLATES)


def forget():
    """Makes fail2ban forget what it learned of dates from other logs."""
    datedetector.DD_patternCache._cache.clear()
    datedetector.DateDetectorCache.DEFAULT_TEMPLATES = copy.copy(FORMS)
    datedetector.DateDetector._defCache = datedetector.DateDetectorCache()


def make(base, spec, options):
    """Returns the filter of a spec, and what it is made of."""
    forget()
    reader = FilterReader(spec, "jail", dict(options), basedir=base)
    if not reader.read():
        raise ValueError("no such filter")
    reader.getOptions({})
    made = Filter(None)
    made.returnRawHost = True
    made.checkFindTime = False
    parts = {"prefregex": "", "addfailregex": [], "addignoreregex": [], "maxlines": 1, "datepattern": ""}
    for step in reader.convert():
        for value in step[3] if step[0] == "multi-set" else [step[3]]:
            if step[2] == "prefregex":
                made.prefRegex = value
            elif step[2] == "addfailregex":
                made.addFailRegex(value)
            elif step[2] == "addignoreregex":
                made.addIgnoreRegex(value)
            elif step[2] == "maxlines":
                made.setMaxLines(value)
            elif step[2] == "datepattern":
                made.setDatePattern(value)
            else:
                continue
            if isinstance(parts[step[2]], list):
                parts[step[2]].append(value)
            else:
                parts[step[2]] = value
    return made, parts


def answer(found):
    if not found:
        return None
    number, fid, at, fail = found[0]
    skip = ("matches", "nofail-matches", "users", "mlfpending", "ip")
    return {
        "regex": number,
        "id": " ".join(fid.ntoa) if isinstance(fid.ntoa, tuple) else str(fid),
        "time": at,
        "fields": {k: v if isinstance(v, str) else " ".join(map(str, v)) for k, v in fail.items() if v is not None and k not in skip},
        "users": sorted(fail.get("users") or []),
        "lines": ["".join(m) for m in fail.get("matches", [])],
    }


def run(job):
    try:
        made, parts = make(job["base"], job["spec"], job.get("options") or {})
    except Exception as e:
        return {"error": "%s: %s" % (type(e).__name__, e)}
    mode = job.get("mode", "offline")
    made.checkFindTime, made.inOperation = mode != "offline", mode == "live"
    made.setFindTime(job.get("findtime", 600))
    answers = []
    for line in job["lines"]:
        try:
            if job.get("journal"):
                at = datetime.datetime.utcfromtimestamp(NOW).isoformat()
                found = made.processLine(("", at, line), NOW)
            else:
                found = made.processLine(line)
            answers.append(answer(found))
        except Exception as e:
            answers.append({"error": "%s: %s" % (type(e).__name__, e)})
    return {"parts": parts, "answers": answers}


def samples(job):
    """Lists the variants of a filter and their lines, as fail2ban's own test does."""
    name, variants, files, common, i = job["samples"], {}, [job["samples"]], {}, 0
    current, blocked = [], False
    while i < len(files):
        path = os.path.join(LOGS, files[i])
        i += 1
        if not os.path.isfile(path):
            continue
        with open(path, encoding="utf-8", errors="replace", newline="\n") as f:
            for line in f:
                line = line.rstrip("\r\n")
                directive = re.match("^#+ ?(failJSON|(?:file|filter)Options|addFILE):(.+)$", line)
                if directive:
                    kind, data = directive.group(1), json.loads(directive.group(2))
                    if kind == "fileOptions":
                        common = data
                    elif kind == "addFILE":
                        files.append(data)
                    elif kind == "filterOptions":
                        current, blocked = [], False
                        for options in data if isinstance(data, list) else [data]:
                            options = dict(common, **options)
                            if options.get("test.condition"):
                                blocked = not eval(options["test.condition"])
                            if not blocked:
                                current.append(options)
                    continue
                if blocked or line.startswith("#") or not line.strip():
                    continue
                for options in current or [{}]:
                    key = json.dumps(options, sort_keys=True)
                    own = {k: v for k, v in options.items() if not k.startswith("test.")}
                    variant = variants.setdefault(key, {"options": own, "journal": options.get("logtype") == "journal", "lines": []})
                    prefix = options.get("test.prefix-line", "") if variant["journal"] else ""
                    variant["lines"].append(prefix + line)
    return {"variants": list(variants.values())}


def jails(job):
    """Lists what fail2ban reads of jail.conf, for each jail that is on."""
    reader = JailsReader(basedir=job["jails"])
    reader.read()
    reader.getOptions()
    found = {}
    for jail in reader.jails:
        options = jail.options
        if options.get("config-error"):
            found[jail.getName()] = {"error": options["config-error"]}
            continue
        parts = {"addfailregex": [], "addignoreregex": [], "addjournalmatch": [], "addignoreip": []}
        for step in jail.convert(allow_no_files=True):
            if step[0] == "multi-set" and step[2] in parts:
                parts[step[2]] += step[3]
            elif step[0] == "set" and step[2] == "addjournalmatch":
                parts[step[2]].append(" ".join(step[3:]))
            elif step[0] == "set" and isinstance(parts.get(step[2]), list):
                parts[step[2]] += step[3:]
            elif step[0] == "set" and len(step) > 3 and step[2] != "addaction":
                parts[step[2]] = str(step[3])
        for span in ("findtime", "bantime"):
            parts[span] = str(MyTime.str2seconds(parts[span]))
        parts["backend"] = options["backend"]
        parts["logpath"] = options.get("logpath", "")
        parts["actions"] = [a.strip() for a in helpers.splitWithOptions(options["action"]) if a.strip()]
        found[jail.getName()] = parts
    return {"jails": found}


def spans(job):
    """Says how many seconds each length of time is."""
    found = []
    for text in job["spans"]:
        try:
            found.append(float(MyTime.str2seconds(text)))
        except Exception:
            found.append(None)
    return {"spans": found}


def dates(job):
    """Says what a detector makes of lines: what it cuts out, and when that is."""
    forget()
    made = datedetector.DateDetector()
    if job.get("zone"):
        made.default_tz = job["zone"]
    for pattern in job.get("patterns") or []:
        made.appendTemplate(pattern)
    found = []
    for line in job["dates"]:
        match, at = None, None
        try:
            match, template = made.matchTime(line)
            if match is not None and match.group(1):
                at = made.getTime(match.group(1), (match, template))
        except Exception:  # fail2ban passes such a line over
            pass
        found.append(match and {"text": match.group(1), "time": at[0] if at else None})
    return {"dates": found}


MyTime.setTime(NOW)
ASKED = {"samples": samples, "jails": jails, "spans": spans, "dates": dates}
for text in sys.stdin:
    job = json.loads(text)
    answers = [ASKED[what](job) for what in ASKED if what in job]
    print(json.dumps(answers[0] if answers else run(job)), flush=True)
