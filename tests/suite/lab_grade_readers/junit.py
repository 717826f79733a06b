"""Prints as JSON what junitparser reads from the JUnit report that the argument names."""

import json
import sys

from junitparser import JUnitXml


def case(case):
    results = [[type(it).__name__, it.message, it.text] for it in case.result]
    return {"name": case.name, "class": case.classname, "results": results, "out": case.system_out}


def suite(suite):
    counts = {name: getattr(suite, name) for name in ("tests", "failures", "errors", "skipped")}
    return {"name": suite.name, **counts, "cases": [case(it) for it in suite]}


json.dump([suite(it) for it in JUnitXml.fromfile(sys.argv[1])], sys.stdout)
